"""From verdict to plan: derive the JEP policy, prove it, or say why there is no plan. Pure and deterministic."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from services.remediator.deriving.drafts import Draft, check_boundary, draft
from services.remediator.deriving.feed import check_evidence, days_seen
from services.remediator.deriving.fitting import Wanted
from services.remediator.deriving.inputs import Evidence, Knowledge, Options
from services.remediator.deriving.keep import ALWAYS_ALLOWED, KeepSet, keep_by_options, young_policies
from services.remediator.deriving.planning import Change, plan_of, scoring_of
from services.remediator.deriving.proofs import Granted, prove, uses_of
from services.remediator.deriving.proposals import kept_by
from services.remediator.deriving.refusals import NoPlanError
from shared.iam.actions import ActionSet, actions_of
from shared.iam.catalogue import Catalogue
from shared.iam.grants import effective_grants
from shared.iam.replay import Use
from shared.model.identity import IdentityDetail
from shared.model.plan import HYSTERESIS, Plan, Reason, ReasonCode
from shared.model.proposal import Proposal
from shared.model.score import RiskClass
from shared.pci.risk import RiskTable
from shared.pci.score import UNKNOWN, Scoring, Surroundings

__all__ = ["NoPlanError", "derive_plan"]

ENOUGH_DAYS = 30  # observed without a use, from which a person is asked to decide; what the system waits for by default


def derive_plan(
    detail: IdentityDetail,
    evidence: Evidence,
    knowledge: Knowledge,
    options: Options,
    *,
    now: datetime,
    surroundings: Surroundings = UNKNOWN,
    scoring: Scoring | None = None,
    proposal: Proposal | None = None,
) -> Plan | Reason:
    """Plan how `detail` loses what it does not use, proven to grant nothing new and to keep every recorded use.

    The same identity, policies and evidence give the same `plan_id`. `surroundings` are those that the scorer scores
    by: they decide over the scores before and after, so whether a plan is worth it, and nothing else. Whoever plans for
    many identities shares one `scoring` of that time, which has its own surroundings. An outside provider's `proposal`
    has to be proven, and what it keeps is kept. A Reason says why there is no plan; then nothing may be changed. Raises
    PolicyDocumentError for a policy that cannot be read.
    """
    if scoring is not None and scoring.now != now:
        raise ValueError(f"a scoring of {scoring.now.isoformat()} can't score as of {now.isoformat()}")
    try:
        own = scoring or scoring_of(knowledge, options, now, surroundings)
        return _derived(detail, evidence, knowledge, options, own, proposal=proposal)
    except NoPlanError as error:
        return error.reason


def _derived(
    detail: IdentityDetail,
    evidence: Evidence,
    knowledge: Knowledge,
    options: Options,
    scoring: Scoring,
    *,
    proposal: Proposal | None,
) -> Plan:
    now, catalogue = scoring.now, knowledge.catalogue
    check_boundary(detail, options.strategy)
    notes = check_evidence(detail, evidence.usage, options, now=now)
    named = frozenset(evidence.usage.entries) - catalogue.keys
    held = effective_grants(detail, catalogue, others=named).actions
    granted = frozenset(held.keys(catalogue))
    kept = keep_by_options(granted, detail, evidence, options, catalogue, now=now)
    _check_worth(granted, kept, days_seen(evidence.usage.coverage, options.window_days, now), options)
    uses = tuple(uses_of(kept.used, evidence.usage))
    if proposal is not None:
        kept, told = _with_proposal(kept, proposal, detail, uses, Granted(granted, catalogue))
        notes += told
    keep = actions_of(kept.keep, catalogue)
    wanted = Wanted(held, keep, kept.observed, _feared(held - keep, knowledge.risk))
    found = _drafted(detail, wanted, options, catalogue)
    proofs = prove(found, detail, options.strategy, uses, Granted(granted, catalogue))
    young = young_policies(detail, evidence, options, now)
    notes += tuple(f"{source} is kept whole: it is new" for source in sorted(str(one.source) for one in young))
    change = Change(detail=detail, draft=found, granted=held, proofs=proofs, notes=notes)
    plan = plan_of(change, evidence, knowledge, options, scoring)
    if not plan.removes and not plan.narrows:
        raise NoPlanError(ReasonCode.NOTHING_TO_REMOVE, "every granted permission is kept")
    if plan.pci_after >= options.threshold - HYSTERESIS:  # else it would stay NON_COMPLIANT afterwards
        message = f"PCI would still be {plan.pci_after:.0f}: what it keeps is enough for {options.threshold:.0f}"
        raise NoPlanError(ReasonCode.IRREDUCIBLE, message)
    return plan


def _drafted(detail: IdentityDetail, wanted: Wanted, options: Options, catalogue: Catalogue) -> Draft:
    """The draft in which an action that was only used where it is not granted any more stays granted where it is."""
    found = draft(detail, wanted, options.strategy, options.quotas, catalogue)
    if not wanted.observed:
        return found
    after = effective_grants(found.detail, catalogue, others=wanted.granted.unknown).actions
    gone = wanted.observed.keys() & (wanted.granted - after).keys(catalogue)
    if not gone:
        return found
    observed = {key: patterns for key, patterns in wanted.observed.items() if key not in gone}
    return draft(detail, wanted._replace(observed=observed), options.strategy, options.quotas, catalogue)


def _with_proposal(
    kept: KeepSet, proposal: Proposal, detail: IdentityDetail, uses: Iterable[Use], granted: Granted
) -> tuple[KeepSet, tuple[str, ...]]:
    """What is kept if a provider has a say, and a note of how much that adds. Raises NoPlanError."""
    more = kept_by(proposal, detail, uses, granted) - kept.keep
    told = f"permissions that are kept for {proposal.provider}'s proposal alone: {len(more):,}"
    return replace(kept, keep=kept.keep | more), (told,)


def _feared(unused: ActionSet, risk: RiskTable) -> ActionSet:
    """What nobody should keep only because a document would be too long without it."""
    return risk.of_class(RiskClass.ESCALATION, unused) | risk.of_class(RiskClass.CREDENTIAL_EXPOSURE, unused)


def _of_no_use(days: int, window_days: int) -> str:
    """What no use means, by how many days somebody looked."""
    if not days:
        return f"no day of the last {window_days} was observed: nothing is known of its use"
    seen = f"no use was recorded on {days:,} observed {'day' if days == 1 else 'days'} of {window_days}"
    if days < ENOUGH_DAYS:
        return f"{seen}, too few to say that it needs nothing"
    return f"{seen}; a person should decide whether to disable it"


def _check_worth(granted: frozenset[str], kept: KeepSet, days: int, options: Options) -> None:
    """Without a use nothing is known of what it needs; where everything is kept, there is nothing to do."""
    if not (kept.used & granted) - ALWAYS_ALLOWED:
        raise NoPlanError(ReasonCode.NO_EVIDENCE, _of_no_use(days, options.window_days))
    if granted <= kept.keep and not kept.observed:
        raise NoPlanError(ReasonCode.NOTHING_TO_REMOVE, "every granted permission is kept")
