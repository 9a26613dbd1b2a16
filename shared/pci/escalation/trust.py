"""Who may assume a role, as its trust policy says: what it allows for sts:AssumeRole, less what it surely denies.

What can't be read, or wasn't, is taken for trust in everyone: a prerequisite that nobody told is taken as given.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from shared.errors import PolicyDocumentError
from shared.iam.actions import admits
from shared.iam.policy import Effect, Statement, parse_document
from shared.iam.principals import PrincipalKind
from shared.model.principals import ANYONE
from shared.pci.known_paths import ASSUMEROLE

_ACCOUNT = re.compile(r"\d{12}")
_REGIONAL = re.compile(r"^(.+?)\.[a-z]{2}(?:-[a-z]+)+-\d+(\.amazonaws\.com)$")
_SESSION = re.compile(r"^(arn:[^:]+:sts::\d{12}:assumed-role/[^/]+)/.*$")
_ROOT = re.compile(r"^arn:[^:]+:iam::\d{12}:root$")

_Names = frozenset[str]
_NOBODY: _Names = frozenset()


class Trust(NamedTuple):
    """Services and AWS principals (as in shared.model.principals.Principal) that may assume a role."""

    services: _Names = _NOBODY
    trusted: _Names = _NOBODY
    denied: _Names = _NOBODY


UNKNOWN_TRUST = Trust(services=frozenset({ANYONE}), trusted=frozenset({ANYONE}))


def trust_of(document: Mapping[str, Any] | None, partition: str = "aws") -> Trust:
    """Read a trust policy.

    Conditions on a service say for which account or resource it acts, which whoever uses the service can fulfil: they
    are passed over. AWS principals that a condition limits are not trusted.
    """
    if document is None:
        return UNKNOWN_TRUST
    try:
        statements = parse_document(document)
    except PolicyDocumentError:
        return UNKNOWN_TRUST
    trust = Trust()
    told = [one for one in statements if one.principals is not None and admits(one, ASSUMEROLE)]
    for statement in told:
        if statement.effect is Effect.ALLOW:
            trust = _allowed(trust, statement, partition)
    for statement in told:
        if statement.effect is Effect.DENY and not statement.conditional:
            trust = _after_deny(trust, statement, partition)
    return trust


def _allowed(trust: Trust, statement: Statement, partition: str) -> Trust:
    services, names = _listed(statement, partition)
    if statement.principals and statement.principals.negated:  # everyone but those listed
        services, names = frozenset({ANYONE}), frozenset({ANYONE})
    if statement.conditional:
        return trust._replace(services=trust.services | services)
    return trust._replace(services=trust.services | services, trusted=trust.trusted | names)


def _after_deny(trust: Trust, statement: Statement, partition: str) -> Trust:
    services, names = _listed(statement, partition)
    if statement.principals and statement.principals.negated:
        return Trust(
            services=_spared(trust.services, services),
            trusted=_spared(trust.trusted, names),
            denied=trust.denied,
        )
    if ANYONE in names:
        return Trust()
    return trust._replace(
        services=trust.services - services,
        trusted=trust.trusted - names,
        denied=trust.denied | names,
    )


def _spared(trusted: _Names, spared: _Names) -> _Names:
    """Those of the trusted whom a Deny of everyone else spares."""
    if ANYONE in spared:
        return trusted
    return frozenset(name for name in spared if any(_is_of(name, wide) for wide in trusted))


def _is_of(name: str, wide: str) -> bool:
    """Whether trust in `wide` is trust in `name`: the same, anyone, or everyone of its account."""
    if wide in {ANYONE, name}:
        return True
    return bool(_ROOT.match(wide)) and wide.split(":")[4:5] == name.split(":")[4:5]


def _listed(statement: Statement, partition: str) -> tuple[_Names, _Names]:
    """The services and the AWS principals that a statement lists."""
    entries: Iterable[tuple[PrincipalKind, str]] = statement.principals.entries if statement.principals else ()
    services = {_service(value) for kind, value in entries if kind is PrincipalKind.SERVICE}
    names = {_name(value, partition) for kind, value in entries if kind is PrincipalKind.AWS}
    if ANYONE in names and not (statement.principals and statement.principals.negated):
        services.add(ANYONE)
    return frozenset(services), frozenset(names)


def _service(value: str) -> str:
    """A service principal as the paths have it: lower-case, without region, and of the partition aws."""
    lowered = value.lower().removesuffix(".cn")
    return _REGIONAL.sub(r"\1\2", lowered)


def _name(value: str, partition: str) -> str:
    """An AWS principal: an account as its root, a session as its role's sessions."""
    if _ACCOUNT.fullmatch(value):
        return f"arn:{partition}:iam::{value}:root"
    session = _SESSION.match(value)
    return session[1] if session else value
