"""One run: a world, a program that leastwise carries out in it, one fault at one call; then rest, then judgement."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.remediator import handler  # noqa: F401 so that the first run doesn't pay for the import
from shared.errors import LeastwiseError
from tests.fake_aws.wire import Call
from tests.faults import journal_view
from tests.faults.invariants import OURS, Violation, Watcher, plan_of
from tests.faults.kinds import Kind
from tests.faults.shapes import UNUSED, Shape
from tests.faults.stack import MODE, Plug
from tests.faults.world import Crash, World, ask, sweep

HOUR, DAY = 3600.0, 86_400.0
MAX_REQUESTS = 5


class Run:
    """Meets one fault: the call with the number `at`, counted from the start of the program, meets the `kind`."""

    def __init__(self, world: World, program: "Program", kind: Kind | None, at: int) -> None:
        self.world = world
        self.program = program
        self.kind = kind
        self.at = at
        self.dead = False
        self.struck = ""
        self.off_until: float | None = None
        self._first = len(world.cloud.wire.calls)
        self.watcher = Watcher(world)
        world.cloud.wire.meddler = self
        world.begin = self._revive

    def _revive(self) -> None:
        """A new invocation begins; a kill switch that was thrown is on for an hour, so for a delivery or two."""
        self.dead = False
        if self.off_until is not None and self.world.cloud.clock.monotonic() >= self.off_until:
            self._switch_on()

    def switch_off(self, call: Call) -> None:
        """Throw the kill switch."""
        self.world.cloud.ssm_backend.parameters[MODE] = "off"
        self.watcher.killed_at = call.number
        self.off_until = self.world.cloud.clock.monotonic() + HOUR

    def _switch_on(self) -> None:
        self.world.cloud.ssm_backend.parameters[MODE] = "auto"
        self.watcher.killed_at = self.off_until = None

    def around(self, call: Call, make: Callable[[], Any]) -> Any:
        """Make the call, unless the function is dead; strike once."""
        if self.dead:
            raise Crash
        if self.kind and not self.struck and call.number - self._first == self.at:
            self.struck = call.operation
            return self.kind.strike(self, call, make)
        return make()

    def overtaken(self) -> None:
        """Another function does all the work meanwhile."""
        self.watcher.overtaken = True
        world, outer, restoring = self.world, self.world.invocation, self.world.restoring
        with contextlib.suppress(LeastwiseError):  # it lost against what it overtakes, or found nothing to do
            self.program.again(world)
        world.restore(outer, restoring=restoring)

    def go(self) -> "Run":
        """Carry the program out, let everything come to rest, and judge."""
        self.program.start(self.world)
        return self.come_to_rest()

    def come_to_rest(self) -> "Run":
        """Let everything come to rest, and judge."""
        self._rest()
        self._take_back_what_is_stuck()
        self.watcher.judge_end()
        self._again()
        return self

    def _rest(self) -> None:
        """Deliver until nothing is left; what is still under way then is found by one sweep, an orphan by one more."""
        world = self.world
        world.converge()
        self._switch_on()
        if any(status not in journal_view.TERMINAL for status in self._statuses().values()):
            self._sweep(HOUR)
        if self._orphans() or self._deserted():
            self._sweep(DAY + HOUR)

    def _sweep(self, wait: float) -> None:
        self.world.cloud.clock.sleep(wait)
        sweep(self.world)
        self.world.converge()

    def _statuses(self) -> Mapping[str, str]:
        return journal_view.statuses(self.world.cloud.dynamodb_backend)

    def _orphans(self) -> bool:
        """Whether there is a policy of ours whose plan is not applied, or none of them is held by anybody.

        One that an applied plan's successor stands on is held by nobody, and needed to go back to.
        """
        state, statuses = self.world.people.account.state, self._statuses()
        shadow = self.world.people.shadow.state.policies
        own = [arn for arn in state.policies if OURS in arn and arn not in shadow]
        is_held = any(state.holders(arn) or state.bounded(arn) for arn in own)
        return bool(own) and not (is_held and all(statuses.get(plan_of(arn)) == "APPLIED" for arn in own))

    def _deserted(self) -> bool:
        """Whether plans are applied, and nobody holds any of their policies."""
        state, statuses = self.world.people.account.state, self._statuses()
        applied = {plan_id for plan_id, status in statuses.items() if status == "APPLIED"}
        held = {plan_of(arn) for arn in state.policies if OURS in arn and (state.holders(arn) or state.bounded(arn))}
        return bool(applied) and not applied & held

    def _take_back_what_is_stuck(self) -> None:
        """What had to wait for a person can be taken back by one, when the fault is over (I5)."""
        for plan_id, status in self._statuses().items():
            if status == "QUARANTINED":
                answer = ask(self.world, "rollback", plan_id=plan_id)
                self.watcher.checks["I5"] += 1
                if answer["outcome"] not in {"ROLLED_BACK", "SKIPPED"} and not self.watcher.races:
                    self.watcher.fail("I5", f"a quarantined plan can't be taken back: {answer['outcome']}")

    def _again(self) -> None:
        """A verdict that comes once more changes nothing of what is applied, if nobody changed it since (I2, I9)."""
        if self._statuses().get(current_plan(self.world)) != "APPLIED" or self.world.people.pinned:
            return
        before = len(self.world.cloud.iam_backend.past)
        self.world.score()
        self.world.remediations.send(self.world.verdict(number=2))
        self.world.converge()
        self.watcher.checks.update(["I2", "I9"])
        if len(self.world.cloud.iam_backend.past) != before:
            self.watcher.fail("I2", "the same verdict again changed IAM again")

    @property
    def violations(self) -> list[Violation]:
        """What did not hold."""
        return self.watcher.violations


@dataclass(frozen=True)
class Program:
    """What leastwise is asked to do: `prepare` a world, `start` in it, `again` for whoever delivers it once more."""

    name: str
    prepare: Callable[[World], None]
    start: Callable[[World], None]
    again: Callable[[World], None]


def _live_on(world: World) -> None:
    """A first plan is applied and soaks; twenty days later less is in use, and people know the world as it is then."""
    _verdict(world)
    world.cloud.clock.sleep(20 * DAY)
    world.use(*world.shape.used, at=world.cloud.clock.now)
    world.score()
    world.people.shadow.past = world.people.account.past[-1:]


def _nothing(world: World) -> None:
    """The world is ready as it is."""


def _verdict(world: World) -> None:
    world.remediations.send(world.verdict())
    world.converge()


def _deliver_again(world: World) -> None:
    world.deliver(world.verdict())


def _applied(world: World) -> None:
    _verdict(world)
    world.cloud.clock.sleep(HOUR)


def _person_rolls_back(world: World) -> None:
    """A person asks, and asks again where no answer came."""
    for _ in range(MAX_REQUESTS):
        plan_id = current_plan(world)
        try:
            if plan_id:
                ask(world, "rollback", plan_id=plan_id)
        except (Crash, LeastwiseError):
            world.cloud.clock.sleep(HOUR)
        else:
            return


def _roll_back_again(world: World) -> None:
    if plan_id := current_plan(world):
        ask(world, "rollback", plan_id=plan_id)


def _person_restores(world: World) -> None:
    """A person wants one of the actions back that the plan took, and asks again where no answer came."""
    for _ in range(MAX_REQUESTS):
        try:
            _restore_again(world)
        except (Crash, LeastwiseError):
            world.cloud.clock.sleep(HOUR)
        else:
            return


def _restore_again(world: World) -> None:
    if plan_id := current_plan(world):
        ask(world, "restore", plan_id=plan_id, actions=[UNUSED[0]])


def _crash_then_roll_back(world: World) -> None:
    """One delivery, which is broken off; instead of the next one a person asks to take it all back (I5)."""
    world.deliver(world.verdict())
    world.cloud.clock.sleep(HOUR)
    _person_rolls_back(world)


def current_plan(world: World) -> str:
    """Id of the plan that the journal points to; "" where there is none yet."""
    key = (f"IDENTITY#{world.identity.identity_id}", "CURRENT")
    item = world.cloud.dynamodb_backend.tables["JournalTable"].get(key)
    return str(item["plan_id"]["S"]) if item else ""


APPLY = Program("apply", _nothing, _verdict, _deliver_again)
RESTORE = Program("restore", _applied, _person_restores, _restore_again)
TAKE_BACK = Program("take_back", _applied, _person_rolls_back, _roll_back_again)
CRASH_AND_TAKE_BACK = Program("crash_and_take_back", _nothing, _crash_then_roll_back, _deliver_again)
PROGRAMS = {program.name: program for program in (APPLY, TAKE_BACK, RESTORE, CRASH_AND_TAKE_BACK)}


class Laboratory:
    """Worlds that are ready for a program, made once and copied for each run."""

    def __init__(self, plug: Plug) -> None:
        self.plug = plug
        self._ready: dict[tuple[str, str, str], World] = {}

    def world(self, shape: Shape, strategy: str, program: Program) -> World:
        """A world of its own, ready for the program."""
        key = (shape.name, strategy, program.name)
        if key not in self._ready:
            made = World.of(shape, strategy).enter(self.plug)
            Watcher(made)
            if shape.has_former:
                _live_on(made)
            program.prepare(made)
            self._ready[key] = made
        return self._ready[key].copy().enter(self.plug)

    def run(self, shape: Shape, strategy: str, program: Program, kind: Kind | None = None, at: int = -1) -> Run:
        """One run."""
        return Run(self.world(shape, strategy, program), program, kind, at).go()

    def trace(self, shape: Shape, strategy: str, program: Program) -> tuple[list[Call], Run]:
        """The calls of the program where no fault strikes, and that run, judged as every other one."""
        world = self.world(shape, strategy, program)
        run, first = Run(world, program, None, -1), len(world.cloud.wire.calls)
        program.start(world)
        calls = world.cloud.wire.calls[first:]
        return calls, run.come_to_rest()
