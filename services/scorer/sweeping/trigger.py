"""What starts a sweep: the schedule, the command, or a sweep that paused. Pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.envelope import parse_domain_event, parse_envelope
from shared.errors import InputError
from shared.events import SweepPaused


def paused_at(event: Mapping[str, Any], *, account_id: str) -> datetime | None:
    """Start of the sweep that an event asks to go on with; None for any other trigger, which may begin one.

    Raises InputError where the event of a pause is not what it must be.
    """
    if event.get("detail-type") != SweepPaused.type_name():
        return None
    paused = parse_domain_event(parse_envelope(json.dumps(event), account_id=account_id))
    if not isinstance(paused, SweepPaused):
        raise InputError(f"{type(paused).__name__} starts no sweep")
    return paused.started_at
