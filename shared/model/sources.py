"""Where permissions come from. Kept apart from the models, so that the policy engine runs without pydantic."""

from enum import StrEnum
from typing import NamedTuple


class PolicyKind(StrEnum):
    """How a policy reaches an identity."""

    INLINE = "inline"
    MANAGED = "managed"
    GROUP_INLINE = "group_inline"
    GROUP_MANAGED = "group_managed"


class PolicySource(NamedTuple):
    """Where a statement comes from, so that every grant can name its source.

    `name` is the policy's name; `arn` is set for managed policies, `group` for what comes through a group.
    """

    kind: PolicyKind
    name: str
    arn: str | None = None
    group: str | None = None

    def __str__(self) -> str:
        """For people: `managed AmazonS3FullAccess`, `group_inline Devs/limits`."""
        return f"{self.kind} {self.group + '/' if self.group else ''}{self.name}"
