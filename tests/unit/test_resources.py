"""Resources of a use: laws of the join, what a family is, and how far a pattern may reach."""

import pickle
from collections.abc import Iterable, Sequence
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.resources import (
    ANY_RESOURCE,
    MAX_ARN_LENGTH,
    MAX_EXACT,
    MAX_FAMILIES,
    MAX_FAMILY_LENGTH,
    NO_RESOURCE,
    Resources,
    family_of,
)

OWN = "111122223333"
TABLE = f"arn:aws:dynamodb:eu-west-1:{OWN}:table/"

# Scopes of every sort: types with / and :, names without a type, objects, and what belongs to no named account.
SCOPES = (
    TABLE,
    f"arn:aws:logs:eu-west-1:{OWN}:log-group:/aws/lambda/",
    f"arn:aws:sns:eu-west-1:{OWN}:",
    f"arn:aws:sns:eu-west-1:{OWN}:orders:",
    f"arn:aws-cn:s3:cn-north-1:{OWN}:accesspoint/",
    "arn:aws:iam::444455556666:role/",
    "arn:aws:iam::aws:policy/",
    "arn:aws:s3:::photos/",
    "arn:aws:s3:::photos-2/",
    "arn:aws:s3:::",
    "arn:aws:route53:::hostedzone/",
    "arn:aws:apigateway:eu-west-1::/restapis/",
)
NAMES = st.text("ab/:-$é", min_size=1, max_size=6)
LONG_NAMES = st.integers(1, 9).map(lambda digit: str(digit) * 900)
GOOD = st.builds(str.__add__, st.sampled_from(SCOPES), NAMES | LONG_NAMES)
REGIONAL = st.builds(lambda number, name: f"arn:aws:sqs:xx-{number}:{OWN}:{name}", st.integers(0, 30), NAMES)
ODD = st.sampled_from(
    ("", "*", "arn:", "arn:aws:s3:::a*", "arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/k?", "i-0abc", "a\ud800")
)
ARNS = st.lists(GOOD, max_size=60) | st.lists(GOOD | REGIONAL, max_size=60) | st.lists(GOOD | ODD, max_size=8)
# Hypothesis rarely draws 21 of one family by itself.
MANY = st.builds(
    lambda scope, names: [scope + name for name in names],
    st.sampled_from(SCOPES),
    st.lists(NAMES, min_size=MAX_EXACT, max_size=2 * MAX_EXACT, unique=True),
)
SETS = st.one_of(ARNS, MANY, st.builds(list.__add__, MANY, ARNS))
RESOURCES = SETS.map(Resources.of)


def covers(resources: Resources, arn: str) -> bool:
    patterns = resources.patterns()
    return patterns is None or any(
        arn.startswith(pattern[:-1]) if pattern.endswith("*") else arn == pattern for pattern in patterns
    )


def owner(arn: str) -> str:
    """Whose an ARN is: its account, or the bucket of an object."""
    _, partition, service, _, account, name = arn.split(":", 5)
    return f"{partition} {account}" if account or service != "s3" else f"{partition} bucket {name.partition('/')[0]}"


@settings(deadline=None)
@given(RESOURCES, RESOURCES, RESOURCES)
def test_joining_is_idempotent_commutative_and_associative(a: Resources, b: Resources, c: Resources) -> None:
    assert a.join(a) == a
    assert a.join(b) == b.join(a)
    assert a.join(b).join(c) == a.join(b.join(c))
    assert a.join(NO_RESOURCE) == a == NO_RESOURCE.join(a)
    assert a.join(ANY_RESOURCE) == ANY_RESOURCE == ANY_RESOURCE.join(a)


@settings(deadline=None)
@given(SETS, st.data())
def test_any_order_repetition_and_batching_of_arns_gives_the_same(arns: list[str], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(arns), max_size=5)) if arns else []
    shuffled = data.draw(st.permutations([*arns, *again]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=6)))
    batches = [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    assert reduce(Resources.join, map(Resources.of, batches), NO_RESOURCE) == Resources.of(arns)


@settings(deadline=None)
@given(SETS, RESOURCES)
def test_what_was_used_once_is_covered_for_good(arns: list[str], more: Resources) -> None:
    known = Resources.of(arns)
    for arn in arns:
        assert covers(known, arn)
        assert covers(known.join(more), arn)
    assert known.join(more).join(known) == known.join(more), "nothing is forgotten"


@settings(deadline=None)
@given(SETS)
def test_no_pattern_reaches_into_another_account_or_bucket(arns: list[str]) -> None:
    for pattern in Resources.of(arns).patterns() or ():
        if pattern.endswith("*"):
            scope = pattern.split(":", 5)
            assert (scope[4].isdigit() and len(scope[4]) == 12) or (scope[2] == "s3" and "/" in scope[5])
            covered = [arn for arn in arns if arn.startswith(pattern[:-1])]
            assert len({owner(arn) for arn in covered}) == 1
            assert {owner(arn) for arn in covered} == {owner(f"{pattern[:-1]}x")}
        else:
            assert pattern in arns
        assert "*" not in pattern[:-1]
        assert "?" not in pattern
        assert "${" not in pattern


@settings(deadline=None)
@given(RESOURCES)
def test_resources_stay_within_their_bounds_and_survive_being_written_down(resources: Resources) -> None:
    patterns = resources.patterns()
    assert Resources.of_patterns(patterns) == resources
    assert pickle.loads(pickle.dumps(resources)) == resources  # noqa: S301 our own
    assert patterns is None or len(patterns) <= MAX_FAMILIES * MAX_EXACT
    for members in (resources.families or {}).values():
        assert len(members) <= MAX_ARN_LENGTH if isinstance(members, str) else len(members) <= MAX_EXACT
        assert isinstance(members, str) or sum(map(len, members)) <= MAX_FAMILY_LENGTH
    exact = resources.exact()
    assert exact == (None if patterns is None or any(p.endswith("*") for p in patterns) else frozenset(patterns))


FAMILIES = {
    # types end with the first / or :
    f"{TABLE}orders": TABLE,
    f"{TABLE}orders/index/by-day": TABLE,
    f"arn:aws:logs:eu-west-1:{OWN}:log-group:/aws/lambda/f:log-stream:2026/[$LATEST]0a": (
        f"arn:aws:logs:eu-west-1:{OWN}:log-group:"
    ),
    f"arn:aws:states:eu-west-1:{OWN}:execution:orders:0e": f"arn:aws:states:eu-west-1:{OWN}:execution:",
    f"arn:aws:ecr:eu-west-1:{OWN}:repository/team/app": f"arn:aws:ecr:eu-west-1:{OWN}:repository/",
    f"arn:aws:lambda:eu-west-1:{OWN}:function:f:live": f"arn:aws:lambda:eu-west-1:{OWN}:function:",
    f"arn:aws:iam::{OWN}:role/ci/deployer": f"arn:aws:iam::{OWN}:role/",
    f"arn:aws:iam::{OWN}:root": f"arn:aws:iam::{OWN}:",
    "arn:aws:iam::aws:policy/ReadOnlyAccess": "arn:aws:iam::aws:policy/",
    # names without a type; a topic's subscriptions are a family of their own
    f"arn:aws:sns:eu-west-1:{OWN}:orders": f"arn:aws:sns:eu-west-1:{OWN}:",
    f"arn:aws:sns:eu-west-1:{OWN}:orders:6b0e": f"arn:aws:sns:eu-west-1:{OWN}:orders:",
    # buckets belong to whoever made them, an object to its bucket
    "arn:aws:s3:::photos": "arn:aws:s3:::",
    "arn:aws:s3:::photos/": "arn:aws:s3:::photos/",
    "arn:aws:s3:::photos/a:b/c": "arn:aws:s3:::photos/",
    "arn:aws:s3:::photos:x/y": "arn:aws:s3:::",
    "arn:aws:s3:::/key": "arn:aws:s3:::",
    "arn:aws-cn:s3:::photos/k": "arn:aws-cn:s3:::photos/",
    "arn:aws-us-gov:s3:::photos/k": "arn:aws-us-gov:s3:::photos/",
    f"arn:aws:s3:eu-west-1:{OWN}:accesspoint/ap/object/k": f"arn:aws:s3:eu-west-1:{OWN}:accesspoint/",
    f"arn:aws:s3::{OWN}:accesspoint/mrap.mrap": f"arn:aws:s3::{OWN}:accesspoint/",
    f"arn:aws:s3express:eu-west-1:{OWN}:bucket/b--x-s3": f"arn:aws:s3express:eu-west-1:{OWN}:bucket/",
    "arn:aws:s3:eu-west-1::odd/k": "arn:aws:s3:eu-west-1::",
    # no account: who owns it can't be told
    "arn:aws:route53:::hostedzone/Z1": "arn:aws:route53:::",
    "arn:aws:apigateway:eu-west-1::/restapis/a/stages/b": "arn:aws:apigateway:eu-west-1::",
    "arn:aws:ec2:eu-west-1::image/ami-1": "arn:aws:ec2:eu-west-1::",
    # letters of Latin-1 may stand in a policy
    "arn:aws:s3:::photos/é ü": "arn:aws:s3:::photos/",
}
NO_ARNS = (
    *("", "*", "orders", "i-0abc", "arn", "arn:aws", "arn:aws:s3", "arn:aws:s3:::", "arn:aws:s3:eu-west-1:photos"),
    *("arn::s3:::photos", "arn:aws::::photos", "arn:gcp:s3:::photos", "ARN:aws:s3:::photos", "arn:aws:S3:::photos"),
    *(
        " arn:aws:s3:::photos",
        "arn:aws:s3:::photos\n",
        "arn:aws:s3:::a\x00b",
        "arn:aws:s3:::a\tb",
        "arn:aws:s3:::a\x7f",
    ),
    *("arn:aws:s3:::photos/*", "arn:aws:s3:::photo?", "arn:aws:s3:::${aws:username}", f"arn:aws:sqs:*:{OWN}:q"),
    *(f"arn:aws:logs:eu-west-1:{OWN}:log-group:/aws/f:*", "arn:aws:s3:::photos/照片", "arn:aws:s3:::a/\ud800"),
    "arn:aws:s3:::" + "a" * MAX_ARN_LENGTH,
)


@pytest.mark.parametrize(("arn", "family"), FAMILIES.items())
def test_the_family_of_an_arn(arn: str, family: str) -> None:
    assert family_of(arn) == family
    assert Resources.of([arn]).exact() == frozenset({arn})


@pytest.mark.parametrize("text", NO_ARNS, ids=ascii)
def test_what_a_policy_could_not_name_exactly_is_any(text: str) -> None:
    assert family_of(text) is None
    assert Resources.of([f"{TABLE}orders", text]).is_any


def numbered(scope: str, count: int) -> list[str]:
    return [f"{scope}{number:03d}" for number in range(count)]


GENERALISED: Sequence[tuple[Iterable[str], tuple[str, ...] | None]] = [
    (numbered(TABLE, MAX_EXACT), tuple(numbered(TABLE, MAX_EXACT))),
    (numbered(TABLE, MAX_EXACT + 1), (f"{TABLE}0*",)),
    (numbered(f"{TABLE}orders-", 500), (f"{TABLE}orders-*",)),
    ([*numbered(f"{TABLE}orders-", 500), f"{TABLE}users"], (f"{TABLE}*",)),
    ([*numbered(TABLE, 30), "arn:aws:s3:::photos/k"], (f"{TABLE}0*", "arn:aws:s3:::photos/k")),
    (numbered("arn:aws:s3:::photos/2026/", 30), ("arn:aws:s3:::photos/2026/0*",)),
    ([f"{TABLE}{'x' * length}" for length in range(1, 30)], (f"{TABLE}x*",)),  # one begins all the others
    (numbered(f"arn:aws:sns:eu-west-1:{OWN}:", 30), (f"arn:aws:sns:eu-west-1:{OWN}:0*",)),
    # too long together, however few
    ([f"{TABLE}{letter * 2_000}" for letter in "abc"], (f"{TABLE}*",)),
    # a pattern would reach into other accounts, or there would be too many
    (numbered("arn:aws:s3:::photos-", MAX_EXACT), tuple(numbered("arn:aws:s3:::photos-", MAX_EXACT))),
    (numbered("arn:aws:s3:::photos-", MAX_EXACT + 1), None),
    (numbered("arn:aws:route53:::hostedzone/Z", MAX_EXACT + 1), None),
    (numbered("arn:aws:iam::aws:policy/", MAX_EXACT + 1), None),
    ([f"{bucket}/k" for bucket in numbered("arn:aws:s3:::photos-", MAX_FAMILIES + 1)], None),
]


@pytest.mark.parametrize(("arns", "patterns"), GENERALISED)
def test_too_many_of_a_family_become_their_longest_common_pattern(
    arns: Iterable[str], patterns: tuple[str, ...] | None
) -> None:
    assert Resources.of(arns).patterns() == (patterns if patterns is None else tuple(sorted(patterns)))


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "*", "arn:*", "arn:aws:s3:::*", "arn:aws:s3:::photos*", "arn:aws:route53:::hostedzone/*", "photos"),
        *(
            "arn:aws:iam::aws:policy/*",
            f"arn:aws:sqs:eu-west-1:{OWN}*",
            f"{TABLE}a*b",
            f"{TABLE}a**",
            f"{TABLE}${{x}}*",
        ),
        *("arn:aws:s3:::", "arn:aws:s3:::photos/照片*"),
    ],
)
def test_a_pattern_that_is_none_of_ours_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="neither an ARN nor a pattern within one account"):
        Resources.of_patterns([f"{TABLE}orders", pattern])


def test_what_is_known_to_be_nothing_differs_from_any() -> None:
    assert Resources.of([]) == NO_RESOURCE
    assert NO_RESOURCE.patterns() == ()
    assert NO_RESOURCE.exact() == frozenset()
    assert ANY_RESOURCE.patterns() is None
    assert ANY_RESOURCE.exact() is None
    assert ANY_RESOURCE.is_any
    assert not NO_RESOURCE.is_any
