"""The event bus: what CloudTrail, AWS Config and PutEvents put on it, and which rules get it.

ministack dispatches only to rules in state ENABLED, ignores the state that also delivers read-only management events,
drops what it can't deliver although the target names a dead-letter queue, and overwrites the time of an event.
"""

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import eventbridge, lambda_svc, sns, sqs

from infra.local.emulator.clock import epoch_from_text, epoch_now
from infra.local.emulator.errors import AwsError
from infra.local.emulator.gateway import add_json_operations, run_on_loop

Event = dict[str, Any]
Observer = Callable[[Event], None]

CLOUDTRAIL_CALL = "AWS API Call via CloudTrail"
DELIVERS_ALL = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
MAX_ENTRIES = 10
_READ_PREFIXES = ("Get", "List", "Describe")

logger = logging.getLogger("leastwise.local.events")


class EventBus:
    """The default bus and its rules; `observers` see every event of the default bus before the rules do."""

    def __init__(self) -> None:
        self.observers: list[Observer] = []
        self._deliver = eventbridge._invoke_target

    def install(self) -> None:
        """Take over PutEvents, and two functions of ministack that no table leads to.

        `_dispatch_event` is replaced because the rule state is compared inside it; `_invoke_target` is wrapped because
        it swallows failed deliveries, which belong into the target's dead-letter queue.
        """
        eventbridge._dispatch_event = self._dispatch
        eventbridge._invoke_target = self._deliver_or_dead_letter
        add_json_operations("events", {"PutEvents": self.put_events})

    def put_events(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer PutEvents, and accept sources that begin with `aws.` on the default bus.

        AWS refuses those sources from its customers. Here they stand in for CloudTrail's delivery: a recorded API call
        is replayed by putting it on the default bus as CloudTrail would have.
        """
        entries = request.get("Entries") or []
        if not 1 <= len(entries) <= MAX_ENTRIES:
            raise AwsError("ValidationException", f"Entries must have 1 to {MAX_ENTRIES} members")
        results = [self._accept(entry) for entry in entries]
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def publish(self, source: str, detail_type: str, detail: dict[str, Any], resources: Iterable[str] = ()) -> None:
        """Put an event of an AWS service on the default bus of the current account and region, from any thread."""
        entry = {
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
            "Resources": list(resources),
        }
        event = _new_event(entry, "default", epoch_now())
        run_on_loop(lambda: self._dispatch(event))

    def publish_in(self, region: str, source: str, detail_type: str, detail: dict[str, Any]) -> None:
        """Put an event on the default bus of a region: global services such as IAM report to one region only."""
        with request_scope(get_account_id(), region):
            self.publish(source, detail_type, detail)

    def _accept(self, entry: dict[str, Any]) -> dict[str, Any]:
        bus, bus_error = eventbridge._event_bus_name_from_ref(entry.get("EventBusName") or "default")
        if bus_error:
            return {"ErrorCode": bus_error[0], "ErrorMessage": bus_error[1]}
        problem = _entry_problem(entry, bus)
        if problem:
            return {"ErrorCode": problem[0], "ErrorMessage": problem[1]}
        when = entry.get("Time")
        if isinstance(when, str):
            when = epoch_from_text(when)
        event = _new_event(entry, bus, when or epoch_now())
        self._dispatch(event)
        eventbridge._archive_event(event)
        return {"EventId": event["EventId"]}

    def _dispatch(self, event: Event, view: Any = None) -> None:
        bus = event.get("EventBusName", "default")
        view = view or eventbridge._pattern_event_view(event)
        if bus == "default":
            for observer in self.observers:
                observer(view.event_with_detail())
        already_dispatched = set(event.get("_DispatchPath") or [])
        for key, rule in list(eventbridge._rules.items()):
            if rule.get("EventBusName", "default") != bus or key in already_dispatched:
                continue
            if not rule.get("EventPattern") or not _delivers(str(rule.get("State")), view.event_with_detail()):
                continue
            if eventbridge._matches_pattern_view(rule["EventPattern"], view, f"rule {key}"):
                for target in eventbridge._targets.get(key, []):
                    self._deliver_or_dead_letter(target, event, rule, view)

    def _deliver_or_dead_letter(self, target: dict[str, Any], event: Event, rule: dict[str, Any], view: Any) -> None:
        failure = _delivery_failure(target.get("Arn", ""))
        if failure is None:
            self._deliver(target, event, rule, view)
            return
        logger.warning("rule %s can't deliver to %s: %s", rule.get("Name"), target.get("Arn"), failure)
        dead_letter_queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        if dead_letter_queue:
            _send_to_dead_letter_queue(dead_letter_queue, json.dumps(view.event_with_detail()), target, rule, failure)


def _new_event(entry: dict[str, Any], bus: str, when: float) -> Event:
    return {
        "EventId": new_uuid(),
        "Source": entry["Source"],
        "DetailType": entry["DetailType"],
        "Detail": entry["Detail"],
        "EventBusName": bus,
        "Time": int(when),
        "Resources": entry.get("Resources") or [],
        "Account": get_account_id(),
        "Region": get_region(),
    }


def _entry_problem(entry: dict[str, Any], bus: str) -> tuple[str, str] | None:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return "InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument."
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        return "MalformedDetail", "Detail is malformed."
    if not isinstance(detail, dict):
        return "MalformedDetail", "Detail is malformed."
    if entry["Source"].startswith("aws.") and bus != "default":
        return "NotAuthorizedForSourceException", "Not authorized for the source."
    return None


def _delivers(state: str, event: Event) -> bool:
    """Whether a rule in this state gets the event: read-only management events need the state that says so."""
    return state == DELIVERS_ALL or (state == "ENABLED" and not _is_read_only_management_event(event))


def _is_read_only_management_event(event: Event) -> bool:
    detail = event.get("detail")
    if event.get("detail-type") != CLOUDTRAIL_CALL or not isinstance(detail, dict):
        return False
    if detail.get("managementEvent") is False or detail.get("eventCategory") == "Data":
        return False
    read_only = detail.get("readOnly")
    return read_only if isinstance(read_only, bool) else str(detail.get("eventName")).startswith(_READ_PREFIXES)


def _delivery_failure(arn: str) -> str | None:
    """Why the target can't be reached, or None: it is checked before the delivery, which reports nothing."""
    try:
        target = parse_arn(arn)
    except ArnParseError:
        return "the target's ARN is malformed"
    exists: dict[str, Callable[[], bool]] = {
        "sqs": lambda: bool(sqs._queue_by_arn(arn)),
        "sns": lambda: arn in sns._topics,
        "lambda": lambda: bool(lambda_svc._get_func_record_for_ref(arn)[0]),
    }
    check = exists.get(target.service)
    return None if check is None or check() else "the target does not exist"


def _send_to_dead_letter_queue(
    queue_arn: str, payload: str, target: dict[str, Any], rule: dict[str, Any], failure: str
) -> None:
    queue = sqs._queue_by_arn(queue_arn)
    if not queue:
        logger.error("the dead-letter queue %s of rule %s does not exist: an event is lost", queue_arn, rule["Name"])
        return
    eventbridge._dispatch_to_sqs(parse_arn(queue_arn), payload)
    attributes = {
        "RULE_ARN": rule.get("Arn", ""),
        "TARGET_ARN": target.get("Arn", ""),
        "ERROR_CODE": "NO_RESOURCE",
        "ERROR_MESSAGE": failure,
        "RETRY_ATTEMPTS": "0",
    }
    queue["messages"][-1]["message_attributes"] = {
        name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()
    }
