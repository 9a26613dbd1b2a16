"""The catalogue answers what a pattern admits, and its shipped artefact is what its sources compile to."""

import fnmatch
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.catalogue import AccessLevel, Catalogue, Observability
from shared.iam.data.compile_catalogue import CATALOGUE, RISK, compiled_catalogue
from shared.knowledge import load_catalogue

CATALOGUED = load_catalogue()
LIST_NAMES = {"CredentialExposure", "DataAccess", "PrivEsc", "ResourceExposure"}


def test_the_artefact_is_what_its_sources_compile_to() -> None:
    packed = CATALOGUE.read_bytes()

    assert json.loads(gzip.decompress(packed)) == compiled_catalogue()
    assert packed[4:8] == b"\0\0\0\0", "a timestamp would make every build differ"


def test_the_risk_artefact_is_consistent() -> None:
    risk = json.loads(RISK.read_text(encoding="utf-8"))

    assert set(risk["classes"]) == LIST_NAMES
    assert sum(map(len, risk["classes"].values())) == 522
    assert len(risk["paths"]) == len({path["id"] for path in risk["paths"]}) == 65
    assert all(path["required"] for path in risk["paths"])
    assert all(len(digest) == 64 for digest in risk["sources"].values())
    named = {key for path in risk["paths"] for key in path["required"]}
    assert {key for key in named if key not in CATALOGUED} == set()


@pytest.mark.parametrize(
    ("name", "level", "observability"),
    [
        ("ec2:RunInstances", AccessLevel.WRITE, Observability.MANAGEMENT),
        ("s3:GetObject", AccessLevel.READ, Observability.DATA),
        ("s3:GetBucketLocation", AccessLevel.READ, Observability.MANAGEMENT),
        ("dynamodb:GetItem", AccessLevel.READ, Observability.DATA),
        ("iam:PassRole", AccessLevel.WRITE, Observability.MANAGEMENT),
        ("iam:AttachUserPolicy", AccessLevel.PERMISSIONS_MANAGEMENT, Observability.MANAGEMENT),
        ("ec2:CreateTags", AccessLevel.TAGGING, Observability.MANAGEMENT),
        ("logs:PutLogEvents", AccessLevel.WRITE, Observability.NONE),
        ("execute-api:Invoke", AccessLevel.WRITE, Observability.NONE),
        ("kafka-cluster:ReadData", AccessLevel.READ, Observability.NONE),
    ],
)
def test_known_actions(name: str, level: AccessLevel, observability: Observability) -> None:
    action = CATALOGUED.get(name.upper())

    assert action is not None
    assert (action.name, action.access_level, action.observability) == (name, level, observability)


def test_an_action_knows_what_it_depends_on() -> None:
    action = CATALOGUED.get("ec2:RunInstances")

    assert action is not None
    assert "iam:passrole" in action.depends_on


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(("", "s3", "iam", "*", "e?2", "S3", "nosuch")),
    st.text("GetObjcList*?", max_size=6),
)
def test_matching_is_glob_matching_without_case(service: str, rest: str) -> None:
    pattern = f"{service}:{rest}"
    expected = sorted(key for key in CATALOGUED.keys if fnmatch.fnmatchcase(key, pattern.lower()))

    assert CATALOGUED.keys_of(CATALOGUED.mask(pattern)) == expected


PATTERNS = (
    "*",
    "s3:*",
    "s3:Get*",
    "*:List*",
    "ec2:Describe*Attribute",
    "s3:?etObject",
    "IAM:passrole",
    "nosuch:*",
    "x",
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(PATTERNS)), st.lists(st.sampled_from(PATTERNS)))
def test_masks_are_sets_of_keys(one: list[str], other: list[str]) -> None:
    left, right = (CATALOGUED.mask_any(patterns) for patterns in (one, other))
    left_keys, right_keys = (
        {key for pattern in patterns for key in CATALOGUED.keys_of(CATALOGUED.mask(pattern))}
        for patterns in (one, other)
    )

    assert CATALOGUED.keys_of(left) == sorted(left_keys)
    assert CATALOGUED.keys_of(left & ~right) == sorted(left_keys - right_keys)
    assert CATALOGUED.names_of(left) == [CATALOGUED.name(key) for key in CATALOGUED.keys_of(left)]
    assert CATALOGUED.mask_of_keys([*left_keys, "new:thing"]) == left


NUMBERED = Catalogue(
    {
        "version": "1",
        "names": " ".join(f"s:A{number:03}" for number in range(300)),
        "levels": "r" * 300,
        "observability": "m" * 300,
    }
)
PLACES = st.frozensets(st.integers(0, 299))
RANGES = st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda ends: frozenset(range(*ends)))


@settings(deadline=None, max_examples=200)
@given(PLACES, RANGES)
def test_any_set_of_actions_is_found_again_in_its_mask(single: frozenset[int], run: frozenset[int]) -> None:
    names = [f"s:A{place:03}" for place in sorted(single | run)]
    mask = NUMBERED.mask_any(names)

    assert NUMBERED.names_of(mask) == names
    assert NUMBERED.keys_of(mask) == [name.lower() for name in names]
    assert NUMBERED.mask_of_keys(name.lower() for name in names) == mask


def test_patterns_are_resolved_to_what_is_known_and_the_literals_that_are_not() -> None:
    known, unknown = CATALOGUED.resolve(["s3:GetObject", "S3:GETOBJECT", "iam:Pass*", "new:Thing", "new:*", "s3:?"])

    assert CATALOGUED.names_of(known) == ["iam:PassRole", "s3:GetObject"]
    assert unknown == {"new:thing"}


def test_masks_of_columns_hold_what_each_action_says() -> None:
    levels = [CATALOGUED.level_mask(level) for level in AccessLevel]
    kinds = [CATALOGUED.observability_mask(kind) for kind in Observability]

    assert sum(levels) == sum(kinds) == CATALOGUED.everything
    for name in ("ec2:RunInstances", "s3:GetObject", "iam:AttachUserPolicy", "logs:PutLogEvents"):
        action = CATALOGUED.get(name)
        assert action is not None
        assert CATALOGUED.mask(name) & CATALOGUED.level_mask(action.access_level)
        assert CATALOGUED.mask(name) & CATALOGUED.observability_mask(action.observability)


GOOD = {"version": "1", "names": "s3:A s3-x:B", "levels": "rw", "observability": "mm"}


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"names": "s3-x:B s3:A s3:b", "levels": "r"},
        {"names": "s3-x:B s3:A s3:a", "levels": "rrr", "observability": "mmm"},
    ],
    ids=["unsorted", "lengths differ", "twice"],
)
def test_columns_that_do_not_fit_together_are_refused(columns: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="catalogue"):
        Catalogue(GOOD | columns)


def test_everything_is_everything() -> None:
    assert frozenset(CATALOGUED.keys_of(CATALOGUED.everything)) == CATALOGUED.keys
    assert CATALOGUED.mask("*") == CATALOGUED.everything
    assert len(CATALOGUED) > 22_000


def test_an_unknown_action_is_visible_nowhere() -> None:
    assert CATALOGUED.get("newsvc:Thing") is None
    assert CATALOGUED.observability("newsvc:thing") is Observability.NONE
    assert CATALOGUED.name("newsvc:Thing") == "newsvc:Thing"
    assert CATALOGUED.mask("newsvc:*") == CATALOGUED.mask("newsvc:Thing") == 0
