"""The kinds of faults, each of which a run meets once, at one call: refused, broken off, or made in a changed world.

`applies` says at which calls a kind is different from the others; `strike` does it around the call.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ReadTimeoutError

from tests.fake_aws.errors import refused
from tests.fake_aws.wire import Call
from tests.faults.people import People
from tests.faults.world import Crash

if TYPE_CHECKING:
    from tests.faults.runs import Run

Make = Callable[[], Any]
Strike = Callable[["Run", Call, Make], Any]
THROTTLED = {
    "iam": "Throttling",
    "dynamodb": "ProvisionedThroughputExceededException",
    "ssm": "ThrottlingException",
    "events": "ThrottlingException",
}
BROKEN = {
    "iam": "ServiceFailure",
    "dynamodb": "InternalServerError",
    "ssm": "InternalServerError",
    "events": "InternalFailure",
}
DENIED = {"iam": "AccessDenied", "dynamodb": "AccessDeniedException", "ssm": "AccessDeniedException"}
LISTS = ("list_", "get_group", "get_service_last_accessed_details")


@dataclass(frozen=True)
class Kind:
    """One kind of fault."""

    name: str
    strike: Strike
    applies: Callable[[Call], bool] = lambda call: True


def _refuse(codes: Mapping[str, str]) -> Strike:
    def strike(run: "Run", call: Call, make: Make) -> Any:
        raise refused(call.operation, codes.get(call.service, "AccessDeniedException"))

    return strike


def _crash_before(run: "Run", call: Call, make: Make) -> Any:
    run.dead = True
    raise Crash


def _crash_after(run: "Run", call: Call, make: Make) -> Any:
    make()
    run.dead = True
    raise Crash


def _lose_answer(run: "Run", call: Call, make: Make) -> Any:
    make()
    raise ReadTimeoutError(endpoint_url=f"https://{call.service}.amazonaws.com")


def _not_yet_visible(run: "Run", call: Call, make: Make) -> Any:
    """A change, too, may meet a part of IAM that does not know yet what was created a moment ago."""
    raise refused(call.operation, "NoSuchEntity")


def _stale(back: int) -> Strike:
    def strike(run: "Run", call: Call, make: Make) -> Any:
        run.world.cloud.iam_backend.stale = back
        return make()

    return strike


def _cut(how: str) -> Strike:
    def strike(run: "Run", call: Call, make: Make) -> Any:
        run.world.cloud.iam_backend.cut = how
        return make()

    return strike


def _meanwhile(act: Callable[[People], object]) -> Strike:
    """A person acts just before the call."""

    def strike(run: "Run", call: Call, make: Make) -> Any:
        run.world.people.now = call.number
        act(run.world.people)
        return make()

    return strike


def _lose_lock(run: "Run", call: Call, make: Make) -> Any:
    """Somebody else's claim: a higher token, and a lease that runs for a while."""
    table = run.world.cloud.dynamodb_backend.tables["JournalTable"]
    key = (f"IDENTITY#{run.world.identity.identity_id}", "LOCK")
    token = int(table[key]["fencing_token"]["N"]) if key in table else 0
    until = run.world.cloud.clock.now + timedelta(minutes=6)
    table[key] = {
        "pk": {"S": key[0]},
        "sk": {"S": key[1]},
        "owner": {"S": "somebody else"},
        "until": {"S": until.isoformat(timespec="microseconds")},
        "fencing_token": {"N": str(token + 1)},
    }
    run.watcher.lost_in = run.world.invocations
    return make()


def _overtake(run: "Run", call: Call, make: Make) -> Any:
    """The function stands still for longer than its lease; the message comes again and another one does the work.

    Then it goes on where it stood, and believes to have all its time still.
    """
    clock, invocation = run.world.cloud.clock, run.world.invocation
    before = clock.monotonic()
    if invocation is not None:
        clock.sleep(invocation.time_left + 120)
    run.overtaken()
    if invocation is not None:
        invocation.deadline += clock.monotonic() - before
    return make()


def _switch_off(run: "Run", call: Call, make: Make) -> Any:
    run.switch_off(call)
    return make()


def _no_time(run: "Run", call: Call, make: Make) -> Any:
    if run.world.invocation:
        run.world.invocation.deadline = run.world.cloud.clock.monotonic() + 5
    return make()


def _jump(by: timedelta) -> Strike:
    def strike(run: "Run", call: Call, make: Make) -> Any:
        run.world.cloud.clock.jump(by)
        return make()

    return strike


def _is_write(call: Call) -> bool:
    return not call.is_read


def _reads_iam(call: Call) -> bool:
    return call.service == "iam" and call.is_read and "last_accessed" not in call.operation


def _lists(call: Call) -> bool:
    return call.service == "iam" and call.operation.startswith(LISTS)


def _changes_holding(call: Call) -> bool:
    return call.changes_iam and call.operation.startswith(("attach_", "put_user_perm", "put_role_perm"))


ALL_KINDS = (
    Kind("throttled", _refuse(THROTTLED)),
    Kind("server_error", _refuse(BROKEN)),
    Kind("denied", _refuse(DENIED)),
    Kind("crash_before", _crash_before),
    Kind("crash_after", _crash_after, _is_write),
    Kind("lost_response", _lose_answer, _is_write),
    Kind("conflict", _refuse({"iam": "ConcurrentModification"}), lambda call: call.changes_iam),
    Kind("not_yet_visible", _not_yet_visible, _changes_holding),
    Kind("stale_read", _stale(1), _reads_iam),
    Kind("very_stale_read", _stale(3), _reads_iam),
    Kind("page_cut", _cut("marker"), _lists),
    Kind("page_cut_without_marker", _cut("no_marker"), _lists),
    Kind("lock_lost", _lose_lock),
    Kind("overtaken", _overtake),
    Kind("kill_switch", _switch_off),
    Kind("time_out", _no_time),
    Kind("clock_back", _jump(timedelta(minutes=-15))),
    Kind("clock_forward", _jump(timedelta(minutes=15))),
    Kind("deleted", _meanwhile(People.delete)),
    Kind("recreated", _meanwhile(People.recreate)),
    Kind("human_attach", _meanwhile(People.attach)),
    Kind("human_detach", _meanwhile(People.detach)),
    Kind("human_new_inline", _meanwhile(People.put_inline)),
    Kind("human_changes_inline", _meanwhile(People.change_inline)),
    Kind("human_deletes_inline", _meanwhile(People.delete_inline)),
    Kind("human_sets_boundary", _meanwhile(People.set_boundary)),
    Kind("human_removes_boundary", _meanwhile(People.remove_boundary)),
    Kind("human_joins_group", _meanwhile(People.join_group)),
    Kind("human_leaves_group", _meanwhile(People.leave_group)),
    Kind("exempted", _meanwhile(People.exempt)),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in ALL_KINDS}
CRASHES = ("crash_before", "crash_after", "lost_response")
