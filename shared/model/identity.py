"""Who is scored and right-sized: IAM users and roles, and the policies they hold."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.model.sources import PolicySource
from shared.model.unique_ids import ROLE_ID_PREFIX, USER_ID_PREFIX


class IdentityType(StrEnum):
    """The two kinds of IAM identities that hold permissions of their own."""

    USER = "user"
    ROLE = "role"

    @property
    def config_resource_type(self) -> str:
        """Name of this kind in AWS Config, for instance `AWS::IAM::User`."""
        return f"AWS::IAM::{self.value.capitalize()}"


TYPE_OF_PREFIX: Mapping[str, IdentityType] = {USER_ID_PREFIX: IdentityType.USER, ROLE_ID_PREFIX: IdentityType.ROLE}


class IdentityRef(BaseModel):
    """Names one identity for good: by unique id, since a re-created name is someone else."""

    model_config = ConfigDict(frozen=True)

    account_id: str = Field(pattern=r"^\d{12}$")
    identity_id: str = Field(max_length=128, pattern=r"^A(IDA|ROA)[A-Z0-9]{4,}$")
    arn: str = Field(max_length=2048, pattern=r"^arn:[^:]+:iam::\d{12}:(user|role)/.+$")

    @property
    def type(self) -> IdentityType:
        """User or role, as the unique id says."""
        return TYPE_OF_PREFIX[self.identity_id[:4]]

    @property
    def name(self) -> str:
        """Friendly name: the last segment of the ARN."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def path(self) -> str:
        """IAM path, `/` or `/a/b/`."""
        resource = self.arn.split(":", 5)[5]
        inner = resource.split("/")[1:-1]
        return "/" + "".join(f"{part}/" for part in inner)


class Policy(BaseModel):
    """One policy document in force, decoded to JSON values, with its source."""

    model_config = ConfigDict(frozen=True)

    source: PolicySource
    document: dict[str, Any]


class IdentityDetail(BaseModel):
    """An identity with every policy in force, as IAM answered at `read_at`.

    `boundary` is the permissions boundary's document, or None where there is none. `trust` is a role's trust policy
    (None for a user, or where it wasn't read), `groups` are the names of a user's groups, `instance_profile` says that
    EC2 instances can be given the role.
    """

    model_config = ConfigDict(frozen=True)

    ref: IdentityRef
    created_at: AwareDatetime
    read_at: AwareDatetime
    tags: dict[str, str] = {}
    policies: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    trust: dict[str, Any] | None = None
    groups: tuple[str, ...] = ()
    instance_profile: bool = False
