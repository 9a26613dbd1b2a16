"""What a plan's event tells of services: those that lose most, and how much they keep."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.remediator.by_service import MAX_SERVICES, changes_by_service
from services.remediator.core import outcome_event, proposed_event
from shared.events import PolicyApplied, ServiceChange
from shared.model.plan import Mode, Plan, PlanStatus
from tests.unit.test_remediator_core import plan_record

ACTIONS = st.lists(st.from_regex(r"[a-z]{1,2}:[A-Z][a-z]{1,3}", fullmatch=True), max_size=60, unique=True)
REMOVES = ("s3:PutObject", "S3:DeleteObject", "iam:PassRole", "kms:Decrypt", "kms:Encrypt")


def a_plan(removes: tuple[str, ...], keeps: tuple[str, ...] = ()) -> Plan:
    return plan_record().plan.model_copy(update={"removes": removes, "keeps": keeps})


def test_services_are_told_by_how_much_they_lose_and_then_by_name() -> None:
    told = changes_by_service(a_plan(REMOVES, ("s3:GetObject", "ec2:RunInstances")))
    assert told == (
        ServiceChange(service="kms", removes=2, keeps=0),
        ServiceChange(service="s3", removes=2, keeps=1),
        ServiceChange(service="iam", removes=1, keeps=0),
    )


def test_a_plan_is_told_with_its_services_when_it_waits_and_when_it_is_applied() -> None:
    plan = a_plan(REMOVES)
    record = plan_record(PlanStatus.APPLIED).model_copy(update={"plan": plan})
    applied = outcome_event(record)
    assert isinstance(applied, PolicyApplied)
    assert applied.by_service == proposed_event(plan, Mode.APPROVE).by_service == changes_by_service(plan)


@settings(deadline=None)
@given(ACTIONS, ACTIONS)
def test_what_is_told_is_true_and_bounded(removes: list[str], keeps: list[str]) -> None:
    told = changes_by_service(a_plan(tuple(removes), tuple(keeps)))
    services = {action.split(":")[0] for action in removes}
    assert len(told) == min(MAX_SERVICES, len(services))
    for change in told:
        assert change.removes == sum(action.startswith(f"{change.service}:") for action in removes)
        assert change.keeps == sum(action.startswith(f"{change.service}:") for action in keeps)
    left_out = services - {change.service for change in told}
    most_left_out = max((sum(a.startswith(f"{name}:") for a in removes) for name in left_out), default=0)
    assert all(change.removes >= most_left_out for change in told)
