"""What a verification of the audit trail found, as JSON and in plain sentences. Pure."""

from collections.abc import Iterator
from typing import Any

from cli.auditing.verification import Verification, told

MOST_FAULTS = 50  # that people are shown; the JSON has all
MOST_GAPS = 5


def answer_of(found: Verification) -> dict[str, Any]:
    """The verification as JSON values."""
    report = found.report
    moments = {
        "anchored_at": report.anchored_at,
        "first_anchored_at": found.first_anchored_at,
        "recorded_from": found.recorded_from,
    }
    return {
        "account_id": found.account_id,
        "whole": found.whole,
        "entries": report.entries,
        "chains": report.chains,
        "anchors": report.anchors,
        "unanchored": report.unanchored,
        "signed": report.signed,
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
        "faults": [fault.model_dump(mode="json") for fault in report.faults],
        "findings": list(found.findings),
        "gaps": [[before.isoformat(), after.isoformat()] for before, after in found.gaps],
        "unlisted": report.unlisted,
        "not_proven": list(not_proven(found)),
    }


def sentences(found: Verification) -> Iterator[str]:
    """The verification for people: the verdict, what is wrong, what was looked at, what it can't show."""
    report = found.report
    wrong = len(report.faults) + len(found.findings)
    if found.whole:
        yield (
            "The audit trail is whole." if report.entries else "Nothing is recorded yet, and no anchor says otherwise."
        )
    else:
        yield f"The audit trail does NOT verify: {_counted(wrong, 'fault')}."
    for fault in report.faults[:MOST_FAULTS]:
        yield f"  {fault.kind.value:<18} {fault.message}"
    if len(report.faults) > MOST_FAULTS:
        yield f"  and {len(report.faults) - MOST_FAULTS:,} more: --json has all"
    for finding in found.findings:
        yield f"  {'anchors':<18} {finding}"
    looked = f"{_counted(report.entries, 'good entry', 'good entries')} in {_counted(report.chains, 'chain')}"
    since = f", recorded since {told(found.recorded_from)}" if found.recorded_from else ""
    yield f"Verified: {looked}{since}; {_counted(report.anchors, 'good anchor')}{_signed(found)}."
    if found.first_anchored_at and report.anchored_at:
        yield f"Anchored: since {told(found.first_anchored_at)}, newest {told(report.anchored_at)}."
    for limit in not_proven(found):
        yield f"Not proven: {limit}."


def not_proven(found: Verification) -> Iterator[str]:
    """What no verification of this trail can show."""
    report = found.report
    if report.unanchored:
        entries = _counted(report.unanchored, "entry is", "entries are")
        yield f"{entries} newer than the newest anchor and could be cut off without a trace, until the next one"
    if found.first_anchored_at:
        first = told(found.first_anchored_at)
        yield f"what somebody in control of the account changed before the first anchor, {first}"
    else:
        yield "anything against somebody who can write the table, as long as there is no anchor"
    for before, after in found.gaps[:MOST_GAPS]:
        yield f"that no anchor between {told(before)} and {told(after)} was removed: the schedule should have made some"
    if len(found.gaps) > MOST_GAPS:
        yield f"the same of {_counted(len(found.gaps) - MOST_GAPS, 'more such time')}: --json has all"
    if report.unlisted:
        chains = _counted(report.unlisted, "chain is", "chains are")
        yield f"that {chains} whole: an older version wrote what is there, and no list or anchor names it"
    if found.unchecked_signatures:
        yield "the signatures that anchors carry: the stack names no key"
    yield "that every event reached the trail: one that was kept from being recorded leaves no gap"


def _signed(found: Verification) -> str:
    return ", the newest with the key's signature, which covers all" if found.report.signed else ", not signed"


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
