"""What needs no call index: messages twice, late, lost, forged or in disorder, several workers, several identities."""

import json
import zlib
from datetime import timedelta
from typing import Any

import pytest

from services.remediator import handler
from shared.aws.dynamodb import Table
from shared.aws.score_table import ScoreTable
from shared.model.identity import IdentityRef
from shared.model.score import StoredScore
from tests.builders import ACCOUNT, OTHER_ACCOUNT, a_score, envelope, failed, sqs_event
from tests.fake_aws.iam_state import IamState
from tests.fake_aws.wire import Call, mutations
from tests.faults import journal_view
from tests.faults.invariants import Watcher
from tests.faults.kinds import KINDS
from tests.faults.runs import APPLY, TAKE_BACK, Laboratory, current_plan
from tests.faults.shapes import SHAPES, WIDE
from tests.faults.stack import MODE
from tests.faults.world import Crash, World, ask, sweep

BOTH = pytest.mark.parametrize("strategy", ["boundary", "replace"])
INLINE = SHAPES["inline"]


def fresh(laboratory: Laboratory, strategy: str, shape: str = "inline") -> World:
    """A world in which nothing happened yet."""
    return laboratory.world(SHAPES[shape], strategy, APPLY)


def applied(laboratory: Laboratory, strategy: str, shape: str = "inline") -> World:
    """A world in which a plan was applied an hour ago."""
    return laboratory.world(SHAPES[shape], strategy, TAKE_BACK)


def changes(world: World, since: int = 0) -> list[Call]:
    return list(mutations(world.cloud.wire.calls[since:]))


def state(world: World) -> IamState:
    return world.people.account.state


def told(world: World) -> list[str]:
    return [entry["DetailType"] for entry in world.cloud.events_backend.entries]


def told_codes(world: World) -> list[str]:
    """Codes of what was not done."""
    details = [json.loads(entry["Detail"]) for entry in world.cloud.events_backend.entries]
    return [detail["code"] for detail in details if "code" in detail]


def event_ids(world: World, kind: str) -> list[str]:
    """Ids of the events of one type; one that is told again has the same."""
    entries = [entry for entry in world.cloud.events_backend.entries if entry["DetailType"] == kind]
    return [json.loads(entry["Detail"])["event_id"] for entry in entries]


# ---- delivery


@BOTH
def test_the_same_message_twice_changes_once(laboratory: Laboratory, strategy: str) -> None:
    world = fresh(laboratory, strategy)
    world.remediations.send(world.verdict(), world.verdict())
    world.converge()
    assert changes(world)
    count = len(changes(world))

    world.remediations.send(world.verdict())
    world.converge()

    assert len(changes(world)) == count


@BOTH
def test_the_same_change_told_under_another_id_changes_nothing_more(laboratory: Laboratory, strategy: str) -> None:
    world = applied(laboratory, strategy)
    before = state(world)

    world.remediations.send(*(world.verdict(number=number) for number in range(2, 6)))
    world.converge()

    assert state(world) is before


@BOTH
@pytest.mark.parametrize("seed", range(6))
def test_disorder_ends_as_order_does(laboratory: Laboratory, strategy: str, seed: int) -> None:
    """An event is a hint: what it says of the state is not believed."""
    world = fresh(laboratory, strategy)
    watcher = Watcher(world)
    world.remediations.seed = seed
    bodies = [world.verdict(kind, number=n) for n, kind in enumerate(("COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE"))]
    world.remediations.send(*bodies, *bodies)
    world.converge()

    watcher.judge_end()
    assert watcher.violations == []
    assert list(journal_view.statuses(world.cloud.dynamodb_backend).values()) == ["APPLIED"]


@BOTH
def test_a_verdict_that_comes_ten_days_late_changes_nothing(laboratory: Laboratory, strategy: str) -> None:
    world = fresh(laboratory, strategy)
    body = world.verdict()
    world.cloud.clock.sleep(10 * 86_400)

    assert world.deliver(body)

    assert changes(world) == []
    assert told_codes(world) == ["stale_score"]


@BOTH
def test_an_approval_that_comes_too_late_changes_nothing(laboratory: Laboratory, strategy: str) -> None:
    world = fresh(laboratory, strategy)
    world.cloud.ssm_backend.parameters[MODE] = "approve"
    world.deliver(world.verdict())
    world.cloud.clock.sleep(25 * 3600)

    answer = ask(world, "approve", plan_id=current_plan(world))

    assert answer["reason"] == "expired"
    assert changes(world) == []


@BOTH
def test_what_was_lost_on_the_way_is_found_by_the_sweep(laboratory: Laboratory, strategy: str) -> None:
    """A crash midway, and every message about it lost: no redelivery, no dead letter."""
    for at in range(0, 100, 9):
        run_world = fresh(laboratory, strategy)
        watcher = Watcher(run_world)
        crash_at(run_world, at)
        run_world.deliver(run_world.verdict())
        run_world.cloud.wire.meddler = Passing()
        run_world.cloud.clock.sleep(3600)

        sweep(run_world)
        run_world.converge()

        assert [s for s in journal_view.statuses(run_world.cloud.dynamodb_backend).values() if s.endswith("ING")] == []
        assert watcher.violations == []


class Passing:
    """Lets every call pass."""

    def around(self, call: Call, make: Any) -> Any:
        """Make the call."""
        return make()


class Dying(Passing):
    """Kills the function at its n-th call."""

    def __init__(self, at: int) -> None:
        self.left = at

    def around(self, call: Call, make: Any) -> Any:
        """Make the call, or die."""
        self.left -= 1
        if self.left < 0:
            raise Crash
        return make()


def crash_at(world: World, at: int) -> None:
    world.cloud.wire.meddler = Dying(at)


@BOTH
def test_two_workers_at_once_do_what_one_does(laboratory: Laboratory, strategy: str) -> None:
    """The second one comes in at each mutating call of the first, whose lease is over."""
    calls, _ = laboratory.trace(INLINE, strategy, APPLY)
    for at, call in enumerate(calls):
        if call.changes_iam:
            run = laboratory.run(INLINE, strategy, APPLY, KINDS["overtaken"], at)
            assert run.violations == []


def test_a_poisonous_message_fails_alone(laboratory: Laboratory) -> None:
    world = fresh(laboratory, "boundary")
    poison = ["{", '{"detail": {}}', world.verdict().replace(ACCOUNT, OTHER_ACCOUNT), "x" * 300_000, "[" * 5_000]

    answer = world.invoke(handler.handle_verdicts, sqs_event(*poison, world.verdict()))

    assert failed(answer) == [f"m{number}" for number in range(len(poison))]
    assert "PolicyApplied" in told(world)


# ---- limits and time


@BOTH
def test_a_storm_of_verdicts_stays_within_the_hours_limit(
    laboratory: Laboratory, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_MAX_CHANGES_PER_HOUR", "3")
    world = fresh(laboratory, strategy)
    bodies = [world.verdict(), *(crowd(world, number) for number in range(8))]

    for body in bodies:
        world.deliver(body)
        world.deliver(body)

    assert len(set(event_ids(world, "PolicyApplied"))) == 3
    assert len({call.arguments.get("UserName", "") for call in changes(world)} - {""}) == 3


def crowd(world: World, number: int) -> str:
    """One more user like the first, and a verdict about it."""
    iam, name = world.people.account, f"user{number}"
    iam.create_user(UserName=name, Path="/team/")
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=WIDE)
    entity = iam.state.entities["user", name]
    identity = IdentityRef(account_id=ACCOUNT, identity_id=entity.unique_id, arn=entity.arn)
    first, world.identity = world.identity, identity
    world.use(*INLINE.used, at=world.cloud.clock.now - timedelta(hours=30))
    scores = ScoreTable(Table(world.cloud.dynamodb(), "ScoresTable"))  # type: ignore[arg-type]
    scores.put(StoredScore(a_score(90.0, identity=identity, scored_at=world.cloud.clock.now)))
    body = world.verdict()
    world.identity = first
    return body


@BOTH
@pytest.mark.parametrize("minutes", [-15, 15])
def test_a_clock_that_jumps_between_deliveries_changes_nothing_twice(
    laboratory: Laboratory, strategy: str, minutes: int
) -> None:
    world = applied(laboratory, strategy)
    before = state(world)
    world.cloud.clock.jump(timedelta(minutes=minutes))

    world.deliver(world.verdict(number=2))

    assert state(world) is before


def test_a_warm_function_knows_nothing_of_six_hours_ago(laboratory: Laboratory) -> None:
    """The process is the same; mode, safeguards, score and lock are read anew."""
    world = fresh(laboratory, "boundary")
    world.cloud.ssm_backend.parameters[MODE] = "observe"
    world.deliver(world.verdict())
    assert changes(world) == []
    world.cloud.clock.sleep(6 * 3600)
    world.cloud.ssm_backend.parameters[MODE] = "auto"
    world.score()

    world.deliver(world.verdict(number=2))

    assert "PolicyApplied" in told(world)


# ---- forgery


FORGED = [
    {"account": OTHER_ACCOUNT},
    {"source": "aws.config", "detail-type": "PlanDue"},
    {"detail-type": "IdentityEvaluated"},
    {"detail-type": "PolicyApplied"},
    {"detail-type": "RestorationDue"},
    {"detail": {"resourceId": "AIDAEXAMPLE", "resourceType": "AWS::IAM::User"}},
    {"detail": {"resourceId": "../../x", "newEvaluationResult": {"complianceType": "NON_COMPLIANT"}}},
]


@pytest.mark.parametrize("forged", FORGED, ids=str)
@pytest.mark.parametrize("restoring", [False, True], ids=["takes_away", "gives_back"])
def test_a_forged_event_changes_nothing(laboratory: Laboratory, forged: dict[str, Any], *, restoring: bool) -> None:
    world = applied(laboratory, "replace")
    before = state(world)

    world.deliver(json.dumps(json.loads(world.verdict()) | forged), restoring=restoring)

    assert state(world) is before


@pytest.mark.parametrize("shape", ["break_glass", "exempt"])
def test_a_forged_verdict_about_a_protected_identity_changes_nothing(laboratory: Laboratory, shape: str) -> None:
    """It only causes a look: the same gates as for every other one."""
    world = fresh(laboratory, "replace", shape)
    answer = ask(world, "remediate", resource_id=world.identity.identity_id)
    world.deliver(
        json.dumps(envelope(json.loads(world.verdict())["detail"], detail_type="Config Rules Compliance Change"))
    )

    assert answer["reason"] in {"protected", "exempt"}
    assert changes(world) == []


# ---- plans


@BOTH
def test_of_two_plans_the_later_one_counts(laboratory: Laboratory, strategy: str) -> None:
    world = fresh(laboratory, strategy)
    world.cloud.ssm_backend.parameters[MODE] = "approve"
    world.deliver(world.verdict())
    first = current_plan(world)
    world.people.change_inline()

    answer = ask(world, "approve", plan_id=first)

    assert answer["plan_id"] != first
    assert changes(world) == []


@BOTH
def test_a_shared_policy_is_never_edited(laboratory: Laboratory, strategy: str) -> None:
    """What a colleague holds, too, stays as it is: its document, its versions, its other holders."""
    world = applied(laboratory, strategy, "managed")
    colleague = state(world).entities["user", "bob"]
    for name in ("queues", "compute"):
        arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
        assert state(world).policies[arn] == world.people.shadow.state.policies[arn]
    assert colleague == world.people.shadow.state.entities["user", "bob"]
    assert not [call for call in world.cloud.wire.calls if "version" in call.operation and not call.is_read]


@BOTH
def test_who_is_created_anew_under_the_name_is_somebody_else(laboratory: Laboratory, strategy: str) -> None:
    world = applied(laboratory, strategy)
    world.people.recreate()
    fresh_one = state(world).entities["user", "alice"]

    world.deliver(world.verdict(number=2))
    ask(world, "rollback", plan_id=current_plan(world))

    assert state(world).entities["user", "alice"] == fresh_one


def test_a_record_of_the_first_form_is_taken_back(laboratory: Laboratory) -> None:
    """What an earlier version wrote is read: a boundary's ARN beside the snapshot's policies, and lists as sources."""
    world = applied(laboratory, "boundary")
    rewrite_in_first_form(world)

    answer = ask(world, "rollback", plan_id=current_plan(world))

    assert answer["outcome"] == "ROLLED_BACK"
    assert state(world).entities == world.people.shadow.state.entities


def rewrite_in_first_form(world: World) -> None:
    """Store the plan's record as the first version of leastwise wrote it."""
    table = world.cloud.dynamodb_backend.tables["JournalTable"]
    plan_id = current_plan(world)
    item = dict(table[f"PLAN#{plan_id}", "PLAN"])
    record = journal_view.plans(world.cloud.dynamodb_backend)[plan_id]
    snapshot = record["snapshot"]
    record["snapshot"] = {
        "identity": snapshot["identity"],
        "taken_at": snapshot["taken_at"],
        "fingerprint": snapshot["fingerprint"],
        "policies": snapshot["policies"],
        "boundary_arn": None,
    }
    for newer in ("noticed_at", "approved_by", "applied_at", "soak_until", "drift"):
        record.pop(newer, None)
    for newer in ("restores", "amends", "drops", "notes", "stays", "narrows"):
        record["plan"].pop(newer, None)
    item["record"] = {"B": zlib.compress(json.dumps(record).encode())}
    item.pop("plan_status", None)
    table[f"PLAN#{plan_id}", "PLAN"] = item
