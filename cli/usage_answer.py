"""The answer of `leastwise usage` as a JSON value: sorted, so that the same records give the same text. Pure."""

from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from cli.reading_trails.files import Trails
from cli.reading_trails.shares import Totals
from shared.model.usage import Coverage, Evidence, IdentityKey, Span, Usage, UsageEntry

STRENGTH = (Evidence.OBSERVED, Evidence.INFERRED, Evidence.POSSIBLE, Evidence.DENIED)
OUTSIDE, UNREADABLE = "outside_window", "unreadable"

Json = dict[str, Any]


def answer_of(totals: Totals, trails: Trails, wanted: Collection[str] = ()) -> Json:
    """Say everything that was read; of the identities only the wanted ones (by ARN or unique id), if any are named."""
    folded = totals.folded
    skipped = Counter(folded.skipped) + Counter({OUTSIDE: totals.outside, UNREADABLE: totals.unread.count})
    identities = [
        _identity(key, folded.arns.get(key), usage)
        for key, usage in sorted(folded.usages.items(), key=lambda item: item[0])
        if not wanted or not {key.identity_id, folded.arns.get(key)}.isdisjoint(wanted)
    ]
    return {
        "identities": identities,
        "records": totals.records,
        "duplicates": totals.duplicates,
        "skipped": dict(sorted(skipped.items())),
        "callers": dict(sorted(folded.callers.items())),
        "coverage": {account_id: _coverage(seen) for account_id, seen in sorted(folded.coverage.items())},
        "files": {"read": len(trails.files), "ignored": dict(trails.ignored)},
        "unreadable": [place._asdict() for place in totals.unread.first],
        "unreadable_not_listed": totals.unread.count - len(totals.unread.first),
    }


def _identity(key: IdentityKey, arn: str | None, usage: Usage) -> Json:
    actions = {entry.action: _action(entry) for entry in sorted(usage.entries.values(), key=lambda entry: entry.action)}
    return {"arn": arn, "id": key.identity_id, "account": key.account_id, "actions": actions}


def _action(entry: UsageEntry) -> Json:
    kinds = [kind for kind in STRENGTH if kind in entry.spans]
    patterns = entry.resources.patterns()
    denied = entry.spans.get(Evidence.DENIED)
    return {
        "evidence": kinds[0].value,
        **_span(entry.spans[kinds[0]]),
        "resources": None if patterns is None else list(patterns),
        "regions": sorted(entry.regions),
        "denied": None if denied is None else _span(denied),
        "also": {kind.value: _span(entry.spans[kind]) for kind in kinds[1:] if kind is not Evidence.DENIED},
    }


def _span(span: Span) -> Json:
    return {"first_seen": _moment(span.first), "last_seen": _moment(span.last)}


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _coverage(coverage: Coverage) -> Json:
    """What an account's trail showed; a day without records between the first and the last is a gap."""
    first, last = min(coverage.days, default=None), max(coverage.days, default=None)
    gaps = coverage.gaps(first, last) if first and last else ()
    return {
        "days": len(coverage.seen),
        "first_day": first and first.isoformat(),
        "last_day": last and last.isoformat(),
        "gaps": [[start.isoformat(), end.isoformat()] for start, end in gaps],
        "regions": sorted(coverage.regions),
    }
