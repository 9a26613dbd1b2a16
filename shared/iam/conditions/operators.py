"""Condition operators as tests of one value of a request: whether it matches any value of the policy.

Only positive operators are here; a negated one holds where its positive one doesn't match. A value of the policy that
is none of the operator's kind (`NumericEquals "abc"`) matches nothing, and so does such a value of the request. Policy
variables are read by the string and ARN operators and by Bool; elsewhere they are plain text.

Source: IAM user guide, "IAM JSON policy elements: Condition operators".
"""

import bisect
import operator
from collections.abc import Callable, Sequence
from decimal import Decimal

from shared.iam.conditions.model import Operator
from shared.iam.conditions.values import address, moment, network, number, octets, truth
from shared.iam.patterns.arns import PREFIX, as_arn
from shared.iam.patterns.variables import parts_of
from shared.iam.patterns.wildcards import (
    Reading,
    Test,
    Tokens,
    anywhere,
    compile_texts,
    filler,
    is_open,
    literal_texts,
    literally,
)
from shared.iam.request import Context

_READINGS: dict[Operator, Reading] = {
    Operator.STRING_EQUALS: literally,
    Operator.STRING_LIKE: anywhere,
    Operator.ARN_EQUALS: as_arn,
    Operator.ARN_LIKE: as_arn,
}
_Value = str | bool | bytes | Decimal
_Bounds = tuple[
    Callable[[str], Decimal | None], Callable[[Sequence[Decimal]], Decimal], Callable[[Decimal, Decimal], bool]
]
# Below any of several bounds is below the greatest, above any of them above the least.
_COMPARISONS: dict[Operator, _Bounds] = {
    Operator.NUMERIC_LESS_THAN: (number, max, operator.lt),
    Operator.NUMERIC_LESS_THAN_EQUALS: (number, max, operator.le),
    Operator.NUMERIC_GREATER_THAN: (number, min, operator.gt),
    Operator.NUMERIC_GREATER_THAN_EQUALS: (number, min, operator.ge),
    Operator.DATE_LESS_THAN: (moment, max, operator.lt),
    Operator.DATE_LESS_THAN_EQUALS: (moment, max, operator.le),
    Operator.DATE_GREATER_THAN: (moment, min, operator.gt),
    Operator.DATE_GREATER_THAN_EQUALS: (moment, min, operator.ge),
}
_PLAIN_EQUALITIES: dict[Operator, Callable[[str], _Value | None]] = {
    Operator.NUMERIC_EQUALS: number,
    Operator.DATE_EQUALS: moment,
    Operator.BINARY_EQUALS: octets,
}
_RESOLVED_EQUALITIES: dict[Operator, Callable[[str], _Value | None]] = {
    Operator.STRING_EQUALS_IGNORE_CASE: str.lower,
    Operator.BOOL: truth,
}


def exact_values(positive: Operator, values: Sequence[str]) -> frozenset[str] | None:
    """The request values that match, where they can be listed: text without wildcards and variables; else None."""
    reading = _READINGS.get(positive)
    return literal_texts(map(parts_of, values), reading) if reading else None


def value_test(positive: Operator, values: Sequence[str]) -> Test:
    """Whether a value of the request matches any of the policy's values."""
    if positive in _READINGS:
        test = compile_texts(map(parts_of, values), _READINGS[positive])
        return _of_arns(test) if _READINGS[positive] is as_arn else test
    if positive in _RESOLVED_EQUALITIES:
        return _equality(_RESOLVED_EQUALITIES[positive], [literally(parts_of(value)) for value in values])
    if positive in _PLAIN_EQUALITIES:
        return _equality(_PLAIN_EQUALITIES[positive], [(value,) for value in values])
    if positive in _COMPARISONS:
        return _comparison(_COMPARISONS[positive], values)
    return _ip_test(values)


def _of_arns(test: Test) -> Test:
    return lambda value, context: value.startswith(PREFIX) and test(value, context)


def _equality(read: Callable[[str], _Value | None], texts: Sequence[Tokens]) -> Test:
    """Whether a value stands for the same as any of the texts."""
    fillers = [filler(tokens) for tokens in texts if is_open(tokens)]
    known = {read("".join(map(str, tokens))) for tokens in texts if not is_open(tokens)} - {None}

    def test(value: str, context: Context) -> bool:
        found = read(value)
        if found in known:
            return True
        resolved = (text for fill in fillers if (text := fill(context)) is not None)
        return found is not None and any(found == read(text) for text in resolved)

    return test if fillers else lambda value, _context: read(value) in known


def _comparison(bounds: _Bounds, values: Sequence[str]) -> Test:
    read, outermost, compare = bounds
    known = [bound for value in values if (bound := read(value)) is not None]
    if not known:
        return lambda _value, _context: False
    limit = outermost(known)

    def test(value: str, _context: Context) -> bool:
        found = read(value)
        return found is not None and compare(found, limit)

    return test


def _ip_test(values: Sequence[str]) -> Test:
    ranges = {version: _ranges(values, version) for version in (4, 6)}

    def test(value: str, _context: Context) -> bool:
        found = address(value)
        if found is None:
            return False
        version, bits = found
        starts, ends = ranges[version]
        place = bisect.bisect_right(starts, bits)
        return place > 0 and bits <= ends[place - 1]

    return test


def _ranges(values: Sequence[str], version: int) -> tuple[list[int], list[int]]:
    """First and last addresses of the ranges in order; those within others are left out."""
    starts: list[int] = []
    ends: list[int] = []
    networks = (found for value in values if (found := network(value)) is not None and found.version == version)
    for found in sorted(networks):  # a range follows those that hold it, since it begins no earlier and has more mask
        if not ends or found.bits > ends[-1]:
            starts.append(found.bits)
            ends.append(found.last)
    return starts, ends
