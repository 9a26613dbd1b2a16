"""Judges a policy document by the whole grammar of its kind: every finding, not only the first.

`parse_document` stops at what it can't read; this tells an author everything at once, and beyond the grammar what is
hardly meant. A document without an error here can be parsed. The checks are in shared/iam/grammar.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from shared.errors import PolicyDocumentError
from shared.iam.catalogue import Catalogue
from shared.iam.documents import decode_document
from shared.iam.grammar.actions import check_actions, check_known
from shared.iam.grammar.advice import check_advice
from shared.iam.grammar.condition import check_condition, check_values
from shared.iam.grammar.elements import Elements
from shared.iam.grammar.findings import RULES, Code, Finding, Flaw, Severity
from shared.iam.grammar.kinds import RULES_OF, KindRules, PolicyKind
from shared.iam.grammar.principals import check_principals
from shared.iam.grammar.resources import check_resources
from shared.iam.grammar.structure import (
    check_sids,
    check_statement,
    check_text,
    document_fields,
    named,
    statements_of,
)
from shared.iam.policy import DOCUMENT_KEYS

__all__ = ["Code", "Finding", "PolicyKind", "Severity", "recognise", "validate"]

_CHECKS = (
    check_statement,
    check_principals,
    check_actions,
    check_resources,
    check_condition,
    check_values,
    check_advice,
)


def validate(
    document: Mapping[str, Any] | str, kind: PolicyKind, catalogue: Catalogue | None = None
) -> tuple[Finding, ...]:
    """Everything that is wrong with a policy document (JSON values or JSON text) as a policy of that kind.

    Without a catalogue nobody asks whether actions are known. Never raises for what is in the document.

    >>> [finding.code.value for finding in validate('{"Version": "2012-10-17"}', PolicyKind.IDENTITY)]
    ['missing_statement']
    """
    rules = RULES_OF[kind]
    return tuple(dict.fromkeys(_finding(flaw, rules) for flaw in _flaws(document, rules, catalogue)))


def recognise(document: Mapping[str, Any] | str) -> PolicyKind:
    """The kind that a document seems to be, by what its statements speak of.

    With a principal it is a trust policy if it has no resource and only actions of sts, else a resource policy; without
    one it is an identity policy. Boundaries, session policies, SCPs and RCPs can't be told from those.
    """
    try:
        fields, _ = named(decode_document(document), DOCUMENT_KEYS, "$")
    except PolicyDocumentError:
        return PolicyKind.IDENTITY
    statements, _ = statements_of(fields, RULES_OF[PolicyKind.IDENTITY])
    if not any({"Principal", "NotPrincipal"} & statement.fields.keys() for statement in statements):
        return PolicyKind.IDENTITY
    resources = any({"Resource", "NotResource"} & statement.fields.keys() for statement in statements)
    actions = [text.value.lower() for statement in statements for text in statement.texts("Action")]
    trusts = bool(actions) and all(action.startswith("sts:") for action in actions)
    return PolicyKind.TRUST if trusts and not resources else PolicyKind.RESOURCE


def _finding(flaw: Flaw, rules: KindRules) -> Finding:
    severity = Severity.WARNING if flaw.code in rules.only_warned else RULES[flaw.code].severity
    return Finding(flaw.code, severity, flaw.path, flaw.message)


def _flaws(document: Mapping[str, Any] | str, rules: KindRules, catalogue: Catalogue | None) -> Iterator[Flaw]:
    try:
        decoded = decode_document(document)
        compact = json.dumps(decoded, ensure_ascii=False, separators=(",", ":"))
    except PolicyDocumentError as error:
        yield Flaw(Code(error.code), error.path, error.reason)
        return
    except (TypeError, ValueError, RecursionError):
        yield Flaw(Code.NOT_JSON, "$", "the document holds what JSON can't, or is nested too deeply")
        return
    yield from check_text(document if isinstance(document, str) and rules.counts_spaces else compact, rules)
    fields, flaws = document_fields(decoded)
    statements, odd = statements_of(fields, rules)
    yield from flaws + odd
    yield from check_sids(statements)
    for statement in statements:
        yield from _of_statement(statement, catalogue)


def _of_statement(statement: Elements, catalogue: Catalogue | None) -> Iterator[Flaw]:
    for check in _CHECKS:
        yield from check(statement)
    if catalogue is not None:
        yield from check_known(statement, catalogue)
