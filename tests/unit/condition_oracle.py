"""Conditions evaluated the slow and obvious way, straight from the guide's sentences."""

import base64
import ipaddress
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from fractions import Fraction

from shared.iam.conditions.model import Condition, Operator, Quantifier
from shared.iam.request import Context
from tests.unit import pattern_oracle

NEGATED = {
    Operator.STRING_NOT_EQUALS: Operator.STRING_EQUALS,
    Operator.STRING_NOT_EQUALS_IGNORE_CASE: Operator.STRING_EQUALS_IGNORE_CASE,
    Operator.STRING_NOT_LIKE: Operator.STRING_LIKE,
    Operator.NUMERIC_NOT_EQUALS: Operator.NUMERIC_EQUALS,
    Operator.DATE_NOT_EQUALS: Operator.DATE_EQUALS,
    Operator.NOT_IP_ADDRESS: Operator.IP_ADDRESS,
    Operator.ARN_NOT_EQUALS: Operator.ARN_EQUALS,
    Operator.ARN_NOT_LIKE: Operator.ARN_LIKE,
}


def holds(condition: Condition, context: Context) -> bool:
    """Whether a condition without policy variables holds."""
    values = context.get(condition.key, ())
    if condition.operator is Operator.NULL:
        return any(wanted.lower() == str(values in ((), ("",))).lower() for wanted in condition.values)
    if condition.quantifier is not None and values == ("",):
        return condition.quantifier is Quantifier.ALL or condition.if_exists
    if not values:
        return condition.if_exists or _holds_without_value(condition)
    positive = NEGATED.get(condition.operator, condition.operator)
    matched = [any(matches(positive, wanted, value) for wanted in condition.values) for value in values]
    if condition.operator in NEGATED:
        return any(not one for one in matched) if condition.quantifier is Quantifier.ANY else not any(matched)
    return all(matched) if condition.quantifier is Quantifier.ALL else any(matched)


def _holds_without_value(condition: Condition) -> bool:
    if condition.quantifier is None:
        return condition.operator in NEGATED
    return condition.quantifier is Quantifier.ALL


def matches(positive: Operator, wanted: str, value: str) -> bool:
    """Whether one value of the request matches one of the policy."""
    try:
        return _matches(positive, wanted, value)
    except ValueError:
        return False


def _matches(positive: Operator, wanted: str, value: str) -> bool:
    plain: dict[Operator, Callable[[str, str], bool]] = {
        Operator.STRING_EQUALS: str.__eq__,
        Operator.STRING_EQUALS_IGNORE_CASE: lambda one, other: one.lower() == other.lower(),
        Operator.STRING_LIKE: pattern_oracle.matches,
        Operator.ARN_EQUALS: pattern_oracle.arn_matches,
        Operator.ARN_LIKE: pattern_oracle.arn_matches,
        Operator.BOOL: lambda one, other: one.lower() == other.lower() and one.lower() in ("true", "false"),
        Operator.BINARY_EQUALS: lambda one, other: _octets(one) == _octets(other),
        Operator.IP_ADDRESS: lambda one, other: ipaddress.ip_address(other) in ipaddress.ip_network(one, strict=False),
    }
    if positive in plain:
        return plain[positive](wanted, value)
    read = Fraction if positive.value.startswith("Numeric") else _moment
    return _compare(positive.value.removeprefix("Numeric").removeprefix("Date"), read(value), read(wanted))


def _compare(relation: str, value: Fraction, wanted: Fraction) -> bool:
    return {
        "Equals": value == wanted,
        "LessThan": value < wanted,
        "LessThanEquals": value <= wanted,
        "GreaterThan": value > wanted,
        "GreaterThanEquals": value >= wanted,
    }[relation]


def _octets(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _moment(text: str) -> Fraction:
    if text.isdigit():
        return Fraction(text)
    read = datetime.fromisoformat(text)
    aware = read if read.tzinfo else read.replace(tzinfo=UTC)
    return Fraction(aware.timestamp())


def negative_of(positive: Operator) -> Sequence[Operator]:
    """The operator that negates this one, if there is one."""
    return [negated for negated, own in NEGATED.items() if own is positive]
