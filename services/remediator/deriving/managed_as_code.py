"""Which identities are managed as code: the next deploy would undo whatever else changes them. Pure."""

from collections.abc import Iterable, Mapping
from typing import Protocol

CLOUDFORMATION = "cloudformation"
# CloudFormation User Guide, "Resource tag": the tags that it puts on what a stack creates. Nobody else can set `aws:`.
STACK_TAGS = ("aws:cloudformation:stack-id", "aws:cloudformation:stack-name")


class Mark(Protocol):
    """A team's own sign of what its code manages: a tag, with one of these values if any are given."""

    @property
    def tag(self) -> str:
        """The tag's key."""

    @property
    def values(self) -> tuple[str, ...]:
        """Values that count; none means every value."""

    @property
    def tool(self) -> str:
        """`terraform` or `cloudformation`."""


def tool_of(tags: Mapping[str, str], configured: Iterable[Mark]) -> str | None:
    """Name the tool that manages an identity with these tags, or None; tags compare without case, as IAM's do.

    >>> tool_of({"aws:cloudformation:stack-name": "orders"}, ())
    'cloudformation'
    """
    held = {key.lower(): value.lower() for key, value in tags.items()}
    for mark in configured:
        value = held.get(mark.tag.lower())
        if value is not None and (not mark.values or value in map(str.lower, mark.values)):
            return mark.tool
    return CLOUDFORMATION if any(tag in held for tag in STACK_TAGS) else None
