"""What is due for a plan, and which policies of ours belong to nobody: decided by the journal alone."""

from datetime import datetime, timedelta
from typing import NamedTuple

import pytest

from services.remediator.core import restoration_due
from services.remediator.reconciling.due import INTERRUPTED_AFTER, Due, due_of, expired, plan_due
from services.remediator.reconciling.orphans import MIN_AGE, Belonging, belonging_of, may_be_idle
from shared.model.plan import Mode, PlanRecord, PlanStatus, Reason, ReasonCode
from tests.builders import ACCOUNT, NOW
from tests.unit.test_regrets import RIGHT_SIZED

NOTICE = timedelta(hours=72)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
UNDER_WAY = {PlanStatus.APPLYING: Due.RESUME, PlanStatus.ROLLING_BACK: Due.TAKE_BACK}


def record(status: PlanStatus, *, noticed_at: datetime | None = None) -> PlanRecord:
    return RIGHT_SIZED.model_copy(update={"status": status, "noticed_at": noticed_at})


def due(found: PlanRecord, after: timedelta, *, mode: Mode = Mode.AUTO, is_current: bool = True) -> Due:
    return due_of(found, mode=mode, notice=NOTICE, is_current=is_current, now=NOW + after)


@pytest.mark.parametrize(("status", "expected"), UNDER_WAY.items())
@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.APPROVE, Mode.AUTO])
def test_what_was_begun_and_stands_still_is_gone_on_with(status: PlanStatus, expected: Due, mode: Mode) -> None:
    assert due(record(status), INTERRUPTED_AFTER, mode=mode) is expected
    assert due(record(status), INTERRUPTED_AFTER - MINUTE, mode=mode) is Due.NOTHING


@pytest.mark.parametrize("status", sorted(set(PlanStatus) - {*UNDER_WAY, PlanStatus.PROPOSED}))
def test_what_has_ended_is_left_alone(status: PlanStatus) -> None:
    assert due(record(status, noticed_at=NOW), 1000 * DAY) is Due.NOTHING


def test_a_notice_that_is_over_leads_to_a_new_look_in_mode_auto_until_nothing_can_come_of_it() -> None:
    noticed = record(PlanStatus.PROPOSED, noticed_at=NOW)
    assert due(noticed, NOTICE - MINUTE) is Due.NOTHING
    assert due(noticed, NOTICE) is Due.REDERIVE
    assert due(noticed, NOTICE + DAY - MINUTE) is Due.REDERIVE
    assert due(noticed, NOTICE + DAY) is Due.EXPIRE


def test_a_plan_that_is_made_anew_with_an_old_notice_is_looked_at_as_long_as_it_is_new() -> None:
    held_for_weeks = record(PlanStatus.PROPOSED, noticed_at=NOW - 30 * DAY)
    assert due(held_for_weeks, MINUTE) is Due.REDERIVE
    assert due(held_for_weeks, NOTICE + DAY) is Due.EXPIRE


@pytest.mark.parametrize(
    ("mode", "is_current", "noticed"),
    [(Mode.APPROVE, True, True), (Mode.OBSERVE, True, True), (Mode.AUTO, False, True), (Mode.AUTO, True, False)],
)
def test_a_proposal_that_nobody_will_apply_expires(mode: Mode, *, is_current: bool, noticed: bool) -> None:
    waiting = record(PlanStatus.PROPOSED, noticed_at=NOW if noticed else None)
    assert due(waiting, DAY - MINUTE, mode=mode, is_current=is_current) is Due.NOTHING
    assert due(waiting, DAY, mode=mode, is_current=is_current) is Due.EXPIRE


def test_an_expired_proposal_ends_with_its_reason_and_keeps_since_when_it_was_known() -> None:
    ended = expired(record(PlanStatus.PROPOSED, noticed_at=NOW), now=NOW + 2 * DAY)
    assert ended.status is PlanStatus.SKIPPED
    assert ended.reason
    assert ended.reason.code is ReasonCode.EXPIRED
    assert (ended.noticed_at, ended.updated_at) == (NOW, NOW + 2 * DAY)


def test_the_same_state_of_a_plan_is_asked_for_under_the_same_id_and_another_one_under_another() -> None:
    first, later = record(PlanStatus.APPLYING), record(PlanStatus.APPLYING).model_copy(update={"version": 7})
    told = plan_due(first, Due.RESUME, now=NOW)
    assert (told.why, plan_due(first, Due.REDERIVE, now=NOW).why) == ("interrupted", "notice_over")
    assert told.event_id == plan_due(first, Due.RESUME, now=NOW + HOUR).event_id
    assert told.event_id != plan_due(later, Due.RESUME, now=NOW).event_id
    reason = Reason(code=ReasonCode.DRIFT, message="m")
    back = restoration_due(first, reason, now=NOW)
    assert (back.code, back.message) == (ReasonCode.DRIFT, "m")
    assert back.event_id == restoration_due(first, reason, now=NOW + HOUR).event_id
    assert back.event_id != restoration_due(later, reason, now=NOW).event_id


class Listed(NamedTuple):
    """A policy as IAM lists it."""

    arn: str
    attached: int
    boundaries: int
    created_at: datetime


IDLE = Listed(f"arn:aws:iam::{ACCOUNT}:policy/leastwise/0123456789abcdef", 0, 0, NOW - MIN_AGE)


@pytest.mark.parametrize("name", ["0123456789abcdef", "0123456789abcdef-2", "0123456789abcdef-r1"])
def test_a_policy_of_a_plan_that_hangs_on_nobody_for_a_day_may_be_an_orphan(name: str) -> None:
    assert may_be_idle(IDLE._replace(arn=f"arn:aws:iam::{ACCOUNT}:policy/leastwise/{name}"), now=NOW)


@pytest.mark.parametrize(
    "policy",
    [
        IDLE._replace(attached=1),
        IDLE._replace(boundaries=1),
        IDLE._replace(created_at=NOW - MIN_AGE + MINUTE),
        IDLE._replace(created_at=NOW + DAY),
        IDLE._replace(arn=f"arn:aws:iam::{ACCOUNT}:policy/0123456789abcdef"),
        IDLE._replace(arn=f"arn:aws:iam::{ACCOUNT}:policy/leastwise/of-somebody"),
        IDLE._replace(arn=f"arn:aws:iam::{ACCOUNT}:policy/leastwise/0123456789abcdef0"),
    ],
    ids=str,
)
def test_what_is_in_use_young_or_of_somebodys_own_naming_is_none(policy: Listed) -> None:
    assert not may_be_idle(policy, now=NOW)


@pytest.mark.parametrize(
    ("status", "is_current", "expected"),
    [
        (None, False, Belonging.ORPHAN),
        (PlanStatus.SKIPPED, True, Belonging.ORPHAN),
        (PlanStatus.ROLLED_BACK, False, Belonging.ORPHAN),
        (PlanStatus.APPLIED, True, Belonging.DESERTED),
        (PlanStatus.APPLIED, False, Belonging.NEEDED),
        (PlanStatus.PROPOSED, True, Belonging.NEEDED),
        (PlanStatus.APPLYING, True, Belonging.NEEDED),
        (PlanStatus.ROLLING_BACK, True, Belonging.NEEDED),
        (PlanStatus.QUARANTINED, True, Belonging.NEEDED),
    ],
)
def test_an_idle_policy_is_an_orphan_only_where_its_plan_is_unknown_or_has_ended(
    status: PlanStatus | None, *, is_current: bool, expected: Belonging
) -> None:
    found = record(status) if status else None
    assert belonging_of(found, is_on_top=is_current) is expected
