"""A team's safeguards, kept in one SSM parameter: who is exempt, when nothing changes, what is always kept.

A parameter that is missing or can't be read in full changes nothing for anybody (fail closed).
"""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.errors import SettingsError
from shared.model.identity import IdentityRef
from shared.validation import describe

MAX_LENGTH = 8192  # characters, of an advanced parameter
WILDCARDS = frozenset("*?")
Text = Annotated[str, Field(min_length=1, max_length=200)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Exemption(_Entry):
    """Who is left alone: exactly one of a path (as a prefix), an ARN or a unique id; until a day, or for good."""

    path: str | None = Field(default=None, pattern="^/([!-~]+/)?$")
    arn: str | None = Field(default=None, pattern=r"^arn:[^:]+:iam::\d{12}:(user|role)/(.*[^/])$")
    identity_id: str | None = Field(default=None, pattern=r"^A(IDA|ROA)[A-Z0-9]{4,}$")
    owner: Text
    reason: Text
    until: date | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if sum(value is not None for value in (self.path, self.arn, self.identity_id)) != 1:
            raise ValueError("exactly one of path, arn and identity_id is needed")
        if WILDCARDS & set((self.path or "") + (self.arn or "")):  # would be read literally, and exempt nobody
            raise ValueError("there are no wildcards: a path is a prefix, and an arn names one user or role")
        return self

    def covers(self, ref: IdentityRef) -> bool:
        """Whether it is about this identity; names compare without case, as IAM's do."""
        if self.path is not None:
            return ref.path.lower().startswith(self.path.lower())
        return ref.identity_id == self.identity_id or ref.arn.lower() == (self.arn or "").lower()


class Hold(_Entry):
    """A time in which nothing is changed without a person: the end of a year, a test of disaster recovery."""

    start: AwareDatetime
    end: AwareDatetime
    reason: Text

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end <= self.start:
            raise ValueError("a hold ends after it starts")
        return self


class ManagedAsCode(_Entry):
    """Identities with this tag (and one of these values, if any are given; without case) are changed by their code."""

    tag: Text
    values: tuple[Text, ...] = ()
    tool: Literal["terraform", "cloudformation"] = "terraform"


class PeerGroup(_Entry):
    """Identities that do the same work, by unique id: what one of them used, all keep."""

    name: Text
    members: tuple[Annotated[str, Field(pattern=r"^A(IDA|ROA)[A-Z0-9]{4,}$")], ...] = Field(min_length=2)


class Safeguards(_Entry):
    """All of them; `always_keep` are action patterns as in policies."""

    exemptions: tuple[Exemption, ...] = ()
    holds: tuple[Hold, ...] = ()
    always_keep: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+:[A-Za-z0-9*?]+$")], ...] = ()
    managed_as_code: tuple[ManagedAsCode, ...] = ()
    peer_groups: tuple[PeerGroup, ...] = ()

    def peers_of(self, identity_id: str) -> tuple[str, ...]:
        """Unique ids of the other members of an identity's peer groups, sorted."""
        groups = (group.members for group in self.peer_groups if identity_id in group.members)
        return tuple(sorted({member for members in groups for member in members} - {identity_id}))


def parse_safeguards(text: str) -> Safeguards:
    """Read the parameter's JSON. Raises SettingsError that names what is wrong, without the values."""
    if len(text) > MAX_LENGTH:
        raise SettingsError(f"the safeguards have {len(text)} characters, at most {MAX_LENGTH} can be stored")
    try:
        return Safeguards.model_validate_json(text)
    except ValidationError as error:
        raise SettingsError(f"the safeguards can't be read: {describe(error)}") from None
