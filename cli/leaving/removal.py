"""Carrying the removal out: give everything back, see that nothing of ours is left, then delete the stack.

Each step looks anew at what is there, so that a removal that was interrupted is simply started again. Identities are
changed by the stack's own function that gives back, under its gates and its journal, and by nothing here.
"""

import time
from collections.abc import Callable, Collection
from typing import NamedTuple

from cli.leaving.deciding import IN_FORCE, Fate, Step, steps_of, undecided
from cli.leaving.looking import facts_of
from shared.aws.deployed_account import DeployedAccount
from shared.aws.deployment import Deployment
from shared.aws.mode_setting import set_mode
from shared.aws.own_policies import OwnPolicies
from shared.aws.ssm import read_text
from shared.aws.stack_removal import StackState, delete_stack, function_exists, state_of
from shared.errors import DependencyError, InputError, NotFoundError, SafetyError
from shared.model.plan import Mode

GIVES = "RestoreRequestFunctionName"
ROUNDS = 4  # of giving back: an identity may be locked, and another plan may stand on one
PAUSE_SECONDS = 20.0  # between rounds
SETTLE_SECONDS = 20.0  # after the mode is off: longer than one call to IAM takes, and than IAM's reads lag behind
POLL_SECONDS = 10.0
DELETION_POLLS = 270  # 45 minutes

Tell = Callable[[str], None]


class Removal(NamedTuple):
    """One removal of one stack; `tell` gets a line for each thing done, `keep` are ARNs that stay as they are."""

    account: DeployedAccount
    deployment: Deployment
    keep: Collection[str]
    tell: Tell
    sleep: Callable[[float], None] = time.sleep

    def look(self) -> tuple[Step, ...]:
        """What is left to do, as it is now."""
        return steps_of(facts_of(self.account), self.keep)

    def carry_out(self) -> None:
        """Do it all. Raises SafetyError, with the stack in place, where something of ours can't be taken off.

        Raises DependencyError or InputError where AWS fails or refuses; starting again goes on.
        """
        state, name = self.state(), self.account.stack_name
        if not state.at_rest:
            raise DependencyError(f"stack {name} is {state.status}: start this again when that is over")
        if state.is_protected:
            raise InputError(f"stack {name} is protected against termination: nothing was changed")
        self._clear(may_be_half_gone=state.stuck)
        delete_stack(self.account.client("cloudformation"), state.arn)
        self.tell(f"stack {name}: its deletion has begun")
        self.wait_until_gone(state.arn)

    def state(self) -> StackState:
        """How the stack stands."""
        return state_of(self.account.client("cloudformation"), self.account.stack_name)

    def wait_until_gone(self, arn: str) -> None:
        """Wait for CloudFormation. Raises DependencyError where it fails, or takes longer than is waited."""
        for _ in range(DELETION_POLLS):
            state = state_of(self.account.client("cloudformation"), arn)
            if state.is_gone:
                self.tell(f"stack {self.account.stack_name}: deleted")
                return
            if not state.is_going:
                raise DependencyError(f"stack {self.account.stack_name} is {state.status}: {state.reason}")
            self.sleep(POLL_SECONDS)
        raise DependencyError(f"stack {self.account.stack_name} is still being deleted: start this again to wait on")

    def refuse_leftovers(self) -> None:
        """Say what is left below our path of a stack that somebody else deleted: nobody knows what that gave back.

        Raises SafetyError where anything is.
        """
        arns = [policy.arn for policy in OwnPolicies(self.account.client("iam")).list() if policy.arn not in self.keep]
        if arns:
            said = "This is still there, of this stack or of another; no function is left that could give back:"
            raise SafetyError("\n".join([said, *arns]))

    def _clear(self, *, may_be_half_gone: bool) -> None:
        """Leave nothing of ours in IAM but what is kept.

        A stack whose deletion failed half way may have lost its functions or its mode, which is not made anew then.
        """
        if not may_be_half_gone or self._has_function():
            self._give_everything_back()
        if not may_be_half_gone or self._mode() is not None:
            self._set(Mode.OFF)
            self.sleep(SETTLE_SECONDS)
        left = self.look()
        _refuse_undecided(left)
        if waiting := [step for step in left if step.fate is Fate.GIVE_BACK]:
            raise SafetyError(_left("was changed meanwhile, or not given back", waiting))
        self._delete([step.arn for step in left if step.fate is Fate.DELETE])
        if still := [step for step in self.look() if step.fate is not Fate.KEEP]:
            raise SafetyError(_left("is still there: IAM may lag behind, start this again", still))

    def _give_everything_back(self) -> None:
        """Roll every plan back; in the mode observe nothing new is applied, and undoing works."""
        steps = self.look()
        _refuse_undecided(steps)
        if not any(step.fate is Fate.GIVE_BACK for step in steps):
            return
        if self._mode() == Mode.OFF:
            raise SafetyError("the kill switch is thrown, which stops rollbacks as well: set the mode to observe first")
        self._set(Mode.OBSERVE)
        trouble: dict[str, str] = {}
        for number in range(ROUNDS):
            if number:
                self.sleep(PAUSE_SECONDS)
            waiting = [step for step in self.look() if step.fate is Fate.GIVE_BACK]
            if not waiting:
                return
            trouble = {step.plan_id: self._give_back(step) for step in waiting if self._is_open(step)}
        left = [step for step in self.look() if step.fate is Fate.GIVE_BACK]
        if left:
            raise SafetyError(_left("could not be given back", [_because(step, trouble) for step in left]))

    def _is_open(self, step: Step) -> bool:
        """Whether a plan is still in force: one that amends another goes with that one."""
        record = self.account.journal.get(step.plan_id)
        return record is not None and record.status in IN_FORCE

    def _give_back(self, step: Step) -> str:
        """Ask for one rollback; what came of it, which the next look at journal and IAM judges."""
        payload = {"action": "rollback", "plan_id": step.plan_id, "trigger": "command", "by": self.deployment.caller()}
        try:
            answer = self.deployment.invoke(GIVES, payload)
            outcome = f"{answer['outcome']}{': ' if answer['detail'] else ''}{answer['detail']}"
        except (DependencyError, InputError) as error:
            outcome = str(error)
        record = self.account.journal.get(step.plan_id)
        drift = "".join(f"; {line}" for line in record.drift) if record else ""
        self.tell(f"{step.arn}: plan {step.plan_id}: {outcome}{drift}")
        return outcome

    def _delete(self, arns: Collection[str]) -> None:
        policies = OwnPolicies(self.account.client("iam"))
        for arn in arns:
            self.tell(f"{arn}: {'deleted' if policies.delete(arn) else 'held by somebody, not deleted'}")

    def _mode(self) -> str | None:
        """What the mode's parameter holds; None where it is gone. Raises DependencyError where it can't be read."""
        try:
            return read_text(self.account.client("ssm"), self.account.output("ModeParameterName"))
        except NotFoundError:
            return None

    def _has_function(self) -> bool:
        """Whether the function that gives back is still there. Raises DependencyError where that can't be read."""
        return function_exists(self.account.client("lambda"), self.account.output(GIVES))

    def _set(self, mode: Mode) -> None:
        set_mode(self.account.client("ssm"), self.account.output("ModeParameterName"), mode)
        self.tell(f"mode: {mode}")


def _because(step: Step, trouble: dict[str, str]) -> Step:
    return step._replace(why=trouble.get(step.plan_id, step.why))


def _refuse_undecided(steps: tuple[Step, ...]) -> None:
    if open_questions := undecided(steps):
        raise SafetyError(_left("needs a decision: take it off by hand, or name it with --keep", open_questions))


def _left(what: str, steps: Collection[Step]) -> str:
    lines = [f"{step.arn} ({step.why})" for step in steps]
    return f"the stack stays. What {what}:\n" + "\n".join(lines)
