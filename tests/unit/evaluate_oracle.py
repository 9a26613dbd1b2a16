"""A second, naive evaluator that reads the JSON of a case afresh for every request, to hold the engine to.

It knows no statements, layers or plans: it asks of raw documents, again and again, what the documentation asks. Of
conditions it knows a few operators, enough for tests of how policies work together.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]
Case = Mapping[str, Any]

NOTHING, DELEGATED, LIMITED, FINAL = 0, 1, 2, 3  # what a resource's policy gives, by how it names the caller


def decide(case: Case) -> str:
    """Decide a case: `ALLOW`, `IMPLICIT_DENY` or `EXPLICIT_DENY`."""
    if case["request"]["action"].startswith("kms:") and "resource_policy" in case:
        placed = [statement for statement in case["resource_policy"]["Statement"] if _has_place(statement)]
        case = {**case, "resource_policy": {**case["resource_policy"], "Statement": placed}}
    if any(_denies(case, document, field) for field, document in _applicable(case)):
        return "EXPLICIT_DENY"
    return "ALLOW" if _passes_limits(case) and _is_granted(case) else "IMPLICIT_DENY"


def _has_place(statement: Mapping[str, Any]) -> bool:
    """In a key policy a statement without Resource has no effect."""
    return "Resource" in statement or "NotResource" in statement


def _kind(case: Case) -> str:
    principal: str = case["request"]["principal"]
    if principal == "*":
        return "anonymous"
    if not principal.startswith("arn:"):
        return "service" if principal.endswith(".amazonaws.com") else "provider"
    kind = principal.split(":", 5)[5].partition("/")[0]
    return "provider" if kind.endswith("-provider") else kind


def _has_account(case: Case) -> bool:
    return _kind(case) in ("user", "role", "assumed-role", "federated-user", "root")


def _has_policies(case: Case) -> bool:
    return _has_account(case) and _kind(case) != "root"


def _service_linked(case: Case) -> bool:
    return (
        "role/aws-service-role/" in case["request"]["principal"] or "/AWSServiceRoleFor" in case["request"]["principal"]
    )


def _applicable(case: Case) -> Iterator[tuple[str, Document]]:
    """Every document that may deny, with the field that it comes from."""
    own = ["identity_policies", "permissions_boundaries"] if _has_policies(case) else []
    own += ["session_policies"] if _has_account(case) else []
    for field in [*own, "endpoint_policies"]:
        yield from ((field, document) for document in case.get(field) or [])
    if case.get("resource_policy") is not None:
        yield "resource_policy", case["resource_policy"]
    for field in ("service_control_policies", "resource_control_policies"):
        yield from ((field, document) for level in _levels(case, field) for document in level)


def _levels(case: Case, field: str) -> Sequence[Sequence[Document]]:
    free = _service_linked(case)
    if field == "service_control_policies":
        free = free or not _has_account(case)
    else:
        request = case["request"]
        free = free or request["action"].lower() == "kms:retiregrant"
        free = free or (request["action"].startswith("sts:") and ":role/aws-service-role/" in request["resource"])
    return [] if free else case.get(field) or []


def _passes_limits(case: Case) -> bool:
    """Organizations and the endpoint."""
    for level in _levels(case, "service_control_policies"):
        if not any(_allows(case, document) for document in level):
            return False
    for level in _levels(case, "resource_control_policies"):
        has_allow = any(statement["Effect"] == "Allow" for document in level for statement in document["Statement"])
        if has_allow and not any(_given(case, document) > NOTHING for document in level):
            return False
    endpoint = case.get("endpoint_policies")
    return not endpoint or any(_given(case, document) > NOTHING for document in endpoint)


def _is_granted(case: Case) -> bool:
    request = case["request"]
    given = _given(case, case["resource_policy"]) if case.get("resource_policy") is not None else NOTHING
    if not _has_account(case):
        return given > NOTHING
    if _owner(case) != _account(request["principal"]):
        return given > NOTHING and _own_side(case)
    guarded = (request["action"].startswith("sts:") and ":role/" in request["resource"]) or (
        request["action"].startswith("kms:") and ":key/" in request["resource"]
    )
    if _kind(case) == "root":
        return (given > NOTHING or not guarded) and _own_side(case)
    if given == FINAL or (given == LIMITED and _within_limits(case)):
        return True
    return _own_side(case) and (given > NOTHING or not guarded)


def _own_side(case: Case) -> bool:
    if _kind(case) == "root":
        return _within_limits(case)
    return _within_limits(case) and any(_allows(case, document) for document in case.get("identity_policies") or [])


def _within_limits(case: Case) -> bool:
    """Permissions boundary and session policies."""
    boundaries = case.get("permissions_boundaries") if _has_policies(case) else None
    if boundaries is not None and not any(_allows(case, document) for document in boundaries):
        return False
    sessions = case.get("session_policies")
    if not sessions:
        return _kind(case) != "federated-user"
    return any(_allows(case, document) for document in sessions)


def _account(arn: str) -> str:
    return arn.split(":")[4]


def _owner(case: Case) -> str:
    request = case["request"]
    named = _account(request["resource"]) if request["resource"].count(":") >= 5 else ""
    own = _account(request["principal"]) if _has_account(case) else ""
    return request.get("resource_account") or (named if named.isdigit() else "") or own


def _allows(case: Case, document: Document) -> bool:
    return any(statement["Effect"] == "Allow" and _applies(case, statement) for statement in document["Statement"])


def _given(case: Case, document: Document) -> int:
    """The most that a document with principals gives the caller."""
    given = NOTHING
    for statement in document["Statement"]:
        if statement["Effect"] == "Allow" and _applies(case, statement):
            closest = max((_named(case, entry) for entry in _entries(statement)), default=NOTHING)
            if "NotPrincipal" in statement:
                closest = FINAL if closest == NOTHING else NOTHING
            elif closest == LIMITED and _kind(case) == "federated-user":
                closest = NOTHING
            given = max(given, closest)
    return given


def _denies(case: Case, document: Document, field: str) -> bool:
    named = field in ("resource_policy", "resource_control_policies", "endpoint_policies")
    return any(
        statement["Effect"] == "Deny" and _applies(case, statement) and (not named or _speaks_of(case, statement))
        for statement in document["Statement"]
    )


def _speaks_of(case: Case, statement: Mapping[str, Any]) -> bool:
    named = [_named(case, entry) for entry in _entries(statement)]
    if "NotPrincipal" not in statement:
        return any(named)
    if _has_policies(case) and case.get("permissions_boundaries") is not None:
        return True
    return not (FINAL in named or (_kind(case) == "role" and LIMITED in named))


def _entries(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    element = statement["NotPrincipal"] if "NotPrincipal" in statement else statement["Principal"]
    for kind, values in ({"AWS": "*"} if element == "*" else element).items():
        yield from ((kind, value) for value in ([values] if isinstance(values, str) else values))


def _named(case: Case, entry: tuple[str, str]) -> int:
    kind, value = entry
    principal, caller = case["request"]["principal"], _kind(case)
    if kind != "AWS":
        return (
            FINAL if value == principal and {"Service": "service", "Federated": "provider"}[kind] == caller else NOTHING
        )
    if value == "*":
        return FINAL
    if not _has_account(case):
        return NOTHING
    account = _account(principal)
    if value in (account, f"arn:aws:iam::{account}:root"):
        return FINAL if caller == "root" else DELEGATED
    if value == principal:
        return LIMITED if caller == "role" else FINAL
    sort = {"assumed-role": ":role/", "federated-user": ":user/"}.get(caller)
    behind = principal.split("/")[1] if sort else ""
    same = value.startswith(f"arn:aws:iam::{account}{sort}") and value.rsplit("/", 1)[-1] == behind
    return LIMITED if sort and same else NOTHING


def _applies(case: Case, statement: Mapping[str, Any]) -> bool:
    request = case["request"]
    action, resource = request["action"], request["resource"]
    listed = _list(statement.get("Action", statement.get("NotAction")))
    matched = any(_glob(pattern.lower(), action.lower()) for pattern in listed)
    if matched == ("NotAction" in statement):
        return False
    places = _list(statement.get("Resource", statement.get("NotResource", "*")))
    if any(_glob(pattern, resource) for pattern in places) == ("NotResource" in statement):
        return False
    block: Mapping[str, Mapping[str, Any]] = statement.get("Condition", {})
    return all(
        _holds(operator, _list(values), _values(case, key))
        for operator, keys in block.items()
        for key, values in keys.items()
    )


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _values(case: Case, key: str) -> list[str] | None:
    """The request's values of a key; what IAM knows by itself is given where the case doesn't."""
    given = {name.lower(): value for name, value in case["request"].get("context", {}).items()}
    principal, kind = case["request"]["principal"], _kind(case)
    known: dict[str, str] = {}
    if _has_account(case):
        known["aws:principalaccount"] = _account(principal)
        known["aws:principalarn"] = principal
    if _owner(case):
        known["aws:resourceaccount"] = _owner(case)
    if kind == "assumed-role":
        known["aws:principalarn"] = f"arn:aws:iam::{_account(principal)}:role/{principal.split('/')[1]}"
    if kind == "user":
        known["aws:username"] = principal.rsplit("/", 1)[-1]
    if kind == "anonymous":
        known["aws:principalaccount"] = "anonymous"
    found = given.get(key.lower(), known.get(key.lower()))
    return None if found is None else _list(found)


def _holds(operator: str, wanted: list[str], found: list[str] | None) -> bool:
    if operator == "Null":
        return (found is None) is (wanted == ["true"])
    if operator == "StringEquals":
        return found is not None and any(value in wanted for value in found)
    if operator == "StringNotEquals":
        return found is None or not any(value in wanted for value in found)
    if operator in ("StringLike", "ArnLike"):
        return found is not None and any(_glob(pattern, value) for pattern in wanted for value in found)
    raise ValueError(operator)


@functools.cache
def _glob(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return _glob(pattern[1:], text) or (bool(text) and _glob(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and _glob(pattern[1:], text[1:])
