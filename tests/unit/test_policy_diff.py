"""What people see of a change in policies: all of what differs, and nothing that only looks different."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.policy_diff import differences
from shared.model.identity import Policy
from shared.model.plan import Plan, PlannedPolicy, Proofs, Strategy
from shared.model.proof import ProofVerdict
from shared.model.score import CoverageSummary
from shared.model.sources import PolicyKind, PolicySource
from tests.builders import ANA, NOW

ACTIONS = ("iam:ListUsers", "iam:CreateUser", "s3:GetObject", "s3:PutObject", "sns:Publish")


def document(*actions: str, **more: Any) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": ["*"], **more}],
    }


def held(name: str, *actions: str) -> Policy:
    return Policy(source=PolicySource(PolicyKind.INLINE, name), document=document(*actions))


def planned(strategy: Strategy, *policies: PlannedPolicy, **more: Any) -> Plan:
    return Plan(
        plan_id="0" * 16,
        identity=ANA,
        strategy=strategy,
        fingerprint="f",
        policies=policies,
        removes=(),
        keeps=(),
        proofs=Proofs(no_new_access=ProofVerdict.NO_NEW_ACCESS, replay=True, replayed_uses=0),
        pci_before=1.0,
        pci_after=0.0,
        coverage=CoverageSummary(window_days=90, observed_days=60),
        created_at=NOW,
        expires_at=NOW + timedelta(hours=24),
        **more,
    )


def told(plan: Plan, policies: Sequence[Policy], boundary: Policy | None = None) -> list[tuple[str, ...]]:
    return list(differences(plan, policies, boundary))


def changed(lines: Sequence[str], mark: str) -> set[str]:
    """Actions on the lines with this mark."""
    return {action for action in ACTIONS for line in lines[2:] if line.startswith(mark) and f'"{action}"' in line}


WIDE, NARROW = held("wide", *ACTIONS), PlannedPolicy(name="new", document=document("iam:ListUsers", "s3:GetObject"))


@pytest.mark.parametrize("strategy", [Strategy.BOUNDARY, Strategy.REPLACE])
def test_what_goes_is_marked_and_what_stays_is_not(strategy: Strategy) -> None:
    [lines] = told(planned(strategy, NARROW), [WIDE])
    assert lines[0].endswith(" inline wide")
    assert lines[1].endswith(" new")
    assert changed(lines, "-") == {"iam:CreateUser", "s3:PutObject", "sns:Publish"}
    assert changed(lines, "+") == set()


def test_a_boundary_is_compared_with_the_boundary_that_it_takes_the_place_of() -> None:
    [lines] = told(planned(Strategy.BOUNDARY, NARROW), [WIDE], held("former", "iam:ListUsers", "s3:PutObject"))
    assert lines[0] == "--- before: boundary inline former"
    assert (changed(lines, "-"), changed(lines, "+")) == ({"s3:PutObject"}, {"s3:GetObject"})


def test_a_boundary_is_shown_as_the_limit_of_what_is_allowed_and_no_deny_as_gone() -> None:
    mixed = document(*ACTIONS)
    mixed["Statement"].append({"Effect": "Deny", "Action": "iam:CreateUser", "Resource": "*"})
    denies = held("denies", "s3:PutObject")
    denies.document["Statement"][0]["Effect"] = "Deny"
    held_policies = [Policy(source=PolicySource(PolicyKind.INLINE, "mixed"), document=mixed), denies]
    [lines] = told(planned(Strategy.BOUNDARY, NARROW), held_policies)
    assert lines[:2] == ("--- allowed by inline mixed", "+++ allowed within the boundary new")
    assert "Deny" not in "".join(lines)
    assert len(mixed["Statement"]) == 2, "the policy itself is left as it is"


def test_policies_that_stay_are_left_out() -> None:
    stays = held("stays", "sns:Publish")
    [lines] = told(planned(Strategy.REPLACE, NARROW, stays=(stays.source,)), [WIDE, stays])
    assert "stays" not in "".join(lines)


def test_a_patch_is_shown_policy_by_policy() -> None:
    narrowed = PlannedPolicy(name="wide", document=document("iam:ListUsers"), source=WIDE.source)
    own = PlannedPolicy(name="own", document=document("sns:Publish"))
    gone = held("gone", "s3:PutObject")
    first, second, third = told(planned(Strategy.PATCH, narrowed, own, drops=(gone.source,)), [WIDE, gone])
    assert first[:2] == ("--- before: inline wide", "+++ after: inline wide")
    assert second[:2] == ("--- before: nothing", "+++ after: own")
    assert third[:2] == ("--- before: inline gone", "+++ after: nothing")
    assert changed(third, "-") == {"s3:PutObject"}


def test_a_document_that_only_reads_differently_makes_no_difference() -> None:
    same = {
        "Statement": {"Resource": "*", "Action": list(reversed(ACTIONS)), "Effect": "Allow"},
        "Version": "2012-10-17",
    }
    assert told(planned(Strategy.REPLACE, PlannedPolicy(name="new", document=same)), [WIDE]) == []


@given(before=st.sets(st.sampled_from(ACTIONS), min_size=1), after=st.sets(st.sampled_from(ACTIONS), min_size=1))
@settings(deadline=None)
def test_every_action_that_comes_or_goes_is_marked(before: set[str], after: set[str]) -> None:
    plan = planned(Strategy.REPLACE, PlannedPolicy(name="new", document=document(*after)))
    diffs = told(plan, [held("old", *before)])
    assert bool(diffs) is (before != after)
    for lines in diffs:
        assert (changed(lines, "-"), changed(lines, "+")) == (before - after, after - before)
