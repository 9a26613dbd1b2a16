"""The tables of the report, one function each, as Markdown lines."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from benchmarks.contenders.expand import IGNORED
from benchmarks.contenders.load import STARTS
from benchmarks.figures import Figure, figure, first_pass, lap_medians, quantile, rate, ratio, steady_pass
from benchmarks.inputs import Inputs
from benchmarks.managed import Document, statements_of
from benchmarks.pairs import Pair
from benchmarks.rounds import Record, StartRecord

OURS = "leastwise"
MIB = 2**20
Records = Mapping[str, Record]


def expand(records: Records, inputs: Inputs) -> Iterator[str]:
    """A line a tool: first and steady pass over all documents, ratio, and what its answers leave out."""
    yield from _head("tool", "first pass, ms", "steady pass, ms", "× our time", "actions", "could not do")
    for name, record, ours in _started(records):
        counted = record.turns[0].counted
        yield _row(
            name,
            _ms(first_pass(record)),
            _ms(steady_pass(record)),
            f"{ratio(record, ours):.1f}" if ours else "",
            f"{counted['actions']:,}",
            "; ".join(_left_out(name, counted["failures"], list(inputs.documents.values()))) or "—",
        )
    yield from _problems(records)


def _left_out(name: str, failures: Mapping[str, int], documents: Collection[Document]) -> Iterator[str]:
    for error, count in failures.items():
        yield f"{count} failed ({error})"
    for element in IGNORED.get(name, ()):
        if count := sum(_has(document, element) for document in documents):
            yield f"{element} not accounted for (in {count} policies)"


def _has(document: Document, element: str) -> bool:
    return any(element in statement or statement["Effect"] == element for statement in statements_of(document))


def evaluate(records: Records, inputs: Inputs) -> Iterator[str]:
    """A line a tool: requests a second, and how many of its answers are ours."""
    yield from _head(
        "tool", "ready, ms", "first pass, requests/s", "steady, requests/s", "× our time", "allowed", "as ours"
    )
    for name, record, ours in _started(records):
        count = record.turns[0].counted["requests"]
        steady = steady_pass(record)
        share = inputs.extent.requests / count
        allowed = record.turns[0].counted["allowed"]
        yield _row(
            name,
            _ms(figure([turn.ready for turn in record.turns])),
            _whole(rate(count, first_pass(record))),
            _whole(rate(count, steady)) if steady else "",
            f"{ratio(record, ours) * share:,.1f}" if ours else "",
            f"{allowed.count(True):,} of {count:,}",
            _agreement(allowed, ours.turns[0].counted["allowed"]) if ours else "",
        )
    yield from _problems(records)


def _agreement(answers: Sequence[bool | None], ours: Sequence[bool | None]) -> str:
    same = sum(one == other for one, other in zip(answers, ours, strict=False))
    return f"{100 * same / len(answers):.1f} %"


def compare(records: Records, inputs: Inputs) -> Iterator[str]:
    """A line a tool and kind of pass: the distribution over the pairs, and the verdicts."""
    yield from _head(
        "tool",
        "pass",
        "pairs",
        "median, ms",
        "p95, ms",
        "most, ms",
        "no new access",
        "new access",
        "not proven",
        "of those settled",
    )
    for name, record, _ in _started(records):
        chosen = inputs.pairs_for(name)
        for kind in ("first", "steady"):
            if kind == "steady" and steady_pass(record) is None:
                continue
            laps = lap_medians(record, first=kind == "first")
            spread = [f"{1000 * quantile(laps, share):.3f}" for share in (0.5, 0.95, 1)]
            yield _row(name, kind, len(laps), *spread, *_verdicts(record, chosen))
    yield from _problems(records)


def _verdicts(record: Record, chosen: Sequence[Pair]) -> Iterator[object]:
    verdicts = record.turns[0].counted["verdicts"]
    counts = Counter(verdicts)
    yield from (counts[verdict] for verdict in ("no_new_access", "new_access", "not_proven"))
    right, undecided, wrong = settled(verdicts, chosen)
    yield f"{right} right, {undecided} undecided, {wrong} wrong"


def settled(verdicts: Sequence[str | None], chosen: Sequence[Pair]) -> tuple[int, int, int]:
    """Of the pairs whose construction settles the answer: how many are right, undecided (or failed), wrong."""
    answers = [(verdict, pair.expected) for verdict, pair in zip(verdicts, chosen, strict=True) if pair.expected]
    right = sum(verdict == expected for verdict, expected in answers)
    undecided = sum(verdict in {None, "not_proven"} for verdict, _ in answers)
    return right, undecided, len(answers) - right - undecided


def named_pairs(records: Records, inputs: Inputs) -> Iterator[str]:
    """A line a kind of pair, and the named ones by name: our time and verdicts."""
    record = records[OURS]
    if record.problem is not None:
        return
    first = lap_medians(record, first=True)
    steady = lap_medians(record, first=steady_pass(record) is None)
    verdicts = record.turns[0].counted["verdicts"]
    groups: dict[str, list[int]] = {}
    for place, pair in enumerate(inputs.pairs):
        groups.setdefault(pair.name if pair.kind == "named" else f"*{pair.kind}*", []).append(place)
    yield from _head("our time by pair (named) or kind", "pairs", "first, ms", "steady, ms", "most, ms", "verdicts")
    for group, places in groups.items():
        counts = Counter(verdicts[place] for place in places)
        yield _row(
            group,
            len(places),
            f"{1000 * quantile([first[place] for place in places], 0.5):.3f}",
            f"{1000 * quantile([steady[place] for place in places], 0.5):.3f}",
            f"{1000 * max(first[place] for place in places):.3f}",
            ", ".join(f"{count} `{verdict}`" for verdict, count in counts.items()),
        )


def starts(records: Mapping[str, StartRecord]) -> Iterator[str]:
    """A line a tool: milliseconds of import, load and both, and the memory kept."""
    yield from _head(
        "tool", "import, ms", "load, ms", "both, ms", "kept in all, MiB", "by the load, MiB", "load's peak, MiB"
    )
    for name, record in records.items():
        if record.problem is None and record.memory is not None:
            yield _row(
                name,
                _ms(figure([importing for importing, _ in record.seconds])),
                _ms(figure([loading for _, loading in record.seconds])) if STARTS[name].loading else "in the import",
                _ms(figure([importing + loading for importing, loading in record.seconds])),
                *(f"{size / MIB:.1f}" for size in record.memory),
            )
    yield from _problems(records)


def _started(records: Records) -> Iterator[tuple[str, Record, Record | None]]:
    """Contenders with turns, and our own record to hold them to (None where we have none)."""
    ours = records[OURS] if records[OURS].problem is None else None
    return ((name, record, ours) for name, record in records.items() if record.problem is None)


def _problems(records: Mapping[str, Record | StartRecord]) -> Iterator[str]:
    for name, record in records.items():
        if record.problem is not None:
            yield from ("", f"{name} did not start: `{record.problem}`")


def _head(*titles: str) -> Iterator[str]:
    yield _row(*titles)
    yield "|" + "---|" * len(titles)


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _ms(seconds: Figure | None) -> str:
    if seconds is None:
        return "too slow for one"
    return f"{1000 * seconds.median:,.1f} ({1000 * seconds.least:,.1f}–{1000 * seconds.most:,.1f})"


def _whole(found: Figure) -> str:
    return f"{found.median:,.0f} ({found.least:,.0f}–{found.most:,.0f})"
