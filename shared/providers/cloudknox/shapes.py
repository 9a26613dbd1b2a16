"""The answers of CloudKnox's REST API v2, as far as they are used, checked strictly: what is not so is no answer."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from shared.errors import ProviderError, ProviderFault
from shared.providers.cloudknox.credentials import fits_a_header
from shared.validation import describe

MAX_NAME = 128
MAX_POLICIES = 50
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class Token(_Shape):
    """What `authenticate` answers; `api_id` takes the place of the secret's where it is there."""

    access_token: SecretStr = Field(alias="accessToken", min_length=1, max_length=16_384)
    api_id: SecretStr | None = Field(default=None, alias="apiId", min_length=1, max_length=4096)

    @field_validator("access_token", "api_id")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not fits_a_header(value.get_secret_value()):
            raise ValueError("should be printable ASCII without spaces")
        return value


class PciScore(_Shape):
    """A Privilege Creep Index, 0 to 100."""

    index: float = Field(alias="privilegeCreepIndex", ge=0, le=100, allow_inf_nan=False)


class ScoredName(_Shape):
    """The score of one identity, by its name."""

    name: str = Field(min_length=1, max_length=MAX_NAME)
    score: PciScore = Field(alias="pciScore")


class ScorePage(_Shape):
    """One page of a list of scores."""

    data: tuple[ScoredName, ...]


class NamedPolicy(_Shape):
    """One policy document that the provider proposes; its name is the provider's affair."""

    policy: dict[str, Any] = Field(min_length=1)


class PolicyList(_Shape):
    """The documents that together are one proposal."""

    data: tuple[NamedPolicy, ...] = Field(max_length=MAX_POLICIES)


ShapeT = TypeVar("ShapeT", bound=_Shape)


def read_shape(content: bytes, shape: type[ShapeT], *, what: str) -> ShapeT:
    """Read an answer's JSON as `shape`. Raises ProviderError: REFUSED with an `errorCode`, UNUSABLE for another form.

    The answer is never quoted: nobody knows what is in it.
    """
    try:
        outer = _Outer.model_validate_json(content)
    except ValidationError as error:
        raise _unusable(what, error) from None
    if outer.error_code not in (None, "", 0):
        raise ProviderError(ProviderFault.REFUSED, f"cloudknox {what}: error code {_shown(outer.error_code)}")
    try:
        return shape.model_validate_json(content)
    except ValidationError as error:
        raise _unusable(what, error) from None


class _Outer(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    error_code: Any = Field(default=None, alias="errorCode")


def _unusable(what: str, error: ValidationError) -> ProviderError:
    known = _problem(error)
    return ProviderError(ProviderFault.UNUSABLE, f"cloudknox {what}: the answer is not of the known form ({known})")


def _problem(error: ValidationError) -> str:
    """Where and why, as far as the words are ours: a parser's message may repeat some of what it couldn't read."""
    if any(item["type"] == "json_invalid" for item in error.errors(include_input=False)):
        return "it is not JSON"
    return describe(error)


def _shown(code: object) -> str:
    text = str(code)
    return text if _CODE.fullmatch(text) else "of unknown form"


def usage_request(account_id: str, identity_type: str, *, page: int, page_size: int) -> Mapping[str, Any]:
    """Body of a request for one page of scores; pages count from 1."""
    return {
        **_about(account_id, identity_type),
        "pageInfo": {"pageId": page, "pageSize": page_size},
    }


def policy_request(
    account_id: str, identity_type: str, arn: str, *, window_days: int, preserve_reads: bool
) -> Mapping[str, Any]:
    """Body of a request for a policy by what one identity did."""
    return {
        **_about(account_id, identity_type),
        "identityIds": [arn],
        "filter": {"historyDays": window_days, "preserveReads": preserve_reads},
        "requestParams": {"scope": None, "resource": None, "resources": None, "condition": None},
    }


def _about(account_id: str, identity_type: str) -> Mapping[str, Any]:
    return {
        "authSystemInfo": {"id": account_id, "type": "AWS"},
        "identityType": identity_type.upper(),
        "aggregation": {"type": "SUMMARY"},
    }
