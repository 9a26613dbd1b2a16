"""Asks AWS, with the caller's own permissions, how account and stack are set up, and has each subject judged.

Everything is read and nothing changed. Subjects are asked at the same time; one that can't be asked hides no other.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple

from cli.asking import Place
from cli.checkups import account_checkup, stack_checkup
from cli.checkups.caller import judge_caller
from cli.checkups.finding import Finding, Level, Where, worst_first
from cli.checkups.stack import STATE
from shared.aws.deployed_account import DeployedAccount, StackFacts
from shared.aws.permission_simulation import caller_arn
from shared.errors import CallerError, InputError, LeastwiseError, NotFoundError

ASKERS = 8


class Examination(NamedTuple):
    """What was found, the worst first; `stack_name` is empty where no stack was looked at."""

    caller: str
    where: Where
    stack_name: str
    findings: tuple[Finding, ...]

    @property
    def level(self) -> Level:
        """The worst that was found."""
        return self.findings[0].level

    @property
    def is_incomplete(self) -> bool:
        """Whether something that everything rests on could not be asked."""
        return any(one.level is Level.UNKNOWN and one.check.is_essential for one in self.findings)


def examine_all(place: Place, *, is_before_deployment: bool, now: datetime) -> Examination:
    """Check the account, and the stack unless it is still to come. Raises CallerError where nothing can be asked."""
    account = place.account
    caller = caller_arn(account.client("sts"))
    _, partition, _, _, account_id, _ = caller.split(":", 5)
    where = Where(partition, account_id, account.client("cloudtrail").meta.region_name, place.profile)
    stack, first = (None, []) if is_before_deployment else _stack(account, where)
    first += judge_caller(caller, where, is_deployed=stack is not None)
    tasks = [*account_checkup.tasks(account, place, stack, where, caller, now=now)]
    if stack:
        tasks += stack_checkup.tasks(account, stack, where, now=now)
    findings = worst_first([*first, *_at_once(tasks)])
    return Examination(caller, where, "" if is_before_deployment else account.stack_name, tuple(findings))


def _stack(account: DeployedAccount, where: Where) -> tuple[StackFacts | None, list[Finding]]:
    """What the stack says of itself; None with a finding where there is no such stack, or it can't be asked."""
    try:
        return account.stack, []
    except CallerError:
        raise
    except (InputError, NotFoundError) as error:
        advice = "Name it with --stack-name and --region; before the first deployment check with --before-deploy."
        return None, [STATE.fail(str(error), advice, where.aws("cloudformation", "list-stacks"))]
    except LeastwiseError as error:
        return None, [STATE.unknown(f"could not ask: {error}")]


def _at_once(tasks: Iterable[Callable[[], list[Finding]]]) -> list[Finding]:
    """Run the tasks at the same time; findings are in the tasks' order."""
    with ThreadPoolExecutor(ASKERS) as pool:
        running = [pool.submit(task) for task in tasks]
        return [finding for task in running for finding in task.result()]
