"""What is known of a deployed system at one moment; every part of it may be one that could not be read. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias, TypeVar

from cli.health.lines import NotRead
from shared.model.plan import Mode
from shared.model.sweep import SweepProgress
from shared.model.trend import TrendPoint
from shared.model.usage import Coverage

T = TypeVar("T")
Read: TypeAlias = T | NotRead

MOST = 500  # of plans of one state, or entries of the trail, that are counted: more are "500 or more"


class Depth(NamedTuple):
    """How many messages a queue holds: those that wait, those that are worked on, those whose time is to come."""

    name: str
    waiting: int
    in_work: int = 0
    delayed: int = 0
    dead: bool = False


class Alarm(NamedTuple):
    """An alarm that rings, since when, and what its text says to do."""

    name: str
    since: datetime
    advice: str


class Plans(NamedTuple):
    """How many plans are in each state that matters; each is counted up to MOST."""

    proposed: int = 0
    under_way: int = 0
    interrupted: int = 0
    applied: int = 0
    watched: int = 0
    quarantined: int = 0
    unreadable: int = 0


class Anchored(NamedTuple):
    """The newest anchor of the audit trail, what it and those before it found wrong, and what came after it."""

    number: int
    at: datetime
    faults: int
    newer_entries: int


@dataclass(frozen=True, slots=True)
class Facts:
    """A deployed system at `now`. What never was, such as a sweep of a new stack, is None."""

    now: datetime
    stack_name: str
    account_id: str
    region: str
    window_days: int
    parameters: Mapping[str, str]
    mode_parameter: str
    mode: Read[Mode]
    trend: Read[tuple[TrendPoint, ...]]
    sweep: Read[SweepProgress | None]
    coverage: Read[Coverage]
    queues: Read[tuple[Depth, ...]]
    alarms: Read[tuple[Alarm, ...]]
    plans: Read[Plans]
    anchor: Read[Anchored | None]
    kept: Read[tuple[datetime, ...]]  # since when each notification waits
    options: str = ""  # that lead another command to the same place, each after a space

    def number(self, parameter: str, otherwise: int) -> int:
        """A number among the stack's parameters; `otherwise` where an older stack lacks it."""
        value = self.parameters.get(parameter, "")
        return int(value) if value.isdecimal() else otherwise
