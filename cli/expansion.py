"""`leastwise policy expand`: which actions a document allows."""

from typing import Any

from shared.iam.actions import admits_pattern, denies_for_good, expand_document, unknown_wildcards
from shared.iam.catalogue import Catalogue
from shared.iam.policy import Effect, Statement, parse_document


def expand_text(text: str, catalogue: Catalogue) -> dict[str, Any]:
    """`{"actions": […], "unknown": […]}` of one document.

    Actions are sorted and in canonical spelling. Unknown are those that the catalogue doesn't know, which are actions
    too, and wildcards in which it knows none: the actions that they stand for can't be listed.

    Raises PolicyDocumentError where the document can't be read.
    """
    statements = parse_document(text)
    allowed = expand_document(statements, catalogue)
    spelled = {pattern.lower(): pattern for statement in reversed(statements) for pattern in statement.actions}
    literals = [spelled.get(key, key) for key in sorted(allowed.unknown)]
    actions = sorted([*catalogue.names_of(allowed.known), *literals], key=str.lower)
    return {"actions": actions, "unknown": literals + _open_wildcards(statements, catalogue)}


def _open_wildcards(statements: tuple[Statement, ...], catalogue: Catalogue) -> list[str]:
    """Allowed wildcards in which the catalogue knows no action, unless a Deny takes away all that they stand for."""
    denies = [deny for deny in statements if deny.effect is Effect.DENY and denies_for_good(deny)]
    patterns = dict.fromkeys(
        pattern
        for statement in statements
        if statement.effect is Effect.ALLOW
        for pattern in unknown_wildcards(statement, catalogue)
    )
    return [pattern for pattern in patterns if not any(admits_pattern(deny, pattern.lower()) for deny in denies)]
