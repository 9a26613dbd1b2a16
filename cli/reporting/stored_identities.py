"""What is stored of each identity of a deployed system, put together for its report. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cli.reporting.model import ReportIdentity
from cli.reporting.parts import coverage_of, parts_of
from cli.reporting.readings import Held, Known
from cli.reporting.refusals import Refusals
from shared.model.plan import Compliance, Verdict
from shared.model.score import Score

NOTHING_KNOWN = Known()


@dataclass(frozen=True, slots=True)
class StoredIdentities:
    """Everything that was read, by unique id; `paths` are the names of escalation paths by theirs."""

    verdicts: Mapping[str, Verdict]
    known: Mapping[str, Known]
    held: Held
    refusals: Refusals
    threshold: float
    paths: Mapping[str, str]

    def of(self, score: Score) -> ReportIdentity:
        """Everything that the report says of one identity."""
        ref = score.identity
        verdict, own = self.verdicts.get(ref.identity_id), self.known.get(ref.identity_id, NOTHING_KNOWN)
        compliance = verdict.compliance if verdict else Compliance.of(score.pci, self.threshold, score.exempt)
        return ReportIdentity(
            arn=ref.arn,
            identity_id=ref.identity_id,
            type=ref.type.value,
            name=ref.name,
            pci=score.pci,
            band=score.band.value,
            compliance=compliance.value,
            exempt=score.exempt,
            granted=score.granted,
            used=score.used,
            unused=score.unused,
            unobservable=score.unobservable,
            reach=score.reach,
            observed_days=score.coverage.observed_days,
            coverage=coverage_of(score.coverage),
            parts=parts_of(score, self.paths),
            services=self.held.services.get(ref.identity_id, ()),
            plan=own.plan,
            no_plan="" if own.plan else self._no_plan(score, verdict),
            history=own.history,
            trend=own.trend,
        )

    def _no_plan(self, score: Score, verdict: Verdict | None) -> str:
        """Why there is none: who is left alone needs none, and else the remediator may have said it."""
        if score.exempt is not None:
            return score.exempt
        if verdict is None:
            return "there is no verdict on it yet"
        if verdict.compliance is not Compliance.NON_COMPLIANT:
            return verdict.annotation
        return self.refusals.of(score.identity.identity_id)


def unplanned(scores: Iterable[Score], verdicts: Mapping[str, Verdict], known: Mapping[str, Known]) -> frozenset[str]:
    """Unique ids of those who are to be right-sized and have no plan, which somebody may have said the reason of."""
    ids = (score.identity.identity_id for score in scores if score.exempt is None)
    over = (one for one in ids if one in verdicts and verdicts[one].compliance is Compliance.NON_COMPLIANT)
    return frozenset(one for one in over if known.get(one, NOTHING_KNOWN).plan is None)
