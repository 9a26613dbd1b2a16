"""How far a score can be relied on: the lowest level that any reason leaves possible. Pure.

| reason | high | medium | low |
|---|---|---|---|
| observed days of the window | 90 % | 50 % | fewer |
| longest gap in days | up to 7 | longer | |
| calls that only read | recorded | not recorded | |
| by how much the PCI would rise if nothing unobservable was used | up to 5 | up to 20 | more |
| prerequisites of completed escalation paths | looked up | taken as given | |
| wildcards over permissions that the catalogue doesn't know | none | some | |

Source: this project's own choice, in the sense of docs/decisions/0016: what was not seen is not known.
"""

from collections.abc import Iterator

from shared.model.explanation import Confidence, ConfidenceCode, ConfidenceLevel, ConfidenceReason
from shared.model.score import ReachSource
from shared.pci.score import Weighed

SHARE_OF_DAYS_HIGH, SHARE_OF_DAYS_MEDIUM = 0.9, 0.5
GAP_DAYS_HIGH = 7
RISE_HIGH, RISE_MEDIUM = 5.0, 20.0

_ORDER = (ConfidenceLevel.LOW, ConfidenceLevel.MEDIUM, ConfidenceLevel.HIGH)


def confidence_of(weighed: Weighed, *, pci: float, pci_at_most: float) -> Confidence:
    """Judge a score by what it rests on; `pci_at_most` is the PCI if nothing unobservable was used."""
    reasons = tuple(_reasons(weighed, pci, pci_at_most))
    level = min((reason.at_most for reason in reasons), key=_ORDER.index)
    return Confidence(level=level, reasons=reasons, pci_at_most=pci_at_most)


def _reasons(weighed: Weighed, pci: float, pci_at_most: float) -> Iterator[ConfidenceReason]:
    yield _days(weighed)
    yield from _trail(weighed)
    rise = pci_at_most - pci
    if weighed.unobservable:
        level = _level(rise <= RISE_HIGH, rise <= RISE_MEDIUM)
        told = f"{weighed.unobservable.size:,} permissions may have been used or not; if none was, the PCI would be"
        yield ConfidenceReason(
            code=ConfidenceCode.COULD_BE_HIGHER, at_most=level, text=f"{told} {pci_at_most:.1f} instead of {pci:.1f}"
        )
    yield from _surroundings(weighed)


def _days(weighed: Weighed) -> ConfidenceReason:
    coverage = weighed.coverage
    if not coverage.observed_days:
        text = "no day of the window was observed: what is held counts as unused, so the PCI is an upper bound"
        return ConfidenceReason(code=ConfidenceCode.NOTHING_OBSERVED, at_most=ConfidenceLevel.LOW, text=text)
    share = coverage.observed_days / coverage.window_days
    return ConfidenceReason(
        code=ConfidenceCode.DAYS_OBSERVED,
        at_most=_level(share >= SHARE_OF_DAYS_HIGH, share >= SHARE_OF_DAYS_MEDIUM),
        text=f"{min(coverage.observed_days, coverage.window_days)} of {coverage.window_days} days were observed",
    )


def _trail(weighed: Weighed) -> Iterator[ConfidenceReason]:
    coverage, medium = weighed.coverage, ConfidenceLevel.MEDIUM
    if not coverage.observed_days:
        return
    if coverage.longest_gap_days > GAP_DAYS_HIGH:
        text = f"no trail was seen on {coverage.longest_gap_days} days in a row"
        yield ConfidenceReason(code=ConfidenceCode.LONG_GAP, at_most=medium, text=text)
    if not coverage.reads:
        text = "calls that only read were not recorded throughout"
        yield ConfidenceReason(code=ConfidenceCode.READS_NOT_RECORDED, at_most=medium, text=text)


def _surroundings(weighed: Weighed) -> Iterator[ConfidenceReason]:
    coverage, medium = weighed.coverage, ConfidenceLevel.MEDIUM
    if weighed.paths and not coverage.principals:
        text = "what the completed escalation paths need of the account is taken as given, not looked up"
        yield ConfidenceReason(code=ConfidenceCode.PREREQUISITES_ASSUMED, at_most=medium, text=text)
    if patterns := weighed.grants.unknown_patterns:
        text = f"{len(patterns)} granted wildcards name permissions that the catalogue does not know"
        yield ConfidenceReason(code=ConfidenceCode.UNKNOWN_PERMISSIONS, at_most=medium, text=text)
    if coverage.reach is ReachSource.PATTERN:
        text = "reach is how broad the patterns are, since there is no inventory of the account"
        yield ConfidenceReason(code=ConfidenceCode.REACH_BY_PATTERN, at_most=ConfidenceLevel.HIGH, text=text)


def _level(is_high: bool, is_medium: bool) -> ConfidenceLevel:  # noqa: FBT001 two tests in a row
    return ConfidenceLevel.HIGH if is_high else ConfidenceLevel.MEDIUM if is_medium else ConfidenceLevel.LOW
