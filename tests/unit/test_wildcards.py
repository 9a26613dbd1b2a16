"""Compiled patterns: as the slow matcher says, and quick however bad the pattern."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.patterns.variables import parts_of
from shared.iam.patterns.wildcards import anywhere, compile_texts, literal_texts, literally
from tests.unit import pattern_oracle

PATTERNS = st.text("ab:*?[", max_size=10)
TEXTS = st.text("ab:[\n", max_size=12)


def like(patterns: list[str], text: str) -> bool:
    return compile_texts(map(parts_of, patterns), anywhere)(text, {})


@settings(deadline=None, max_examples=1_000)
@given(PATTERNS, TEXTS)
def test_a_pattern_matches_what_the_slow_matcher_says(pattern: str, text: str) -> None:
    assert like([pattern], text) is pattern_oracle.matches(pattern, text)


@settings(deadline=None)
@given(st.lists(PATTERNS, max_size=5), TEXTS)
def test_a_list_matches_what_one_of_its_patterns_matches(patterns: list[str], text: str) -> None:
    assert like(patterns, text) is any(like([pattern], text) for pattern in patterns)


@settings(deadline=None)
@given(TEXTS, st.data())
def test_a_pattern_made_of_a_text_matches_it(text: str, data: st.DataObject) -> None:
    pattern = "".join(data.draw(st.sampled_from([char, "?", "*", f"*{char}", f"{char}*"])) for char in text)

    assert like([pattern], text)


@pytest.mark.parametrize(
    ("pattern", "text", "matched"),
    [
        ("a*" * 500 + "b", "a" * 10_000, False),
        ("*a" * 500, "a" * 10_000, True),
        ("*a?" * 250 + "b", "a" * 10_000, False),
        ("*?" * 500, "a" * 10_000, True),
        ("*ab" * 500 + "c", "ab" * 5_000, False),
        ("*" * 500 + "b", "a" * 10_000, False),
        ("*" + "a" * 500 + "b*", "a" * 10_000, False),
    ],
    ids=["runs", "all fit", "with ?", "only wildcards", "pairs", "one after the other", "long literal"],
)
def test_given_hundreds_of_wildcards_then_matching_ends(pattern: str, text: str, *, matched: bool) -> None:
    assert like([pattern], text) is matched
    assert like([pattern, pattern + "z"], text) is matched


def test_literals_are_listed_where_there_are_only_such() -> None:
    assert literal_texts(map(parts_of, ["a", "b${*}"]), anywhere) == frozenset({"a", "b*"})
    assert literal_texts(map(parts_of, ["a", "b*"]), anywhere) is None
    assert literal_texts(map(parts_of, ["a", "b*"]), literally) == frozenset({"a", "b*"})
    assert literal_texts(map(parts_of, ["${aws:username}"]), literally) is None


def test_given_no_pattern_then_nothing_matches() -> None:
    assert not like([], "")


def test_given_more_patterns_than_calls_may_nest_then_all_are_tried() -> None:
    patterns = [f"{number}*${{aws:username}}" for number in range(2_000)]
    test = compile_texts(map(parts_of, patterns), anywhere)

    assert test("1999-alice", {"aws:username": ("alice",)})
    assert not test("2000-alice", {"aws:username": ("bob",)})
