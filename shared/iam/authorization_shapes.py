"""The shapes of GetAccountAuthorizationDetails, as far as we read them: unknown fields are left alone, wrong types not.

A list that says what somebody holds has to be there: IAM leaves out none but `UserPolicyList`, where it would be empty.
Source: IAM API Reference, UserDetail, RoleDetail, GroupDetail, ManagedPolicyDetail.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
)
from pydantic.alias_generators import to_pascal

from shared.errors import InputError
from shared.model.unique_ids import ROLE_ID_PREFIX, USER_ID_PREFIX

IDENTITY_ARN = r"^arn:[^:]+:iam::[0-9]{12}:%s/.+$"
USER_ID, ROLE_ID = (f"^{prefix}[A-Z0-9]{{4,}}$" for prefix in (USER_ID_PREFIX, ROLE_ID_PREFIX))

S = TypeVar("S", bound="Shape")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("it lies outside the calendar of UTC") from None


Moment = Annotated[datetime, AfterValidator(_in_utc)]
Document = Any  # JSON values, JSON text, or that URL-encoded: read when it is known whose it is


class Shape(BaseModel):
    """An object of the answer, by AWS's names."""

    model_config = ConfigDict(frozen=True, alias_generator=to_pascal, hide_input_in_errors=True)

    @classmethod
    def read(cls: type[S], raw: object, place: str) -> S:
        """Read one; raises InputError with the place of everything that is wrong, and never a value."""
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            wrong = (f"{place}{_path(item['loc'])}: {item['msg']}" for item in error.errors(include_input=False))
            raise InputError("; ".join(wrong)) from None


def _path(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)


class InlinePolicy(Shape):
    """A policy that is part of its holder."""

    policy_name: StrictStr
    policy_document: Document


class AttachedPolicy(Shape):
    """A managed policy, by ARN."""

    policy_arn: StrictStr


class Boundary(Shape):
    """A permissions boundary, by the ARN of a managed policy."""

    permissions_boundary_arn: StrictStr


class Tag(Shape):
    """A key and its value."""

    key: StrictStr
    value: StrictStr


class Holder(Shape):
    """What users and roles have in common; `groups` are a user's, `trust` is a role's."""

    identity_id: StrictStr
    arn: StrictStr
    create_date: Moment
    inline: tuple[InlinePolicy, ...]
    attached_managed_policies: tuple[AttachedPolicy, ...]
    permissions_boundary: Annotated[Boundary | None, BeforeValidator(lambda given: given or None)] = None
    tags: tuple[Tag, ...] = ()
    groups: tuple[StrictStr, ...] = ()
    trust: Document = Field(None, alias="AssumeRolePolicyDocument")
    instance_profile_list: tuple[Any, ...] = ()


class UserDetail(Holder):
    """A user."""

    identity_id: StrictStr = Field(alias="UserId", pattern=USER_ID)
    arn: StrictStr = Field(pattern=IDENTITY_ARN % "user")
    inline: tuple[InlinePolicy, ...] = Field((), alias="UserPolicyList")
    groups: tuple[StrictStr, ...] = Field(alias="GroupList")


class RoleDetail(Holder):
    """A role."""

    identity_id: StrictStr = Field(alias="RoleId", pattern=ROLE_ID)
    arn: StrictStr = Field(pattern=IDENTITY_ARN % "role")
    inline: tuple[InlinePolicy, ...] = Field(alias="RolePolicyList")


class GroupDetail(Shape):
    """A group; its members name it."""

    group_name: StrictStr
    inline: tuple[InlinePolicy, ...] = Field(alias="GroupPolicyList")
    attached_managed_policies: tuple[AttachedPolicy, ...]


class PolicyVersion(Shape):
    """One version of a managed policy."""

    document: Document = None
    version_id: StrictStr | None = None
    is_default_version: StrictBool = False


class ManagedPolicyDetail(Shape):
    """A managed policy with its versions, of which one is in force."""

    arn: StrictStr
    default_version_id: StrictStr | None = None
    policy_version_list: tuple[PolicyVersion, ...] = ()
