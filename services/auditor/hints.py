"""What AWS tells of the system itself: alarms of the stack, and calls that set how far it may go. Pure.

Sources: CloudWatch User Guide, "Alarm events and EventBridge"; EventBridge User Guide, "AWS service events
delivered via AWS CloudTrail"; Systems Manager API reference, PutParameter, DeleteParameter, DeleteParameters.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from shared.envelope import Envelope, describe
from shared.errors import InputError
from shared.events import AlarmChanged, ControlChanged, event_id_of
from shared.model.plan import Mode

ALARM_CHANGE = ("aws.cloudwatch", "CloudWatch Alarm State Change")
CALL = ("aws.ssm", "AWS API Call via CloudTrail")
CHANGES = frozenset({"PutParameter", "DeleteParameter", "DeleteParameters"})
MAX_TEXT = 1_024  # characters: of an alarm's description, by the CloudWatch API
MAX_VERSION = 2**63  # which is a long
MAX_NAMED = 256  # characters of who made a call
SOON = timedelta(minutes=1)  # so close to the time that CloudTrail says, Systems Manager makes a call's version

Control = Literal["mode", "safeguards"]
Text = Annotated[str, StringConstraints(strip_whitespace=True)]


class Watched(NamedTuple):
    """What of all that the default bus tells is about this stack."""

    stack_name: str
    region: str
    mode_parameter: str
    safeguards_parameter: str

    def control_of(self, parameter: str) -> Control | None:
        """Which of the two parameters this is, by name or ARN; None for any other."""
        name = "/" + parameter.partition(":parameter/")[2] if parameter.startswith("arn:") else parameter
        controls: dict[str, Control] = {self.mode_parameter: "mode", self.safeguards_parameter: "safeguards"}
        return controls.get(name) or controls.get("/" + name) or controls.get(name.removeprefix("/"))


class Ignored(NamedTuple):
    """A hint that is about something else, and why."""

    reason: str


class ControlHint(NamedTuple):
    """Somebody changed one of the two parameters; what they set it to, and what it is now, must be read.

    `version` is the one that the call made, None where the record doesn't say or the parameter was deleted.
    """

    control: Control
    by: str
    call_id: str
    at: AwareDatetime
    deleted: bool = False
    version: int | None = None

    def made(self, version: int, made_at: datetime) -> bool:
        """Whether this call made a version: one that was deleted leaves its number to another."""
        return version == self.version and abs(made_at - self.at) <= SOON

    def event(self, account_id: str, *, now: str | None = None, then: str | None = None) -> ControlChanged:
        """The event that tells it; `now` is what was read since, `then` what the call set, None where there is none."""
        set_to: Mode | Literal["none", "deleted"] | None = None
        if self.control == "mode":
            set_to = "deleted" if self.deleted else None if then is None else mode_of(then) or "none"
        return ControlChanged(
            event_id=event_id_of("ControlChanged", account_id, self.control, self.call_id),
            occurred_at=self.at,
            account_id=account_id,
            control=self.control,
            mode=mode_of(now),
            by=self.by,
            set_to=set_to,
        )


def mode_of(value: str | None) -> Mode | None:
    """The mode that a parameter's value is; None where it is none, which counts as off."""
    return Mode(value) if value in set(Mode) else None


class _Detail(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel)


class _State(_Detail):
    value: Literal["ALARM", "OK", "INSUFFICIENT_DATA"]
    reason: Text = ""
    timestamp: AwareDatetime


class _PreviousState(_Detail):
    value: Literal["ALARM", "OK", "INSUFFICIENT_DATA"]


class _Configuration(_Detail):
    description: Text = ""


class _Alarm(_Detail):
    alarm_name: Text = Field(min_length=1, max_length=255)
    state: _State
    previous_state: _PreviousState = _PreviousState(value="INSUFFICIENT_DATA")
    configuration: _Configuration = _Configuration()


class _Caller(_Detail):
    type: Text = Field(min_length=1)
    arn: Text = ""
    invoked_by: Text = ""


class _Named(_Detail):
    name: Text = ""
    names: tuple[Text, ...] = ()


class _Call(_Detail):
    event_id: str = Field(alias="eventID", min_length=1, max_length=64)
    event_time: AwareDatetime
    event_source: str
    event_name: str
    error_code: str | None = None
    user_identity: _Caller
    request_parameters: _Named | None = None
    response_elements: Any = None

    def version(self) -> int | None:
        """The version of a parameter that the call made; None where the record doesn't say."""
        answer = self.response_elements
        version = answer.get("version") if isinstance(answer, dict) else None
        return version if type(version) is int and 0 < version < MAX_VERSION else None


Detail = TypeVar("Detail", bound=_Detail)


def is_hint(envelope: Envelope) -> bool:
    """Whether an envelope is of AWS, and so none of our own events."""
    return envelope.source.startswith("aws.")


def hints_of(envelope: Envelope, watched: Watched) -> tuple[AlarmChanged | ControlHint | Ignored, ...]:
    """What a hint tells; one call can change both parameters.

    Raises InputError for what is not of the documented form.
    """
    if envelope.region != watched.region:
        return (Ignored("it comes from another region"),)
    kind = (envelope.source, envelope.detail_type)
    if kind == ALARM_CHANGE:
        return (_alarm(_read(_Alarm, envelope), envelope.account, watched),)
    if kind == CALL:
        return tuple(_call(_read(_Call, envelope), watched))
    return (Ignored("it is neither of an alarm nor of a call"),)


def _alarm(alarm: _Alarm, account_id: str, watched: Watched) -> AlarmChanged | Ignored:
    if not alarm.alarm_name.startswith(f"{watched.stack_name}/"):
        return Ignored("the alarm is none of this stack")
    state = alarm.state
    return AlarmChanged(
        event_id=event_id_of("AlarmChanged", account_id, alarm.alarm_name, state.value, state.timestamp.isoformat()),
        occurred_at=state.timestamp,
        account_id=account_id,
        alarm=alarm.alarm_name,
        state=state.value,
        previous=alarm.previous_state.value,
        reason=state.reason[:MAX_TEXT],
        advice=alarm.configuration.description[:MAX_TEXT],
    )


def _call(call: _Call, watched: Watched) -> Iterator[ControlHint | Ignored]:
    if call.event_source != "ssm.amazonaws.com" or call.event_name not in CHANGES:
        yield Ignored("the call changes no parameter")
        return
    if call.error_code:
        yield Ignored("the call failed, and changed nothing")
        return
    asked = call.request_parameters or _Named()
    found = {control for name in (asked.name, *asked.names) if (control := watched.control_of(name))}
    if not found:
        yield Ignored("the call changes another parameter")
    caller = call.user_identity
    by = (caller.arn or caller.invoked_by or caller.type)[:MAX_NAMED]
    deleted = call.event_name != "PutParameter"
    for control in sorted(found):
        yield ControlHint(
            control, by, call.event_id, call.event_time, deleted=deleted, version=None if deleted else call.version()
        )


def _read(model: type[Detail], envelope: Envelope) -> Detail:
    detail: dict[str, Any] = envelope.detail
    try:
        return model.model_validate(detail)
    except ValidationError as error:
        raise InputError(f"not a valid {envelope.detail_type}: {describe(error)}") from None
