"""A restoration gives back exactly what was lost: never more than the snapshot held, never less than is in force."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.remediator.changing.fingerprint import take_snapshot
from services.remediator.deriving.inputs import Evidence, Quotas
from services.remediator.deriving.restore import derive_restoration
from shared.iam.grants import effective_grants
from shared.iam.sizes import policy_size
from shared.model.identity import IdentityDetail, Policy
from shared.model.plan import Plan, PlanRecord, PlanStatus, Reason, ReasonCode, ResourceScope, Strategy
from shared.model.resources import ANY_RESOURCE, Resources
from shared.model.usage import Evidence as Kind
from shared.model.usage import Span, Usage, UsageEntry
from tests.unit.derivation_cases import (
    KNOWLEDGE,
    NOW,
    SHOWN,
    YESTERDAY,
    carried_out,
    derived,
    identities,
    may_do,
    options,
    usages,
)
from tests.unit.iam_oracle import REF, SMALL, document, policy

APPLICABLE = st.sampled_from((Strategy.BOUNDARY, Strategy.REPLACE))


def record_of(plan: Plan, detail: IdentityDetail) -> PlanRecord:
    return PlanRecord(
        plan=plan, snapshot=take_snapshot(detail), status=PlanStatus.APPLIED, trigger="test", updated_at=NOW
    )


def restored(record: PlanRecord, detail: IdentityDetail, usage: Usage, *lost: str) -> Plan | Reason:
    chosen = options(record.plan.strategy)
    later = NOW + timedelta(days=1)
    return derive_restoration(record, detail, lost, Evidence(usage, None), KNOWLEDGE, chosen, now=later)


def granted(detail: IdentityDetail, others: Iterable[str] = ()) -> set[str]:
    """What it may do; of the actions that only policies know also `others`, which wildcards of its own may allow."""
    unknown = frozenset(others) - SMALL.keys
    return set(effective_grants(detail, SMALL, others=unknown).by_action)


@settings(deadline=None, max_examples=60)
@given(identities(), usages(), APPLICABLE, st.sampled_from(tuple(ResourceScope)), st.data())
def test_what_was_lost_comes_back_and_nothing_else(
    detail: IdentityDetail, usage: Usage, strategy: Strategy, scope: ResourceScope, data: st.DataObject
) -> None:
    plan = derived(detail, usage, options(strategy, scope))
    assume(isinstance(plan, Plan) and plan.removes)
    assert isinstance(plan, Plan)
    changed = carried_out(detail, plan)
    line = record_of(plan, detail)

    for _ in range(2):
        candidates = sorted(set(line.plan.removes) | set(line.plan.narrows))
        if not candidates:
            break
        lost = data.draw(st.sampled_from(candidates))
        found = restored(line, changed, usage, lost)
        assert isinstance(found, Plan), found
        again = carried_out(changed, found)

        assert (found.restores, found.amends) == ((lost,), line.plan.plan_id)
        assert may_do(changed) <= may_do(again) <= may_do(detail)
        of_lost = {request for request in may_do(detail) if request[0] == lost.lower()}
        assert of_lost <= may_do(again)
        assert {request[0] for request in may_do(again) - may_do(changed)} <= {lost.lower()}
        assert {name.lower() for name in found.removes} == granted(detail) - granted(again, granted(detail))
        assert lost not in found.narrows
        changed, line = again, line.model_copy(update={"plan": found})


def a_change(
    strategy: Strategy = Strategy.BOUNDARY, *more: Policy, resources: Resources = ANY_RESOURCE
) -> tuple[PlanRecord, IdentityDetail, Usage]:
    entry = UsageEntry("s3:GetObject", {Kind.OBSERVED: Span(YESTERDAY, YESTERDAY)}, resources)
    sent = replace(entry, action="sqs:SendMessage", resources=ANY_RESOURCE)
    usage = Usage(REF.identity_id, {"s3:getobject": entry, "sqs:sendmessage": sent}, SHOWN)
    held = policy(document({"Action": ["s3:*", "iam:PassRole"]}))
    created = NOW - timedelta(days=400)
    detail = IdentityDetail(ref=REF, created_at=created, read_at=NOW, policies=(held, *more))
    scope = ResourceScope.KEEP if resources == ANY_RESOURCE else ResourceScope.OBSERVED
    plan = derived(detail, usage, options(strategy, scope))
    assert isinstance(plan, Plan), plan
    return record_of(plan, detail), carried_out(detail, plan), usage


def test_a_restoration_has_a_name_of_its_own_and_says_what_is_taken_still() -> None:
    record, changed, usage = a_change()

    found = restored(record, changed, usage, "S3:putobject")

    assert isinstance(found, Plan)
    assert found.plan_id != record.plan.plan_id
    assert found.restores == ("s3:PutObject",)
    assert set(found.removes) == set(record.plan.removes) - {"s3:PutObject"}


def with_boundary(detail: IdentityDetail, **changes: Any) -> IdentityDetail:
    assert detail.boundary is not None
    return detail.model_copy(update={"boundary": detail.boundary.model_copy(update=changes)})


NONE: dict[str, tuple[Any, tuple[str, ...], ReasonCode]] = {
    "never granted": (lambda detail: detail, ("sqs:SendMessage",), ReasonCode.NOT_PROVEN),
    "nothing lost": (lambda detail: detail, (), ReasonCode.NOT_PROVEN),
    "taken off": (lambda detail: detail.model_copy(update={"boundary": None}), ("s3:PutObject",), ReasonCode.DRIFT),
    "another boundary of ours": (
        lambda detail: detail.model_copy(
            update={
                "boundary": detail.boundary.model_copy(update={"source": detail.boundary.source._replace(name="x")})
            }
        ),
        ("s3:PutObject",),
        ReasonCode.DRIFT,
    ),
    "edited": (
        lambda detail: with_boundary(detail, document=document({"Action": "s3:*"})),
        ("s3:PutObject",),
        ReasonCode.DRIFT,
    ),
}


@pytest.mark.parametrize("case", NONE)
def test_there_is_no_restoration(case: str) -> None:
    edit, lost, code = NONE[case]
    record, changed, usage = a_change()

    found = restored(record, edit(changed), usage, *lost)

    assert isinstance(found, Reason)
    assert found.code is code


def test_a_replacement_takes_the_place_of_the_plans_own_policies_only() -> None:
    record, changed, usage = a_change(Strategy.REPLACE)
    added = policy(document({"Action": "sqs:SendMessage"}), "added by hand")
    now = changed.model_copy(update={"policies": (*changed.policies, added)})

    found = restored(record, now, usage, "s3:PutObject")

    assert isinstance(found, Plan)
    assert found.stays == (added.source,)


def test_what_only_a_policy_grants_that_stays_was_never_lost() -> None:
    stays = policy(document({"Action": "sqs:SendMessage"}), "stays")
    record, changed, usage = a_change(Strategy.REPLACE, stays)
    assert stays.source in record.plan.stays

    found = restored(record, changed, usage, "sqs:SendMessage")
    also = restored(record, changed, usage, "sqs:SendMessage", "s3:PutObject")

    assert isinstance(found, Reason)
    assert found.code is ReasonCode.NOT_PROVEN
    assert isinstance(also, Plan)
    assert also.restores == ("s3:PutObject", "sqs:SendMessage")


def test_what_is_too_large_gives_no_narrowed_action_its_other_resources_back() -> None:
    # given observed resources in the document in force, which is longer than the snapshot narrowed by action alone
    record, changed, usage = a_change(resources=Resources.of(f"arn:aws:s3:::{name:a<40}/x" for name in "bcd"))
    assert record.plan.narrows == ("s3:GetObject",)
    size = policy_size(record.plan.policies[0].document) + 10
    whole = record.model_copy(update={"plan": record.plan.model_copy(update={"narrows": ()})})
    chosen = options(Strategy.BOUNDARY, quotas=Quotas(policy_size=size))
    evidence = Evidence(usage, None)

    codes = [
        found.code if isinstance(found, Reason) else None
        for one in (whole, record)
        for found in [derive_restoration(one, changed, ["s3:PutObject"], evidence, KNOWLEDGE, chosen, now=NOW)]
    ]

    assert codes == [None, ReasonCode.TOO_LARGE]


def test_a_full_account_has_no_room_for_a_restoration() -> None:
    record, changed, usage = a_change()
    chosen = options(Strategy.BOUNDARY, quotas=Quotas(policies_used=1500))

    found = derive_restoration(record, changed, ["s3:PutObject"], Evidence(usage, None), KNOWLEDGE, chosen, now=NOW)

    assert isinstance(found, Reason)
    assert found.code is ReasonCode.QUOTA


def test_what_is_taken_still_includes_actions_that_nobody_knows() -> None:
    record, changed, usage = a_change()
    removes = (*record.plan.removes, "s3:BrandNew")
    record = record.model_copy(update={"plan": record.plan.model_copy(update={"removes": removes})})

    found = restored(record, changed, usage, "s3:PutObject")

    assert isinstance(found, Plan)
    assert "s3:brandnew" in {name.lower() for name in found.removes}


def test_a_patch_is_given_back_by_its_code() -> None:
    record, changed, usage = a_change(Strategy.PATCH)

    found = restored(record, changed, usage, "s3:PutObject")

    assert isinstance(found, Reason)
    assert found.code is ReasonCode.CHANGED_BY_CODE
