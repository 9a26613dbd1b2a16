"""Finding the identity that somebody means by an ARN, a unique id or a name. Pure."""

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

from shared.errors import InputError
from shared.model.identity import IdentityRef

NEAR = 5
_SESSION = re.compile(r"arn:[^:]+:sts::(\d{12}):assumed-role/([^/]+)/.+", re.ASCII)


class Session(NamedTuple):
    """A role's session, as CloudTrail names it."""

    account_id: str
    role: str


def named(who: str, refs: Iterable[IdentityRef]) -> IdentityRef:
    """The one identity that is meant, by ARN, unique id, name, or `role/path/name` as the tables have it.

    The ARN of a role's session, as CloudTrail has it, means the role.

    Raises InputError that tells near matches where there is none, and all where there are several.
    """
    known = list(refs)
    found = [ref for ref in known if who in {ref.arn, ref.identity_id}] or _by_name(who, known)
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{who!r} is the name of several: {_listing(found)}")
    raise InputError(f"no identity is called {who!r}{_hint(who, known)}")


def resource_of(ref: IdentityRef) -> str:
    """How tables call an identity: `user/ana`, `role/service/deployer`."""
    return ref.arn.split(":", 5)[5]


def session_of(who: str) -> Session | None:
    """Account and role of a session, by the session's ARN."""
    found = _SESSION.fullmatch(who)
    return Session(*found.groups()) if found else None


def _by_name(who: str, known: Iterable[IdentityRef]) -> list[IdentityRef]:
    session = session_of(who)
    if session is None:
        return [ref for ref in known if who in {ref.name, resource_of(ref)}]
    return [ref for ref in known if (ref.account_id, ref.type, ref.name) == (session.account_id, "role", session.role)]


def _hint(who: str, known: list[IdentityRef]) -> str:
    by_name: dict[str, list[IdentityRef]] = {}
    for ref in known:
        by_name.setdefault(ref.name.lower(), []).append(ref)
    session = session_of(who)
    name = (session.role if session else who.rsplit("/", 1)[-1]).lower()
    near = difflib.get_close_matches(name, by_name, n=NEAR)
    near += [other for other in by_name if name and name in other and other not in near]
    found = [ref for other in near for ref in by_name[other]][:NEAR]
    return f"; perhaps {_listing(found)}" if found else f" among {len(known):,} identities"


def _listing(refs: list[IdentityRef]) -> str:
    more = f" and {len(refs) - NEAR:,} more" if len(refs) > NEAR else ""
    return ", ".join(ref.arn for ref in refs[:NEAR]) + more
