"""How a report writes what it is given: numbers and times for people, texts from outside made harmless. Pure."""

import json
from datetime import UTC, datetime
from typing import Any

from cli.answers import printable

LONGEST = 2_000  # characters of a text that is shown: IAM's own names end at 64, its ARNs at 2,048
LONGEST_POLICY = 100_000  # characters of a document: IAM's own end at 10,240
FEW = 0.01  # below this share, and above its complement, a whole percentage would say none or all
ENOUGH_DAYS = 30  # observed, that the deployed system waits for by default before it plans
VERDICTS = {"NON_COMPLIANT": "over", "COMPLIANT": "within", "NOT_APPLICABLE": "exempt"}


def plain(text: str) -> str:
    """A text in one line that nothing obeys: controls and marks of direction are spelled out, the endless is cut."""
    return printable(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")


def policy_text(text: str) -> str:
    """A policy in its lines: what isn't printable becomes JSON's own escape, so that its copy means the same."""
    lines = (line if line.isprintable() else "".join(map(_escaped, line)) for line in text.split("\n"))
    told = "\n".join(lines)
    return told if len(told) <= LONGEST_POLICY else f"{told[:LONGEST_POLICY]}\n…"


def _escaped(char: str) -> str:
    return char if char.isprintable() else json.dumps(char)[1:-1]


def count(number: int) -> str:
    """A whole number with its thousands apart."""
    return f"{number:,}"


def pci(value: float, decimals: int = 1) -> str:
    """A PCI with one decimal, or more."""
    return f"{value:.{decimals}f}"


def rests_on(observed_days: int | None) -> str:
    """What is to be said of a plan that rests on few days; nothing of one that rests on enough."""
    if observed_days is None or observed_days >= ENOUGH_DAYS:
        return ""
    return f"rests on {observed_days:,} observed {'day' if observed_days == 1 else 'days'}"


def share(value: float) -> str:
    """A share as a percentage; only what is nothing or everything is shown as 0% or 100%."""
    if 0 < value < FEW:
        return "<1%"
    if 1 - FEW < value < 1:
        return ">99%"
    return f"{value:.0%}"


def moment(at: datetime) -> str:
    """A time in UTC, to the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def verdict(compliance: str) -> str:
    """AWS Config's word for a verdict in one that people use."""
    return VERDICTS.get(compliance, compliance)


def risk(name: str) -> str:
    """A class of risk in words."""
    return name.replace("_", " ")


def script_json(value: Any) -> str:
    """JSON that may stand inside of a script element: nothing in it can end the element or open a comment.

    Raises ValueError for NaN and infinities, which are not JSON.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
