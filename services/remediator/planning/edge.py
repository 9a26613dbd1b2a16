"""Making a plan: evidence and options for one identity are gathered from AWS, then it is derived and checked."""

from datetime import timedelta

from aws_lambda_powertools.metrics import MetricUnit

from services.remediator.deriving.derive import derive_plan
from services.remediator.deriving.drafts import without_denies
from services.remediator.deriving.inputs import Evidence, Knowledge, Options, Quotas
from services.remediator.deriving.managed_as_code import tool_of
from services.remediator.working.edge import Work
from shared.errors import ProviderError
from shared.knowledge import load_catalogue, load_risk
from shared.model.grant_dates import granted_since
from shared.model.identity import IdentityDetail
from shared.model.plan import Plan, Reason, ReasonCode, Strategy
from shared.model.usage import IdentityKey, Usage
from shared.observability import metrics
from shared.pci.score import ScoreParameters, Surroundings


class Planner:
    """Plans for the identities that one piece of work is about."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._wiring = work.wiring
        self._settings = work.wiring.settings

    def plan(self, detail: IdentityDetail) -> Plan | Reason:
        """A proven plan, checked by Access Analyzer where that is switched on, or why there is none.

        Raises DependencyError where something can't be read, or Access Analyzer gives no answer. An outside provider's
        failure is no such error: then there is no plan for that reason, and the next sweep's verdict asks again.
        """
        try:
            proposal = self._wiring.policies.propose(detail.ref)
        except ProviderError as error:
            metrics.add_metric("ProviderFailed", MetricUnit.Count, 1)
            return Reason(code=ReasonCode.PROVIDER_FAILED, message=f"{error.fault}: {error}")
        plan = derive_plan(
            detail,
            self.evidence(detail),
            self.knowledge(),
            self.options(detail),
            now=self._wiring.clock(),
            surroundings=self.surroundings(),
            proposal=proposal,
        )
        return plan if isinstance(plan, Reason) else self.doubt(plan, detail) or plan

    def usage(self, identity_id: str) -> Usage:
        """The ledger of an identity, as far back as the window goes."""
        settings = self._settings
        since = self._wiring.clock() - timedelta(days=settings.window_days)
        return self._wiring.ledger.read(IdentityKey(settings.account_id, identity_id), since=since)

    def evidence(self, detail: IdentityDetail) -> Evidence:
        """What the identity did, what its peers did, and since when it has had its policies."""
        wiring, ref = self._wiring, detail.ref
        seen = wiring.grant_dates.read(ref.account_id, ref.identity_id)
        return Evidence(
            self.usage(ref.identity_id),
            wiring.last_accessed.read(ref.arn),
            peers=tuple(self.usage(peer) for peer in self._work.safeguards.peers_of(ref.identity_id)),
            granted_since=granted_since(seen, detail, now=wiring.clock()),
        )

    def knowledge(self) -> Knowledge:
        """What is known of AWS."""
        return Knowledge(load_catalogue(), load_risk(), ScoreParameters())

    def options(self, detail: IdentityDetail) -> Options:
        """How plans are made for this identity: one that code manages gets a patch for that code."""
        settings, safeguards = self._settings, self._work.safeguards
        by_code = tool_of(detail.tags, safeguards.managed_as_code)
        return Options(
            strategy=Strategy.PATCH if by_code else settings.strategy,
            window_days=settings.window_days,
            threshold=settings.threshold,
            min_observed_days=settings.min_observed_days,
            ttl=timedelta(hours=settings.plan_ttl_hours),
            resource_scope=settings.resource_scope,
            preserve_reads=settings.preserve_reads,
            always_keep=safeguards.always_keep,
            grace_days=settings.grace_days,
            quotas=Quotas(**self._wiring.quotas()._asdict()),
        )

    def surroundings(self) -> Surroundings:
        """What the scorer knows of the account."""
        return self._wiring.surroundings.remembered()

    def doubt(self, plan: Plan, detail: IdentityDetail) -> Reason | None:
        """Why Access Analyzer speaks against a plan; None where it doesn't, or isn't asked."""
        analyzer = self._wiring.analyzer
        if analyzer is None:
            return None
        bases = detail.policies
        if plan.strategy is Strategy.BOUNDARY:  # it allows only, since the Denies stay in force beside it
            bases = (detail.boundary,) if detail.boundary else without_denies(detail.policies)
        answer = analyzer.check([policy.document for policy in bases], [policy.document for policy in plan.policies])
        return None if answer.holds else Reason(code=ReasonCode.NOT_PROVEN, message=answer.refusal)
