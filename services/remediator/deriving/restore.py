"""From regret to plan: give back what an applied plan took too much, and nothing else. Pure and deterministic.

The new documents are those in force and, beside them, the snapshot's own statements narrowed to the lost actions: so
the identity loses nothing that it holds, and gets nothing that its snapshot didn't hold. Both are proven again.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from services.remediator.changing.fingerprint import canonical
from services.remediator.changing.steps import is_ours
from services.remediator.deriving.drafts import (
    Document,
    Draft,
    NewPolicy,
    check_account,
    free_places,
    new_policy,
    without_denies,
)
from services.remediator.deriving.fitting import TooLargeError, spread
from services.remediator.deriving.inputs import Evidence, Knowledge, Options
from services.remediator.deriving.planning import Change, plan_of, scoring_of
from services.remediator.deriving.proofs import check_denies, check_grammar, check_nothing_new, uses_of
from services.remediator.deriving.refusals import NoPlanError
from shared.iam.actions import ActionSet, actions_of
from shared.iam.catalogue import Catalogue
from shared.iam.grants import effective_grants
from shared.iam.narrow import as_document, narrow_statements, statements_of
from shared.iam.policy import Effect
from shared.iam.replay import replay
from shared.model.identity import IdentityDetail, Policy
from shared.model.plan import Plan, PlanRecord, Proofs, Reason, ReasonCode, Strategy
from shared.model.proof import ProofVerdict
from shared.pci.score import UNKNOWN, Scoring, Surroundings


def derive_restoration(  # noqa: PLR0917 as derive_plan, with the plan in force and what was lost
    record: PlanRecord,
    detail: IdentityDetail,
    lost: Collection[str],
    evidence: Evidence,
    knowledge: Knowledge,
    options: Options,
    *,
    now: datetime,
    surroundings: Surroundings = UNKNOWN,
    scoring: Scoring | None = None,
) -> Plan | Reason:
    """Plan how `detail` gets the `lost` actions (any case) back, by the strategy of the plan in force.

    `record.plan` is that plan, `record.snapshot` how much the identity may hold at most: for the second restoration in
    a row that of the first plan, which all others amend. The result `amends` that plan, `restores` what of `lost` the
    snapshot granted, and `removes` what is taken away from the snapshot still. A Reason says why there is none (DRIFT
    where the plan is not in force). Evidence is never too thin to give something back. Raises PolicyDocumentError.
    """
    options = replace(options, strategy=record.plan.strategy)
    try:
        restoration = _Restoration(record, detail, evidence, knowledge, options)
        return restoration.plan(lost, scoring or scoring_of(knowledge, options, now, surroundings))
    except NoPlanError as error:
        return error.reason


class _Restoration:
    def __init__(
        self,
        record: PlanRecord,
        detail: IdentityDetail,
        evidence: Evidence,
        knowledge: Knowledge,
        options: Options,
    ) -> None:
        self._former = record.plan
        self._detail = detail
        self._evidence = evidence
        self._knowledge = knowledge
        self._options = options
        snapshot = record.snapshot
        self._root = detail.model_copy(
            update={"policies": snapshot.policies, "boundary": snapshot.boundary, "groups": snapshot.groups}
        )
        self._is_boundary = record.plan.strategy is Strategy.BOUNDARY
        went = tuple(policy for policy in snapshot.policies if policy.source not in record.plan.stays)
        boundary = (snapshot.boundary,) if snapshot.boundary is not None else without_denies(went)
        self._bases = boundary if self._is_boundary else went

    def plan(self, lost: Collection[str], scoring: Scoring) -> Plan:
        catalogue = self._knowledge.catalogue
        self._check_in_force()
        asked = frozenset(map(str.lower, lost))
        former = frozenset(map(str.lower, (*self._former.removes, *self._former.keeps)))
        others = frozenset(key for key in asked | former | self._evidence.usage.entries.keys() if key not in catalogue)
        granted = effective_grants(self._root, catalogue, others=others).actions
        restores = frozenset((granted & actions_of(asked, catalogue)).keys(catalogue))
        if not restores:
            raise NoPlanError(ReasonCode.NOT_PROVEN, "its snapshot granted nothing of what it was refused")
        narrowed = frozenset(map(str.lower, self._former.narrows))
        held = effective_grants(self._detail, catalogue, others=others).actions
        if restores <= frozenset(held.keys(catalogue)) - narrowed:
            raise NoPlanError(ReasonCode.NOT_PROVEN, "it holds all of what it was refused still")
        draft = self._draft(self._documents(restores, narrowed - restores, catalogue))
        change = Change(
            detail=self._detail,
            draft=draft,
            granted=granted,
            proofs=self._proofs(draft, scoring.now, catalogue),
            amends=self._former.plan_id,
            restores=restores,
            narrowed=narrowed - restores,
        )
        return plan_of(change, self._evidence, self._knowledge, self._options, scoring)

    def _check_in_force(self) -> None:
        """Refuse where the plan's own policies are not, as they were written, what the identity carries."""
        if self._former.strategy is Strategy.PATCH:
            message = f"plan {self._former.plan_id} is a patch: the code that manages the identity gives it back"
            raise NoPlanError(ReasonCode.CHANGED_BY_CODE, message)
        carried = {policy.source.name: canonical(policy.document) for policy in self._own()}
        if carried != {policy.name: canonical(policy.document) for policy in self._former.policies}:
            message = f"plan {self._former.plan_id} is not what {self._detail.ref.arn} carries"
            raise NoPlanError(ReasonCode.DRIFT, message)

    def _own(self) -> tuple[Policy, ...]:
        """The policies in force that the plan made."""
        names = {policy.name for policy in self._former.policies}
        boundary = self._detail.boundary
        held = (boundary,) if boundary is not None else ()
        carried: Iterable[Policy] = held if self._is_boundary else self._detail.policies
        return tuple(policy for policy in carried if is_ours(policy.source.arn) and policy.source.name in names)

    def _documents(
        self, restores: frozenset[str], narrowed: frozenset[str], catalogue: Catalogue
    ) -> tuple[Document, ...]:
        """The plan's documents with the lost actions: joined, or derived anew where that is too large.

        Anew only if no other action is `narrowed`, since these would get all of their resources back.
        """
        given = narrow_statements(statements_of(self._bases), actions_of(restores, catalogue), catalogue).statements(
            whole_words=True
        )
        own = statements_of(self._own())
        joined = (*own, *statements_of([new_policy(as_document(given))] if given else []))
        ways = [(joined, ActionSet(catalogue.everything))]
        if not narrowed:
            denies = (statement for statement in own if statement.effect is Effect.DENY)
            kept = frozenset(map(str.lower, self._former.keeps)) | restores
            ways.append(((*statements_of(without_denies(self._bases)), *denies), actions_of(kept, catalogue)))
        quotas = self._options.quotas
        most = 1 if self._is_boundary else free_places(self._detail, quotas)
        failed: TooLargeError | None = None
        for statements, keep in ways:
            try:
                documents = spread(narrow_statements(statements, keep, catalogue), limit=quotas.policy_size, most=most)
            except TooLargeError as error:
                failed = error
                continue
            check_account(quotas, len(documents))
            return documents
        code = (
            ReasonCode.QUOTA if failed and failed.documents > most and not self._is_boundary else ReasonCode.TOO_LARGE
        )
        raise NoPlanError(code, "what it keeps and gets back does not fit into IAM's quotas")

    def _draft(self, documents: tuple[Document, ...]) -> Draft:
        """The new policies in the place of the plan's own; everything else stays."""
        new = tuple(new_policy(document, number) for number, document in enumerate(documents, start=1))
        policies = tuple(NewPolicy(document) for document in documents)
        if self._is_boundary:
            changed = self._detail.model_copy(update={"boundary": new[0]})
            return Draft(policies=policies, before=self._own(), after=new, detail=changed)
        own = self._own()
        stays = tuple(policy for policy in self._detail.policies if policy not in own)
        return Draft(
            policies=policies,
            before=self._detail.policies,
            after=(*stays, *new),
            detail=self._detail.model_copy(update={"policies": (*stays, *new)}),
            stays=tuple(sorted((policy.source for policy in stays), key=str)),
        )

    def _proofs(self, draft: Draft, now: datetime, catalogue: Catalogue) -> Proofs:
        """Never wider than the snapshot (beside what others gave it since), never less than now, no use lost."""
        others = [] if self._is_boundary else [one for one in self._detail.policies if one not in self._own()]
        widest = [policy.document for policy in (*self._bases, *others)]
        after = [policy.document for policy in draft.after]
        check_grammar(draft, self._options.strategy)
        check_denies(draft)
        check_nothing_new(widest, after, catalogue)
        check_nothing_new(after, [policy.document for policy in draft.before], catalogue)
        usage = self._evidence.usage
        used = usage.used_since(now - timedelta(days=self._options.window_days))
        in_force = [policy.document for policy in draft.before]
        replayed = replay(uses_of(used, usage), in_force, after, catalogue)
        if not replayed.held:
            raise NoPlanError(ReasonCode.NOT_PROVEN, "recorded uses would be lost")
        return Proofs(no_new_access=ProofVerdict.NO_NEW_ACCESS, replay=True, replayed_uses=replayed.replayed)
