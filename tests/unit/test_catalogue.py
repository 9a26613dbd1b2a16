"""The catalogue answers what a pattern admits, and its shipped artefact is what its sources compile to."""

import fnmatch
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.catalogue import AccessLevel, Observability
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
    expected = {key for key in CATALOGUED.keys if fnmatch.fnmatchcase(key, pattern.lower())}

    assert CATALOGUED.matching(pattern) == expected


def test_everything_is_everything() -> None:
    assert CATALOGUED.matching("*") == CATALOGUED.keys
    assert len(CATALOGUED) > 22_000


def test_an_unknown_action_is_visible_nowhere() -> None:
    assert CATALOGUED.get("newsvc:Thing") is None
    assert CATALOGUED.observability("newsvc:thing") is Observability.NONE
    assert CATALOGUED.name("newsvc:Thing") == "newsvc:Thing"
    assert CATALOGUED.matching("newsvc:*") == frozenset()


def test_keys_sort_as_text_however_many_there_are() -> None:
    keys = dict.fromkeys(CATALOGUED.keys | {"aaa:unknown", "zzz:unknown"})

    assert CATALOGUED.in_order(keys) == sorted(keys)
