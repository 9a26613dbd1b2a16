"""I14: what can't be read, is stale, malformed, cut off or unbelievable leads to no change, however often it comes.

And when it is mended, the next verdict finds its way: nothing was broken by refusing.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest
from botocore.exceptions import ReadTimeoutError

from tests.fake_aws.errors import refused
from tests.fake_aws.wire import Call, mutations
from tests.faults.invariants import Watcher
from tests.faults.runs import APPLY, Laboratory
from tests.faults.shapes import SHAPES
from tests.faults.stack import MODE, SAFEGUARDS
from tests.faults.world import World

Break = Callable[[World], None]


def parameter(name: str, value: str | None) -> Break:
    def act(world: World) -> None:
        parameters = world.cloud.ssm_backend.parameters
        parameters.pop(name)
        if value is not None:
            parameters[name] = value

    return act


def without_items(table: str, prefix: str) -> Break:
    """Forget a part of a table."""

    def act(world: World) -> None:
        items = world.cloud.dynamodb_backend.tables[table]
        for key in [key for key in items if key[1].startswith(prefix)]:
            del items[key]

    return act


def old_score(world: World) -> None:
    now = world.cloud.clock.now
    world.cloud.clock.now = now - timedelta(days=5)
    world.score()
    world.cloud.clock.now = now


def no_services(world: World) -> None:
    world.people.account.services = {}


def no_room(world: World) -> None:
    world.people.account.policies_per_account = 0


BROKEN: dict[str, Break] = {
    "no mode": parameter(MODE, None),
    "a mode that is none": parameter(MODE, "full speed"),
    "mode off": parameter(MODE, "off"),
    "mode observe": parameter(MODE, "observe"),
    "no safeguards": parameter(SAFEGUARDS, None),
    "safeguards that are no JSON": parameter(SAFEGUARDS, "{"),
    "safeguards with an unknown rule": parameter(SAFEGUARDS, '{"exempt_all": true}'),
    "safeguards that are too long": parameter(SAFEGUARDS, "{" + " " * 9_000 + "}"),
    "no score": without_items("ScoresTable", "SCORE#"),
    "an old score": old_score,
    "no ledger": without_items("UsageTable", "ACTION#"),
    "no coverage": without_items("UsageTable", "DAY#"),
    "a last accessed report without services": no_services,
    "no room for a policy": no_room,
}


@pytest.mark.parametrize("strategy", ["boundary", "replace"])
@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_what_can_not_be_believed_changes_nothing(laboratory: Laboratory, strategy: str, broken: Break) -> None:
    world = laboratory.world(SHAPES["inline"], strategy, APPLY)
    broken(world)

    world.remediations.send(world.verdict())
    world.converge()

    assert list(mutations(world.cloud.wire.calls)) == []


class Failing:
    """Refuses each call of one operation, for good."""

    def __init__(self, operation: str, error: Exception) -> None:
        self.operation = operation
        self.error = error

    def around(self, call: Call, make: Callable[[], object]) -> object:
        """Make the call, unless it is the one."""
        if call.operation == self.operation:
            raise self.error
        return make()


class CutOff(Failing):
    """Says of each page of a listing that more follows, and not where."""

    def around(self, call: Call, make: Callable[[], object]) -> object:
        """Make the call, and cut what it is about."""
        answer = make()
        if call.operation == self.operation and isinstance(answer, dict):
            return {**answer, "IsTruncated": True, "Marker": None}
        return answer


READS = (
    "get_user",
    "list_user_policies",
    "get_user_policy",
    "list_attached_user_policies",
    "list_groups_for_user",
    "generate_service_last_accessed_details",
    "get_service_last_accessed_details",
    "query",
    "get_item",
    "put_item",
    "get_parameter",
    "put_events",
)
ERRORS = {
    "throttled": refused("Any", "Throttling"),
    "denied": refused("Any", "AccessDenied"),
    "timed out": ReadTimeoutError(endpoint_url="https://aws"),
    "malformed": refused("Any", "SerializationException"),
}


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS.keys())
def test_what_fails_for_good_changes_nothing(laboratory: Laboratory, operation: str, error: Exception) -> None:
    world = laboratory.world(SHAPES["inline"], "replace", APPLY)
    world.cloud.wire.meddler = Failing(operation, error)

    world.remediations.send(world.verdict())
    world.converge()

    assert list(mutations(world.cloud.wire.calls)) == []


LISTINGS = (
    "list_user_policies",
    "list_attached_user_policies",
    "list_groups_for_user",
    "get_service_last_accessed_details",
)


@pytest.mark.parametrize("operation", LISTINGS)
def test_a_listing_that_is_cut_off_changes_nothing(laboratory: Laboratory, operation: str) -> None:
    """IsTruncated without a marker: what is missing might be what decides."""
    world = laboratory.world(SHAPES["managed"], "replace", APPLY)
    world.cloud.wire.meddler = CutOff(operation, Exception())

    world.remediations.send(world.verdict())
    world.converge()

    assert list(mutations(world.cloud.wire.calls)) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_busy_iam_changes_how_long_it_takes_and_nothing_else(laboratory: Laboratory, seed: int) -> None:
    """Pages of any length and reads that lag up to half a minute behind, each by another while."""
    strategy = ("boundary", "replace")[seed % 2]
    world = laboratory.world(SHAPES["groups"], strategy, APPLY)
    watcher = Watcher(world)
    iam = world.people.account
    iam.random.seed(seed)
    iam.random_pages, iam.lag_seconds = True, 30.0

    world.remediations.send(world.verdict())
    world.converge()
    iam.lag_seconds = 0.0

    watcher.judge_end()
    assert watcher.violations == []
    assert list(mutations(world.cloud.wire.calls))
