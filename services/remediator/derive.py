"""From verdict to plan: derive the JEP policy, prove it, or say why there is no plan. Pure and deterministic."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from services.remediator.fingerprint import digest, fingerprint
from services.remediator.keep import ALWAYS_ALLOWED, keep_set
from services.remediator.steps import is_ours
from shared.errors import InputError, PolicyDocumentError
from shared.iam.catalogue import Catalogue
from shared.iam.compare import compare
from shared.iam.grants import effective_grants
from shared.iam.narrow import narrow
from shared.iam.replay import Use, replay
from shared.iam.sizes import MAX_MANAGED_POLICY, policy_size
from shared.model.finding import Window
from shared.model.identity import IdentityDetail, IdentityType, Policy
from shared.model.last_accessed import LastAccessed
from shared.model.plan import HYSTERESIS, Plan, PlannedPolicy, Proofs, Reason, ReasonCode, Strategy
from shared.model.proof import ProofVerdict
from shared.model.score import RiskClass, Score
from shared.model.sources import PolicyKind, PolicySource
from shared.model.usage import Usage
from shared.pci.risk import RiskTable
from shared.pci.score import UNKNOWN, ScoreParameters, Scoring, Surroundings

MAX_SILENT_DAYS = 2  # the sweep itself is recorded every few hours: a trail that works is seen every day
MAX_GAP_DAYS = 7


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of AWS: the action catalogue, the risk classes, the score's parameters."""

    catalogue: Catalogue
    risk: RiskTable
    parameters: ScoreParameters


@dataclass(frozen=True, slots=True)
class Options:
    """How plans are made; `ttl` is how long one may wait before it is stale."""

    strategy: Strategy
    window_days: int
    threshold: float
    min_observed_days: int
    ttl: timedelta


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an identity did: its ledger, and what IAM says it last tried (None where nobody asked)."""

    usage: Usage
    last_accessed: LastAccessed | None


class NoPlanError(InputError):
    """There is no plan for this identity, for the catalogued `reason`."""

    def __init__(self, code: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.reason = Reason(code=code, message=message)


def derive_plan(
    detail: IdentityDetail,
    evidence: Evidence,
    knowledge: Knowledge,
    options: Options,
    *,
    now: datetime,
    surroundings: Surroundings = UNKNOWN,
) -> Plan | Reason:
    """Plan how `detail` loses what it does not use, proven to grant nothing new and to keep every recorded use.

    The same identity, policies and evidence give the same `plan_id`. `surroundings` are those that the scorer scores
    by: they decide over the scores before and after, so whether a plan is worth it, and nothing else. A Reason says why
    there is no plan; then nothing may be changed. Raises PolicyDocumentError for a policy that cannot be read.
    """
    try:
        return _Derivation(detail, evidence, knowledge, options, surroundings, now).plan()
    except NoPlanError as error:
        return error.reason


@dataclass(frozen=True, slots=True)
class _Derivation:
    """One derivation; each step raises NoPlanError where the answer is no."""

    detail: IdentityDetail
    evidence: Evidence
    knowledge: Knowledge
    options: Options
    surroundings: Surroundings
    now: datetime

    def plan(self) -> Plan:
        granted = frozenset(effective_grants(self.detail, self.knowledge.catalogue).by_action)
        self._check_boundary()
        kept, used = self._keep(granted)
        document = self._narrowed(kept)
        proofs = self._proofs(document, used)
        before, after = self._scores(self.detail, self._bounded_by(document))
        if after.pci >= self.options.threshold - HYSTERESIS:  # else it would stay NON_COMPLIANT afterwards
            message = f"PCI would still be {after.pci:.0f}: what it keeps is enough for {self.options.threshold:.0f}"
            raise NoPlanError(ReasonCode.IRREDUCIBLE, message)
        base = fingerprint(self.detail)
        plan_id = digest([self.detail.ref.identity_id, base, self.options.strategy.value, document])[:16]
        return Plan(
            plan_id=plan_id,
            identity=self.detail.ref,
            strategy=self.options.strategy,
            fingerprint=base,
            policies=(PlannedPolicy(name=plan_id, document=document),),
            removes=self._worst_first(granted - kept),
            keeps=self._names(granted & kept),
            proofs=proofs,
            pci_before=before.pci,
            pci_after=after.pci,
            coverage=before.coverage.model_copy(update={"last_accessed": self.evidence.last_accessed is not None}),
            created_at=self.now,
            expires_at=self.now + self.options.ttl,
        )

    @property
    def _bases(self) -> tuple[Policy, ...]:
        """The policies to narrow: our own boundary where there is one, since a new one must not be wider."""
        return (self.detail.boundary,) if self.detail.boundary else self.detail.policies

    @property
    def _known_since(self) -> date:
        """Since when the trail could show what it does: its creation, unless records from before it are replayed."""
        created = self.detail.created_at
        older = any(
            span.first < created for entry in self.evidence.usage.entries.values() for span in entry.spans.values()
        )
        return date.min if older else created.date()

    def _check_boundary(self) -> None:
        boundary = self.detail.boundary
        if boundary is not None and not is_ours(boundary.source.arn):
            message = f"{self.detail.ref.arn} has the permissions boundary {boundary.source.arn}, which is not ours"
            raise NoPlanError(ReasonCode.FOREIGN_BOUNDARY, message)

    def _keep(self, granted: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        """What is kept, and what was used; refuses where the evidence is too thin to take anything away."""
        usage, window_days = self.evidence.usage, self.options.window_days
        days = sum(day >= self._known_since for day in usage.coverage.days)
        if days < self.options.min_observed_days:
            message = f"it was observed on {days} days, {self.options.min_observed_days} are needed"
            raise NoPlanError(ReasonCode.TOO_LITTLE_EVIDENCE, message)
        self._check_feed()
        window = Window.before(self.now, window_days)
        kept = keep_set(granted, usage, self.evidence.last_accessed, self.knowledge.catalogue, window=window)
        if not (kept.used & granted) - ALWAYS_ALLOWED:
            message = f"no use was recorded in {window_days} days; a person should decide whether to disable it"
            raise NoPlanError(ReasonCode.NO_EVIDENCE, message)
        if granted <= kept.keep:
            raise NoPlanError(ReasonCode.NOTHING_TO_REMOVE, "every granted permission is kept")
        return kept.keep, kept.used

    def _check_feed(self) -> None:
        """Refuse where the trail stopped, or was away for long: what was used in the meantime is unknown."""
        start = max(self._known_since, (self.now - timedelta(days=self.options.window_days)).date())
        today = self.now.date()
        days = [*sorted(day for day in self.evidence.usage.coverage.days if start <= day <= today), today]
        gaps = [(after - before).days for before, after in pairwise(days)]
        if gaps and gaps[-1] > MAX_SILENT_DAYS:
            message = f"the trail was last seen {gaps[-1]} days ago, more than {MAX_SILENT_DAYS}"
            raise NoPlanError(ReasonCode.STALE_EVIDENCE, message)
        if gaps and max(gaps) > MAX_GAP_DAYS:
            message = f"the trail was not seen for {max(gaps)} days, more than {MAX_GAP_DAYS}"
            raise NoPlanError(ReasonCode.STALE_EVIDENCE, message)

    def _narrowed(self, keep: frozenset[str]) -> dict[str, Any]:
        try:
            document = narrow(self._bases, keep, self.knowledge.catalogue)
        except PolicyDocumentError:
            raise
        except InputError as error:
            raise NoPlanError(ReasonCode.NO_EVIDENCE, str(error)) from None
        if (size := policy_size(document)) > MAX_MANAGED_POLICY:
            message = f"the policy would have {size} characters, IAM allows {MAX_MANAGED_POLICY}"
            raise NoPlanError(ReasonCode.TOO_LARGE, message)
        return document

    def _proofs(self, document: dict[str, Any], used: frozenset[str]) -> Proofs:
        """Prove that nothing new is granted and that every recorded use stays.

        A role that used what its own policies do not grant is refused: a resource policy granted it, and a boundary's
        implicit deny would take that from a role, though not from a user (IAM User Guide, "Permissions boundaries").
        """
        documents = [policy.document for policy in self._bases]
        comparison = compare(documents, [document], self.knowledge.catalogue)
        if comparison.verdict is not ProofVerdict.NO_NEW_ACCESS:
            raise NoPlanError(ReasonCode.NOT_PROVEN, f"{comparison.verdict}: {comparison.reason}")
        replayed = replay(self._uses(used), documents, [document], self.knowledge.catalogue)
        if not replayed.held:
            message = f"recorded uses would be lost: {_examples(replayed.lost)}"
            raise NoPlanError(ReasonCode.NOT_PROVEN, message)
        if replayed.outside and self.detail.ref.type is IdentityType.ROLE:
            message = f"used what no policy of its own grants (a resource policy does): {_examples(replayed.outside)}"
            raise NoPlanError(ReasonCode.OUTSIDE_GRANTS, message)
        return Proofs(no_new_access=comparison.verdict, replay=True, replayed_uses=replayed.replayed)

    def _uses(self, used: frozenset[str]) -> Iterator[Use]:
        for key in sorted(used - ALWAYS_ALLOWED):
            entry = self.evidence.usage.entries[key]
            exact = entry.resources.exact()
            for resource in sorted(exact) if exact else (None,):
                yield Use(entry.action, resource)

    def _bounded_by(self, document: dict[str, Any]) -> IdentityDetail:
        source = PolicySource(PolicyKind.MANAGED, "plan")
        return self.detail.model_copy(update={"boundary": Policy(source=source, document=document)})

    def _scores(self, *details: IdentityDetail) -> list[Score]:
        """Scores as the scorer makes them, whose verdict is to change: without last-accessed information, too."""
        scoring = Scoring(
            self.knowledge.catalogue,
            self.knowledge.risk,
            self.knowledge.parameters,
            now=self.now,
            window_days=self.options.window_days,
            surroundings=self.surroundings,
        )
        return [scoring.score(detail, self.evidence.usage) for detail in details]

    def _worst_first(self, keys: frozenset[str]) -> tuple[str, ...]:
        """Names by risk class, so that whoever reads only the first ones reads those that matter."""
        order = {risk: rank for rank, risk in enumerate(RiskClass)}
        by_risk = sorted(self._names(keys), key=lambda name: order[self.knowledge.risk.risk_of(name.lower())])
        return tuple(by_risk)

    def _names(self, keys: frozenset[str]) -> tuple[str, ...]:
        return tuple(sorted(map(self.knowledge.catalogue.name, keys)))


def _examples(uses: tuple[Use, ...]) -> str:
    return ", ".join(sorted({use.action for use in uses})[:5])
