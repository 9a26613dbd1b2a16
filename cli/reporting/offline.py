"""The report on an account that local files tell of. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cli.account_files import AccountFiles, TimeSource
from cli.proposing import Proposal, Proposed
from cli.reporting.model import PolicyText, ProposedPlan, Report, ReportIdentity, ReportKind
from cli.reporting.parts import coverage_of, names_of_paths, parts_of, plan_of, some
from cli.reporting.services import ServiceCounts
from cli.score_answer import account_score, worst_first
from cli.scoring import Scorings
from shared.knowledge import load_catalogue, load_risk
from shared.model.plan import Compliance
from shared.model.score import ReachSource, Score

TIMES = {
    TimeSource.OPTION: "as asked for",
    TimeSource.RECORDS: "the newest record of the account",
    TimeSource.LAST_ACCESSED: "the newest report of IAM, since no record tells a time",
    TimeSource.AUTHORIZATION_DETAILS: "the newest identity, since no record tells a time",
}

Json = Mapping[str, Any]


def report_of_files(
    files: AccountFiles, scores: Sequence[Score], proposed: Proposed, *, scorings: Scorings, scored: Json, planned: Json
) -> Report:
    """The report on `scores` and plans; `scored` and `planned` are what score_answer and propose_answer say of them.

    Raises PolicyDocumentError for policies that can't be read, which the scores then couldn't be made of either.
    """
    account = account_score(scores, files.accounts[0], files.as_of)
    identities = _Identities(files, proposed, scorings, planned)
    return Report(
        kind=ReportKind.OFFLINE,
        account_id=", ".join(files.accounts),
        as_of=files.as_of,
        window_days=files.window_days,
        threshold=scored["threshold"],
        model_version=scored["model_version"],
        catalogue_version=scored["catalogue_version"],
        account_pci=account.pci,
        excluded=account.excluded,
        bands={band.value: count for band, count in account.by_band.items()},
        identities=tuple(identities.of(score, scored["threshold"]) for score in worst_first(scores)),
        facts=tuple(_facts(files, scores, proposed)),
        warnings=tuple(dict.fromkeys((*scored["warnings"], *planned["warnings"]))),
        errors=tuple(dict.fromkeys(one["error"] for one in (*scored["errors"], *planned["errors"]))),
    )


class _Identities:
    """Tells of one identity after the other."""

    def __init__(self, files: AccountFiles, proposed: Proposed, scorings: Scorings, planned: Json) -> None:
        self._files = files
        self._scorings = scorings
        self._counts = ServiceCounts(load_catalogue())
        self._details = {detail.ref: detail for detail in files.details}
        self._proposals = {one.plan.identity: one for one in proposed.proposals}
        self._reasons = {one.ref.identity_id: one.reason.message for one in proposed.skipped}
        self._reasons |= {identity_id: str(error) for identity_id, error in proposed.errors.items()}
        self._paths = names_of_paths(load_risk())
        self._patches = {plan["plan_id"]: plan["patch"] for plan in planned["plans"]}

    def of(self, score: Score, threshold: float) -> ReportIdentity:
        """Everything that the report says of one identity."""
        ref, files = score.identity, self._files
        weighed = self._scorings.of(ref).weigh(self._details[ref], files.usage_of(ref), files.last_accessed_of(ref))
        proposal = self._proposals.get(ref)
        return ReportIdentity(
            arn=ref.arn,
            identity_id=ref.identity_id,
            type=ref.type.value,
            name=ref.name,
            pci=score.pci,
            band=score.band.value,
            compliance=Compliance.of(score.pci, threshold, score.exempt).value,
            exempt=score.exempt,
            granted=score.granted,
            used=score.used,
            unused=score.unused,
            unobservable=score.unobservable,
            reach=score.reach,
            observed_days=score.coverage.observed_days,
            coverage=coverage_of(score.coverage),
            parts=parts_of(score, self._paths),
            services=self._counts.of(weighed),
            plan=self._plan(proposal) if proposal else None,
            no_plan="" if proposal else self._reasons.get(ref.identity_id, ""),
        )

    def _plan(self, proposal: Proposal) -> ProposedPlan:
        detail, patch = proposal.detail, self._patches.get(proposal.plan.plan_id)
        text, notes = None, []
        if patch and patch["text"]:
            text = PolicyText(f"patch for {patch['tool']}", patch["text"].rstrip())
        elif patch:
            notes.append(f"no patch for {patch['tool']}: {patch['error']}")
        return plan_of(proposal.plan, detail.policies, detail.boundary, enough=proposal.enough, patch=text, notes=notes)


def _facts(files: AccountFiles, scores: Sequence[Score], proposed: Proposed) -> Iterator[tuple[str, str]]:
    """What the figures rest on."""
    yield "Time judged", TIMES[files.as_of_source]
    yield "Days with records", _span(f"{score.coverage.observed_days}" for score in scores)
    yield "Regions seen", some(sorted({region for one in scores for region in one.coverage.regions})) or "none"
    reported = sum(one.coverage.last_accessed for one in scores)
    yield "Last accessed information", f"of {reported:,} of {len(scores):,} identities"
    by_inventory = [one.coverage for one in scores if one.coverage.reach is ReachSource.INVENTORY]
    yield (
        "Reach measured",
        f"by {by_inventory[0].resources or 0:,} resources" if by_inventory else "by the breadth of patterns",
    )
    enough = sum(one.enough for one in proposed.proposals)
    yield "Plans", f"{len(proposed.proposals):,}, of which {enough:,} are enough to comply"


def _span(numbers: Iterable[str]) -> str:
    """The least and the most."""
    known = sorted(map(int, set(numbers)))
    return f"{known[0]}" if known[0] == known[-1] else f"{known[0]} to {known[-1]}"
