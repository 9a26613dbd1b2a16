"""The parts of a report that come alike from files and from the deployed system. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from cli.plan_files import json_text
from cli.policy_diff import differences
from cli.reporting.model import PolicyText, ProposedPlan, ScorePart
from shared.model.identity import Policy
from shared.model.plan import Plan
from shared.model.score import CoverageSummary, ReachSource, Score
from shared.pci.risk import RiskTable

FEW = 6  # names in a fact


def names_of_paths(risks: RiskTable) -> Mapping[str, str]:
    """What escalation paths are called for people, by their ids."""
    return {path.id: path.name for path in risks.paths if path.name}


def parts_of(score: Score, paths: Mapping[str, str]) -> tuple[ScorePart, ...]:
    """What makes up a score, the highest chance first; `paths` are names by ids, a path without a name has its id."""
    return tuple(
        ScorePart(one.risk.value, one.chance, one.unused, one.examples, paths.get(one.path or "", one.path or ""))
        for one in score.contributions
    )


def coverage_of(coverage: CoverageSummary) -> tuple[str, ...]:
    """What a score rests on, a sentence each."""
    days, window = coverage.observed_days, coverage.window_days
    gap = f", the longest gap {coverage.longest_gap_days:,}" if coverage.longest_gap_days else ""
    seen = f"Records of {days:,} of {window:,} days{gap}" if days else "No records: everything counts as unused"
    known = coverage.reach is ReachSource.INVENTORY
    patterns = coverage.unknown_patterns
    lines = (
        seen,
        f"Regions: {some(coverage.regions)}" if coverage.regions else "",
        f"Calls that only read were {'' if coverage.reads else 'not '}recorded" if days else "",
        f"Data events of {some(coverage.data_events)}" if coverage.data_events else "No data events" if days else "",
        f"IAM's last accessed information was {'' if coverage.last_accessed else 'not '}given",
        f"Reach by {coverage.resources or 0:,} resources" if known else "Reach by the breadth of patterns",
        f"Not in the score, since nobody knows what they grant: {some(patterns)}" if patterns else "",
    )
    return tuple(filter(None, lines))


def plan_of(
    plan: Plan,
    policies: Sequence[Policy],
    boundary: Policy | None,
    *,
    status: str = "",
    enough: bool = True,
    patch: PolicyText | None = None,
    notes: Iterable[str] = (),
) -> ProposedPlan:
    """A plan beside the `policies` and the `boundary` that were in force when it was made."""
    documents = (PolicyText(str(one.source or one.name), json_text(one.document).rstrip()) for one in plan.policies)
    return ProposedPlan(
        plan_id=plan.plan_id,
        strategy=plan.strategy.value,
        status=status,
        removes=len(plan.removes),
        keeps=len(plan.keeps),
        pci_before=plan.pci_before,
        pci_after=plan.pci_after,
        diff=tuple(line for lines in differences(plan, policies, boundary) for line in lines),
        policies=(*documents, *([patch] if patch else [])),
        notes=(*plan.notes, *notes),
        enough=enough,
        observed_days=plan.coverage.observed_days,
    )


def some(names: Iterable[str]) -> str:
    """A few names, and how many more there are."""
    known = list(names)
    more = f" and {len(known) - FEW:,} more" if len(known) > FEW else ""
    return ", ".join(known[:FEW]) + more
