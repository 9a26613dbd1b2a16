"""How a stored score compares to one that was computed just now, and why they differ. Pure."""

from collections.abc import Iterator

from shared.model.explanation import Explanation, StoredComparison
from shared.model.score import Score

_SAME_PCI = 1e-5  # two digits of rounding


def compare_to_stored(stored: Score, now: Explanation) -> StoredComparison:
    """Say whether both say the same, and else what is different between then and now."""
    differences = tuple(_differences(stored, now))
    same = abs(stored.pci - now.pci) < _SAME_PCI
    if not same and not differences:
        differences = ("the same counts then and now, but its resources, conditions or classes are others",)
    return StoredComparison(pci=stored.pci, scored_at=stored.scored_at, same=same, differences=differences)


def _differences(stored: Score, now: Explanation) -> Iterator[str]:
    hidden = now.possible + now.unobservable
    then, coverage = stored.coverage, now.coverage
    for name, before, after in (
        ("granted", stored.granted, now.granted),
        ("used", stored.used, now.used),
        ("unused", stored.unused, now.unused),
        ("possible or unobservable", stored.unobservable, hidden),
        ("days observed", then.observed_days, coverage.observed_days),
        ("days of the window", then.window_days, coverage.window_days),
        ("model", stored.model_version, now.model_version),
        ("catalogue", stored.catalogue_version, now.catalogue_version),
        ("reach by", then.reach.value, coverage.reach.value),
        ("resources in the inventory", then.resources, coverage.resources),
        ("resources reached", stored.resources, now.reach.resources),
        ("escalation paths looked up", _yes(then.principals), _yes(coverage.principals)),
        ("escalation paths completed", len([one for one in stored.contributions if one.path]), len(now.paths)),
    ):
        if before != after:
            yield f"{name}: {before} then, {after} now"


def _yes(is_so: bool) -> str:  # noqa: FBT001 a word for a value
    return "yes" if is_so else "no"
