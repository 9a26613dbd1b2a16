"""Condition blocks: read into single tests of one key each, which the rest of the engine asks questions of.

Source: IAM user guide, "IAM JSON policy elements: Condition operators" and "Multivalued context keys".
"""

import itertools
import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from shared.errors import PolicyDocumentError


class Operator(StrEnum):
    """What is asked of a context key, without set operator and IfExists."""

    STRING_EQUALS = "StringEquals"
    STRING_NOT_EQUALS = "StringNotEquals"
    STRING_EQUALS_IGNORE_CASE = "StringEqualsIgnoreCase"
    STRING_NOT_EQUALS_IGNORE_CASE = "StringNotEqualsIgnoreCase"
    STRING_LIKE = "StringLike"
    STRING_NOT_LIKE = "StringNotLike"
    NUMERIC_EQUALS = "NumericEquals"
    NUMERIC_NOT_EQUALS = "NumericNotEquals"
    NUMERIC_LESS_THAN = "NumericLessThan"
    NUMERIC_LESS_THAN_EQUALS = "NumericLessThanEquals"
    NUMERIC_GREATER_THAN = "NumericGreaterThan"
    NUMERIC_GREATER_THAN_EQUALS = "NumericGreaterThanEquals"
    DATE_EQUALS = "DateEquals"
    DATE_NOT_EQUALS = "DateNotEquals"
    DATE_LESS_THAN = "DateLessThan"
    DATE_LESS_THAN_EQUALS = "DateLessThanEquals"
    DATE_GREATER_THAN = "DateGreaterThan"
    DATE_GREATER_THAN_EQUALS = "DateGreaterThanEquals"
    BOOL = "Bool"
    BINARY_EQUALS = "BinaryEquals"
    IP_ADDRESS = "IpAddress"
    NOT_IP_ADDRESS = "NotIpAddress"
    ARN_EQUALS = "ArnEquals"
    ARN_NOT_EQUALS = "ArnNotEquals"
    ARN_LIKE = "ArnLike"
    ARN_NOT_LIKE = "ArnNotLike"
    NULL = "Null"


class Quantifier(StrEnum):
    """Set operators: how many of a key's request values must pass."""

    ALL = "ForAllValues"
    ANY = "ForAnyValue"


class Condition(NamedTuple):
    """One test of one context key; a statement applies where all of its conditions hold.

    `key` is lower-case; `values` are text as in the document (booleans and numbers as JSON spells them), any of which
    may match; they may hold policy variables.
    """

    operator: Operator
    key: str
    values: tuple[str, ...]
    quantifier: Quantifier | None = None
    if_exists: bool = False


_LISTS = (list, tuple)
_OBJECTS = (dict, Mapping)  # asked in this order, since a dict is told faster than a Mapping
_Reading = tuple[Operator, Quantifier | None, bool]


def _readings() -> dict[str, _Reading]:
    """Every name that an operator may stand under, in lower case."""
    found: dict[str, _Reading] = {}
    for operator, quantifier in itertools.product(Operator, (None, *Quantifier)):
        name = f"{quantifier}:{operator}".lower() if quantifier else operator.lower()
        found[name] = operator, quantifier, False
        if operator is not Operator.NULL:  # it asks whether a key exists, so that there is no NullIfExists
            found[f"{name}ifexists"] = operator, quantifier, True
    return found


_READINGS = _readings()


def parse_conditions(block: Any, path: str) -> tuple[Condition, ...]:
    """Read a Condition element, `{operator: {key: value or [values]}}`; None and an empty one hold no test.

    Raises PolicyDocumentError (`condition`, `condition_operator` or `condition_value`) with the JSON path below `path`.
    """
    if block is None:
        return ()
    if not isinstance(block, _OBJECTS):
        raise PolicyDocumentError("condition", path, "expected {operator: {key: values}}")
    found: list[Condition] = []
    for spelled, keys in block.items():
        if not isinstance(keys, _OBJECTS):
            raise PolicyDocumentError("condition", f"{path}.{spelled}", "expected {key: values}")
        if not keys:
            continue  # IAM accepts any name with nothing under it
        operator, quantifier, if_exists = read_operator(spelled, path)
        for key, values in keys.items():
            texts = _values(values, f"{path}.{spelled}.{key}")
            found.append(Condition(operator, str(key).lower(), texts, quantifier, if_exists))
    return tuple(found)


def read_operator(spelled: str, path: str) -> tuple[Operator, Quantifier | None, bool]:
    """Split `ForAnyValue:StringLikeIfExists` into its parts. Raises PolicyDocumentError (`condition_operator`)."""
    reading = _READINGS.get(str(spelled).lower())
    if reading is None:
        raise PolicyDocumentError("condition_operator", f"{path}.{spelled}", "IAM knows no such condition operator")
    return reading


def _values(values: Any, path: str) -> tuple[str, ...]:
    if isinstance(values, str):
        return (values,)
    listed = values if isinstance(values, _LISTS) else [values]
    return tuple(dict.fromkeys(_text(value, path) for value in listed))


def _text(value: Any, path: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    raise PolicyDocumentError("condition_value", path, "expected text, a number or a boolean, or a list of them")
