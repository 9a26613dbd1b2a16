"""What people are told of the system: alarms, who set how far it may go, a trail that was tampered with. Pure."""

from services.auditor.telling.letter import Letter, utc
from services.auditor.telling.place import Place
from shared.events import AlarmChanged, AuditTrailBroken, ControlChanged
from shared.model.notification import Severity
from shared.model.plan import Mode

# a name that CloudFormation gave an alarm of a nested stack: <stack>-<nested>-<random>-<logical id>-<random>
STOPPED = (
    "nothing is planned, applied, given back or taken back any more, not by commands either; scores and verdicts go on"
)
MEANING = {
    Mode.OFF: STOPPED,
    Mode.OBSERVE: "plans are made and proven, and nothing is changed",
    Mode.APPROVE: "plans are made, and applied when a person approves them",
    Mode.AUTO: "plans are made, and applied by themselves when their notice is over",
}


TAMPERED = (
    "somebody with rights on the table or the bucket of anchors edited, removed or inserted entries, which no function "
    "of leastwise may do. A table that was restored from an older backup looks the same"
)
INVESTIGATE = (
    "find out by CloudTrail who but leastwise's functions wrote to the audit table or the anchors bucket; back the "
    "table up before anything is repaired"
)


def alarmed(event: AlarmChanged, place: Place) -> Letter:
    """An alarm that went off, with its own advice; or that is over."""
    if event.state == "ALARM":
        return Letter(
            label="alarm",
            severity=Severity.CRITICAL,
            subject=f"Alarm: {readable(event.alarm, place)}",
            lines=[
                ("Full name", event.alarm),
                ("What it means and what to do", event.advice or "the alarm has no description"),
                ("Why", event.reason),
                ("State", f"{event.state}, was {event.previous}, since {utc(event.occurred_at)}"),
                ("Next", "you are told when it is over"),
            ],
            steps=[("See the health of the system", place.command("status"))],
        )
    is_over = event.state == "OK"
    return Letter(
        label="alarm over",
        severity=Severity.INFO,
        subject=f"{'Alarm over' if is_over else 'Alarm without data'}: {readable(event.alarm, place)}",
        lines=[
            ("Full name", event.alarm),
            ("Why", event.reason),
            ("State", f"{event.state}, was {event.previous}, since {utc(event.occurred_at)}"),
        ],
        steps=[("See the health of the system", place.command("status"))],
    )


def readable(alarm: str, place: Place) -> str:
    """What an alarm is about, in words: its name without the stack's.

    >>> readable("leastwise/usage-dead-letters", Place("leastwise", ""))
    'usage dead letters'
    """
    return alarm.removeprefix(f"{place.stack_name}/").replace("-", " ")


def controlled(event: ControlChanged, place: Place) -> Letter:
    """Somebody set the mode or the safeguards: who, what it means, and how to set it back."""
    return _safeguarded(event, place) if event.control == "safeguards" else _mode_set(event, place)


def _mode_set(event: ControlChanged, place: Place) -> Letter:
    stops = event.mode in {None, Mode.OFF} or event.set_to in {Mode.OFF, "none", "deleted"}
    means = MEANING[event.mode] if event.mode else f"the parameter holds no mode, which counts as off: {STOPPED}"
    back = place.ssm("put-parameter", place.mode_parameter, "--value", "MODE", "--type", "String", "--overwrite")
    return Letter(
        label="kill switch" if stops else "mode changed",
        severity=Severity.CRITICAL if stops else Severity.WARNING,
        subject=_of_mode(event),
        lines=[
            ("What", f"{_done(event)}; it is {event.mode or 'none'} now"),
            ("Who did that", event.by),
            ("Effect", means),
            ("If that was not wanted", f"MODE below is one of {', '.join(Mode)}; the history says what it was before"),
        ],
        steps=[
            ("See what it was before", place.ssm("get-parameter-history", place.mode_parameter)),
            ("Set it again", back),
        ],
    )


def _of_mode(event: ControlChanged) -> str:
    """What this call did, and what is in force where that is something else: others may have set it since."""
    by, now = _short(event.by), event.mode or "none"
    if event.set_to is None:
        return f"Mode is {now} after a change by {by}"
    what = "Mode deleted" if event.set_to == "deleted" else f"Mode set to {event.set_to}"
    if event.mode is not (event.set_to if isinstance(event.set_to, Mode) else None):
        return f"{what}, and is {now} now: by {by}"
    if event.mode is Mode.OFF:
        return f"Kill switch: remediation is off, set by {by}"
    if event.mode is None:
        return f"Mode {'deleted' if event.set_to == 'deleted' else 'unreadable'}: remediation has stopped, set by {by}"
    return f"{what}, by {by}"


def _done(event: ControlChanged) -> str:
    match event.set_to:
        case None:
            return "the mode was changed; what to is not known, as CloudTrail does not say or that version is gone"
        case "deleted":
            return "the mode's parameter was deleted"
        case "none":
            return "the mode was set to what is no mode"
        case mode:
            return f"the mode was set to {mode}"


def _safeguarded(event: ControlChanged, place: Place) -> Letter:
    parameter = place.safeguards_parameter
    return Letter(
        label="safeguards changed",
        severity=Severity.WARNING,
        subject=f"Safeguards changed by {_short(event.by)}",
        lines=[
            ("What", "who is exempt, when nothing is changed, and what is always kept may be different now"),
            ("Who set it", event.by),
            ("Effect", "counts at once; where they are gone or can't be read, nothing is changed for anybody"),
        ],
        steps=[
            ("See what they are and were", place.ssm("get-parameter-history", parameter)),
            ("See whether the system can read them", place.command("status")),
        ],
    )


def broken(event: AuditTrailBroken, place: Place) -> Letter:
    """The audit trail does not verify: which chain and entry, and what that may mean."""
    is_of_anchors = event.chain.endswith("/anchors")
    where = f"the anchors of {event.account_id}" if is_of_anchors else f"chain {event.chain}"
    if event.sequence is not None:
        where += f", {'anchor' if is_of_anchors else 'entry'} {event.sequence}"
    return Letter(
        label="audit trail broken",
        severity=Severity.CRITICAL,
        subject=f"Audit trail broken: {where}",
        lines=[
            ("What", event.message),
            ("Where", f"{where}, found to be {event.fault}"),
            (
                "What it may mean",
                TAMPERED,
            ),
            ("Effect", "permissions and plans are not affected: nothing decides from the audit trail"),
            (
                "What to do",
                INVESTIGATE,
            ),
            ("Next", "this is told once; every later anchor keeps the finding"),
        ],
        steps=[("Verify the whole trail", place.command("audit", "verify"))],
    )


def _short(arn: str) -> str:
    """Who it was, in as few letters as say it: a subject has few."""
    return arn.rsplit(":", 1)[-1]
