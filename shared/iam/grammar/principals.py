"""Principal and NotPrincipal: who may be named, by kind of policy.

Sources: IAM user guide, "AWS JSON policy elements: Principal" and "NotPrincipal"; AWS Organizations user guide.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.iam.grammar.actions import is_full_access
from shared.iam.grammar.elements import Elements, Text, texts_of
from shared.iam.grammar.findings import Code, Flaw
from shared.iam.grammar.kinds import PolicyKind, Presence
from shared.iam.principals import PrincipalKind

EVERYONE = "*"
_ACCOUNT = re.compile(r"\d{12}")
_IDENTITY = re.compile(
    r"arn:aws[a-z-]*:(?:iam::(?:\d{12}|cloudfront):(?:root|user/[^*?]+|role/[^*?]+)"
    r"|sts::\d{12}:(?:assumed-role/[^*?/]+/[^*?]+|federated-user/[^*?]+|self))"
)
_DELETED = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}")
_SERVICE = re.compile(r"[a-z0-9.-]+\.(?:amazonaws\.com|amazon\.com|aws\.internal|aws)(?:\.[a-z]+)?", re.IGNORECASE)
_PROVIDER = re.compile(
    r"arn:aws[a-z-]*:iam::\d{12}:(?:saml-provider|oidc-provider)/[^*?]+|[A-Za-z0-9.-]+\.[a-z]+(?:/[^*?]*)?"
)
_KINDS: Mapping[str, PrincipalKind] = {kind.value.lower(): kind for kind in PrincipalKind}


def check_principals(statement: Elements) -> Iterator[Flaw]:
    """Whether a principal is there where it has to be, and of a form that AWS knows."""
    given = [name for name in ("Principal", "NotPrincipal") if name in statement.fields]
    if len(given) > 1:
        yield Flaw(Code.PRINCIPAL_AND_NOT_PRINCIPAL, statement.path, "Principal and NotPrincipal exclude each other")
    if statement.rules.principal is Presence.FORBIDDEN:
        for name in given:
            what = f"a policy of kind {statement.rules.kind} has no {name}"
            yield Flaw(Code.PRINCIPAL_FORBIDDEN, f"{statement.path}.{name}", what)
    elif not given:
        what = f"a policy of kind {statement.rules.kind} has to say who it speaks of"
        yield Flaw(Code.MISSING_PRINCIPAL, statement.path, what)
    yield from _by_kind(statement)
    for name in given:
        yield from _entries(statement.fields[name], f"{statement.path}.{name}")


def _by_kind(statement: Elements) -> Iterator[Flaw]:
    kind, negated = statement.rules.kind, "NotPrincipal" in statement.fields
    path = f"{statement.path}.NotPrincipal"
    if kind is PolicyKind.RCP:
        yield from _of_rcp(statement)
    elif kind is PolicyKind.TRUST and negated:
        yield Flaw(Code.PRINCIPAL_FORBIDDEN, path, "a trust policy has no NotPrincipal")
    elif kind is PolicyKind.RESOURCE and negated and statement.allows:
        yield Flaw(
            Code.NOT_PRINCIPAL_ALLOWED, path, "NotPrincipal with Allow would allow everyone else, also anonymous"
        )


def _of_rcp(statement: Elements) -> Iterator[Flaw]:
    if "NotPrincipal" in statement.fields or statement.fields.get("Principal", EVERYONE) != EVERYONE:
        yield Flaw(Code.RCP_PRINCIPAL, f"{statement.path}.Principal", 'an RCP speaks of everyone: "Principal": "*"')
    if statement.allows and not is_full_access(statement):
        yield Flaw(Code.RCP_EFFECT, f"{statement.path}.Effect", "an RCP only denies")


def _entries(raw: Any, path: str) -> Iterator[Flaw]:
    if raw == EVERYONE:
        return
    if not isinstance(raw, Mapping) or not raw:
        yield Flaw(Code.PRINCIPAL, path, 'expected "*" or {"AWS": …}, {"Service": …}, {"Federated": …}')
        return
    for spelled, values in raw.items():
        kind, below = _KINDS.get(str(spelled).lower()), f"{path}.{spelled}"
        texts = list(texts_of(values, below))
        count = len(values) if isinstance(values, list | tuple) else 1
        if kind is None:
            yield Flaw(Code.PRINCIPAL, below, f"{spelled!r} is none of {', '.join(PrincipalKind)}")
        elif not texts or len(texts) != count:
            yield Flaw(Code.PRINCIPAL, below, "expected text or a list of texts, at least one")
        else:
            for text in texts:
                yield from _entry(kind, text)


def _entry(kind: PrincipalKind, text: Text) -> Iterator[Flaw]:
    path, name = text
    if kind is PrincipalKind.SERVICE:
        if not _SERVICE.fullmatch(name):
            code = Code.PRINCIPAL_SERVICE if name else Code.PRINCIPAL
            yield Flaw(code, path, f"{name!r} does not look like a service principal")
    elif kind is PrincipalKind.FEDERATED:
        if not _PROVIDER.fullmatch(name):
            yield Flaw(Code.PRINCIPAL, path, f"{name!r} is not an identity provider")
    elif kind is PrincipalKind.CANONICAL_USER:
        if not re.fullmatch(r"[0-9a-f]{64}", name, re.IGNORECASE):
            yield Flaw(Code.PRINCIPAL, path, f"{name!r} is not a canonical user id")
    elif name != EVERYONE:
        yield from _identity(path, name)


def _identity(path: str, name: str) -> Iterator[Flaw]:
    if _DELETED.fullmatch(name):
        yield Flaw(Code.PRINCIPAL_DELETED, path, f"{name} is the id of a user or role that is no more")
    elif "*" in name or "?" in name:
        yield Flaw(Code.PRINCIPAL, path, f"{name!r}: wildcards match no part of a principal; use a condition instead")
    elif not _ACCOUNT.fullmatch(name) and not _IDENTITY.fullmatch(name):
        yield Flaw(Code.PRINCIPAL, path, f"{name!r} is not an account, user, role, session or *")
