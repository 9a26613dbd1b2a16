"""Who makes a request: its kind, its account, and what IAM itself puts into the request context about it.

Source: IAM user guide, "AWS JSON policy elements: Principal" and "AWS global condition context keys".
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from shared.errors import InputError
from shared.iam.request import Context

ANYONE = "*"
SERVICE_LINKED_PATH = "aws-service-role/"
_SERVICE_LINKED_NAME = "AWSServiceRoleFor"

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_ARN = re.compile(r"arn:(?P<partition>[\w-]+):(?:iam|sts)::(?P<account>\d{12}):(?P<rest>.+)", re.ASCII | re.DOTALL)
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)+(?:/[^\s:*]*)?", re.ASCII)
_SERVICE_HOST = re.compile(r"[\w.-]+\.(?:amazonaws\.com(?:\.cn)?|amazon\.com)", re.ASCII)
_AMAZON_PROVIDERS = frozenset({"cognito-identity.amazonaws.com", "www.amazon.com"})


class CallerKind(StrEnum):
    """What a caller is; its value is the kind's name in messages."""

    USER = "IAM user"
    ROLE = "role"
    ROLE_SESSION = "role session"
    FEDERATED_USER = "federated user session"
    ROOT = "root user"
    SERVICE = "AWS service"
    PROVIDER = "identity provider"
    ANONYMOUS = "anonymous caller"


IAM_KINDS = frozenset({CallerKind.USER, CallerKind.ROLE, CallerKind.ROLE_SESSION, CallerKind.FEDERATED_USER})
"""Callers with identity-based policies. A role's own ARN stands for a session of it whose name isn't known."""

_TYPES: Mapping[CallerKind, str] = {
    CallerKind.USER: "User",
    CallerKind.ROLE: "AssumedRole",
    CallerKind.ROLE_SESSION: "AssumedRole",
    CallerKind.FEDERATED_USER: "FederatedUser",
    CallerKind.ROOT: "Account",
    CallerKind.ANONYMOUS: "Anonymous",
}
_PREFIXES: Mapping[str, CallerKind] = {
    "user/": CallerKind.USER,
    "role/": CallerKind.ROLE,
    "assumed-role/": CallerKind.ROLE_SESSION,
    "federated-user/": CallerKind.FEDERATED_USER,
    "saml-provider/": CallerKind.PROVIDER,
    "oidc-provider/": CallerKind.PROVIDER,
}


class Caller(NamedTuple):
    """A request's principal.

    `name` is that of the user, of the role (also of its sessions) or of the federated user, without path. `account` is
    None for callers that belong to none: services, identity providers, anonymous ones.
    """

    kind: CallerKind
    principal: str
    partition: str | None = None
    account: str | None = None
    name: str | None = None
    service_linked: bool = False


def read_caller(principal: str) -> Caller:
    """Recognise a request's principal.

    >>> read_caller("arn:aws:sts::111122223333:assumed-role/Deploy/ci").name
    'Deploy'

    Raises InputError where it is none of the forms that `Request` describes.
    """
    if principal == ANYONE:
        return Caller(CallerKind.ANONYMOUS, principal)
    if _ACCOUNT.fullmatch(principal):
        return Caller(CallerKind.ROOT, f"arn:aws:iam::{principal}:root", "aws", principal)
    arn = _ARN.fullmatch(principal)
    if arn is not None:
        return _of_arn(principal, arn["partition"], arn["account"], arn["rest"])
    if _HOST.fullmatch(principal):
        service = _SERVICE_HOST.fullmatch(principal) is not None and principal not in _AMAZON_PROVIDERS
        return Caller(CallerKind.SERVICE if service else CallerKind.PROVIDER, principal)
    raise InputError(f"principal {principal!r}: expected an ARN, an account id, a service, an identity provider or *")


def _of_arn(principal: str, partition: str, account: str, rest: str) -> Caller:
    if rest == "root":
        return Caller(CallerKind.ROOT, principal, partition, account)
    for prefix, kind in _PREFIXES.items():
        path, slash, last = rest.removeprefix(prefix).rpartition("/")
        if not rest.startswith(prefix) or not last or (kind is CallerKind.ROLE_SESSION and not slash):
            continue
        if kind is CallerKind.PROVIDER:
            return Caller(kind, principal)  # whoever comes from it is in no account before a role is assumed
        name = path if kind is CallerKind.ROLE_SESSION else last
        return Caller(kind, principal, partition, account, name, _is_service_linked(kind, path, name))
    raise InputError(f"principal {principal!r}: no user, role, role session, federated user, root or provider")


def _is_service_linked(kind: CallerKind, path: str, name: str) -> bool:
    """A session's ARN doesn't show the role's path, but only service-linked roles may bear such a name."""
    if kind is CallerKind.ROLE:
        return f"{path}/".startswith(SERVICE_LINKED_PATH)
    return kind is CallerKind.ROLE_SESSION and name.startswith(_SERVICE_LINKED_NAME)


def known_context(caller: Caller) -> Context:
    """What every request of a caller holds without being told, by lower-case key."""
    facts: dict[str, str | None] = {
        "aws:principalaccount": "anonymous" if caller.kind is CallerKind.ANONYMOUS else caller.account,
        "aws:principaltype": _TYPES.get(caller.kind),
        "aws:principalarn": _principal_arn(caller),
        "aws:username": caller.name if caller.kind is CallerKind.USER else None,
        "aws:userid": _user_id(caller),
        "aws:principalservicename": caller.principal if caller.kind is CallerKind.SERVICE else None,
        "aws:principalisawsservice": _is_service(caller),
    }
    return {key: (value,) for key, value in facts.items() if value is not None}


def _principal_arn(caller: Caller) -> str | None:
    """A session goes by its role's ARN, whose path isn't known here; anonymous and unsigned requests have none."""
    if caller.kind is CallerKind.ROLE_SESSION:
        return f"arn:{caller.partition}:iam::{caller.account}:role/{caller.name}"
    return caller.principal if caller.kind in IAM_KINDS or caller.kind is CallerKind.ROOT else None


def _user_id(caller: Caller) -> str | None:
    """Known where it is no unique id: of the root user, of a federated user session, of anonymous callers."""
    if caller.kind is CallerKind.ROOT:
        return caller.account
    if caller.kind is CallerKind.FEDERATED_USER:
        return f"{caller.account}:{caller.name}"
    return "anonymous" if caller.kind is CallerKind.ANONYMOUS else None


def _is_service(caller: Caller) -> str | None:
    """Held by signed requests only, which those of anonymous callers and identity providers are not."""
    if caller.kind in (CallerKind.ANONYMOUS, CallerKind.PROVIDER):
        return None
    return "true" if caller.kind is CallerKind.SERVICE else "false"
