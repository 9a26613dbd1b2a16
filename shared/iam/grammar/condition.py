"""Condition: `{operator: {key: value or [values]}}`, and whether operators, keys and values fit each other.

Sources: IAM user guide, "Condition operators", "Multivalued context keys" and "AWS global condition context keys".
"""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.errors import PolicyDocumentError
from shared.iam.conditions.model import Operator, Quantifier, read_operator
from shared.iam.grammar.elements import Elements, Text
from shared.iam.grammar.findings import Code, Flaw
from shared.iam.grammar.values import READERS, family
from shared.iam.request import MULTIVALUED_KEYS

# Types of the global keys that are not plain text, by the families of operators that can read them.
_DATES = frozenset({"Date", "Numeric", "Null"})
_BOOLEANS = frozenset({"Bool", "String", "Null"})
_TYPES: Mapping[str, frozenset[str]] = {
    "aws:currenttime": frozenset({"Date", "Null"}),
    "aws:epochtime": _DATES,
    "aws:tokenissuetime": frozenset({"Date", "Null"}),
    "aws:multifactorauthage": frozenset({"Numeric", "Null"}),
    "aws:multifactorauthpresent": _BOOLEANS,
    "aws:principalisawsservice": _BOOLEANS,
    "aws:securetransport": _BOOLEANS,
    "aws:viaawsservice": _BOOLEANS,
    "aws:sourceip": frozenset({"Ip", "Null"}),
    "aws:vpcsourceip": frozenset({"Ip", "Null"}),
}
# Global keys that hold several values; all others hold one.
_EQUALITIES = frozenset({Operator.STRING_EQUALS, Operator.STRING_NOT_EQUALS})


def check_condition(statement: Elements) -> Iterator[Flaw]:
    """The Condition element of a statement, from its shape down to its values."""
    if "Condition" not in statement.fields:
        return
    block, path = statement.fields["Condition"], f"{statement.path}.Condition"
    if not isinstance(block, Mapping):
        yield Flaw(Code.CONDITION, path, 'expected {"operator": {"key": "value"}}')
        return
    if not block:
        yield Flaw(Code.CONDITION_EMPTY, path, "this condition always holds")
    for spelled, keys in block.items():
        yield from _operator(str(spelled), keys, path)


def _operator(spelled: str, keys: Any, path: str) -> Iterator[Flaw]:
    below = f"{path}.{spelled}"
    if not isinstance(keys, Mapping):
        yield Flaw(Code.CONDITION, below, 'expected {"key": "value"}')
        return
    if not keys:
        yield Flaw(Code.CONDITION_EMPTY, below, "this operator tests no key")
        return
    for key, values in keys.items():
        yield from _shape(values, f"{below}.{key}")
    try:
        operator, quantifier, _ = read_operator(spelled, path)
    except PolicyDocumentError:
        yield Flaw(Code.CONDITION_OPERATOR, below, f"IAM knows no condition operator {spelled!r}")
        return
    if operator.value not in spelled:
        yield Flaw(Code.ELEMENT_CASE, below, f"usually spelled {operator.value}")
    for key in map(str, keys):
        yield from _key(operator, quantifier, key, f"{below}.{key}")


def _shape(values: Any, path: str) -> Iterator[Flaw]:
    listed = list(values) if isinstance(values, list | tuple) else [values]
    if not all(isinstance(value, str | int | float) for value in listed):  # a bool is an int
        yield Flaw(Code.CONDITION_VALUE, path, "expected text, a number or a boolean, or a list of them")
    elif not listed:
        yield Flaw(Code.CONDITION_EMPTY, path, "an empty list matches no value")


def _key(operator: Operator, quantifier: Quantifier | None, key: str, path: str) -> Iterator[Flaw]:
    lowered = key.lower()
    if not all(key.partition(":")):
        yield Flaw(Code.CONDITION_KEY_FORM, path, f"{key!r} is not of the form prefix:name")
    fitting = _TYPES.get(lowered)
    if fitting is not None and family(operator) not in fitting:
        yield Flaw(Code.CONDITION_KEY_TYPE, path, f"{operator} does not read values of {key}")
    if lowered in MULTIVALUED_KEYS and quantifier is None and operator is not Operator.NULL:
        yield Flaw(Code.CONDITION_SET_OPERATOR, path, f"{key} holds several values: say ForAnyValue or ForAllValues")
    elif quantifier is not None and lowered.startswith("aws:") and lowered not in MULTIVALUED_KEYS:
        yield Flaw(Code.CONDITION_SET_OPERATOR, path, f"{key} holds one value: {quantifier} is for keys with several")


def check_values(statement: Elements) -> Iterator[Flaw]:
    """Whether each value is of the type that its operator reads."""
    readable = {}
    for spelled, _, text in statement.conditions():
        if spelled not in readable:
            try:
                readable[spelled] = read_operator(spelled, "$")[0]
            except PolicyDocumentError:
                continue  # found by check_condition
        yield from _value(readable[spelled], text, with_variables=statement.with_variables)


def _value(operator: Operator, text: Text, *, with_variables: bool) -> Iterator[Flaw]:
    kind = family(operator)
    needed, fits = READERS.get(kind, ("", None))
    if fits is None:
        if operator in _EQUALITIES and "*" in text.value.replace("${*}", ""):
            yield Flaw(
                Code.CONDITION_WILDCARD, text.path, f"to {operator} the * in {text.value!r} is a plain character"
            )
        return
    if with_variables and "${" in text.value:
        yield Flaw(Code.CONDITION_VARIABLE, text.path, f"{operator} does not read variables: {text.value!r}")
    elif not fits(text.value):
        yield Flaw(Code.CONDITION_VALUE_FORM, text.path, f"{operator} needs {needed}, not {text.value!r}")
