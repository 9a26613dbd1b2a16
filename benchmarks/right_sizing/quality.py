"""How good plans are: the runs of the hold-out, and docs/right-sizing.md: quality_page.txt, filled with them."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import pinned
from benchmarks.right_sizing.activity import Activity, activities
from benchmarks.right_sizing.holdout import GRANTS, LEAST_USES, Outcome, Split, measure, peers_policies, splits
from benchmarks.right_sizing.ways import OURS, PEER, SERVICES, WAYS

TEMPLATE = Path(__file__).with_name("quality_page.txt")
PEERS_PINNED = Path(__file__).parents[1] / "usage" / "requirements.in"
PARTS = (0.67, 0.50, 0.80)  # the first one for the main table
SHOWN = (OURS, SERVICES, PEER)  # by identity

Outcomes = Mapping[str, Sequence[Outcome]]  # by way; of each identity in the order of the activities


@dataclass(frozen=True, slots=True)
class Results:
    """What a run found: by the part that is known and by what was granted."""

    found: Sequence[Activity]
    parts: Sequence[float]
    outcomes: Mapping[tuple[float, str], Outcomes]


def run(parts: Sequence[float] = PARTS) -> Results:
    """Every way for every identity: all grants for the first part, AdministratorAccess for the others."""
    found = activities(LEAST_USES)
    outcomes = {}
    for part in parts:
        for grants in GRANTS if part == parts[0] else GRANTS[:1]:
            outcomes[part, grants] = _measured(splits(found, part, grants))
    return Results(found, parts, outcomes)


def _measured(cases: Sequence[Split]) -> Outcomes:
    by_way: defaultdict[str, list[Outcome]] = defaultdict(list)
    for name, outcome in measure(cases, peers_policies(cases)):
        by_way[name].append(outcome)
    return by_way


def render(results: Results) -> str:
    """The whole document, Markdown."""
    part = results.parts[0]
    return TEMPLATE.read_text(encoding="utf-8").format(
        identities=len(results.found),
        least=LEAST_USES,
        uses=f"{sum(one.uses for one in results.found):,}",
        busiest=f"{max(one.uses for one in results.found):,}",
        peer_version=pinned(PEER, PEERS_PINNED),
        part=f"{part:.0%}",
        sizes=_sizes(results),
        main="\n".join(_main(results, part)),
        parts="\n".join(_parts(results)),
        ways=" | ".join(f"refused: {way}" for way in SHOWN),
        dashes="---|" * len(SHOWN),
        by_identity="\n".join(_by_identity(results, part)),
    )


def _sizes(results: Results) -> str:
    known = [
        f"{part:.0%}: {sum(outcome.later for outcome in results.outcomes[part, GRANTS[0]][OURS]):,}"
        for part in sorted(results.parts)
    ]
    return f"Later uses that AdministratorAccess granted, by the part that is known: {', '.join(known)}."


def _main(results: Results, part: float) -> Iterator[str]:
    for grants in GRANTS:
        for way in (*WAYS, PEER):
            own = results.outcomes[part, grants][way]
            untouched = sum(not outcome.later_refused for outcome in own)
            yield _row(
                grants,
                way,
                _share(own, lambda one: one.later_refused, lambda one: one.later),
                _share(own, lambda one: one.actions_refused, lambda one: one.actions),
                _share(own, lambda one: one.earlier_refused, lambda one: one.earlier),
                *_taken(own),
                f"{untouched} of {len(own)}",
                _reasons(own),
            )


def _parts(results: Results) -> Iterator[str]:
    for part in sorted(results.parts):
        for way in (*WAYS, PEER):
            own = results.outcomes[part, GRANTS[0]][way]
            yield _row(
                f"{part:.0%}",
                way,
                _share(own, lambda one: one.later_refused, lambda one: one.later),
                _share(own, lambda one: one.actions_refused, lambda one: one.actions),
                *_taken(own),
                _reasons(own),
            )


def _by_identity(results: Results, part: float) -> Iterator[str]:
    own = results.outcomes[part, GRANTS[0]]
    for number, activity in enumerate(results.found):
        refused = [f"{own[way][number].later_refused}" for way in SHOWN]
        yield _row(activity.source, own[OURS][number].later, *refused)


def _taken(own: Sequence[Outcome]) -> tuple[str, str]:
    removed = 1 - sum(one.granted_after for one in own) / sum(one.granted_before for one in own)
    before, after = (sum(values) / len(own) for values in zip(*((o.pci_before, o.pci_after) for o in own), strict=True))
    return f"{removed:.1%}", f"{before:.0f} → {after:.0f}"


def _share(own: Sequence[Outcome], part: Callable[[Outcome], int], whole: Callable[[Outcome], int]) -> str:
    refused, all_of_them = sum(map(part, own)), sum(map(whole, own))
    return f"{refused / all_of_them:.1%} ({refused} of {all_of_them:,})" if all_of_them else "none"


def _reasons(own: Sequence[Outcome]) -> str:
    counted = Counter(outcome.reason for outcome in own if outcome.reason)
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counted.items())) or "-"


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
