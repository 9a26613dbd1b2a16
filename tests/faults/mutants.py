"""Deliberately broken builds of leastwise: each breaks one rule, and an invariant has to notice.

Each mutant is a context in which something of leastwise is replaced, with the invariant that names it, and where a
run has to strike to show it.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from services.remediator.changing import applying, saga, state, steps, taking_back, undo
from services.remediator.changing.applying import Application
from services.remediator.changing.saga import Saga
from services.remediator.changing.steps import OLD_TAKEN_OFF
from services.remediator.changing.stopping import REFUSED
from services.remediator.changing.taking_back import TakingBack
from services.remediator.edge import Remediation
from services.remediator.planning.edge import Planner
from services.remediator.working.edge import Work
from shared.aws.iam_changes import IamChanges
from shared.aws.journal import Journal
from shared.aws.last_accessed import LastAccessedReader
from shared.aws.own_policies import OwnPolicies
from shared.model.last_accessed import LastAccess, LastAccessed
from shared.model.plan import Plan, Snapshot, Step
from shared.observability import logger
from tests.fake_aws.wire import Call
from tests.faults.runs import APPLY, TAKE_BACK, Program

Broken = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Mutant:
    """A broken build, what notices it, and the runs in which that shows."""

    name: str
    invariant: str
    broken: Broken
    strategy: str = "boundary"
    shape: str = "inline"
    program: Program = APPLY
    kinds: tuple[str, ...] = ()  # without any, a run without a fault shows it
    at: Callable[[Call], bool] = lambda call: True


@contextmanager
def replaced(*what: tuple[Any, str, Any]) -> Iterator[None]:
    """Replace attributes while this lasts."""
    before = [(owner, name, vars(owner)[name]) for owner, name, _ in what]
    for owner, name, value in what:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def _remove_before_add() -> AbstractContextManager[None]:
    """Old policies go first, as the reference implementation did it."""
    right = steps.apply_steps

    def wrong(plan: Plan, snapshot: Snapshot) -> tuple[Step, ...]:
        return tuple(sorted(right(plan, snapshot), key=lambda step: step.kind not in OLD_TAKEN_OFF))

    modules = [one for one in (steps, applying, saga, state, undo, taking_back) if "apply_steps" in vars(one)]
    return replaced(*((module, "apply_steps", wrong) for module in modules))


def _skip_the_intent() -> AbstractContextManager[None]:
    return replaced((Journal, "intend", lambda self, plan, number, step, **_: None))


def _ignore_the_fingerprint() -> AbstractContextManager[None]:
    return replaced((Application, "_is_due", lambda self, call: True))


def _create_under_another_name() -> AbstractContextManager[None]:
    """A name that depends on the time, so that a retry makes a second policy."""
    right = IamChanges._create  # noqa: SLF001 what is broken is inside

    def wrong(self: IamChanges, step: Step, plan_id: str) -> Any:
        assert step.policy is not None
        _names.append(plan_id)
        other = step.policy.model_copy(update={"name": f"{step.policy.name}-{len(_names)}"})
        return right(self, step.model_copy(update={"policy": other}), plan_id)

    return replaced((IamChanges, "_create", wrong))


_names: list[str] = []


def _no_fencing() -> AbstractContextManager[None]:
    def wrong(self: Any, plan: Plan, number: int, step: Step, *, token: int, now: Any) -> None:
        self._put_step(plan.plan_id, number, step, 1_000_000, now, outcome="")

    def note(self: Any, plan: Plan, number: int, step: Step, outcome: str, *, token: int, now: Any) -> None:
        self._put_step(plan.plan_id, number, step, 1_000_000, now, outcome=outcome)

    return replaced((Journal, "intend", wrong), (Journal, "note", note))


def _swallow_a_denied_rollback() -> AbstractContextManager[None]:
    right = TakingBack.carry_out

    def wrong(self: TakingBack) -> tuple[str, ...]:
        try:
            return right(self)
        except REFUSED:
            return ()

    return replaced((TakingBack, "carry_out", wrong))


def _errors_are_empty_usage() -> AbstractContextManager[None]:
    """What can't be read was not used: all but the first page of the ledger, and what IAM tells of last accesses."""
    right_usage, right_read = Planner.usage, LastAccessedReader.read

    def usage(self: Planner, identity_id: str) -> Any:
        found = right_usage(self, identity_id)
        kept = dict(sorted(found.entries.items())[:1])
        return type(found)(found.identity_id, kept, found.coverage)

    def read(self: LastAccessedReader, arn: str) -> LastAccessed:
        found = right_read(self, arn)
        return LastAccessed(dict.fromkeys(found.services, LastAccess()), {}, found.created_at)

    return replaced((Planner, "usage", usage), (LastAccessedReader, "read", read))


def _ignore_the_kill_switch() -> AbstractContextManager[None]:
    return replaced((Work, "is_off", lambda self: False))


def _ignore_protection() -> AbstractContextManager[None]:
    return replaced(
        (Work, "protection", lambda self, detail: None), (Remediation, "_protected", lambda self, detail: None)
    )


def _log_documents() -> AbstractContextManager[None]:
    right = Saga.apply

    def wrong(self: Saga, record: Any) -> Any:
        logger.info("applying", snapshot=record.snapshot.model_dump(mode="json"))
        return right(self, record)

    return replaced((Saga, "apply", wrong))


def _leave_policies_behind() -> AbstractContextManager[None]:
    return replaced(
        (IamChanges, "_delete", lambda self, arn: None),
        (OwnPolicies, "delete", lambda self, arn: True),
    )


def changes_iam(call: Call) -> bool:
    """Whether a call is a mutating one."""
    return call.changes_iam


HUMAN = ("human_changes_inline", "human_new_inline", "human_attach")
MUTANTS = (
    Mutant("remove before add", "I4", _remove_before_add, strategy="replace"),
    Mutant("skip the intent", "I10", _skip_the_intent),
    Mutant("ignore the fingerprint", "I6", _ignore_the_fingerprint, strategy="replace", kinds=HUMAN, at=changes_iam),
    Mutant("retry the creation with another name", "I10", _create_under_another_name),
    Mutant("no fencing", "I2", _no_fencing, strategy="replace", shape="managed", kinds=("lock_lost",)),
    Mutant("swallow a denied rollback", "I5", _swallow_a_denied_rollback, program=TAKE_BACK, kinds=("denied",)),
    Mutant("errors are empty usage", "I4", _errors_are_empty_usage),
    Mutant(
        "ignore the kill switch",
        "I8",
        _ignore_the_kill_switch,
        strategy="replace",
        shape="managed",
        kinds=("kill_switch",),
    ),
    Mutant("ignore protection", "I7", _ignore_protection, shape="break_glass"),
    Mutant("log documents", "I11", _log_documents),
    Mutant("leave policies behind", "I12", _leave_policies_behind, program=TAKE_BACK),
)
