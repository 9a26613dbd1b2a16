"""What IAM accepts and a reviewer would not: grants that are wider than they look, and things said twice."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.iam.grammar.elements import LISTS, Elements
from shared.iam.grammar.findings import Code, Flaw
from shared.iam.grammar.kinds import PolicyKind, Presence
from shared.iam.patterns import globs

# Where an Allow is only a limit for what other policies grant, wide patterns are the usual way to write it.
_LIMITS = frozenset({PolicyKind.SCP, PolicyKind.RCP, PolicyKind.BOUNDARY, PolicyKind.SESSION})


def check_advice(statement: Elements) -> Iterator[Flaw]:
    """All advice on one statement."""
    yield from _repeated(statement)
    yield from _variables(statement)
    if statement.allows and statement.rules.kind not in _LIMITS:
        yield from _wide(statement)
        if statement.rules.principal is Presence.REQUIRED:
            yield from _open(statement)


def _wide(statement: Elements) -> Iterator[Flaw]:
    fields, path = statement.fields, statement.path
    if "NotAction" in fields:
        yield Flaw(Code.NOT_ACTION_ALLOWED, f"{path}.NotAction", "everything else is allowed, also actions yet to come")
    if "NotResource" in fields:
        yield Flaw(
            Code.NOT_RESOURCE_ALLOWED, f"{path}.NotResource", "everything else is allowed, also what is yet to come"
        )
    if not any(text.value == "*" for text in statement.texts("Resource")):
        return
    for below, pattern in statement.texts("Action"):
        if pattern in {"*", "*:*"} and not fields.get("Condition"):
            yield Flaw(Code.FULL_ADMINISTRATION, below, "every action on every resource is allowed")
        elif pattern.lower().startswith("iam:") and globs.matches(pattern.lower(), "iam:passrole"):
            yield Flaw(Code.PASS_ROLE_ANYWHERE, below, f"{pattern!r} on * allows to pass every role to every service")


def _open(statement: Elements) -> Iterator[Flaw]:
    """A resource that everyone may reach, or a role that everyone whom a provider knows may take on."""
    if statement.fields.get("Condition"):
        return
    principal = statement.fields.get("Principal")
    if principal == "*" or (isinstance(principal, Mapping) and "*" in _named(principal, "aws")):
        yield Flaw(
            Code.PUBLIC, f"{statement.path}.Principal", "everyone is allowed, also from outside, without condition"
        )
    if isinstance(principal, Mapping) and _named(principal, "federated"):
        web = [text for text in statement.texts("Action") if "webidentity" in text.value.lower()]
        if web:
            yield Flaw(Code.TRUST_FEDERATED, statement.path, "without condition every user of the provider is trusted")


def _named(principal: Mapping[Any, Any], kind: str) -> list[Any]:
    found: list[Any] = []
    for key, values in principal.items():
        if str(key).lower() == kind:
            found += values if isinstance(values, list | tuple) else [values]
    return found


def _repeated(statement: Elements) -> Iterator[Flaw]:
    for name in LISTS:
        seen: set[str] = set()
        for path, value in statement.texts(name):
            spelled = value.lower() if name.endswith("Action") else value
            if spelled in seen:
                yield Flaw(Code.REPEATED_VALUE, path, f"{value!r} is listed before")
            seen.add(spelled)


def _variables(statement: Elements) -> Iterator[Flaw]:
    if statement.with_variables:
        return
    places = [*statement.texts("Resource", "NotResource"), *(text for _, _, text in statement.conditions())]
    for path, value in places:
        if "${" in value:
            yield Flaw(Code.VARIABLE_WITHOUT_VERSION, path, f"without version 2012-10-17 {value!r} is plain text")
