"""The stack itself: deployed whole, with controls that can be read, and nothing that waits for a person."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from cli.checkups.finding import Check, Finding, Where
from shared.errors import LeastwiseError, SettingsError
from shared.model.account_setup import AlarmState
from shared.model.plan import Mode
from shared.model.safeguards import Safeguards, parse_safeguards

LONG_SILENT = timedelta(days=2)
GOOD = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
# CloudFormation goes on by itself from these; what they leave behind is as good as before.
AT_WORK = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"})
ROLLED_BACK = "UPDATE_ROLLBACK_COMPLETE"

STATE = Check(
    "stack.state",
    "The stack is deployed",
    "A deployment that failed may leave functions of two versions.",
    "README.md#deploy",
    is_essential=True,
)
MODE = Check(
    "stack.mode",
    "The mode can be read",
    "It is the kill switch: where it can't be read, nothing is changed.",
    "README.md#modes",
    is_essential=True,
)
SAFEGUARDS = Check(
    "stack.safeguards",
    "The safeguards can be read",
    "Where they can't be read in full, nothing is changed for anybody.",
    "README.md#exempt-hold-keep",
)
QUEUES = Check(
    "stack.dead-letters",
    "No message waits in a dead-letter queue",
    "What waits there was not done: usage that is missing, a score that is old, a change that stands still.",
    "docs/faults.md",
)
ALARMS = Check(
    "stack.alarms",
    "No alarm is on",
    "Each alarm is about something that stands still.",
    "docs/faults.md",
)


def judge_state(status: str, name: str, where: Where) -> Iterator[Finding]:
    """Judge the state that CloudFormation gives."""
    events = where.aws(
        *("cloudformation", "describe-stack-events", "--stack-name", name),
        *("--query", "StackEvents[?ends_with(ResourceStatus, 'FAILED')].[LogicalResourceId,ResourceStatusReason]"),
    )
    if status in GOOD:
        yield STATE.ok(f"{name} is {status}")
    elif status in AT_WORK:
        yield STATE.warn(f"{name} is {status}", "Wait until CloudFormation is done, then check again.")
    elif status == ROLLED_BACK:
        yield STATE.warn(f"{name} is {status}", "The last deployment was undone: look why, and deploy again.", events)
    else:
        yield STATE.fail(f"{name} is {status or 'in no state'}", "Look why, and deploy again.", events)


def judge_mode(mode: Mode | SettingsError, parameter: str, where: Where) -> Iterator[Finding]:
    """Judge the mode, or why the parameter's value is none."""
    if isinstance(mode, SettingsError):
        put = where.aws("ssm", "put-parameter", "--name", parameter, "--value", "observe", "--overwrite")
        yield MODE.fail(str(mode), "Nothing is changed until it is set.", put)
    elif mode is Mode.OFF:
        yield MODE.warn("off: the kill switch", "Nothing is changed until somebody sets another mode.")
    else:
        yield MODE.ok(mode.value)


def judge_safeguards(text: str, parameter: str, where: Where) -> Iterator[Finding]:
    """Judge the safeguards' JSON."""
    try:
        safeguards = parse_safeguards(text)
    except LeastwiseError as error:
        show = where.aws("ssm", "get-parameter", "--name", parameter, "--query", "Parameter.Value", "--output", "text")
        put = where.aws("ssm", "put-parameter", "--name", parameter, "--value", "file://safeguards.json", "--overwrite")
        yield SAFEGUARDS.fail(str(error), "Nothing is changed until they are mended.", show, put)
        return
    yield SAFEGUARDS.ok(_counted(safeguards))


def judge_queues(waiting: Mapping[str, int], arn_of: Callable[[str], str], where: Where) -> Iterator[Finding]:
    """Judge dead-letter queues, by the stack's outputs that name them, with how many messages wait in each."""
    full = {queue: count for queue, count in sorted(waiting.items()) if count}
    if not full:
        yield QUEUES.ok(f"none in any of {len(waiting)}")
        return
    told = ", ".join(f"{queue.removesuffix('Url')}: {count:,}" for queue, count in full.items())
    advice = "Read the function's log for the reason, mend it, then send the messages back."
    moves = (where.aws("sqs", "start-message-move-task", "--source-arn", arn_of(queue)) for queue in full)
    yield QUEUES.fail(told, advice, *moves)


def judge_alarms(alarms: Sequence[AlarmState], *, now: datetime, where: Where) -> Iterator[Finding]:
    """Judge the stack's alarms: those that are on, those that were silenced, those that know nothing for days."""
    on = [alarm for alarm in alarms if alarm.state == "ALARM"]
    silenced = [alarm for alarm in alarms if not alarm.is_active]
    blind = [alarm for alarm in alarms if alarm.state == "INSUFFICIENT_DATA" and now - alarm.since > LONG_SILENT]
    if on:
        yield ALARMS.fail("; ".join(alarm.name for alarm in on), " ".join(f"{one.name}: {one.advice}" for one in on))
    elif not alarms:
        yield ALARMS.warn("there are no alarms", "Deploy the stack again from its template.")
    elif silenced:
        enable = where.aws("cloudwatch", "enable-alarm-actions", "--alarm-names", *(one.name for one in silenced))
        told = f"{', '.join(one.name for one in silenced)} would tell nobody"
        yield ALARMS.warn(told, "Somebody turned their actions off: turn them on.", enable)
    elif blind:
        told = f"{', '.join(alarm.name for alarm in blind)} had no data for {LONG_SILENT.days} days"
        yield ALARMS.warn(told, "Does what they watch still run? Look at the function's log.")
    else:
        yield ALARMS.ok(f"none of {len(alarms)}")


def _counted(safeguards: Safeguards) -> str:
    counts = {
        "exemptions": len(safeguards.exemptions),
        "holds": len(safeguards.holds),
        "actions always kept": len(safeguards.always_keep),
        "peer groups": len(safeguards.peer_groups),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "none are set"
