"""Whether a statement of a resource-based policy speaks of a caller, and how directly it names it.

Source: IAM user guide, "AWS JSON policy elements: Principal", "NotPrincipal", and "How AWS enforcement code logic
evaluates requests" (what a grant to a user, a role, a session or an account means within one account).
"""

import re
from enum import IntEnum

from shared.iam.evaluation.callers import ANYONE, IAM_KINDS, Caller, CallerKind
from shared.iam.principals import PrincipalKind, Principals

_ACCOUNT = re.compile(r"(?:arn:(?P<partition>[\w-]+):iam::)?(?P<account>\d{12})(?(partition):root)", re.ASCII)
_ENTITY = re.compile(r"arn:(?P<partition>[\w-]+):iam::(?P<account>[^:]+):(?P<type>role|user)/(?:.*/)?(?P<name>[^/]+)")


class Match(IntEnum):
    """How a statement names a caller, from least to most direct.

    `ACCOUNT` delegates to the caller's own policies. `ENTITY` names the role that the session was made from:
    permissions boundary and session policies still limit it. `DIRECT` is the caller itself, or everyone.
    """

    NONE = 0
    ACCOUNT = 1
    ENTITY = 2
    DIRECT = 3


def match_of_allow(principals: Principals | None, caller: Caller) -> Match:
    """How an Allow statement names a caller; one without Principal, which IAM would refuse, names nobody.

    `NotPrincipal` with Allow means everyone who isn't listed in any way. A user's ARN doesn't reach federated sessions
    by Allow: whoever makes one chooses its name, which proves nothing. By Deny it reaches those that bear its name.
    """
    if principals is None:
        return Match.NONE
    listed = (match_of_entry(kind, value, caller) for kind, value in principals.entries)
    closest = max(listed, default=Match.NONE)
    if principals.negated:
        return Match.DIRECT if closest is Match.NONE else Match.NONE
    if caller.kind is CallerKind.FEDERATED_USER and closest is Match.ENTITY:
        return Match.NONE
    return closest


def deny_reaches(principals: Principals | None, caller: Caller, *, bounded: bool) -> bool:
    """Whether a Deny statement speaks of a caller; one without Principal, which IAM would refuse, spares nobody.

    `NotPrincipal` with Deny spares only those listed themselves: a session by its own ARN, and by that of its account
    only the root user; users and roles with a permissions boundary (`bounded`) are never spared.
    """
    if principals is None:
        return True
    if not principals.negated:
        return any(match_of_entry(kind, value, caller) for kind, value in principals.entries)
    if bounded and caller.kind in IAM_KINDS:
        return True
    return not any(_is_itself(match_of_entry(kind, value, caller), caller) for kind, value in principals.entries)


def _is_itself(match: Match, caller: Caller) -> bool:
    return match is Match.DIRECT or (match is Match.ENTITY and caller.kind is CallerKind.ROLE)


def match_of_entry(kind: PrincipalKind, value: str, caller: Caller) -> Match:
    """How one listed principal names a caller; no wildcard but `*` alone, and the ids of deleted ones match nobody."""
    if kind is not PrincipalKind.AWS:
        return _of_outsider(kind, value, caller)
    if value == ANYONE:
        return Match.DIRECT
    if value == caller.principal and (caller.kind in IAM_KINDS or caller.kind is CallerKind.ROOT):
        return Match.ENTITY if caller.kind is CallerKind.ROLE else Match.DIRECT
    account = _ACCOUNT.fullmatch(value)
    if account is not None:
        return _of_account(account["partition"], account["account"], caller)
    return _of_entity(value, caller)


def _of_outsider(kind: PrincipalKind, value: str, caller: Caller) -> Match:
    """A service and an identity provider go by their names, which for Cognito are of the same form."""
    outside = (CallerKind.SERVICE, CallerKind.PROVIDER)
    if kind is not PrincipalKind.CANONICAL_USER and value == ANYONE:
        listed = CallerKind.SERVICE if kind is PrincipalKind.SERVICE else CallerKind.PROVIDER
        return Match.DIRECT if caller.kind is listed else Match.NONE
    return Match.DIRECT if value == caller.principal and caller.kind in outside else Match.NONE


def _of_account(partition: str | None, account: str, caller: Caller) -> Match:
    """An account's id and its root ARN are the same: everyone in the account, of whom only the root user is named."""
    if account != caller.account or partition not in (None, caller.partition):
        return Match.NONE
    if caller.kind is CallerKind.ROOT:
        return Match.DIRECT
    return Match.ACCOUNT if caller.kind in IAM_KINDS else Match.NONE


def _of_entity(value: str, caller: Caller) -> Match:
    """A role's ARN names its sessions, a user's the federated sessions that bear the user's name.

    A session's ARN shows no path, and names are unique in an account, so that the path is passed over.
    """
    listed = _ENTITY.fullmatch(value)
    behind = {CallerKind.ROLE_SESSION: "role", CallerKind.FEDERATED_USER: "user"}.get(caller.kind)
    if listed is None or listed["type"] != behind:
        return Match.NONE
    same = (listed["partition"], listed["account"], listed["name"]) == (caller.partition, caller.account, caller.name)
    return Match.ENTITY if same else Match.NONE
