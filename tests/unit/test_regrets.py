"""Regrets: what a changed identity was refused although its snapshot allowed it, read from the ledger alone."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.remediator.changing.fingerprint import fingerprint, take_snapshot
from services.remediator.watching.regrets import is_watched, regrets_of
from shared.iam.grants import effective_grants
from shared.knowledge import load_catalogue
from shared.model.identity import IdentityDetail, Policy
from shared.model.plan import Plan, PlannedPolicy, PlanRecord, PlanStatus, Proofs, Strategy
from shared.model.proof import ProofVerdict
from shared.model.score import CoverageSummary
from shared.model.sources import PolicyKind, PolicySource
from shared.model.usage import Evidence, Span, Usage, UsageEntry
from tests.builders import ANA, NOW

CATALOGUE = load_catalogue()
APPLIED = NOW
SOAK = timedelta(days=14)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def allow(*actions: str, resource: Any = "*", effect: str = "Allow") -> dict[str, Any]:
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


HELD = allow("s3:*", "ec2:RunInstances", "ec2:CreateTags", "iam:PassRole", "sqs:SendMessage")


def holder(*documents: dict[str, Any], boundary: dict[str, Any] | None = None) -> IdentityDetail:
    sources = [PolicySource(PolicyKind.INLINE, f"p{number}") for number in range(len(documents))]
    policies = tuple(Policy(source=source, document=one) for source, one in zip(sources, documents, strict=True))
    bound = Policy(source=PolicySource(PolicyKind.MANAGED, "b"), document=boundary) if boundary else None
    return IdentityDetail(ref=ANA, created_at=APPLIED, read_at=APPLIED, policies=policies, boundary=bound)


def applied(
    detail: IdentityDetail,
    *planned: dict[str, Any],
    strategy: Strategy = Strategy.BOUNDARY,
    at: datetime = APPLIED,
    **fields: Any,
) -> PlanRecord:
    """A plan that was applied to an identity at a time and leaves it with these documents."""
    plan = Plan(
        plan_id="0123456789abcdef",
        identity=ANA,
        strategy=strategy,
        fingerprint=fingerprint(detail),
        policies=tuple(PlannedPolicy(name=f"n{number}", document=one) for number, one in enumerate(planned)),
        removes=(),
        keeps=(),
        proofs=Proofs(no_new_access=ProofVerdict.NO_NEW_ACCESS, replay=True, replayed_uses=1),
        pci_before=90,
        pci_after=10,
        coverage=CoverageSummary(window_days=90, observed_days=60),
        created_at=at,
        expires_at=at + DAY,
        **fields,
    )
    return PlanRecord(
        plan=plan,
        snapshot=take_snapshot(detail),
        status=PlanStatus.APPLIED,
        trigger="test",
        applied_at=at,
        soak_until=at + SOAK,
        updated_at=at,
    )


def denied(**times: datetime | tuple[datetime, datetime]) -> Usage:
    """A ledger of refusals: `s3_GetObject` and when it was refused, first and last."""
    entries = {}
    for name, when in times.items():
        action = name.replace("_", ":", 1)
        first, last = when if isinstance(when, tuple) else (when, when)
        entries[action.lower()] = UsageEntry(action, {Evidence.DENIED: Span(first, last)})
    return Usage(ANA.identity_id, entries)


def told(record: PlanRecord, usage: Usage, **root: PlanRecord) -> dict[str, tuple[str, ...]]:
    return {regret.action: regret.lost for regret in regrets_of(record, usage, CATALOGUE, **root)}


RIGHT_SIZED = applied(holder(HELD), allow("s3:GetObject", "s3:ListBucket", "ec2:RunInstances"))
LATER = APPLIED + HOUR

CASES: list[tuple[str, Usage, dict[str, tuple[str, ...]]]] = [
    ("nothing was refused", Usage(ANA.identity_id), {}),
    ("what it took away", denied(s3_PutObject=LATER), {"s3:PutObject": ("s3:PutObject",)}),
    ("any spelling", denied(S3_putobject=LATER), {"s3:PutObject": ("s3:PutObject",)}),
    ("refused at the very moment", denied(s3_PutObject=APPLIED), {"s3:PutObject": ("s3:PutObject",)}),
    ("refused before it", denied(s3_PutObject=APPLIED - HOUR), {}),
    ("refused before and after", denied(s3_PutObject=(APPLIED - DAY, LATER)), {"s3:PutObject": ("s3:PutObject",)}),
    ("what nobody had granted", denied(kms_Decrypt=LATER), {}),
    ("what it kept, with nothing that it needs taken", denied(s3_ListBucket=LATER), {}),
    (
        "what it kept, but took all that it depends on",
        denied(ec2_RunInstances=LATER),
        {"ec2:RunInstances": ("ec2:CreateTags", "iam:PassRole")},
    ),
    (
        "what it depends on was refused by name, too",
        denied(ec2_RunInstances=LATER, iam_PassRole=LATER),
        {"ec2:RunInstances": ("iam:PassRole",), "iam:PassRole": ("iam:PassRole",)},
    ),
    (
        "an action that only the trail knows",
        denied(s3_NewThingOfTomorrow=LATER),
        {"s3:NewThingOfTomorrow": ("s3:NewThingOfTomorrow",)},
    ),
    ("refused when the soak period was over", denied(s3_PutObject=APPLIED + SOAK + HOUR), {}),
    ("a use is no refusal", Usage(ANA.identity_id, {"s3:putobject": UsageEntry("s3:PutObject", {})}), {}),
]


@pytest.mark.parametrize(("usage", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_was_refused_after_a_change_and_allowed_before_is_a_regret(
    usage: Usage, expected: dict[str, tuple[str, ...]]
) -> None:
    assert told(RIGHT_SIZED, usage) == expected


def test_a_regret_tells_when_it_was_first_known() -> None:
    first, last = LATER, LATER + DAY
    (one,) = regrets_of(RIGHT_SIZED, denied(s3_PutObject=(first, last)), CATALOGUE)
    assert one.denied_at == first
    (one,) = regrets_of(RIGHT_SIZED, denied(s3_PutObject=(APPLIED - DAY, last)), CATALOGUE)
    assert one.denied_at == last


@pytest.mark.parametrize("status", [status for status in PlanStatus if status is not PlanStatus.APPLIED])
def test_a_plan_that_is_not_in_force_has_no_regrets(status: PlanStatus) -> None:
    record = RIGHT_SIZED.model_copy(update={"status": status})
    assert told(record, denied(s3_PutObject=LATER)) == {}
    assert not is_watched(record, LATER)


def test_a_plan_is_watched_until_its_soak_period_is_over() -> None:
    assert is_watched(RIGHT_SIZED, APPLIED)
    assert is_watched(RIGHT_SIZED, APPLIED + SOAK - HOUR)
    assert not is_watched(RIGHT_SIZED, APPLIED + SOAK)
    assert not is_watched(RIGHT_SIZED.model_copy(update={"soak_until": None}), APPLIED)


def test_what_its_own_boundary_or_a_deny_refused_before_is_no_regret() -> None:
    bounded = applied(holder(HELD, boundary=allow("s3:*", "sqs:*")), allow("s3:GetObject"))
    assert told(bounded, denied(ec2_RunInstances=LATER, sqs_SendMessage=LATER)) == {
        "sqs:SendMessage": ("sqs:SendMessage",)
    }
    forbidden = applied(holder(HELD, allow("s3:PutObject", effect="Deny")), allow("s3:GetObject"))
    assert told(forbidden, denied(s3_PutObject=LATER)) == {}


def test_fewer_resources_explain_a_refusal_of_a_kept_action() -> None:
    narrowed = applied(
        holder(allow("s3:GetObject", "s3:PutObject")), allow("s3:GetObject", resource="arn:aws:s3:::a/*")
    )
    assert told(narrowed, denied(s3_GetObject=LATER)) == {"s3:GetObject": ("s3:GetObject",)}
    as_it_was = applied(holder(allow("s3:Get*", resource=["arn:aws:s3:::a/*", "arn:aws:s3:::a/b/*"])), allow("s3:*"))
    assert told(as_it_was, denied(s3_GetObject=LATER)) == {}


def test_what_is_kept_under_a_condition_alone_does_not_hide_that_the_rest_reaches_fewer_resources() -> None:
    with_mfa = allow("s3:GetObject")
    with_mfa["Statement"][0]["Condition"] = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    left = allow("s3:GetObject", resource="arn:aws:s3:::a/*")
    detail = holder(allow("s3:GetObject"), with_mfa)
    record = applied(detail, left, strategy=Strategy.REPLACE, stays=(detail.policies[1].source,))
    assert told(record, denied(s3_GetObject=LATER)) == {"s3:GetObject": ("s3:GetObject",)}
    unchanged = applied(detail, allow("s3:GetObject"), strategy=Strategy.REPLACE, stays=(detail.policies[1].source,))
    assert told(unchanged, denied(s3_GetObject=LATER)) == {}


def test_what_a_plan_says_that_it_narrows_is_a_regret_whatever_the_grants_look_like() -> None:
    record = applied(holder(allow("s3:*")), allow("s3:*"), narrows=("s3:GetObject",))
    assert told(record, denied(s3_GetObject=LATER, s3_PutObject=LATER)) == {"s3:GetObject": ("s3:GetObject",)}


def test_a_replacement_is_measured_by_its_policies_and_by_those_that_stay() -> None:
    detail = holder(HELD, allow("sns:Publish"), allow("sqs:*"))
    stays = (detail.policies[1].source,)
    record = applied(detail, allow("s3:ListBucket"), strategy=Strategy.REPLACE, stays=stays)
    refused = denied(s3_PutObject=LATER, sns_Publish=LATER, sqs_SendMessage=LATER, s3_ListBucket=LATER)
    assert set(told(record, refused)) == {"s3:PutObject", "sqs:SendMessage"}


def test_after_a_restoration_the_first_snapshot_counts_and_what_was_given_back_is_settled() -> None:
    restored_at = APPLIED + 2 * HOUR
    root = RIGHT_SIZED
    restored = applied(
        holder(HELD, boundary=root.plan.policies[0].document),
        allow("s3:GetObject", "s3:PutObject", "ec2:RunInstances"),
        at=restored_at,
    )
    before = denied(s3_PutObject=LATER, ec2_RunInstances=LATER)
    assert told(restored, before, root=root) == {}
    after = denied(s3_PutObject=LATER, sqs_SendMessage=restored_at + HOUR)
    assert told(restored, after, root=root) == {"sqs:SendMessage": ("sqs:SendMessage",)}
    assert told(restored, after) == {}


ACTIONS = ("s3:GetObject", "s3:PutObject", "ec2:RunInstances", "iam:PassRole", "sqs:SendMessage", "kms:Decrypt")
some = st.frozensets(st.sampled_from(ACTIONS), min_size=1)


@settings(deadline=None, max_examples=60)
@given(some, some, st.frozensets(st.sampled_from(ACTIONS)))
def test_whatever_was_refused_nothing_is_lost_that_was_not_held_or_is_held_still(
    held: frozenset[str], kept: frozenset[str], refused: frozenset[str]
) -> None:
    detail = holder(allow(*sorted(held)))
    record = applied(detail, allow(*sorted(kept)))
    usage = denied(**{action.replace(":", "_"): LATER for action in refused})
    lost = {action.lower() for regret in regrets_of(record, usage, CATALOGUE) for action in regret.lost}
    before = set(effective_grants(detail, CATALOGUE).by_action)
    assert lost <= before - {action.lower() for action in kept}
    assert {action.lower() for action in refused & held - kept} <= lost
