"""Laws that every plan of every strategy keeps, held to a naive reading of IAM."""

import json
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from services.remediator.deriving.inputs import Quotas
from shared.model.identity import IdentityDetail, Policy
from shared.model.plan import Plan, Reason, ReasonCode, ResourceScope, Strategy
from shared.model.usage import Evidence as Kind
from shared.model.usage import Span, Usage
from tests.unit.derivation_cases import (
    NOW,
    carried_out,
    derived,
    identities,
    may_do,
    options,
    usages,
    uses,
)
from tests.unit.remediation_fakes import FOREIGN, FORMER

STRATEGIES = st.sampled_from(tuple(Strategy))
SCOPES = st.sampled_from(tuple(ResourceScope))


def plan_for(detail: IdentityDetail, usage: Usage, chosen: Any) -> Plan:
    plan = derived(detail, usage, chosen)
    event(plan.code if isinstance(plan, Reason) else "plan")
    assume(isinstance(plan, Plan))
    assert isinstance(plan, Plan)
    return plan


@settings(deadline=None, max_examples=100)
@given(identities(), usages(), STRATEGIES, SCOPES)
def test_a_plan_grants_nothing_new_and_keeps_every_use(
    detail: IdentityDetail, usage: Usage, strategy: Strategy, scope: ResourceScope
) -> None:
    plan = plan_for(detail, usage, options(strategy, scope))

    before, after = may_do(detail), may_do(carried_out(detail, plan))

    assert after <= before
    used = set(uses(usage))
    assert {request for request in before if request[:2] in used} <= after
    assert plan.removes or plan.narrows


@settings(deadline=None, max_examples=50)
@given(identities((None, FORMER, FOREIGN)), usages(), SCOPES, st.randoms())
def test_every_state_on_the_way_of_a_replacement_lies_between_after_and_before(
    detail: IdentityDetail, usage: Usage, scope: ResourceScope, order: random.Random
) -> None:
    plan = plan_for(detail, usage, options(Strategy.REPLACE, scope))
    done = carried_out(detail, plan)
    new = [policy for policy in done.policies if policy not in detail.policies]
    going = [policy for policy in detail.policies if policy.source not in plan.stays]
    order.shuffle(going)

    before, after = may_do(detail), may_do(done)
    for attached in range(len(new) + 1):
        assert may_do(detail.model_copy(update={"policies": (*detail.policies, *new[:attached])})) == before
    for removed in range(len(going) + 1):
        left = tuple(policy for policy in detail.policies if policy not in going[:removed])
        assert after <= may_do(detail.model_copy(update={"policies": (*left, *new)})) <= before


@settings(deadline=None, max_examples=50)
@given(identities(), usages(), STRATEGIES, SCOPES)
def test_a_second_plan_finds_nothing_to_remove(
    detail: IdentityDetail, usage: Usage, strategy: Strategy, scope: ResourceScope
) -> None:
    plan = plan_for(detail, usage, options(strategy, scope))

    again = derived(carried_out(detail, plan), usage, options(strategy, scope))

    assert isinstance(again, Reason)
    assert again.code is ReasonCode.NOTHING_TO_REMOVE


@settings(deadline=None, max_examples=40)
@given(identities(), STRATEGIES, st.sampled_from((Kind.DENIED, Kind.POSSIBLE)), usages())
def test_without_a_use_there_is_no_plan(detail: IdentityDetail, strategy: Strategy, kind: Kind, usage: Usage) -> None:
    entries = {
        key: replace(entry, spans={kind: next(iter(entry.spans.values()))}) for key, entry in usage.entries.items()
    }

    found = derived(detail, replace(usage, entries=entries), options(strategy))

    assert isinstance(found, Reason)
    assert found.code is ReasonCode.NO_EVIDENCE


@settings(deadline=None, max_examples=50)
@given(identities((None, FORMER, FOREIGN)), usages(), st.sampled_from((Strategy.REPLACE, Strategy.PATCH)))
def test_every_deny_of_what_goes_is_in_the_new_policies(
    detail: IdentityDetail, usage: Usage, strategy: Strategy
) -> None:
    plan = plan_for(detail, usage, options(strategy))

    new = [_listed(one) for policy in plan.policies for one in policy.document["Statement"]]
    for policy in detail.policies:
        if policy.source not in plan.stays:
            for deny in policy.document["Statement"]:
                assert deny["Effect"] == "Allow" or _listed(deny) in new


def _listed(statement: Any) -> Any:
    return {key: [value] if isinstance(value, str) else value for key, value in statement.items()}


@settings(deadline=None, max_examples=40)
@given(identities(), usages(), STRATEGIES, st.integers(200, 700))
def test_observed_resources_never_make_a_plan_keep_more(
    detail: IdentityDetail, usage: Usage, strategy: Strategy, limit: int
) -> None:
    small = Quotas(policy_size=limit)  # so that whole services are kept, or nothing fits
    plain = plan_for(detail, usage, options(strategy, quotas=small))

    observed = derived(detail, usage, options(strategy, ResourceScope.OBSERVED, quotas=small))

    assert isinstance(observed, Plan)
    assert set(observed.keeps) <= set(plain.keeps)
    assert may_do(carried_out(detail, observed)) <= may_do(carried_out(detail, plain))


MORE: tuple[dict[str, Any], ...] = (
    {"preserve_reads": True},
    {"always_keep": ("s3:*Object",)},
    {"always_keep": ("*",)},
    {"window_days": 400},
)


@settings(deadline=None, max_examples=50)
@given(identities(), usages(), STRATEGIES, SCOPES, st.sampled_from(MORE))
def test_no_option_ever_removes_more(
    detail: IdentityDetail, usage: Usage, strategy: Strategy, scope: ResourceScope, more: dict[str, Any]
) -> None:
    first = min(usage.entries)  # was used before the window of the plain options
    long_ago = NOW - timedelta(days=200)
    entry = replace(usage.entries[first], spans={Kind.OBSERVED: Span(long_ago, long_ago)})
    usage = replace(usage, entries={**usage.entries, first: entry})
    plain = plan_for(detail, usage, options(strategy, scope))

    _check_no_less(detail, plain, derived(detail, usage, options(strategy, scope, max_gap_days=None, **more)))


@settings(deadline=None, max_examples=40)
@given(identities(), usages(), usages(), STRATEGIES, SCOPES)
def test_neither_peers_nor_young_grants_ever_remove_more(
    detail: IdentityDetail, usage: Usage, peer: Usage, strategy: Strategy, scope: ResourceScope
) -> None:
    plain = plan_for(detail, usage, options(strategy, scope))
    since = {detail.policies[0].source: NOW - timedelta(days=3)}

    _check_no_less(detail, plain, derived(detail, usage, options(strategy, scope), peers=(peer,)))
    young = derived(detail, usage, options(strategy, scope, grace_days=14), granted_since=since)
    _check_no_less(detail, plain, young)
    assert derived(detail, usage, options(strategy, scope, grace_days=3), granted_since=since) == plain


def _check_no_less(detail: IdentityDetail, plain: Plan, more: Plan | Reason) -> None:
    """Whoever keeps more is still allowed all that the plain plan leaves."""
    if isinstance(more, Plan):
        assert set(more.removes) <= set(plain.removes)
        assert may_do(carried_out(detail, plain)) <= may_do(carried_out(detail, more))
    else:
        assert more.code is ReasonCode.NOTHING_TO_REMOVE


@settings(deadline=None, max_examples=40)
@given(identities((None, FORMER)), usages(), STRATEGIES, SCOPES, st.randoms())
def test_the_same_inputs_in_any_order_give_the_same_plan(
    detail: IdentityDetail, usage: Usage, strategy: Strategy, scope: ResourceScope, order: random.Random
) -> None:
    chosen = options(strategy, scope)
    plan = plan_for(detail, usage, chosen)

    policies = [
        policy.model_copy(update={"document": _reversed(policy.document)})
        for policy in order.sample(detail.policies, len(detail.policies))
    ]
    shuffled = detail.model_copy(update={"policies": tuple(policies), "groups": detail.groups[::-1]})
    entries = dict(order.sample(list(usage.entries.items()), len(usage.entries)))
    again = derived(shuffled, replace(usage, entries=entries), chosen)
    assert isinstance(again, Plan)
    assert again.model_dump_json() == plan.model_dump_json()

    turned = tuple(map(_with_statements_turned, detail.policies))
    other = derived(detail.model_copy(update={"policies": turned}), usage, chosen)
    assert isinstance(other, Plan)
    assert [json.dumps(one.document) for one in other.policies] == [json.dumps(one.document) for one in plan.policies]


def _reversed(value: Any) -> Any:
    """The same JSON with the fields of every object the other way round."""
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    return [_reversed(one) for one in value] if isinstance(value, list) else value


def _with_statements_turned(policy: Policy) -> Policy:
    document = {**policy.document, "Statement": policy.document["Statement"][::-1]}
    return policy.model_copy(update={"document": document})


@pytest.mark.parametrize("strategy", tuple(Strategy))
def test_the_laws_are_not_held_by_refusing_everything(strategy: Strategy) -> None:
    made = 0

    @settings(deadline=None, max_examples=60, database=None, derandomize=True)
    @given(identities(), usages())
    def count(detail: IdentityDetail, usage: Usage) -> None:
        nonlocal made
        made += isinstance(derived(detail, usage, options(strategy)), Plan)

    count()
    assert made >= 10
