"""What no report may say: a number that is none, or one outside of its range. Pure."""

import math
from collections.abc import Iterator

from cli.reporting.model import Report, ReportIdentity, TrendValue

HIGHEST = 100.0  # PCI
Numbers = Iterator[tuple[str, float, float]]  # what it is, its value, and the highest that it may be


def refuse_unsound(report: Report) -> None:
    """Look at every measured number before any is shown: NaN compares false with everything and would sort anywhere.

    Raises ValueError that names the first bad one by its place, not by the identity's name.
    """
    for place, value, highest in _numbers(report):
        if not (math.isfinite(value) and 0 <= value <= highest):
            raise ValueError(f"{place} of the report is {value}: between 0 and {highest:g} is possible")


def _numbers(report: Report) -> Numbers:
    yield "account_pci", report.account_pci, HIGHEST
    if report.account_pci_before is not None:
        yield "account_pci_before", report.account_pci_before, HIGHEST
    yield "threshold", report.threshold, math.inf
    if report.account_alarm is not None:
        yield "account_alarm", report.account_alarm, math.inf
    yield from _of_trend("trend", report.trend)
    for place, identity in enumerate(report.identities):
        yield from _of_identity(f"identities[{place}]", identity)


def _of_identity(place: str, identity: ReportIdentity) -> Numbers:
    yield f"{place}.pci", identity.pci, HIGHEST
    yield f"{place}.reach", identity.reach, 1.0
    for name in ("granted", "used", "unused", "unobservable"):
        yield f"{place}.{name}", getattr(identity, name), math.inf
    for part in identity.parts:
        yield f"{place}.parts.chance", part.chance, 1.0
        yield f"{place}.parts.unused", part.unused, math.inf
    for service in identity.services:
        for name in ("granted", "used", "unused", "unknown"):
            yield f"{place}.services.{name}", getattr(service, name), math.inf
    if identity.plan is not None:
        yield f"{place}.plan.pci_before", identity.plan.pci_before, HIGHEST
        yield f"{place}.plan.pci_after", identity.plan.pci_after, HIGHEST
    yield from _of_trend(f"{place}.trend", identity.trend)


def _of_trend(place: str, trend: tuple[TrendValue, ...]) -> Numbers:
    for one in trend:
        yield f"{place}.pci", one.pci, HIGHEST
