"""An explanation for people: the answer in a few lines first, then the tables that it rests on."""

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table

from cli.terminal import add_row, console, shown
from shared.model.explanation import Affects, Change, Contributor, ExplainedPath, Explanation, Source
from shared.model.score import ReachSource

SERVICES_SHOWN, PATHS_SHOWN, NAMES_SHOWN, CHANGES_SHOWN = 12, 10, 4, 6
AFFECTS = {
    Affects.IDENTITY: "this identity",
    Affects.GROUP: "all of the group",
    Affects.HOLDERS: "all who hold it",
}


def show_explanation(explanation: Explanation) -> None:
    """Print an explanation."""
    out = console()
    for line in _answer(explanation):
        out.print(shown(line))
    for title, table, notes in _sections(explanation):
        out.print(shown("", title), style="bold")
        if table is not None:
            out.print(table)
        for note in notes:
            out.print(shown(note))


def _answer(one: Explanation) -> Iterator[str]:
    yield f"{one.arn} ({one.identity_id})"
    verdict = f"{one.compliance} (threshold {one.threshold:g})" if one.exempt is None else f"exempt: {one.exempt}"
    yield f"PCI {one.pci:.1f}, {one.band}: {verdict}; confidence {one.confidence.level}"
    counts = {"used": one.used, "unused": one.unused, "possibly used": one.possible, "unobservable": one.unobservable}
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count or name in {"used", "unused"})
    yield f"{one.granted:,} permissions granted: {told}"
    if one.stored is not None:
        told = "says the same" if one.stored.same else f"differs: {'; '.join(one.stored.differences)}"
        yield f"The stored score, {one.stored.pci:.1f} of {one.stored.scored_at:%Y-%m-%d %H:%M} UTC, {told}"
    best = next(iter(one.changes.ranked), None)
    if best is not None:
        yield f"Best single change: {best.title}: PCI {one.pci:.1f} -> {best.pci_after:.1f}{_cost(best, one)}"
    strongest = one.changes.strongest
    if best and strongest and strongest != best and strongest.pci_after < best.pci_after:
        told = f"{strongest.title}: PCI {one.pci:.1f} -> {strongest.pci_after:.1f}{_cost(strongest, one)}"
        yield f"The strongest, at a price: {told}"


def _sections(one: Explanation) -> Iterator[tuple[str, Table | None, Iterable[str]]]:
    if one.arithmetic.classes:
        yield "How the PCI comes about", _arithmetic(one), _formula(one)
    if one.paths:
        shown = one.paths[:PATHS_SHOWN]
        left = _left(len(one.paths) - PATHS_SHOWN, "completed paths: --json tells of all")
        yield "Completed escalation paths (* unused permissions)", _paths(shown), left
    if one.contributors:
        left = _left(one.unused - len(one.contributors), "unused permissions: --top tells of more")
        yield "Unused permissions that weigh most", _contributors(one.contributors), [*left, _ALONE]
    if one.changes.ranked:
        yield "What one change would do", _changes(one), _notes_on_changes(one)
    if one.services:
        left = _left(len(one.services) - SERVICES_SHOWN, "services: --json tells of all")
        yield "Permissions by service", _services(one), left
    if one.evidence:
        yield "Why permissions stand as they do", _evidence(one), ()
    yield "What the score rests on", None, _basis(one)


_ALONE = (
    "alone: PCI if all others were used; marginal: by how much the PCI falls without it; "
    "#: statement of the policy; +: more statements; ?: under conditions only"
)


def _arithmetic(one: Explanation) -> Table:
    table = _table(["class", "unused", "mass m", "alpha", "kappa", "s", "1 - s"], numbers=range(1, 7))
    for term in one.arithmetic.classes:
        name = f"{_words(term.risk)}{' (by path)' if term.by_path else ''}"
        numbers = (f"{term.mass:.6g}", f"{term.alpha:g}", f"{term.kappa:g}", f"{term.chance:.6f}")
        add_row(table, name, term.unused, *numbers, f"{term.survival:.6f}")
    return table


def _formula(one: Explanation) -> Iterator[str]:
    """The formula in characters that every terminal has."""
    by_path = "; by path: s = alpha, since a completed path counts" if one.paths else ""
    yield f"m = sum of reach; s = alpha * (1 - exp(-(m / kappa)^{one.arithmetic.gamma:g})){by_path}"
    told = f"100 * (1 - {one.arithmetic.survival:.6f}) = {one.pci:.4f}"
    yield f"PCI = 100 * (1 - product of all (1 - s)) = {told}"


def _paths(paths: Iterable[ExplainedPath]) -> Table:
    table = _table(["path", "permissions, and where they come from", "made possible by"], whole={"path"})
    for path in paths:
        actions = [f"{one.action}{'*' if one.unused else ''}" for one in path.permissions]
        sources = dict.fromkeys(f"  {_source(one.sources)}" for one in path.permissions)
        via = path.via.split(":", 5)[-1] if path.via else "taken as given"
        add_row(table, path.id, (*actions, *sources), via)
    return table


def _contributors(contributors: Sequence[Contributor]) -> Table:
    counted = any(one.resources is not None for one in contributors)
    columns = ["permission, and where it comes from", "class", "reach", "resources", "alone", "marginal"]
    if not counted:
        columns.remove("resources")
    table = _table(columns, numbers=range(2, len(columns)))
    for one in contributors:
        reach = f"{one.reach:.4g}{'?' if one.conditional else ''}"
        resources = (["-" if one.resources is None else f"{one.resources:,}"]) if counted else []
        numbers = (f"{one.alone:.1f}", f"{one.marginal:.2f}")
        risk = tuple(one.risk.split("_"))  # each row has two lines at least
        add_row(table, (one.action, f"  {_source(one.sources)}"), risk, reach, *resources, *numbers)
    return table


def _source(sources: Sequence[Source]) -> str:
    """The first source with the number of its statement, and how many more there are."""
    if not sources:
        return ""
    first = sources[0]
    sid = f" {first.sid}" if first.sid else ""
    group = f" (group {first.group})" if first.group else ""
    more = f" +{len(sources) - 1}" if len(sources) > 1 else ""
    return f"{first.policy} #{first.statement}{sid}{group}{more}"


def _changes(one: Explanation) -> Table:
    table = _table(["change", "PCI after", "removes", "costs", "affects"], numbers=(1, 2))
    for change in one.changes.ranked[:CHANGES_SHOWN]:
        affects = AFFECTS[change.affects]
        add_row(table, change.title, f"{change.pci_after:.1f}", change.removes, _losses(change) or "-", affects)
    return table


def _notes_on_changes(one: Explanation) -> Iterator[str]:
    if one.changes.all_unused is not None and one.unused:
        yield f"Without all {one.unused:,} unused permissions the PCI is {one.changes.all_unused.pci_after:.1f}."
    yield from _without_effect(one.changes.without_effect)
    if one.changes.left_out:
        yield f"{one.changes.left_out:,} more changes of policies were not tried."


def _without_effect(changes: Iterable[Change]) -> Iterator[str]:
    """Why whole policies can go and the PCI stays."""
    told: dict[str, list[str]] = {}
    for change in changes:
        told.setdefault(_why_none(change), []).append(change.title)
    return (f"{why}: {'; '.join(titles)}." for why, titles in sorted(told.items()))


def _why_none(change: Change) -> str:
    if change.lowers_by < 0:
        return "These raise the PCI, since they hold denials as well"
    if not change.removes:
        return "Alone these take nothing away, since others grant the same permissions"
    return (
        "Alone these leave the PCI as it is, since what they take away is in use, unobservable or reaches nothing, "
        "or its class counts in full without it, as long as an escalation path is completed"
    )


def _cost(change: Change, one: Explanation) -> str:
    """What a change would take away; where nothing was observed, nobody can say what is used."""
    if not one.coverage.observed_days:
        return " (no trail was seen, so what is used is unknown)"
    losses = _losses(change)
    return f" ({losses})" if losses else " (nothing that was used is lost)"


def _losses(change: Change) -> str:
    told = []
    if change.loses_used:
        told.append(f"loses {_names(change.loses_used)}")
    if change.narrows_used:
        told.append(f"narrows {_names(change.narrows_used)}")
    if change.loses_unobservable:
        told.append(f"{change.loses_unobservable:,} that nobody can tell")
    return "; ".join(told)


def _services(one: Explanation) -> Table:
    table = _table(["service", "granted", "used", "unused", "possible", "unobservable"], numbers=range(1, 6))
    for row in one.services[:SERVICES_SHOWN]:
        add_row(table, row.service, row.granted, row.used, row.unused, row.possible, row.unobservable)
    return table


def _evidence(one: Explanation) -> Table:
    table = _table(["permissions", "standing", "because"], numbers=(0,))
    for reason in one.evidence:
        standing = f"{reason.standing}{', counted as unused' if reason.counted_unused else ''}"
        add_row(table, reason.permissions, standing, reason.text)
    return table


def _basis(one: Explanation) -> Iterator[str]:
    coverage = one.coverage
    regions, feeds = ", ".join(coverage.regions) or "none", ", ".join(coverage.feeds) or "none"
    window = f"{coverage.window_days} days up to {one.scored_at:%Y-%m-%d %H:%M} UTC"
    yield f"Window: {window}; regions {regions}; feeds {feeds}"
    data = ", ".join(coverage.data_events) or "none"
    told = "used" if coverage.last_accessed else "not given"
    yield f"Data events recorded of: {data}; IAM's last accessed information: {told}"
    yield f"Reach: {_reach(one)}"
    yield f"Confidence {one.confidence.level}:"
    for reason in one.confidence.reasons:
        yield f"  - {reason.text} (at most {reason.at_most})"
    yield f"Model {one.model_version}, catalogue {one.catalogue_version}"


def _reach(one: Explanation) -> str:
    reach = one.reach
    if reach.source is ReachSource.PATTERN:
        return f"{reach.mean:.4g} on average, by the breadth of patterns: there is no inventory"
    covers = f"{reach.resources or 0:,} of {reach.resources_in_account or 0:,} resources"
    at = f" of {one.coverage.inventory_at:%Y-%m-%d %H:%M} UTC" if one.coverage.inventory_at else " of unknown age"
    told = f"{reach.mean:.4g} on average; {covers} of the inventory{at} can be reached"
    return f"{told}; {reach.by_pattern:,} permissions by the breadth of patterns"


def _left(count: int, what: str) -> list[str]:
    return [f"and {count:,} more {what}"] if count > 0 else []


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return f"{', '.join(names[:NAMES_SHOWN])}{more}"


def _words(risk: str) -> str:
    return risk.replace("_", " ")


def _table(columns: Iterable[str], *, numbers: Container[int] = (), whole: Container[str] = ()) -> Table:
    """A table; numbers, and columns that are `whole`, are broken last where the terminal is narrow."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for place, name in enumerate(columns):
        justify: Literal["right", "left"] = "right" if place in numbers else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=place in numbers or name in whole)
    return table
