"""Whether the system is at work: its mode, sweeps, queues, alarms and notifications. Pure."""

from datetime import datetime, timedelta

from cli.health.facts import Alarm, Depth, Facts
from cli.health.lines import Level, Line, counted
from cli.health.times import overdue_after, told
from shared.model.plan import Mode
from shared.model.sweep import SweepProgress

STALE_SCORES = timedelta(hours=48)  # from which on a score is neither judged nor acted on
MANY_MESSAGES = 1_000  # that wait in a queue: its function does not keep up
LATE_NOTIFICATION = timedelta(minutes=15)  # three runs of what sends them

_MODES = {
    Mode.OFF: "off: the kill switch is on, and nothing is changed in IAM",
    Mode.OBSERVE: "observe: plans are computed and recorded, and nothing is changed in IAM",
    Mode.APPROVE: "approve: a person approves each plan",
    Mode.AUTO: "auto: plans are applied once their notice period is over",
}


def mode_line(facts: Facts, mode: Mode) -> Line:
    """How far remediation may go; a kill switch that is on is to be noticed."""
    values = {"mode": mode.value, "kill_switch": mode is Mode.OFF}
    if mode is not Mode.OFF:
        return Line("mode", Level.OK, _MODES[mode], values=values)
    advice = f"once it is safe, set the parameter {facts.mode_parameter} to observe, approve or auto"
    return Line("mode", Level.WARN, _MODES[mode], advice, values)


def sweep_line(facts: Facts, sweep: SweepProgress | None) -> Line:
    """When the whole account was scored last, and whether that is long ago for its schedule."""
    schedule = facts.parameters.get("SweepSchedule", "")
    run = f"`leastwise sweep{facts.options}` runs one now"
    if sweep is None:
        return Line("sweep", Level.WARN, "there has been none yet", run, {"finished_at": None, "schedule": schedule})
    ended = sweep.finished_at
    values = {
        "started_at": _text(sweep.started_at),
        "finished_at": _text(ended) if ended else None,
        "seconds": round(sweep.seconds, 3),
        "identities": sweep.identities,
        "failures": sweep.failures,
        "schedule": schedule,
    }
    age = facts.now - (ended or sweep.started_at)
    seen = f"{counted(sweep.identities, 'identity', 'identities')}, {counted(sweep.failures, 'failure')}"
    if ended:
        text = f"finished {told(age)} ago, took {_seconds(sweep.seconds)}: {seen}"
    else:
        state = "at work" if sweep.is_leased(facts.now) else "interrupted"
        text = f"begun {told(age)} ago, {state}: {seen} so far"
    log = "the log of the sweep's function tells why"
    if age > STALE_SCORES:
        return Line("sweep", Level.BAD, text, f"scores this old are not acted on; {run}; {log}", values)
    if age > overdue_after(schedule):
        return Line("sweep", Level.WARN, f"overdue: {text}", f"{run}; {log}", values)
    if not ended and not sweep.is_leased(facts.now):
        return Line("sweep", Level.WARN, text, f"the next one goes on with it; {run}; {log}", values)
    if sweep.failures:
        return Line("sweep", Level.WARN, text, "the log of the sweep's function names them and says why", values)
    return Line("sweep", Level.OK, text, values=values)


def queue_lines(_: Facts, queues: tuple[Depth, ...]) -> tuple[Line, ...]:
    """How many messages wait, and a line for each dead-letter queue that holds any."""
    live = [queue for queue in queues if not queue.dead]
    full = [queue for queue in live if queue.waiting >= MANY_MESSAGES]
    values = {
        queue.name: {"waiting": queue.waiting, "in_work": queue.in_work, "delayed": queue.delayed} for queue in live
    }
    waiting, work = sum(queue.waiting for queue in live), sum(queue.in_work for queue in live)
    delayed = sum(queue.delayed for queue in live)
    where = f"in {counted(len(live), 'queue')}"
    text = f"{counted(waiting, 'message')} waiting, {work:,} in work, {delayed:,} for later, {where}"
    if full:
        text += "; most: " + ", ".join(f"{queue.name} {queue.waiting:,}" for queue in full)
    advice = "the function behind it does not keep up: its alarms and its log tell why" if full else ""
    first = Line("queues", Level.WARN if full else Level.OK, text, advice, values)
    return (first, *_dead_lines([queue for queue in queues if queue.dead]))


def _dead_lines(queues: list[Depth]) -> tuple[Line, ...]:
    holding = [queue for queue in queues if queue.waiting + queue.in_work]
    if not holding:
        text = f"{counted(len(queues), 'queue')}, all empty" if queues else "the stack names none"
        return (Line("dead letters", Level.OK, text, values={queue.name: 0 for queue in queues}),)
    advice = "read a message and the function's log for the reason, mend it, then redrive the queue"
    return tuple(
        Line(
            "dead letters",
            Level.BAD,
            f"{queue.name} holds {counted(queue.waiting + queue.in_work, 'message')} that could not be handled",
            advice,
            {queue.name: queue.waiting + queue.in_work},
        )
        for queue in holding
    )


def alarm_lines(facts: Facts, alarms: tuple[Alarm, ...]) -> tuple[Line, ...]:
    """A line for each alarm that rings, with what its own text says to do."""
    if not alarms:
        return (Line("alarms", Level.OK, "none rings", values={"alarms": []}),)
    return tuple(
        Line(
            "alarms",
            Level.BAD,
            f"{alarm.name} rings since {told(facts.now - alarm.since)}",
            alarm.advice,
            {"alarm": alarm.name, "since": _text(alarm.since)},
        )
        for alarm in alarms
    )


def notification_line(facts: Facts, kept: tuple[datetime, ...]) -> Line:
    """Whether messages to people wait for longer than they should."""
    if not kept:
        return Line("notifications", Level.OK, "none waits", values={"waiting": 0, "oldest": None})
    oldest = min(kept)
    age = facts.now - oldest
    text = f"{counted(len(kept), 'message')} to people waiting, the oldest for {told(age)}"
    values = {"waiting": len(kept), "oldest": _text(oldest)}
    if age <= LATE_NOTIFICATION:
        return Line("notifications", Level.OK, text, values=values)
    advice = "SNS does not take them: the log of the notify function tells why; nothing is lost"
    return Line("notifications", Level.WARN, text, advice, values)


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else told(timedelta(seconds=seconds))  # noqa: PLR2004 two minutes


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
