"""What an outside provider proposes: proven like our own plans, able to keep more, never to grant or to take more."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from services.remediator.deriving.derive import derive_plan
from services.remediator.deriving.drafts import without_denies
from services.remediator.deriving.inputs import Evidence
from shared.model.identity import IdentityDetail, Policy
from shared.model.plan import Plan, Reason, ReasonCode, ResourceScope, Strategy
from shared.model.proof import ProofVerdict
from shared.model.proposal import Proposal
from shared.model.resources import Resources
from shared.model.score import Provider
from shared.model.sources import PolicyKind, PolicySource
from shared.model.usage import Evidence as Kind
from shared.model.usage import Span, Usage, UsageEntry
from tests.unit.derivation_cases import (
    KNOWLEDGE,
    NOW,
    SHOWN,
    YESTERDAY,
    boundary_of,
    carried_out,
    derived,
    identities,
    may_do,
    options,
    usages,
    uses,
)
from tests.unit.iam_oracle import REF, document, documents
from tests.unit.remediation_fakes import FORMER

STRATEGIES = tuple(Strategy)
Document = Mapping[str, Any]


def proposed(
    detail: IdentityDetail, usage: Usage, proposals: Sequence[Document], strategy: Strategy = Strategy.BOUNDARY
) -> Plan | Reason:
    proposal = Proposal(provider=Provider.CLOUDKNOX, documents=tuple(map(dict, proposals)))
    return derive_plan(detail, Evidence(usage, None), KNOWLEDGE, options(strategy), now=NOW, proposal=proposal)


def holding(*policies: Document, boundary: Document | None = None) -> IdentityDetail:
    found = derived_identity(policies)
    return found.model_copy(update={"boundary": boundary_of(FORMER, boundary)}) if boundary else found


def derived_identity(policies: Sequence[Document]) -> IdentityDetail:
    return IdentityDetail(
        ref=REF,
        created_at=NOW.replace(year=2025),
        read_at=NOW,
        policies=tuple(
            Policy(source=PolicySource(PolicyKind.INLINE, f"p{number}"), document=dict(one))
            for number, one in enumerate(policies)
        ),
    )


def using(*actions: str, on: str = "arn:aws:s3:::a/x") -> Usage:
    span = {Kind.OBSERVED: Span(YESTERDAY, YESTERDAY)}
    entries = {action.lower(): UsageEntry(action.lower(), span, Resources.of([on])) for action in actions}
    return Usage(REF.identity_id, entries, SHOWN)


HELD = document({"Action": ["s3:*"], "Resource": "*"})
READS = document({"Action": ["s3:GetObject"], "Resource": "*"})
USED = using("s3:GetObject")


def test_a_proposal_that_is_proven_becomes_a_plan() -> None:
    more = document({"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"})
    plan, own = proposed(holding(HELD), USED, [more]), derived(holding(HELD), USED, options(Strategy.BOUNDARY))
    assert isinstance(plan, Plan)
    assert isinstance(own, Plan)
    assert plan.proofs.hold
    assert set(plan.removes) < set(own.removes), "what the provider would keep is kept"
    assert {"s3:GetObject", "s3:ListBucket"} <= set(plan.keeps)
    assert plan.notes == ("permissions that are kept for cloudknox's proposal alone: 1",)


def test_a_proposal_of_several_documents_is_one() -> None:
    parts = [READS, document({"Action": ["s3:ListBucket"], "Resource": "*"})]
    plan = proposed(holding(HELD), USED, parts)
    assert isinstance(plan, Plan)
    assert {"s3:GetObject", "s3:ListBucket"} <= set(plan.keeps)


def test_an_identity_that_code_manages_gets_a_patch_by_the_same_proofs() -> None:
    plan = proposed(holding(HELD), USED, [READS], Strategy.PATCH)
    assert isinstance(plan, Plan)
    assert plan.strategy is Strategy.PATCH


NARROW = document({"Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::a/*"})
DENIED = document({"Action": "s3:*", "Resource": "*"}, {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"})
REFUSED: list[tuple[str, IdentityDetail, Usage, list[Document], ReasonCode, str]] = [
    ("nothing", holding(HELD), USED, [], ReasonCode.NO_PROPOSAL, "cloudknox has no policy for it"),
    (
        "everything",
        holding(HELD),
        USED,
        [document({"Action": "*:*", "Resource": "*"})],
        ReasonCode.NOT_PROVEN,
        "cloudknox's policy allows what the identity may not: new_access",
    ),
    (
        "to create roles",
        holding(HELD),
        USED,
        [READS, document({"Action": "iam:CreateRole", "Resource": "*"})],
        ReasonCode.NOT_PROVEN,
        "new_access, iam:CreateRole",
    ),
    ("wider resources", holding(NARROW), USED, [READS], ReasonCode.NOT_PROVEN, "new_access, s3:GetObject"),
    (
        "what a boundary forbids",
        holding(HELD, boundary=document({"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"})),
        USED,
        [HELD],
        ReasonCode.NOT_PROVEN,
        "cloudknox's policy allows what the identity may not",
    ),
    (
        "not what was used",
        holding(HELD),
        using("s3:GetObject", "s3:PutObject"),
        [READS],
        ReasonCode.NOT_PROVEN,
        "cloudknox's policy lacks recorded uses: s3:putobject",
    ),
    (
        "what was used, but elsewhere",
        holding(HELD),
        USED,
        [document({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"})],
        ReasonCode.NOT_PROVEN,
        "lacks recorded uses: s3:getobject",
    ),
    (
        "a Deny of what was used",
        holding(HELD),
        USED,
        [document({"Action": "s3:*"}, {"Effect": "Deny", "Action": "s3:GetObject"})],
        ReasonCode.NOT_PROVEN,
        "lacks recorded uses",
    ),
    ("no statements", holding(HELD), USED, [{"Version": "2012-10-17"}], ReasonCode.NOT_PROVEN, "none that IAM would"),
    (
        "an unknown effect",
        holding(HELD),
        USED,
        [{"Version": "2012-10-17", "Statement": [{"Effect": "Grant", "Action": "s3:GetObject", "Resource": "*"}]}],
        ReasonCode.NOT_PROVEN,
        "none that IAM would accept",
    ),
    (
        "a principal",
        holding(HELD),
        USED,
        [document({"Action": "s3:GetObject", "Principal": "*"})],
        ReasonCode.NOT_PROVEN,
        "none that IAM would accept",
    ),
    (
        "too long",
        holding(HELD),
        USED,
        [document({"Action": "s3:GetObject", "Resource": [f"arn:aws:s3:::a/{number:060}" for number in range(100)]})],
        ReasonCode.NOT_PROVEN,
        "none that IAM would accept",
    ),
    (
        "all that is held",
        holding(HELD),
        USED,
        [HELD],
        ReasonCode.NOTHING_TO_REMOVE,
        "every granted permission is kept",
    ),
    (
        "everything to whoever holds it",
        holding(document({"Action": "*", "Resource": "*"})),
        USED,
        [document({"Action": "*:*", "Resource": "*"})],
        ReasonCode.NOTHING_TO_REMOVE,
        "every granted permission is kept",
    ),
    ("without a use of ours", holding(HELD), using(), [READS], ReasonCode.NO_EVIDENCE, "no use was recorded"),
]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [(case[1:4], *case[4:]) for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
def test_a_proposal_that_is_not_proven_is_refused(
    asked: tuple[IdentityDetail, Usage, list[Document]], code: ReasonCode, message: str, strategy: Strategy
) -> None:
    found = proposed(*asked, strategy)
    assert isinstance(found, Reason), found
    assert found.code is code, found
    assert message.lower() in found.message.lower()


def test_a_deny_of_its_own_stays_and_does_not_count_against_the_proposal() -> None:
    """A provider goes by what was used: it knows nothing of Denies, which stay in force anyway."""
    plan = proposed(holding(DENIED), USED, [READS], Strategy.REPLACE)
    assert isinstance(plan, Plan)
    assert [one for policy in plan.policies for one in policy.document["Statement"] if one["Effect"] == "Deny"]


def test_iam_create_role_is_kept_where_it_is_held_already() -> None:
    held = document({"Action": ["s3:*", "iam:CreateRole"], "Resource": "*"})
    plan = proposed(holding(held), USED, [document({"Action": ["s3:GetObject", "iam:CreateRole"], "Resource": "*"})])
    assert isinstance(plan, Plan)
    assert "iam:createrole" in plan.keeps
    assert plan.proofs.no_new_access is ProofVerdict.NO_NEW_ACCESS


@settings(deadline=None, max_examples=80)
@given(identities(), usages(), st.sampled_from(STRATEGIES), st.data())
def test_no_proposal_grants_anything_or_takes_more_than_the_evidence_does(
    detail: IdentityDetail, usage: Usage, strategy: Strategy, data: st.DataObject
) -> None:
    own_documents = [policy.document for policy in without_denies(detail.policies)]
    kinds = [st.lists(documents(), min_size=1, max_size=2)]
    kinds += [st.lists(st.sampled_from(own_documents), min_size=1, max_size=3)] if own_documents else []
    proposals = data.draw(st.one_of(*kinds))
    found, own = proposed(detail, usage, proposals, strategy), derived(detail, usage, options(strategy))
    event(found.code if isinstance(found, Reason) else "plan")
    if isinstance(found, Reason):
        return
    before, after = may_do(detail), may_do(carried_out(detail, found))
    proposal_alone = derived_identity(proposals)
    assert after <= before
    assert {request for request in before if request[:2] in set(uses(usage))} <= after
    known = {request for request in before if request[0].lower() in KNOWLEDGE.catalogue}
    assert may_do(proposal_alone) & known <= after, "what it would keep is kept"
    assert may_do(proposal_alone) <= may_do(derived_identity(own_documents)), "it was proven to grant nothing new"
    if isinstance(own, Plan):
        assert may_do(carried_out(detail, own)) <= after


def test_a_proposal_changes_nothing_of_how_resources_are_narrowed() -> None:
    chosen = options(Strategy.REPLACE, ResourceScope.OBSERVED)
    proposal = Proposal(provider=Provider.CLOUDKNOX, documents=(READS,))
    evidence = Evidence(USED, None)
    plan = derive_plan(holding(HELD), evidence, KNOWLEDGE, chosen, now=NOW, proposal=proposal)
    own = derive_plan(holding(HELD), evidence, KNOWLEDGE, chosen, now=NOW)
    assert isinstance(plan, Plan)
    assert isinstance(own, Plan)
    assert plan.policies == own.policies
    assert plan.narrows
