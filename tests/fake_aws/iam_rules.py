"""What IAM refuses: documents that are none, quotas, names, what only AWS may change.

Quotas and sizes: IAM user guide, "IAM and AWS STS quotas"; errors: IAM API reference.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from tests.fake_aws.errors import refused

POLICIES_PER_ACCOUNT = 1500
ATTACHED = 10
GROUPS_PER_USER = 10
VERSIONS = 5
MANAGED_SIZE = 6144
INLINE_SIZE = {"user": 2048, "group": 5120, "role": 10240}
STATEMENT_KEYS = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal", "NotPrincipal"}
)
NAME = re.compile(r"[\w+=,.@-]{1,128}")


def size(document: str) -> int:
    """Characters that count: white space does not."""
    return len(re.sub(r"\s", "", document))


def check_document(operation: str, document: str) -> None:
    """Raise MalformedPolicyDocument for what is no identity policy."""

    def malformed(why: str) -> None:
        raise refused(operation, "MalformedPolicyDocument", why)

    try:
        parsed = json.loads(document)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        malformed("Syntax errors in policy.")
        return
    if parsed.get("Version") not in {"2012-10-17", "2008-10-17", None} or set(parsed) - {"Version", "Id", "Statement"}:
        malformed("Syntax errors in policy.")
    statements = parsed.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        malformed("Syntax errors in policy.")
        return
    for statement in statements:
        if why := _wrong_with(statement):
            malformed(why)
    sids = [one["Sid"] for one in statements if "Sid" in one]
    if len(sids) != len(set(sids)):
        malformed("Statement IDs (SID) in a single policy must be unique.")


def _wrong_with(statement: Any) -> str:
    if not isinstance(statement, dict) or set(statement) - STATEMENT_KEYS:
        return "Syntax errors in policy."
    actions = _words(statement, "Action", "NotAction")
    is_named = all(word == "*" or re.fullmatch(r"[A-Za-z0-9-]+:[A-Za-z0-9*?]+", word) for word in actions)
    rules = {
        "Policy statement must contain an effect.": statement.get("Effect") in {"Allow", "Deny"},
        "Policy document should not specify a principal.": not {"Principal", "NotPrincipal"} & set(statement),
        "Policy statement must contain actions.": bool(actions),
        "Policy statement must contain resources.": bool(_words(statement, "Resource", "NotResource")),
        "Actions/Conditions must be prefaced by a vendor.": is_named,
    }
    return next((why for why, is_kept in rules.items() if not is_kept), "")


def _words(statement: dict[str, Any], *names: str) -> list[str]:
    present = [statement[name] for name in names if name in statement]
    if len(present) != 1:
        return []
    value = present[0]
    words = [value] if isinstance(value, str) else value
    return words if isinstance(words, list) and all(isinstance(word, str) and word for word in words) else []


def check_quota(operation: str, name: str, count: int, limit: int) -> None:
    """Raise LimitExceeded where there would be more than the quota."""
    if count > limit:
        raise refused(operation, "LimitExceeded", f"Cannot exceed quota for {name}: {limit}")


def check_inline_size(operation: str, kind: str, documents: Iterable[str]) -> None:
    """Raise LimitExceeded where an entity's inline policies together are too large."""
    limit = INLINE_SIZE[kind]
    if sum(map(size, documents)) > limit:
        raise refused(operation, "LimitExceeded", f"Maximum policy size of {limit} bytes exceeded for {kind}")


def check_modifiable(operation: str, kind: str, name: str, path: str) -> None:
    """Raise UnmodifiableEntity for what only AWS may change: service-linked roles, and those of Identity Center."""
    if kind == "role" and (path.startswith(("/aws-service-role/", "/aws-reserved/"))):
        raise refused(operation, "UnmodifiableEntity", f"Cannot perform the operation on the protected role '{name}'")


def check_name(operation: str, name: str) -> None:
    """Raise ValidationError for a name that IAM would not take."""
    if not NAME.fullmatch(name):
        raise refused(operation, "ValidationError", "The specified value for the name is invalid.")
