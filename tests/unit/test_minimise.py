"""The shortest spelling of a set of actions admits exactly that set, and nothing that the bound does not."""

import random
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.bounds import Bound
from shared.iam.catalogue import Catalogue
from shared.iam.minimise import minimise
from shared.iam.patterns import globs
from shared.knowledge import load_catalogue
from tests.unit.iam_oracle import SMALL

CATALOGUE = load_catalogue()
SERVICES = ("s3", "sqs", "iam", "dynamodb", "cloudwatch")
KNOWN = [key for service in SERVICES for key in CATALOGUE.of_service(service)]
UNKNOWN = ("s3:getfuture", "new:thing", "new:think", "iam:a")
BOUNDS = (
    "*",
    "s3:*",
    "s3:get*",
    "s3:*tagging",
    "iam:*",
    "iam:list*",
    "*:list*",
    "dynamodb:?e*",
    "cloudwatch:*m*",
    "sqs:*",
)
WANTED = st.one_of(
    st.frozensets(st.sampled_from([*KNOWN, *UNKNOWN]), max_size=60),
    st.lists(st.sampled_from(("get", "put", "list", "tag", "object", "s", "s3:", "iam:")), min_size=1, max_size=2).map(
        lambda parts: frozenset(key for key in KNOWN if all(part in key for part in parts))
    ),
)


def bound_of(patterns: Sequence[str]) -> Bound:
    return Bound(tuple(patterns))


def admitted(patterns: Sequence[str], universe: frozenset[str]) -> set[str]:
    test = re.compile("|".join(re.escape(one.lower()).replace(r"\*", ".*").replace(r"\?", ".") for one in patterns))
    return {key for key in universe if patterns and test.fullmatch(key)}


def size(patterns: Sequence[str]) -> int:
    return sum(len(pattern) + 3 for pattern in patterns)


@settings(deadline=None, max_examples=150)
@given(WANTED, st.lists(st.sampled_from(BOUNDS), max_size=4), st.booleans(), st.randoms())
def test_the_shortest_spelling_says_exactly_the_same(
    wanted: frozenset[str],
    allowed: list[str],
    whole_words: bool,  # noqa: FBT001 drawn by Hypothesis
    order: random.Random,
) -> None:
    bound = bound_of(allowed)
    found = minimise(wanted, CATALOGUE, bound, whole_words=whole_words)
    universe = frozenset(KNOWN) | wanted  # patterns of one service, which every one begins with

    assert all(":" in pattern for pattern in found)
    assert admitted(found, universe) == wanted
    assert all(any(globs.covers(own, pattern.lower()) for own in allowed) for pattern in found if "*" in pattern)
    assert size(found) <= size(sorted(wanted))
    assert minimise(admitted(found, universe), CATALOGUE, bound, whole_words=whole_words) == found
    shuffled = order.sample(sorted(wanted), len(wanted))
    assert minimise(shuffled, CATALOGUE, bound, whole_words=whole_words) == found


S3 = CATALOGUE.of_service("s3")
EC2 = CATALOGUE.of_service("ec2")


@pytest.mark.parametrize(
    ("wanted", "bound", "words", "characters"),
    [
        (S3, ["s3:*"], ["s3:*"], ["s3:*"]),
        (CATALOGUE.keys, ["*"], ["*"], ["*"]),
        (["s3:getobject"], ["*"], ["s3:GetObject"], ["s3:GetObject"]),
        (["s3:getobject", "s3:getfuture"], [], ["s3:GetObject", "s3:getfuture"], ["s3:GetObject", "s3:getfuture"]),
        ([key for key in S3 if key.startswith("s3:get")], ["s3:*"], ["s3:Get*"], ["s3:G*"]),
        ([key for key in S3 if key.startswith("s3:get")], ["s3:get*"], ["s3:Get*"], ["s3:Get*"]),
        ([key for key in S3 if key.endswith("tagging")], ["s3:*"], ["s3:*Tagging"], ["s3:*agging"]),
        ([key for key in S3 if key.endswith("tagging")], ["s3:*tagging"], ["s3:*Tagging"], ["s3:*Tagging"]),
        (
            [key for key in EC2 if key.startswith("ec2:describe") and key.endswith("attribute")],
            ["*"],
            ["ec2:Describe*Attribute"],
            ["ec2:D*bute"],
        ),
    ],
)
def test_wildcards_are_as_wide_as_they_may_be(
    wanted: Sequence[str], bound: list[str], words: list[str], characters: list[str]
) -> None:
    assert minimise(wanted, CATALOGUE, bound_of(bound), whole_words=True) == tuple(words)
    assert minimise(wanted, CATALOGUE, bound_of(bound)) == tuple(characters)


def test_a_wildcard_stands_for_two_actions_or_more() -> None:
    assert minimise(["sqs:sendmessage"], SMALL, bound_of(["*"])) == ("sqs:SendMessage",)
    assert minimise(["iam:getrole", "iam:passrole"], SMALL, bound_of(["*"])) == ("iam:*e",)


def test_start_and_end_of_a_wildcard_never_overlap() -> None:
    """`x:Ab*Ab` does not admit `x:Ab`, which must not get lost."""
    names = "x:Ab x:AbCdAb x:AbEfAb x:AbZz x:ZzAb"
    catalogue = Catalogue({"version": "1", "names": names, "levels": "rrrrr", "observability": "mmmmm"})

    assert minimise(["x:ab", "x:abcdab", "x:abefab"], catalogue, bound_of(["*"]), whole_words=True) == (
        "x:Ab",
        "x:Ab*Ab",
    )
