"""Sets of resources that patterns cover, held against the plain questions of the pattern language."""

import hypothesis.strategies as st
import pytest
from hypothesis import assume, example, given, settings

from shared.iam.patterns import globs
from shared.iam.patterns.globs import Wild
from shared.iam.scopes import Scope, might_reach, surely_reaches
from shared.pci.reach.covering import Covering

ARNS = st.lists(st.text("ab/:", min_size=1, max_size=5), min_size=1, max_size=8, unique=True).map(sorted)
PIECES = st.sampled_from(["a", "b", "/", ":", "*", "?", "${aws:username}", "ab/", "${*}"])
PATTERNS = st.lists(PIECES, min_size=1, max_size=6).map("".join)
HEADS = st.lists(st.sampled_from(["a", "b", ""]), min_size=5, max_size=5).map(":".join)
WILD_HEADS = st.lists(st.sampled_from(["a", "b", "", "*", "?", "a*", "${aws:username}"]), min_size=5, max_size=5).map(
    ":".join
)
WHOLE_ARNS = st.lists(st.builds("{}:{}".format, HEADS, st.text("ab/:", max_size=5)), min_size=1, unique=True).map(
    sorted
)
WHOLE_PATTERNS = st.builds("{}:{}".format, WILD_HEADS, PATTERNS)
SCOPES = st.builds(
    lambda patterns, negated: Scope((), patterns) if negated else Scope(patterns),
    st.lists(PATTERNS, min_size=1, max_size=3).map(tuple),
    st.booleans(),
)


def chosen(arns: list[str], mask: int) -> set[str]:
    return {arn for place, arn in enumerate(arns) if mask >> place & 1}


@settings(deadline=None, max_examples=500)
@given(ARNS, SCOPES)
def test_resources_themselves_are_found_as_one_by_one(arns: list[str], scope: Scope) -> None:
    covering = Covering(arns)
    assert chosen(arns, covering.may_cover(scope).own) == {arn for arn in arns if might_reach(scope, arn)}
    assert chosen(arns, covering.surely_covers(scope).own) == {arn for arn in arns if surely_reaches(scope, arn)}


def could_match_inside(pattern: str, arn: str, sign: str) -> bool:
    """Whether a pattern splits so that more than its head matches ARN and sign; a later `*` may be on both sides."""
    read = globs.tokens(pattern)
    head = [place for place, letter in enumerate(read, start=1) if letter == ":"][4:5] or [0]
    for place, token in enumerate(read):
        taken = read[: place + 1] if is_run(token) else read[:place]
        if len(taken) > head[0] and fits(taken, f"{arn}{sign}"):
            return True
    return False


def is_run(token: globs.Token) -> bool:
    return token is Wild.RUN or (isinstance(token, str) and len(token) > 1)


def fits(tokens: globs.Tokens, text: str) -> bool:
    """Whether tokens match a text, by the places in it that they could end at so far."""
    places = {0}
    for token in tokens:
        if is_run(token):
            places = set(range(min(places), len(text) + 1))
        else:
            places = {place + 1 for place in places if token is Wild.ONE or text[place : place + 1] == token}
            places -= {len(text) + 1}
        if not places:
            return False
    return len(text) in places


@settings(deadline=None, max_examples=1000)
@given(ARNS | WHOLE_ARNS, PATTERNS | WHOLE_PATTERNS)
@example(["b"], "b/")
@example(["b"], "b/a")
@example(["ba"], "b*/")
@example(["a:a:a:::a", "a:a:a:::b"], "a:*:a:::a/*")
@example(["a:a:a:::a", "a:a:a:::b"], "a:a:a:*:*:a:*")
@example(["a:a:a:::a/b", "a:a:a:::b"], "a:a:a:::?/b?*")
@example(["a", "aa", "aaa", "aaaa"], "a???")
@example(["a:a:a:::a", "a:a:a:::ab"], "*:a:::??*b")
def test_a_pattern_covers_from_inside_what_it_could_match_something_in(arns: list[str], pattern: str) -> None:
    covered = Covering(arns).may_cover(Scope((pattern,)))
    for sign, mask in (("/", covered.slash), (":", covered.colon)):
        assert chosen(arns, mask) == {arn for arn in arns if could_match_inside(pattern, arn, sign)}


@settings(deadline=None)
@given(ARNS | WHOLE_ARNS, PATTERNS)
def test_without_a_head_it_is_what_it_has_any_text_in_common_with(arns: list[str], pattern: str) -> None:
    assume(globs.tokens(pattern).count(":") < 5)
    covered = Covering(arns).may_cover(Scope((pattern,)))
    for sign, mask in (("/", covered.slash), (":", covered.colon)):
        assert chosen(arns, mask) == {arn for arn in arns if globs.overlaps(pattern, f"{arn}{sign}?*")}


@settings(deadline=None, max_examples=500)
@given(WHOLE_ARNS, WHOLE_PATTERNS, st.integers(0, 5))
def test_a_wider_segment_never_covers_less(arns: list[str], pattern: str, widened: int) -> None:
    plain = pattern.replace("${aws:username}", "*")
    segments = plain.split(":", 5)
    segments[widened] = "*"
    covering = Covering(arns)
    narrow, wide = covering.may_cover(Scope((plain,))), covering.may_cover(Scope((":".join(segments),)))
    assert (narrow - wide).union == 0


@settings(deadline=None, max_examples=500)
@given(ARNS | WHOLE_ARNS, PATTERNS | WHOLE_PATTERNS)
def test_what_is_surely_covered_may_be_covered(arns: list[str], pattern: str) -> None:
    covering, scope = Covering(arns), Scope((pattern,))
    assert (covering.surely_covers(scope) - covering.may_cover(scope)).union == 0


HERE = "eu-west-1:111122223333"
INSIDE = {
    "/": [
        "arn:aws:s3:::b001",
        "arn:aws:s3:::b002",
        f"arn:aws:dynamodb:{HERE}:table/t001",
        f"arn:aws:dynamodb:{HERE}:table/t002",
    ],
    ":": [f"arn:aws:logs:{HERE}:log-group:/app001", f"arn:aws:logs:{HERE}:log-group:/app002"],
}


@pytest.mark.parametrize(
    ("sign", "pattern", "entered"),
    [
        ("/", "arn:*:s3:::b001/*", {"b001"}),
        ("/", "arn:aws:s3:*:*:b001/*", {"b001"}),
        ("/", "arn:*:*:*:*:b001/a", {"b001"}),
        ("/", "arn:aws:s3:::b001/a:b", {"b001"}),
        ("/", "arn:aws:s3:::?001/*", {"b001"}),
        ("/", "arn:aws:s3:::b*/2026/*", {"b001", "b002"}),
        ("/", "arn:aws:s3:::b*1/*", {"b001", "b002"}),  # of the second, keys like 1/x
        ("/", "arn:*:*:*:*:*", {"b001", "b002", "t001", "t002"}),
        ("/", "arn:aws:dynamodb:*:111122223333:table/t001", set()),
        ("/", "arn:aws:dynamodb:*:111122223333:table/t001/index/a", {"t001"}),
        ("/", "arn:aws:dynamodb:*:*:table/t001/*", {"t001"}),
        ("/", "arn:aws:dynamodb:${aws:RequestedRegion}:*:table/t001/*", {"t001"}),
        ("/", "arn:aws:dynamodb:us-*:*:table/t001/*", set()),
        ("/", "arn:aws:dynamodb:*", {"t001", "t002"}),
        (":", "arn:aws:logs:*:*:log-group:/app001:*", {"app001"}),
        (":", "arn:aws:logs:*:*:log-group:/app001:log-stream:a", {"app001"}),
        (":", "arn:aws:logs:*:log-group:/app001:log-stream:a", {"app001"}),
        (":", "arn:*:logs:*:*:*:/app00?:*", {"app001", "app002"}),
        (":", "arn:aws:logs:*:*:*", {"app001", "app002"}),
    ],
)
def test_no_wildcard_of_a_head_runs_through_a_name(sign: str, pattern: str, entered: set[str]) -> None:
    arns = sorted(INSIDE[sign])
    covered = Covering(arns).may_cover(Scope((pattern,)))
    found = chosen(arns, covered.slash if sign == "/" else covered.colon)
    assert {arn.replace("/", ":").rpartition(":")[2] for arn in found} == entered


@settings(deadline=None, max_examples=500)
@given(ARNS, PATTERNS)
@example(["b"], "b/?*")
@example(["b"], "b/*")
@example(["b"], "b/*a*")
def test_a_pattern_surely_covers_from_inside_only_what_it_covers_all_of(arns: list[str], pattern: str) -> None:
    covered = Covering(arns).surely_covers(Scope((pattern,)))
    for sign, mask in (("/", covered.slash), (":", covered.colon)):
        # a policy that names a variable covers nothing for certain, though a `*` beside it might
        known = "${aws" not in pattern
        assert chosen(arns, mask) == {arn for arn in arns if known and globs.covers(pattern, f"{arn}{sign}*")}


def test_a_scope_without_patterns_reaches_what_it_is_attached_to() -> None:
    covering = Covering(["a", "b"])
    assert covering.may_cover(Scope(())).own == 0b11
    assert covering.surely_covers(Scope(())).own == 0


def test_many_resources_are_told_apart() -> None:
    arns = sorted(f"arn:aws:sqs:eu-west-1:111122223333:team{number % 7}-{number}" for number in range(2_000))
    covering = Covering(arns)
    for pattern in ("arn:aws:sqs:*:*:team3-*", "arn:aws:sqs:*:*:team3-1?", "*1", "arn:aws:sqs:eu-west-1:*", "*"):
        expected = {arn for arn in arns if globs.matches(pattern, arn)}
        assert chosen(arns, covering.may_cover(Scope((pattern,))).own) == expected, pattern


def test_many_resources_are_entered_by_a_pattern_that_begins_with_a_wildcard() -> None:
    arns = [f"arn:aws:s3:::bucket-{number:05}" for number in range(1_000)]
    entered = Covering(arns).may_cover(Scope(("?rn:aws:s3:::bucket-00017/*",))).slash
    assert chosen(arns, entered) == {"arn:aws:s3:::bucket-00017"}
