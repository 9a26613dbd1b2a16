"""The last steps: what the audit trail proves, and what the security team was told."""

from collections import Counter
from datetime import UTC, datetime

from infra.local.demonstration.stage import BY_QUEUE, ROLLED_BACK, Stage
from infra.local.demonstration.system import System
from services.auditor.telling.edge import MAX_SINGLE, PATIENCE
from shared.model.identity import IdentityRef


def verify_audit(stage: Stage) -> None:
    """Anchor the trail, verify it all, and edit an entry to see that this is found."""
    stage.announce("Anchoring and verifying the audit trail")
    stage.system.settle()
    stage.system.anchor()
    report = stage.system.verify_trail()
    found = f"{report.entries} entries in {report.chains} chains, {report.anchors} anchor"
    stage.checks.hold("every chain is whole, and as it was anchored", report.whole and report.anchors == 1, found)
    story = list(stage.system.audit.chain(_chain(stage.refs[ROLLED_BACK])))
    kinds = {entry.event_type for entry in story}
    whole = {"IdentityScored", "IdentityEvaluated", "PlanProposed", "PolicyApplied", "PolicyRolledBack"}
    stage.checks.hold("one identity's story is complete", whole <= kinds, ", ".join(sorted(kinds & whole)))
    edited = next(entry for entry in story if entry.event_type == "PolicyApplied")
    stage.system.edit_entry(edited, "Nothing happened")
    faults = [(fault.chain, fault.sequence) for fault in stage.system.verify_trail().faults]
    stage.system.edit_entry(edited, edited.summary)
    named = faults == [(edited.chain, edited.sequence)]
    stage.checks.hold("an entry that somebody edits is found, and named", named, f"entry {edited.sequence}")
    stage.checks.hold("as it was, the trail is whole again", stage.system.verify_trail().whole)


def read_the_inbox(stage: Stage) -> None:
    """What the security team was told: the first messages alone, the burst in a digest."""
    stage.announce("Reading the security team's inbox")
    stage.checks.hold_soon(
        "what came too fast waits for the next digest", lambda: _digest_is_due(stage.system), seconds=90
    )
    stage.system.tell_waiting()
    stage.inbox += stage.system.notices()
    digests = [notice for notice in stage.inbox if notice.is_digest]
    stage.checks.hold("a burst of messages came as one digest", digests, digests[0].subject if digests else "")
    for notice in digests[:1]:
        stage.show(notice)
    told = [event_id for notice in stage.inbox for event_id in notice.event_ids]
    waiting = [kept.event_id for kept in stage.system.outbox.waiting(limit=1_000)]
    entries = [stage.system.audit.of_event(event_id) for event_id in (*told, *waiting)]
    kinds = Counter((entry.event_type, entry.identity_id) for entry in entries if entry)
    stage.checks.hold("whatever is told is in the audit trail", all(entries), f"{len(entries)} events")
    changed = Counter({stage.refs[name].identity_id: times for name, times in stage.changed.items()})
    applied = Counter({key[1]: count for key, count in kinds.items() if key[0] == "PolicyApplied"})
    detail = f"{len(told)} events in {len(stage.inbox)} messages, {len(waiting)} of the last minute still wait"
    stage.checks.hold("the security team is told once of each change", applied == changed, detail)
    refused = stage.refs[BY_QUEUE].identity_id
    once = [kinds[kind, refused] for kind in ("AccessRegretted", "AccessRestored")]
    regrets = 1 if stage.changed[BY_QUEUE] > 1 else 0
    stage.checks.hold(
        "and once of each refusal, and that it is over", once == [regrets, regrets], f"{regrets} refusals"
    )
    stage.checks.hold("no message ended in a dead-letter queue", stage.system.dead_letters() == 0)


def _digest_is_due(system: System) -> bool:
    """Whether so many messages have waited long enough that they are told as one."""
    now = datetime.now(UTC)
    due = sum(now - kept.kept_at > PATIENCE for kept in system.outbox.waiting(limit=1_000))
    return due > MAX_SINGLE


def _chain(ref: IdentityRef) -> str:
    return f"{ref.account_id}/{ref.identity_id}"
