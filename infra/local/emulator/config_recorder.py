"""AWS Config's recorder for IAM users and roles: a change becomes an event, and an invocation of the rules.

It always records, with no recorder or delivery channel set up, and sees what comes through the IAM API (not what
CloudFormation creates, which ministack does behind the API's back).
"""

import contextvars
import threading
from typing import Any

from infra.local.emulator.clock import utc_now_millisecond_text
from infra.local.emulator.config_rules import CHANGE, ConfigRules
from infra.local.emulator.configuration_items import (
    Resource,
    changed_resource,
    configuration_item,
    exists,
    reporting_region,
)
from infra.local.emulator.event_bus import EventBus
from infra.local.emulator.gateway import Response, failed, run_on_loop
from infra.local.emulator.iam_calls import IamCall

COALESCE_SECONDS = 0.25


class ConfigRecorder:
    """Collects changed resources for a moment, so that ten calls on one user make one configuration item."""

    def __init__(self, bus: EventBus, rules: ConfigRules) -> None:
        self._bus = bus
        self._rules = rules
        self._pending: dict[str, tuple[Resource, str]] = {}

    def note_before(self, call: IamCall) -> None:
        """Remember the resource that a call is about to change: after a deletion its unique id is gone."""
        call.before["resource"] = changed_resource(call.action, call.params)

    def note_after(self, call: IamCall, response: Response) -> None:
        """Record the resource that a successful call has changed."""
        if failed(response):
            return
        before: Resource | None = call.before.get("resource")
        current = changed_resource(call.action, call.params)
        resource = current or before
        if resource is None:
            return
        if not self._pending:
            run = contextvars.copy_context().run
            timer = threading.Timer(COALESCE_SECONDS, run, args=(run_on_loop, self._flush))
            timer.daemon = True
            timer.start()
        known = self._pending.get(resource.resource_id)
        created = before is None or (known is not None and known[1] == "ResourceDiscovered")
        self._pending[resource.resource_id] = (resource, "ResourceDiscovered" if created else "OK")

    def _flush(self) -> None:
        pending, self._pending = self._pending, {}
        changes = [(item, status if exists(item) else "ResourceDeleted") for item, status in pending.values()]
        for resource, status in changes:
            self._report(resource, status)
        self._rules.notify_all(changes)

    def _report(self, resource: Resource, status: str) -> None:
        change_type = {"ResourceDiscovered": "CREATE", "ResourceDeleted": "DELETE"}.get(status, "UPDATE")
        detail: dict[str, Any] = {
            "recordVersion": "1.3",
            "messageType": CHANGE,
            "configurationItemDiff": {"changedProperties": {}, "changeType": change_type},
            "notificationCreationTime": utc_now_millisecond_text(),
            "configurationItem": configuration_item(resource, status),
        }
        region = reporting_region()
        self._bus.publish_in(region, "aws.config", "Config Configuration Item Change", detail)
