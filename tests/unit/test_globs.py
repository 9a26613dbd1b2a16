"""IAM's pattern language: matching, containment and overlap, held to brute force over short words."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.patterns import globs
from shared.iam.patterns.variables import has_variables, parts_of

WORDS = ["".join(word) for length in range(6) for word in itertools.product("ab~", repeat=length)]
PATTERNS = st.text("ab*?", max_size=4)


@settings(deadline=None)
@given(PATTERNS, PATTERNS)
def test_covers_is_containment(wider: str, narrower: str) -> None:
    contained = all(globs.matches(wider, word) for word in WORDS if globs.matches(narrower, word))

    assert globs.covers(wider, narrower) <= contained
    if "?" not in wider:
        assert globs.covers(wider, narrower) == contained


@settings(deadline=None)
@given(PATTERNS, PATTERNS)
def test_overlaps_is_a_common_word(one: str, other: str) -> None:
    common = any(globs.matches(one, word) and globs.matches(other, word) for word in WORDS)

    assert globs.overlaps(one, other) >= common
    assert globs.overlaps(one, other) == globs.overlaps(other, one)
    if not globs.overlaps(one, other):
        assert not common


def test_patterns_that_share_nothing_do_not_overlap() -> None:
    assert not globs.overlaps("a*", "b*")
    assert not globs.overlaps("a?", "a")
    assert not globs.overlaps("*a", "*b")
    assert globs.overlaps("a*c", "a?b*")


def test_a_bracket_is_a_plain_character() -> None:
    assert globs.matches("[ab]", "[ab]")
    assert not globs.matches("[ab]", "a")


def test_a_variable_is_never_assumed_to_be_anything() -> None:
    pattern = "arn:aws:s3:::home/${aws:username}/*"

    assert not globs.matches(pattern, "arn:aws:s3:::home/alice/x")
    assert globs.might_match(pattern, "arn:aws:s3:::home/alice/x")
    assert globs.covers("arn:aws:s3:::home/*", pattern)
    assert globs.covers(pattern, pattern)
    assert not globs.covers(pattern, "arn:aws:s3:::home/alice/*")
    assert not globs.covers("${aws:username}", "${aws:userid}")
    assert not globs.covers("?", "${aws:username}")
    assert globs.overlaps(pattern, "arn:aws:s3:::home/alice/*")


def test_escaped_characters_are_themselves() -> None:
    assert globs.matches("a${*}", "a*")
    assert not globs.matches("a${*}", "ab")
    assert not globs.is_wild("a${*}${?}${$}")
    assert not has_variables(parts_of("a${*}"))
