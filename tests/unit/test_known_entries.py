"""What a warm process remembers of the ledger stays within its bounds and never says more than it was told."""

import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.aws.known_entries import ARN_BYTES, FACT_BYTES, FAMILY_BYTES, KnownEntries
from shared.aws.ledger_items import Fact
from shared.model.resources import Resources
from shared.model.usage import DaySeen, Evidence, Span, UsageEntry

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def entry(*objects: str) -> UsageEntry:
    resources = Resources.of(f"arn:aws:s3:::b/{name}" for name in objects)
    return UsageEntry("s3:GetObject", {Evidence.OBSERVED: Span(NOON, NOON)}, resources, frozenset({"eu-west-1"}))


def test_the_least_recently_needed_fact_is_dropped_first() -> None:
    known = KnownEntries(max_facts=2)
    for name in "ab":
        known.put((name, ""), entry(name))
    assert known.get(("a", "")) == entry("a")
    known.put(("c", ""), entry("c"))
    assert [known.get((name, "")) is None for name in "abc"] == [False, True, False]


def test_facts_are_dropped_as_their_arns_grow() -> None:
    known = KnownEntries(max_bytes=3 * FACT_BYTES + FAMILY_BYTES + 2 * ARN_BYTES)
    for name in "abc":
        known.put((name, ""), DaySeen())
    assert len(known) == 3
    known.put(("c", ""), entry("x"))
    known.put(("c", ""), entry("y"))
    assert len(known) == 3, "what is replaced is no longer counted"
    known.put(("c", ""), entry("x" * ARN_BYTES, "y"))
    assert [known.get((name, "")) is None for name in "abc"] == [True, False, False]


def test_a_fact_that_is_larger_than_the_bound_is_not_kept() -> None:
    known = KnownEntries(max_bytes=FACT_BYTES)
    known.put(("a", ""), entry("x"))
    assert len(known) == 0


FACTS = st.lists(st.sampled_from("abcdef"), max_size=4).map(lambda names: entry(*names)) | st.just(DaySeen())


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcde"), st.none() | FACTS)), st.integers(0, 4), st.integers(0, 8))
def test_it_is_a_bounded_memory_of_the_last_facts_put(
    steps: list[tuple[str, Fact | None]], max_facts: int, room: int
) -> None:
    known = KnownEntries(max_facts=max_facts, max_bytes=room * FACT_BYTES)
    told: dict[str, Fact] = {}
    for name, fact in steps:
        if fact is not None:
            known.put((name, ""), fact)
            told[name] = fact
        remembered = known.get((name, ""))
        assert remembered is None or remembered == told[name]
        assert len(known) <= min(max_facts, room)


def deep_size(thing: Any, seen: set[int]) -> int:
    """Bytes of an object and of everything that only it holds."""
    if id(thing) in seen or isinstance(thing, type | Evidence) or thing is None:
        return 0
    seen.add(id(thing))
    size = sys.getsizeof(thing)
    if isinstance(thing, dict):
        return size + sum(deep_size(part, seen) for pair in thing.items() for part in pair)
    if isinstance(thing, tuple | list | frozenset):
        return size + sum(deep_size(part, seen) for part in thing)
    return size + sum(deep_size(getattr(thing, name), seen) for name in getattr(type(thing), "__slots__", ()))


@pytest.mark.parametrize(("families", "each"), [(0, 0), (1, 1), (1, 20), (20, 1), (20, 20)])
def test_memory_is_not_underestimated(families: int, each: int) -> None:
    moments = (NOON.replace(hour=number) for number in range(8))
    arns = [f"arn:aws:s3:::photos-{family:02d}/{number:04d}" for family in range(families) for number in range(each)]
    fact = UsageEntry(
        "".join(["s3:", "GetObject"]),
        {kind: Span(next(moments), next(moments)) for kind in Evidence},
        Resources.of(arns),
        frozenset({"".join(["eu-", "west-1"])}),
    )
    counted = FACT_BYTES + families * FAMILY_BYTES + len(arns) * ARN_BYTES + sum(map(len, arns))
    assert deep_size(fact, set()) <= counted
    key = ("pk", "sk")
    roomy, tight = KnownEntries(max_bytes=counted), KnownEntries(max_bytes=counted - 1)
    for known in (roomy, tight):
        known.put(key, fact)
    assert (len(roomy), len(tight)) == (1, 0)
