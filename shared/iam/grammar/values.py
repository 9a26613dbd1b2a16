"""Values of conditions: what each type of operator can read.

Source: IAM user guide, "IAM JSON policy elements: Condition operators".
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping

from shared.iam.conditions.model import Operator

_DATE = re.compile(
    r"(?P<year>[+-]?\d{1,9})(?:-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2}))?)?"
    r"(?:T(?:(?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:\.\d{1,9})?)?)?)?)?"
    r"(?:Z|[+-](?P<zone>\d{2})(?::?(?P<beyond>\d{2}))?)?",
    re.IGNORECASE,
)
_LIMITS = {"month": (1, 12), "day": (1, 31), "hour": (0, 23), "minute": (0, 59), "second": (0, 59), "zone": (0, 23)}
_YEARS = (-292_275_054, 292_278_993)  # what a signed 64-bit number of milliseconds can hold
_LAST_EPOCH = 2**63 - 1
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE)
_BOOLEANS = frozenset({"true", "false"})
_EPOCH = re.compile(r"\d{1,19}")


def is_date(text: str) -> bool:
    """Whether a text is a date: of ISO 8601 (from the year alone to nanoseconds and zone), or epoch seconds.

    >>> [is_date(text) for text in ("2026-01-31T09:00:00Z", "1767225600", "2026-13-01", "tomorrow")]
    [True, True, False, False]
    """
    if _EPOCH.fullmatch(text):
        return int(text) <= _LAST_EPOCH
    parts = _DATE.fullmatch(text)
    if parts is None or not _YEARS[0] <= int(parts["year"]) <= _YEARS[1]:
        return False
    given = {name: int(parts[name]) for name in _LIMITS if parts[name] is not None}
    beyond = int(parts["beyond"] or 0)
    return beyond <= _LIMITS["minute"][1] and all(
        _LIMITS[name][0] <= value <= _LIMITS[name][1] for name, value in given.items()
    )


def is_address(text: str) -> bool:
    """Whether a text is an IP address or a range in CIDR notation."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def is_binary(text: str) -> bool:
    """Whether a text is base64."""
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _is_boolean(text: str) -> bool:
    return text.lower() in _BOOLEANS


# By the first word of an operator: what it needs, in words, and the test. String and Arn operators take any text.
READERS: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "Date": ("a date such as 2026-01-31T09:00:00Z or seconds since 1970", is_date),
    "Numeric": ("a number", _is_number),
    "Bool": ("true or false", _is_boolean),
    "Null": ("true or false", _is_boolean),
    "Ip": ("an IP address or a CIDR range", is_address),
    "Binary": ("base64", is_binary),
}
_FAMILY = re.compile("(?:Not)?(?P<family>[A-Z][a-z]+)")


def family(operator: Operator) -> str:
    """First word of an operator, which tells the type of its values (Not is no word of its own).

    >>> family(Operator.NOT_IP_ADDRESS), family(Operator.DATE_LESS_THAN)
    ('Ip', 'Date')
    """
    found = _FAMILY.match(operator.value)
    return found["family"] if found else operator.value
