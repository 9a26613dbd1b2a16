"""What is known of the use of actions: their standing, and the catalogued reason for it."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Standing(StrEnum):
    """What is known of an action's use."""

    USED = "used"
    POSSIBLE = "possible"  # it may have been used: neither used nor unused
    UNOBSERVABLE = "unobservable"  # nobody could know
    DENIED = "denied"  # only denied: somebody wanted it, nobody had it
    UNUSED = "unused"


class EvidenceCode(StrEnum):
    """Why an action stands as it does, strongest first: the first one that holds is the answer."""

    OBSERVED = "observed"
    INFERRED = "inferred"
    MAY_HAVE_BEEN_CHECKED = "may_have_been_checked"
    ATTEMPTED = "attempted"
    SERVICE_NOT_TRIED = "service_not_tried"
    ACTION_NOT_TRIED = "action_not_tried"
    TRAIL_NOT_SEEN = "trail_not_seen"
    UNKNOWN_ACTION = "unknown_action"
    SHOWN_NOWHERE = "shown_nowhere"
    REGION_NOT_SEEN = "region_not_seen"
    DAY_NOT_SEEN = "day_not_seen"
    READS_NOT_RECORDED = "reads_not_recorded"
    DATA_EVENTS_OFF = "data_events_off"
    ONLY_DENIED = "only_denied"
    NOT_IN_TRAIL = "not_in_trail"


CATALOGUE_OF_REASONS: Mapping[EvidenceCode, tuple[Standing, str]] = MappingProxyType(
    {
        EvidenceCode.OBSERVED: (Standing.USED, "the trail shows a use that AWS let pass"),
        EvidenceCode.INFERRED: (Standing.USED, "the trail shows an operation that needs it"),
        EvidenceCode.MAY_HAVE_BEEN_CHECKED: (Standing.POSSIBLE, "AWS may have checked it for a recorded operation"),
        EvidenceCode.ATTEMPTED: (Standing.POSSIBLE, "IAM saw an attempt that the trail does not explain"),
        EvidenceCode.SERVICE_NOT_TRIED: (Standing.UNUSED, "IAM saw no attempt on its whole service"),
        EvidenceCode.ACTION_NOT_TRIED: (Standing.UNUSED, "IAM tracks it and saw no attempt"),
        EvidenceCode.TRAIL_NOT_SEEN: (Standing.UNOBSERVABLE, "no trail was seen in the window"),
        EvidenceCode.UNKNOWN_ACTION: (Standing.UNOBSERVABLE, "it is newer than the catalogue of actions"),
        EvidenceCode.SHOWN_NOWHERE: (Standing.UNOBSERVABLE, "no trail shows its use"),
        EvidenceCode.REGION_NOT_SEEN: (
            Standing.UNOBSERVABLE,
            "the identity worked where no trail was seen at that time",
        ),
        EvidenceCode.DAY_NOT_SEEN: (Standing.UNOBSERVABLE, "IAM saw its service tried on a day without a trail"),
        EvidenceCode.READS_NOT_RECORDED: (Standing.UNOBSERVABLE, "the trail did not show what only reads on each day"),
        EvidenceCode.DATA_EVENTS_OFF: (Standing.UNOBSERVABLE, "not all data events of its service were recorded"),
        EvidenceCode.ONLY_DENIED: (Standing.DENIED, "the trail shows refused attempts only"),
        EvidenceCode.NOT_IN_TRAIL: (Standing.UNUSED, "the trail would have shown a use and shows none"),
    }
)


class Window(NamedTuple):
    """The time that is judged, both ends included (UTC)."""

    start: datetime
    end: datetime

    @classmethod
    def before(cls, now: datetime, days: int) -> "Window":
        """The window of so many days that ends now."""
        return cls(now - timedelta(days=days), now)


class Finding(NamedTuple):
    """What is known of one action (lower-case), and why."""

    action: str
    code: EvidenceCode

    @property
    def standing(self) -> Standing:
        """Used, possible, not to be known, denied or unused."""
        return CATALOGUE_OF_REASONS[self.code][0]

    @property
    def reason(self) -> str:
        """The catalogued text of the code."""
        return CATALOGUE_OF_REASONS[self.code][1]


class Findings:
    """The standing of every judged action; the sets of the codes share no action and together hold all."""

    def __init__(self, by_code: Mapping[EvidenceCode, frozenset[str]]) -> None:
        self._by_code = by_code

    def of_code(self, code: EvidenceCode) -> frozenset[str]:
        """Actions that stand as they do for this reason."""
        return self._by_code.get(code, frozenset())

    def standing(self, *standings: Standing) -> frozenset[str]:
        """Actions of one or more standings."""
        return frozenset().union(*map(self.of_code, codes_of(*standings)))

    def __iter__(self) -> Iterator[Finding]:
        """Every finding, strongest reason first."""
        for code in EvidenceCode:
            for action in sorted(self.of_code(code)):
                yield Finding(action, code)


def codes_of(*standings: Standing) -> tuple[EvidenceCode, ...]:
    """Codes of one or more standings, strongest first."""
    return tuple(code for code, (standing, _) in CATALOGUE_OF_REASONS.items() if standing in standings)
