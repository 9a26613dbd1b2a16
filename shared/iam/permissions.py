"""Policy documents as permissions: each statement with the actions it speaks of, read only once.

The same managed policies hang on many identities, so what a document says is remembered by its text.
"""

import functools
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.errors import PolicyDocumentError
from shared.iam import actions
from shared.iam.actions import ActionSet
from shared.iam.catalogue import Catalogue
from shared.iam.policy import Effect, Statement, parse_document

_REMEMBERED_DOCUMENTS = 256


class Permission(NamedTuple):
    """One statement, Allow or Deny, and the mask of the known actions that it speaks of.

    `literals` are the lower-case actions that it names and the catalogue doesn't know, `wildcards` its patterns in
    which the catalogue knows no action.
    """

    statement: Statement
    known: int
    literals: frozenset[str]
    wildcards: tuple[str, ...]

    @property
    def effect(self) -> Effect:
        """Allow or Deny."""
        return self.statement.effect

    def action_set(self, universe: frozenset[str]) -> ActionSet:
        """Actions that it speaks of: known ones, and those of `universe`, lower-case actions outside the catalogue."""
        return ActionSet(self.known, frozenset(key for key in universe if actions.admits(self.statement, key)))


def read_permissions(document: Mapping[str, Any], catalogue: Catalogue) -> tuple[Permission, ...]:
    """Read a policy document. Raises PolicyDocumentError where it can't be read."""
    try:
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise PolicyDocumentError("not_json", "$", "the document does not consist of JSON values") from error
    return _read(text, catalogue)


@functools.lru_cache(_REMEMBERED_DOCUMENTS)
def _read(text: str, catalogue: Catalogue) -> tuple[Permission, ...]:
    return tuple(_permission(statement, catalogue) for statement in parse_document(text))


def _permission(statement: Statement, catalogue: Catalogue) -> Permission:
    found = actions.action_set(statement, catalogue)
    return Permission(
        statement=statement,
        known=found.known,
        literals=found.unknown if statement.actions else actions.unknown_literals((statement,), catalogue),
        wildcards=actions.unknown_wildcards(statement, catalogue),
    )
