"""What the system knows, and what follows from it: the account's score, coverage, plans and the audit trail. Pure."""

from datetime import date, timedelta

from cli.health.facts import MOST, Anchored, Facts, Plans
from cli.health.lines import Level, Line, counted
from cli.health.times import overdue_after, told
from shared.model.plan import Mode
from shared.model.trend import TrendPoint
from shared.model.usage import Coverage

HIGH_PCI = 68  # of the account, where the stack's parameter says nothing: the band "high"
WEEK = timedelta(days=7)
SILENT_DAYS = 2  # without a record: events do not come in any more
GAP_DAYS = 2  # days in a row without a record that are worth a look


def account_line(facts: Facts, points: tuple[TrendPoint, ...]) -> Line:
    """The account's PCI, its band, and how much that changed in a week."""
    if not points:
        advice = f"the first sweep makes one: `leastwise sweep{facts.options}`"
        return Line("account", Level.WARN, "no PCI yet", advice, {"pci": None, "band": None, "change_7_days": None})
    newest = points[-1].last
    before = [point.last for point in points if point.day <= facts.now.date() - WEEK]
    change = newest.pci - before[-1].pci if before else None
    since = f", {_signed(change)} in 7 days" if change is not None else ", no older value to compare with"
    text = f"PCI {newest.pci:.0f}, {newest.band.value}{since}"
    values = {
        "pci": newest.pci,
        "band": newest.band.value,
        "change_7_days": None if change is None else round(change, 4),
        "at": newest.at.isoformat().replace("+00:00", "Z"),
    }
    limit = facts.number("AccountPciAlarm", HIGH_PCI)
    if limit and newest.pci >= limit:
        advice = f"`leastwise identities{facts.options}` lists who adds most"
        return Line("account", Level.WARN, text, advice, values)
    return Line("account", Level.OK, text, values=values)


def coverage_line(facts: Facts, coverage: Coverage) -> Line:
    """On how many days of the window the trail was seen, by which feeds, and where it has gaps."""
    today = facts.now.date()
    first = today - timedelta(days=facts.window_days - 1)
    seen = coverage.since(first)
    days, window = len(seen.days), facts.window_days
    doctor = f"`leastwise doctor{facts.options}` tells what is missing"
    values = {
        "observed_days": days,
        "window_days": window,
        "feeds": sorted(seen.feeds),
        "regions": sorted(seen.regions),
        "reads": seen.reads,
        "data_events": sorted(seen.data_events),
        "gaps": [[str(left), str(right)] for left, right in _gaps(seen)],
        "last_day": str(max(seen.days)) if days else None,
    }
    if not days:
        text = f"no event was seen in {window} days: every permission looks unused, and nothing is changed"
        return Line("coverage", Level.BAD, text, doctor, values)
    reads = "reads recorded" if seen.reads else "reads not recorded on every day"
    feeds = f"by {', '.join(sorted(seen.feeds))}" if seen.feeds else "by no feed that is named"
    text = f"{days} of {counted(window, 'day')} observed {feeds}, {counted(len(seen.regions), 'region')}, {reads}"
    silent = (today - max(seen.days)).days
    if silent >= SILENT_DAYS:
        return Line("coverage", Level.BAD, f"{text}; nothing for {silent} days", doctor, values)
    if longest := _longest_gap(seen):
        text += f"; longest gap {longest[0]} to {longest[1]}"
        advice = "`leastwise backfill` fills it from the trail's log files"
        return Line("coverage", Level.WARN, text, advice, values)
    needed = facts.number("MinObservedDays", 0)
    if days < needed:
        advice = f"nothing is changed before {needed} days: wait, or fill them by `leastwise backfill`"
        return Line("coverage", Level.WARN, text, advice, values)
    return Line("coverage", Level.OK, text, values=values)


def plan_lines(facts: Facts, plans: Plans) -> tuple[Line, ...]:
    """How many plans wait, are in force and watched; those that a person must look at have a line of their own."""
    under_way = f", {_most(plans.under_way)} under way" if plans.under_way else ""
    text = (
        f"{_most(plans.proposed)} proposed, {_most(plans.applied)} in force ({_most(plans.watched)} watched){under_way}"
    )
    values = plans._asdict()
    lines = []
    if plans.proposed and facts.mode is Mode.APPROVE:
        advice = f"`leastwise plans --status proposed{facts.options}` lists them, `leastwise plan approve` applies one"
        lines.append(Line("plans", Level.WARN, f"{text}; those proposed wait for approval", advice, values))
    else:
        lines.append(Line("plans", Level.OK, text, values=values))
    if plans.quarantined:
        advice = f"`leastwise plans --status quarantined{facts.options}` lists them, `leastwise plan show` says why"
        told_of = f"{counted(plans.quarantined, 'plan')} quarantined: neither applied nor taken back as a whole"
        lines.append(Line("plans", Level.BAD, told_of, advice))
    if plans.interrupted:
        advice = "reconciliation goes on with them each hour; if they stay, its log tells why"
        lines.append(Line("plans", Level.WARN, f"{counted(plans.interrupted, 'plan')} interrupted half-way", advice))
    if plans.unreadable:
        advice = f"`leastwise plans{facts.options}` names them: is this command older than the stack?"
        lines.append(Line("plans", Level.WARN, f"{counted(plans.unreadable, 'record')} not readable", advice))
    return tuple(lines)


def anchor_line(facts: Facts, anchor: Anchored | None) -> Line:
    """When the audit trail was last proven and anchored, and what came after that."""
    schedule = facts.parameters.get("AnchorSchedule", "")
    if anchor is None:
        advice = "the anchor function makes one each time its schedule runs: its log tells why it did not"
        return Line(
            "audit trail", Level.WARN, "no anchor yet: nothing proves that it is whole", advice, {"anchor": None}
        )
    age = facts.now - anchor.at
    newer = f"{_most(anchor.newer_entries)} newer {'entry' if anchor.newer_entries == 1 else 'entries'}"
    text = f"anchor {anchor.number:,} of {told(age)} ago, {newer}"
    values = {
        "anchor": anchor.number,
        "anchored_at": anchor.at.isoformat().replace("+00:00", "Z"),
        "newer_entries": anchor.newer_entries,
        "faults": anchor.faults,
    }
    if anchor.faults:
        advice = f"`leastwise audit verify{facts.options}` names them"
        told_of = f"{counted(anchor.faults, 'fault')} found: entries were changed or are missing; {text}"
        return Line("audit trail", Level.BAD, told_of, advice, values)
    if age > overdue_after(schedule):
        advice = "the log of the anchor function tells why it does not run"
        return Line("audit trail", Level.WARN, f"overdue: {text}", advice, values)
    return Line("audit trail", Level.OK, text, values=values)


def _gaps(seen: Coverage) -> tuple[tuple[date, date], ...]:
    """Runs of days without a record between the first and the last that have one."""
    return seen.gaps(min(seen.days), max(seen.days)) if seen.days else ()


def _longest_gap(seen: Coverage) -> tuple[date, date] | None:
    """The longest of them; None where all are short."""
    longest = max(_gaps(seen), key=lambda gap: gap[1] - gap[0], default=None)
    if longest is None or (longest[1] - longest[0]).days + 1 < GAP_DAYS:
        return None
    return longest


def _most(number: int) -> str:
    return f"{MOST:,} or more" if number >= MOST else f"{number:,}"


def _signed(change: float) -> str:
    return "unchanged" if round(change) == 0 else f"{change:+.0f}"
