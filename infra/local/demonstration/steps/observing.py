"""The first steps: there is an account, it is used, scored and judged; nothing is changed yet."""

from datetime import UTC, datetime, timedelta

from infra.local.demonstration.account import IDENTITIES, seed
from infra.local.demonstration.records import Record, replay, replayed
from infra.local.demonstration.stage import UNTOUCHED, Stage
from services.scorer.trail.reader import record_of
from services.scorer.usage.fold import fold
from shared.model.plan import PlanStatus
from shared.model.score import Band, Score
from shared.model.usage import Evidence, IdentityKey, Usage
from shared.reference import load_operations


def create_identities(stage: Stage) -> None:
    """Create the account's identities."""
    stage.announce("Seeding 14 identities with real AWS managed policies")
    stage.refs = seed(stage.system.local.client("iam"))
    stage.originals = {name: stage.system.detail(ref) for name, ref in stage.refs.items()}
    policies = sum(len(detail.policies) for detail in stage.originals.values())
    stage.checks.hold("14 identities are in IAM", len(stage.originals) == len(IDENTITIES), f"{policies} policies")


def record_usage(stage: Stage) -> None:
    """Replay the records and compare the ledger with the same records folded offline."""
    stage.announce("Replaying CloudTrail records through the default event bus into the usage ledger")
    now = datetime.now(UTC)
    records = replayed(stage.refs, account_id=stage.system.account_id, now=now)
    replay(stage.system.local.client("events"), records)
    stage.checks.hold("every queue was worked off", stage.system.settle())
    expected = folded(records)
    wrong, actions = [], 0
    for name, ref in stage.refs.items():
        stage.used[name] = uses(expected.get(ref.identity_id))
        key = IdentityKey(ref.account_id, ref.identity_id)
        usage = stage.system.ledger.read(key, since=now - timedelta(days=90))
        seen = {key: set(entry.spans) for key, entry in usage.entries.items()}
        offline = expected[ref.identity_id].entries if ref.identity_id in expected else {}
        wanted = {key: set(entry.spans) for key, entry in offline.items()}
        missing = {key for key, kinds in wanted.items() if not kinds <= seen.get(key, set())}
        actions += len(wanted)
        wrong += [name] if missing else []
    stage.checks.hold(
        "the ledger holds what the records say", not wrong, wrong or f"{actions} actions of 14 identities"
    )


def folded(records: list[Record]) -> dict[str, Usage]:
    """What the records say of each identity's usage, by unique id, read without any AWS."""
    usages = fold((record_of(record) for record in records), load_operations(), feed="eventbridge").usages
    return {key.identity_id: usage for key, usage in usages.items()}


def score(stage: Stage) -> None:
    """Sweep: score everybody and the account."""
    stage.announce("Scoring every identity (Privilege Creep Index, 0-100)")
    pci = float(stage.sweep()["pci"])
    stage.system.settle()
    stage.before = stage.scores()
    stage.account_pci = (pci, pci)
    claim = "every identity was looked at" if stage.outside else "every identity has a score"
    stage.checks.hold(claim, set(stage.before) == set(stage.refs), _listed(stage.before))
    stage.checks.hold("the account's PCI is high", Band.of(pci) is Band.HIGH, f"{pci:.0f}")


def judge(stage: Stage) -> None:
    """Compare AWS Config's results with the scores."""
    stage.announce("AWS Config shows the verdicts")
    due = stage.due()
    expected = {stage.refs[name].identity_id for name in due}

    def shown() -> bool:
        found = {key for key, verdict in stage.system.compliance().items() if verdict == "NON_COMPLIANT"}
        return found & {ref.identity_id for ref in stage.refs.values()} == expected

    claim = f"the Config rule shows NON_COMPLIANT for exactly {len(due)} of {len(stage.refs)}"
    stage.checks.hold_soon(claim, shown, seconds=45)
    exempt = stage.system.compliance().get(stage.refs["break-glass"].identity_id, "NOT_APPLICABLE")
    stage.checks.hold("the exempt identity is not judged", exempt == "NOT_APPLICABLE", exempt)


def propose(stage: Stage) -> None:
    """Mode `approve`: the compliance changes led to plans, and to nothing else."""
    stage.announce("Mode approve: plans are computed, proven, and wait")
    stage.system.settle()
    plans = {name: stage.record(ref) for name, ref in stage.refs.items()}
    waiting = sorted(name for name, plan in plans.items() if plan and plan.status is PlanStatus.PROPOSED)
    expected = sorted(stage.due() - set(UNTOUCHED))
    stage.checks.hold("a proven plan waits for each identity with evidence", waiting == expected, ", ".join(waiting))
    unchanged = all(stage.system.boundary_of(ref) is None for ref in stage.refs.values())
    stage.checks.hold("nothing was changed in IAM", unchanged)
    skipped = plans["legacy-batch"] is None
    stage.checks.hold("no evidence, no plan: the unused administrator role gets none", skipped)


def uses(usage: Usage | None) -> frozenset[str]:
    """What was done, or may have been done, and was not refused; in lower case."""
    entries = usage.entries if usage else {}
    return frozenset(key for key, entry in entries.items() if set(entry.spans) != {Evidence.DENIED})


def _listed(scores: dict[str, Score]) -> str:
    """Names with their PCI, worst first."""
    worst_first = sorted(scores.items(), key=lambda item: -item[1].pci)
    return ", ".join(f"{name} {score.pci:.0f}" for name, score in worst_first)
