"""What the texts of typed condition operators stand for; None where a text stands for nothing of the kind.

Source: IAM user guide, "IAM JSON policy elements: Condition operators"; dates: W3C note "Date and Time Formats".
"""

import base64
import binascii
import functools
import ipaddress
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

_CACHE = 4096
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,6})?", re.ASCII)
_PREFIX_LENGTH = re.compile(r"\d{1,3}", re.ASCII)
_DATE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?P<fraction>\.\d+)?)?"
    r"(?P<zone>Z|[+-]\d\d:?[0-5]\d)?)?)?)?",
    re.ASCII | re.IGNORECASE,
)
WIDTHS = {4: 32, 6: 128}
"""Bits of an address, by IP version."""

_TRUTHS = {"true": True, "false": False}
_DAY_SECONDS = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Network(NamedTuple):
    """A range of IP addresses: those whose bits under `mask` are `bits`, its first one's."""

    version: int
    bits: int
    mask: int

    @property
    def last(self) -> int:
        """Bits of the last address."""
        return self.bits + (1 << WIDTHS[self.version]) - self.mask - 1


@functools.lru_cache(_CACHE)
def number(text: str) -> Decimal | None:
    """A decimal number, exact however many digits it has.

    >>> number("1e3") == number("1000.0")
    True
    """
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


@functools.lru_cache(_CACHE)
def moment(text: str) -> Decimal | None:
    """A point in time, in seconds since 1970: a W3C date and time (UTC where it names no zone), or such a number.

    >>> moment("2020-01-01T01:00:00+01:00") == moment("2020-01-01") == moment("1577836800")
    True
    """
    date = _DATE.fullmatch(text)
    if date is None:
        return number(text)
    try:
        start = datetime(
            int(date["year"]),
            int(date["month"] or 1),
            int(date["day"] or 1),
            int(date["hour"] or 0),
            int(date["minute"] or 0),
            int(date["second"] or 0),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    offset = _offset(date["zone"])
    if offset is None:
        return None
    return Decimal((start - _EPOCH) // timedelta(seconds=1) - offset) + Decimal(f"0{date['fraction'] or ''}")


def _offset(zone: str | None) -> int | None:
    """Seconds east of Greenwich; None where no zone is that far."""
    if zone is None or zone in "Zz":
        return 0
    east = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:])) // timedelta(seconds=1)
    return None if east >= _DAY_SECONDS else east * (-1 if zone[0] == "-" else 1)


def truth(text: str) -> bool | None:
    """`true` or `false`, in any case."""
    return _TRUTHS.get(text.lower())


@functools.lru_cache(_CACHE)
def octets(text: str) -> bytes | None:
    """Bytes, written in base 64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


@functools.lru_cache(_CACHE)
def address(text: str) -> tuple[int, int] | None:
    """An IP address: its version and its bits."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    return parsed.version, int(parsed)


def network(text: str) -> Network | None:
    """A range in CIDR notation, or one address; bits beyond the prefix are of no account."""
    base, _, length = text.partition("/")
    found = address(base)
    if found is None or ("/" in text and not _PREFIX_LENGTH.fullmatch(length)):
        return None
    version, bits = found
    free = WIDTHS[version] - int(length or WIDTHS[version])
    if free < 0:
        return None
    mask = (1 << WIDTHS[version]) - (1 << free)
    return Network(version, bits & mask, mask)
