"""Publishing our own events, each delivered to the bus or the call fails."""

import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.aws.clients import aws_errors
from shared.errors import DependencyError
from shared.events import DomainEvent, Service

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

MAX_ENTRIES = 10  # per PutEvents (API limit)
MAX_ATTEMPTS = 5


class Publisher:
    """Puts the events of one service on the bus."""

    def __init__(self, client: "EventBridgeClient", bus: str, service: Service) -> None:
        self._client = client
        self._bus = bus
        self._service = service

    def publish(self, *events: DomainEvent) -> None:
        """Publish all events or raise DependencyError; telling an event twice is harmless (same `event_id`)."""
        entries: list[PutEventsRequestEntryTypeDef] = [
            {
                "EventBusName": self._bus,
                "Source": self._service.source,
                "DetailType": event.type_name(),
                "Detail": event.model_dump_json(),
            }
            for event in events
        ]
        for start in range(0, len(entries), MAX_ENTRIES):
            self._put(entries[start : start + MAX_ENTRIES])

    def _put(self, entries: "Sequence[PutEventsRequestEntryTypeDef]") -> None:
        codes: set[str] = set()
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                time.sleep(random.uniform(0, 0.1 * 2**attempt))  # noqa: S311 jitter, not a secret
            with aws_errors("PutEvents"):
                answer = self._client.put_events(Entries=entries)
            if not answer["FailedEntryCount"]:
                return
            results = answer["Entries"]
            codes = {result.get("ErrorCode", "") for result in results} - {""}
            entries = [entry for entry, result in zip(entries, results, strict=True) if result.get("ErrorCode")]
        raise DependencyError(f"PutEvents: {len(entries)} events were refused: {', '.join(sorted(codes))}")
