"""Cases of `leastwise policy evaluate`: a request with every policy that applies to it, as JSON gives them."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.errors import InputError
from shared.iam.evaluation.policies import Policies, check_fields
from shared.iam.request import Request, context_of

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_REQUEST_FIELDS = ("principal", "action", "resource", "resource_account", "context")


class Case(NamedTuple):
    """One question for the evaluator."""

    request: Request
    policies: Policies


def parse_case(raw: Mapping[str, Any]) -> Case:
    """Read `{"request": {"principal", "action", "resource", …}, "identity_policies": […], …}`.

    Fields beside the request that don't speak of policies (a name, what is expected) are left to others. Raises
    InputError, of a bad document PolicyDocumentError, whose message begins with the path into the case.
    """
    return Case(parse_request(raw), Policies.parse(raw))


def parse_request(raw: Mapping[str, Any]) -> Request:
    """The request of a case, and a check of the case's fields, without reading its policies. Raises InputError."""
    if not isinstance(raw, Mapping):
        raise InputError("a case must be a JSON object")
    check_fields(raw)
    request = raw.get("request")
    if not isinstance(request, Mapping):
        raise InputError("request: expected an object with principal, action and resource")
    misplaced = next((field for field in _REQUEST_FIELDS if field in raw), None)
    if misplaced is not None:
        raise InputError(f"{misplaced}: belongs into request")
    return _request(request)


def _request(raw: Mapping[str, Any]) -> Request:
    unknown = sorted(str(field) for field in raw if field not in _REQUEST_FIELDS)
    if unknown:
        raise InputError(f"request.{unknown[0]}: unknown; one of {', '.join(_REQUEST_FIELDS)} is expected")
    account = None if raw.get("resource_account") is None else _text(raw, "resource_account")
    if account is not None and not _ACCOUNT.fullmatch(account):
        raise InputError("request.resource_account: expected an account id of 12 digits")
    try:
        context = context_of(raw.get("context") or {})
    except InputError as error:
        raise InputError(f"request.{error}") from error
    return Request(_text(raw, "principal"), _text(raw, "action"), _text(raw, "resource"), account, context)


def _text(raw: Mapping[str, Any], field: str) -> str:
    value = raw.get(field)
    if not isinstance(value, str) or not value:
        raise InputError(f"request.{field}: expected text")
    return value
