"""Patterns of resources and ARNs: wildcards, segments, variables."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.patterns.arns import as_arn, compile_resource, compile_resources
from shared.iam.patterns.variables import parts_of
from shared.iam.patterns.wildcards import compile_texts
from tests.unit import pattern_oracle

SEGMENTS = st.lists(st.text("ab*?", max_size=4), min_size=1, max_size=8).map(":".join)
ARN_PATTERNS = st.one_of(SEGMENTS, SEGMENTS.map("arn:{}".format))
ARNS = (
    st.lists(st.text("ab", max_size=4), min_size=1, max_size=9)
    .map(":".join)
    .flatmap(lambda text: st.sampled_from([text, f"arn:{text}"]))
)


@st.composite
def likely_matches(draw: st.DrawFn) -> tuple[str, str]:
    """An ARN, and a pattern made of it by putting wildcards for some of its characters."""
    arn = "arn:" + ":".join(draw(st.lists(st.text("ab", max_size=3), min_size=5, max_size=7)))
    steps = [draw(st.sampled_from([char, char, char, "?", "*", f"*{char}"])) for char in arn]
    return "".join(steps), draw(st.sampled_from([arn, arn + "a", arn.replace("a", ":", 1)]))


def arn_like(pattern: str, arn: str) -> bool:
    return compile_texts([parts_of(pattern)], as_arn)(arn, {}) and arn.startswith("arn:")


@settings(deadline=None, max_examples=700)
@given(st.one_of(likely_matches(), st.tuples(ARN_PATTERNS, ARNS)))
def test_a_resource_pattern_reaches_what_the_slow_matcher_says(case: tuple[str, str]) -> None:
    pattern, resource = case

    assert compile_resource(pattern).test(resource, {}) is pattern_oracle.reaches(pattern, resource)


@settings(deadline=None, max_examples=700)
@given(st.one_of(likely_matches(), st.tuples(ARN_PATTERNS, ARNS)))
def test_an_arn_operator_matches_what_the_slow_matcher_says(case: tuple[str, str]) -> None:
    pattern, arn = case

    assert arn_like(pattern, arn) is pattern_oracle.arn_matches(pattern, arn)


@settings(deadline=None)
@given(likely_matches())
def test_an_arn_operator_matches_no_more_than_a_resource_pattern(case: tuple[str, str]) -> None:
    pattern, arn = case

    assert compile_resource(pattern).test(arn, {}) or not arn_like(pattern, arn)


@settings(deadline=None)
@given(st.lists(ARN_PATTERNS, max_size=4), ARNS)
def test_a_list_reaches_what_one_of_its_patterns_reaches(patterns: list[str], resource: str) -> None:
    one_by_one = any(compile_resource(pattern).test(resource, {}) for pattern in patterns)

    assert compile_resources(patterns).test(resource, {}) is one_by_one


@pytest.mark.parametrize(
    ("pattern", "resource", "reached"),
    [
        ("*", "*", True),
        ("*", "arn:aws:s3:::logs", True),
        ("arn:aws:s3:::*", "*", False),
        ("arn:aws:s3*", "arn:aws:s3:::logs/a", True),
        ("arn:aws:*:logs", "arn:aws:s3:::logs", True),
        ("arn:aws:sns:eu-*-1:1:t", "arn:aws:sns:eu-west-1:1:t", True),
        ("arn:aws:sns:eu-*-1:1:t", "arn:aws:sns:eu-west:x-1:1:t", False),
        ("arn:aws:sns:?:1:t", "arn:aws:sns:::1:t", False),
        ("arn:aws:sns:r:*1:t", "arn:aws:sns:r:1:1:t", False),
        ("arn:aws:lambda:r:1:f*n:g?v", "arn:aws:lambda:r:1:f:n:g:v", True),
        ("arn:aws:lambda:*:1:function:f*", "arn:aws:lambda:eu-west-1:1:function:f:v1", True),
        ("arn:aws:s3:::[l]ogs", "arn:aws:s3:::logs", False),
        ("arn:aws:s3:::Logs", "arn:aws:s3:::logs", False),
        ("arn:aws:s3:::a\n*", "arn:aws:s3:::a\nb", True),
    ],
)
def test_a_resource_pattern_by_example(pattern: str, resource: str, *, reached: bool) -> None:
    assert compile_resource(pattern).test(resource, {}) is reached


def test_what_a_resource_element_says_of_itself() -> None:
    assert compile_resources(["arn:aws:s3:::a", "*"]).always
    assert compile_resources(["**"]).always
    assert not compile_resources(["*a", "${aws:username}"]).always
    assert compile_resources(["a", "${aws:username}"]).variables
    assert not compile_resources(["a", "${*}"]).variables


def test_a_variable_in_a_resource_is_the_requests_value() -> None:
    home = compile_resources(["arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::*/${aws:username}?/${aws:userid}"])

    assert home.test("arn:aws:s3:::b/alice/x", {"aws:username": ("alice",)})
    assert not home.test("arn:aws:s3:::b/bob/x", {"aws:username": ("alice",)})
    assert not home.test("arn:aws:s3:::b/alice/x", {"aws:username": ("*",)})
    assert home.test("arn:aws:s3:::c/al1/u.", {"aws:username": ("al",), "aws:userid": ("u.",)})
    assert not home.test("arn:aws:s3:::c/al1/ux", {"aws:username": ("al",), "aws:userid": ("u.",)})


def test_given_a_variable_without_value_then_the_pattern_reaches_nothing() -> None:
    for pattern in (
        "arn:aws:s3:::b/${aws:username}",
        "arn:aws:s3:::b/${aws:username}*",
        "arn:aws:s3:::*/${aws:username}",
    ):
        assert not compile_resource(pattern).test("arn:aws:s3:::b/", {})
        assert not compile_resource(pattern).test("arn:aws:s3:::b/${aws:username}", {})


@pytest.mark.parametrize(
    ("pattern", "resource"),
    [
        ("arn:" + "a*" * 200 + ":*:" + "b*" * 200 + ":x", "arn:" + ("a" * 100 + ":") * 50 + ("b" * 100 + ":") * 50),
        ("arn:*:a*b*:*:c*d*", "arn:" + ":a" * 5_000),
        ("*:*:*:*:*:z", "a:" * 5_000),
        ("arn:aws:s3:::" + "*a" * 300 + "b", "arn:aws:s3:::" + "a" * 10_000),
    ],
)
def test_given_hundreds_of_wildcards_then_matching_ends(pattern: str, resource: str) -> None:
    assert not compile_resource(pattern).test(resource, {})
    assert not arn_like(pattern, resource)
