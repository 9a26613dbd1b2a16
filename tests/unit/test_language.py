"""Patterns as automata: containment, overlap and the sets of patterns that a text can match, held to brute force."""

import functools
import itertools
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.iam.comparison.reach import Reading, may_share, pattern_automaton, pattern_covers
from shared.iam.patterns.action_patterns import ActionPatterns
from shared.iam.patterns.arns import as_resource
from shared.iam.patterns.language import AnyCase, Automaton, Budget, BudgetSpentError, automaton, covers, overlaps
from shared.iam.patterns.product import Product
from shared.iam.patterns.variables import parts_of
from shared.iam.patterns.wildcards import anywhere

WORDS = ["".join(word) for length in range(6) for word in itertools.product("ab:", repeat=length)]
PATTERNS = st.text("ab*?:", max_size=5)
FEW = st.lists(PATTERNS, min_size=1, max_size=4, unique=True)


@functools.cache
def of(pattern: str, *, within: bool = False) -> Automaton:
    """Wildcards range anywhere, or not over colons except at the end of a segment."""
    return automaton(as_resource(parts_of(pattern)) if within else anywhere(parts_of(pattern)))


@functools.cache
def naively(pattern: str) -> frozenset[str]:
    expression = re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))
    return frozenset(word for word in WORDS if expression.fullmatch(word))


@settings(deadline=None)
@given(PATTERNS, st.sampled_from(WORDS))
def test_an_automaton_matches_what_a_regular_expression_does(pattern: str, word: str) -> None:
    assert of(pattern).matches(word) == (word in naively(pattern))


@settings(deadline=None)
@given(PATTERNS, PATTERNS)
def test_covers_is_containment(wide: str, narrow: str) -> None:
    contained = naively(narrow) <= naively(wide)

    assert covers(of(wide), of(narrow)) <= contained
    if "?" not in wide and len(wide) < 4:
        assert covers(of(wide), of(narrow)) == contained


@settings(deadline=None)
@given(PATTERNS, PATTERNS)
def test_overlaps_is_a_common_word(one: str, other: str) -> None:
    common = bool(naively(one) & naively(other))

    assert overlaps(of(one), of(other)) >= common
    assert overlaps(of(one), of(other)) == overlaps(of(other), of(one))
    if len(one) + len(other) < 6:
        assert overlaps(of(one), of(other)) == common


@settings(deadline=None)
@given(FEW, PATTERNS, st.booleans())
def test_a_product_finds_every_set_of_patterns_that_a_text_matches(few: list[str], bound: str, within: bool) -> None:  # noqa: FBT001 drawn
    automata = [of(pattern, within=within) for pattern in (bound, *few)]
    product = Product(automata, within=[0])
    found: dict[int, str] = {}
    for cell in product.cells(Budget(10**6)):
        found[cell.accepted] = "".join(map(str, cell.text))

    for accepted, text in found.items():
        assert accepted == matched(product, automata, text) == product.accepted(text, Budget(10**6))
    assert {matched(product, automata, word) for word in WORDS if automata[0].matches(word)} <= set(found)


def matched(product: Product, automata: list[Automaton], text: str) -> int:
    return sum(final for one, final in zip(automata, product.finals, strict=True) if one.matches(text))


@settings(deadline=None)
@given(FEW, FEW)
def test_what_a_product_merges_or_excludes_loses_no_set_of_lists(few: list[str], more: list[str]) -> None:
    automata = [of(pattern) for pattern in ("*", *few, *more)]
    places = {"few": range(1, len(few) + 1), "more": range(len(few) + 1, len(automata))}
    product = Product(automata, within=[0])
    groups: dict[int, int] = {}
    for own in places.values():
        span = sum(product.spans[place] for place in own)
        groups |= {product.finals[place]: span for place in own if product.endless(place)}
    product.settle(groups, 0)
    finals = {name: sum(product.finals[place] for place in own) for name, own in places.items()}
    found = {tuple(bool(cell.accepted & one) for one in finals.values()) for cell in product.cells(Budget(10**6))}

    assert {tuple(any(word in naively(one) for one in own) for own in (few, more)) for word in WORDS} <= found


def test_a_variable_is_a_letter_that_only_a_star_takes() -> None:
    own, other = "home/${aws:username}/*", "home/${aws:userid}/*"
    home, star, one = (pattern_automaton(pattern, Reading.ACROSS) for pattern in ("home/al/*", "home/*", "home/?/*"))
    variable = pattern_automaton(own, Reading.ACROSS)

    assert covers(star, variable)
    assert covers(variable, pattern_automaton("home/${AWS:UserName}/x", Reading.ACROSS))
    assert not covers(variable, pattern_automaton(other, Reading.ACROSS))
    assert not covers(one, variable)
    assert not covers(home, variable)
    assert not covers(variable, home)
    assert overlaps(pattern_automaton(own, Reading.ACROSS, loose=True), home)


def test_a_text_in_any_case() -> None:
    either = automaton([AnyCase("a-b")])

    assert [either.matches(text) for text in ("a-b", "A-B", "A-b", "ab", "c-b")] == [True, True, True, False, False]


def test_steps_are_limited() -> None:
    patterns = [of(f"*{one}*{other}*") for one, other in itertools.product("abcdefgh", repeat=2)]

    with pytest.raises(BudgetSpentError):
        list(Product([of("*"), *patterns], within=[0]).cells(Budget(5000)))


ACTIONS = st.text("ab*?", max_size=3).map(lambda name: f"s:{name}") | st.sampled_from(("*", "s*", "?:a", "t:a"))


@settings(deadline=None)
@given(st.lists(ACTIONS, min_size=1, max_size=5), ACTIONS)
@example(["s:a?"], "s:ab")
def test_action_patterns_answer_as_each_of_them_would(patterns: list[str], asked: str) -> None:
    arranged = ActionPatterns(tuple(patterns))

    assert arranged.cover(asked) == any(covers(of(own), of(asked)) for own in patterns)
    assert arranged.may_share(asked) == any(overlaps(of(own), of(asked)) for own in patterns)
    assert set(arranged.sharing(asked)) == {own for own in patterns if overlaps(of(own), of(asked))}


@settings(deadline=None)
@given(*[st.lists(ACTIONS, min_size=1, max_size=4)] * 2)
def test_action_patterns_cover_all_others_where_they_cover_each(patterns: list[str], others: list[str]) -> None:
    arranged = ActionPatterns(tuple(patterns))

    assert arranged.cover_all(ActionPatterns(tuple(others))) == all(map(arranged.cover, others))


@settings(deadline=None)
@given(st.lists(ACTIONS, min_size=1, max_size=5), st.sampled_from(("s:a", "s:ab", "t:a", "u:b")))
def test_no_pattern_that_admits_an_action_is_missing_for_its_service(patterns: list[str], action: str) -> None:
    of_service = ActionPatterns(tuple(patterns)).of_service(action.partition(":")[0])

    assert {own for own in patterns if of(own).matches(action)} <= set(of_service) <= set(patterns)


HEADS = st.sampled_from(("", "a", "arn:aws:s3:", "arn:aws:s3:::a", "arn:aws:", "*", "?", "${a:b}", "${*}", "${", "$"))
RESOURCES = st.tuples(HEADS, HEADS, HEADS, st.sampled_from(("", "*", "b"))).map("".join)


@settings(deadline=None, max_examples=500)
@given(RESOURCES, RESOURCES)
def test_looking_at_the_stems_first_changes_no_answer(wide: str, narrow: str) -> None:
    strict, loose = (
        [[pattern_automaton(pattern, reading, loose=loosely) for pattern in (wide, narrow)] for reading in Reading]
        for loosely in (False, True)
    )

    assert pattern_covers(wide, narrow) == (wide in {narrow, "*"} or all(covers(*pair) for pair in strict))
    assert may_share(wide, narrow) == ("*" in {wide, narrow} or any(overlaps(*pair) for pair in loose))
