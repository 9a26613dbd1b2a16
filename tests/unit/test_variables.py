"""Policy variables: where they stand, what they become, and what they never become."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.patterns import globs
from shared.iam.patterns.globs import Wild
from shared.iam.patterns.variables import Variable, has_variables, parts_of, resolve
from shared.iam.request import Context

CONTEXT: Context = {
    "aws:username": ("alice",),
    "aws:principaltag/cost center": ("blue*",),
    "aws:tagkeys": ("only",),
    "s3:prefix": ("",),
    "x:several": ("a", "b"),
    "x:none": (),
}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("a*?", ("a", Wild.RUN, Wild.ONE)),
        ("${aws:UserName}", (Variable("aws:username"),)),
        ("a${aws:userid, 'No One'}b", ("a", Variable("aws:userid", "No One"), "b")),
        ("${aws:userid,''}", (Variable("aws:userid", ""),)),
        ("${aws:userid, none}", (Variable("aws:userid, none"),)),
        ("x${*}${?}${$}y", ("x*?$y",)),
        ("${$}{aws:username}", ("${aws:username}",)),
        ("${aws:username", ("${aws:username",)),
        ("$aws{x}*", ("$aws{x}", Wild.RUN)),
        ("${${aws:username}}", (Variable("${aws:username"), "}")),
        ("${a,'x', 'y'}${b*?", (Variable("a", "x', 'y"), "${b", Wild.RUN, Wild.ONE)),
        ("${" * 50_000, ("${" * 50_000,)),
        ("${" + " , '" * 20_000 + "x}", (Variable(" , '" * 20_000 + "x"),)),
    ],
)
def test_text_is_read_into_parts(text: str, parts: tuple[object, ...]) -> None:
    assert parts_of(text) == parts
    assert has_variables(parts_of(text)) is any(isinstance(part, Variable) for part in parts)


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("home/${aws:username}/*", "home/alice/*"),
        ("home/${AWS:USERNAME}/*", "home/alice/*"),
        ("${aws:PrincipalTag/Cost Center}", "blue${*}"),
        ("${s3:prefix}", ""),
        ("${aws:userid}", None),
        ("${aws:userid, 'a*'}", "a${*}"),
        ("${AWS:UserName, 'nobody'}", "alice"),
        ("${x:several}", None),
        ("${x:several, 'a'}", None),
        ("${x:none}", None),
        ("${x:none, 'a'}", "a"),
        ("${aws:TagKeys}", None),
        ("${aws:username}${aws:userid}", None),
        ("${*}${$}{aws:username}", "${*}${$}{aws:username}"),
    ],
)
def test_variables_are_replaced_by_literal_text(text: str, resolved: str | None) -> None:
    assert resolve(text, CONTEXT) == resolved


@settings(deadline=None)
@given(st.text("ab*?${}", max_size=8), st.text("ab*?${}", max_size=8))
def test_a_value_matches_itself_and_nothing_else(value: str, other: str) -> None:
    pattern = resolve("${x:key}", {"x:key": (value,)})

    assert pattern is not None
    assert globs.matches(pattern, other) is (value == other)


@settings(deadline=None)
@given(st.text("ab*?${}:", max_size=12))
def test_resolving_again_changes_nothing(text: str) -> None:
    once = resolve(text, {})

    assert once is None or resolve(once, {}) == once
