"""The notations of time that the AWS APIs use."""

import time
from datetime import UTC, datetime


def utc_now_text() -> str:
    """Now as CloudTrail and IAM write it, to the second: `2026-01-31T12:00:00Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_now_millisecond_text() -> str:
    """Now as AWS Config writes it, to the millisecond: `2026-01-31T12:00:00.123Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch_from_text(text: str) -> float | None:
    """Seconds since 1970 of an ISO 8601 time, or None when it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def epoch_now() -> float:
    """Now in seconds since 1970, as the JSON services send times."""
    return time.time()


def text_from_epoch(seconds: float) -> str:
    """An ISO 8601 time, to the millisecond, of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
