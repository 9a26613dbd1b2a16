"""A proven draft as a plan: what it removes and keeps, its scores, and the id that follows from all of that. Pure."""

from dataclasses import dataclass
from datetime import datetime

from services.remediator.changing.fingerprint import digest, fingerprint
from services.remediator.deriving.drafts import Draft
from services.remediator.deriving.inputs import Evidence, Knowledge, Options
from shared.iam.actions import ActionSet, actions_of
from shared.iam.grants import effective_grants
from shared.model.identity import IdentityDetail
from shared.model.plan import Plan, PlannedPolicy, Proofs
from shared.model.score import RiskClass
from shared.pci.score import Scoring, Surroundings

_ID_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Change:
    """A proven draft for an identity that is `granted` some actions, or was before the plan that it amends.

    `amends` is the plan in force that it takes the place of, `restores` what it gives back (lower-case), and
    `narrowed` which of its actions reached fewer resources under that plan already.
    """

    detail: IdentityDetail
    draft: Draft
    granted: ActionSet
    proofs: Proofs
    notes: tuple[str, ...] = ()
    amends: str = ""
    restores: frozenset[str] = frozenset()
    narrowed: frozenset[str] = frozenset()


def scoring_of(knowledge: Knowledge, options: Options, now: datetime, surroundings: Surroundings) -> Scoring:
    """Scores as the scorer makes them, whose verdict is to change."""
    return Scoring(
        knowledge.catalogue,
        knowledge.risk,
        knowledge.parameters,
        now=now,
        window_days=options.window_days,
        surroundings=surroundings,
    )


def plan_of(change: Change, evidence: Evidence, knowledge: Knowledge, options: Options, scoring: Scoring) -> Plan:
    """Write down a proven draft.

    What is removed is told by what is granted before and after, and not by what was meant to be kept. Scores are
    without last accessed information, as the scorer's are.
    """
    detail, draft, catalogue = change.detail, change.draft, knowledge.catalogue
    granted = change.granted
    after = effective_grants(draft.detail, catalogue, others=granted.unknown).actions
    kept = granted & after
    narrows = kept & actions_of(draft.held | change.narrowed, catalogue)
    base = fingerprint(detail)
    plan_id = _plan_id(change, base, options)
    before_score, after_score = (scoring.score(one, evidence.usage) for one in (detail, draft.detail))
    told = (f"{narrows.size} actions keep only the resources that they were used on",) if narrows else ()
    return Plan(
        plan_id=plan_id,
        identity=detail.ref,
        strategy=options.strategy,
        fingerprint=base,
        policies=_named(plan_id, draft),
        removes=_worst_first(granted - after, knowledge),
        keeps=tuple(kept.names(catalogue)),
        narrows=tuple(narrows.names(catalogue)),
        restores=tuple(actions_of(change.restores, catalogue).names(catalogue)),
        amends=change.amends,
        stays=draft.stays,
        drops=draft.drops,
        notes=(*change.notes, *draft.notes, *told),
        proofs=change.proofs,
        pci_before=before_score.pci,
        pci_after=after_score.pci,
        coverage=before_score.coverage.model_copy(update={"last_accessed": evidence.last_accessed is not None}),
        created_at=scoring.now,
        expires_at=scoring.now + options.ttl,
    )


def _plan_id(change: Change, base: str, options: Options) -> str:
    """Digest of all that the steps depend on: who it is and is called, what it holds, and what takes its place."""
    draft, ref = change.draft, change.detail.ref
    return digest(
        [
            [ref.identity_id, ref.arn],
            base,
            options.strategy.value,
            [[one.document, one.source] for one in draft.policies],
            [draft.stays, draft.drops],
            [change.amends, sorted(change.restores)],
        ]
    )[:_ID_LENGTH]


def _named(plan_id: str, draft: Draft) -> tuple[PlannedPolicy, ...]:
    several = len(draft.policies) > 1
    return tuple(
        PlannedPolicy(name=f"{plan_id}-{number}" if several else plan_id, document=one.document, source=one.source)
        for number, one in enumerate(draft.policies, start=1)
    )


def _worst_first(actions: ActionSet, knowledge: Knowledge) -> tuple[str, ...]:
    """Names by risk class, so that whoever reads only the first ones reads those that matter."""
    by_class = (knowledge.risk.of_class(risk, actions) for risk in RiskClass)
    return tuple(name for own in by_class for name in own.names(knowledge.catalogue))
