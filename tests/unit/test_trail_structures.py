"""Structures that queries write as text, and the records of their rows."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scorer.trail.exports import record_of_columns
from services.scorer.trail.structures import map_of, structure_of
from shared.errors import InputError
from tests.unit.trail_texts import Json, structure

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
VALUES = st.text("abcXYZ019:/-_.@+=", min_size=1, max_size=20).filter(lambda text: text != "null")
SAFE = st.recursive(
    st.one_of(VALUES, st.none()),
    lambda inner: st.one_of(
        st.dictionaries(NAMES, inner, max_size=4), st.lists(st.dictionaries(NAMES, inner), max_size=3)
    ),
    max_leaves=8,
)
IDENTITY = (
    "{type=AssumedRole, principalid=AROAEXAMPLE:a,b=c@d, arn=arn:aws:sts::111122223333:assumed-role/r/a,b=c@d, "
    "accountid=111122223333, invokedby=null, sessioncontext={attributes={creationdate=2026-03-01 10:00:00.000, "
    "mfaauthenticated=false}, sessionissuer={type=Role, principalid=AROAEXAMPLE, "
    "arn=arn:aws:iam::111122223333:role/p/r, accountid=111122223333, username=r}, webidfederationdata=null}}"
)
ROW = {
    "eventtime": "2026-03-01 10:00:00.000",
    "eventsource": "s3.amazonaws.com",
    "eventname": "GetObject",
    "useridentity": IDENTITY,
    "errorcode": None,
}


@settings(deadline=None)
@given(st.dictionaries(NAMES, SAFE, max_size=5))
def test_a_structure_comes_back(value: Json) -> None:
    assert structure_of(structure(value)) == value


@pytest.mark.parametrize(
    "text",
    ["{", "{a", "{a=b", "{a=b}}", "{a=b} c", "{a=b, a=c}", "{=b}", "[{a=b]", "{a={b=c}", "{a=x}y}", "[" * 20],
)
def test_text_that_is_no_clear_structure_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        structure_of(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", {}),
        ("{a=b, c=null}", {"a": "b", "c": None}),
        (
            '{role=arn:aws:iam::1:role/x, set={"items":[{"a":"b"}]}}',
            {"role": "arn:aws:iam::1:role/x", "set": {"items": [{"a": "b"}]}},
        ),
        ("{text=one, two, name=x=y}", {"text": "one, two", "name": "x=y"}),
        ("{text={not json}, b=[}", {"text": "{not json}", "b": "["}),
        ("{text=a, name=fake, name=real}", {"text": "a"}),
    ],
)
def test_maps(text: str, expected: dict[str, Any]) -> None:
    assert map_of(text) == expected


@pytest.mark.parametrize("text", ["", "a=b", "{a=b", "a=b}"])
def test_text_that_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        map_of(text)


@pytest.mark.parametrize("identity", [IDENTITY, json.dumps(structure_of(IDENTITY)), structure_of(IDENTITY)])
def test_an_identity_in_any_form(identity: object) -> None:
    found = record_of_columns(ROW | {"useridentity": identity}).user_identity
    assert found is not None
    assert found.session_context is not None
    assert found.session_context.session_issuer is not None
    assert (found.principal_id, found.invoked_by) == ("AROAEXAMPLE:a,b=c@d", None)
    assert found.session_context.session_issuer.arn == "arn:aws:iam::111122223333:role/p/r"


@pytest.mark.parametrize("time", ["2026-03-01 10:00:00.000", "2026-03-01 10:00:00.000 UTC", "2026-03-01T10:00:00Z"])
def test_times_without_a_zone_are_utc(time: str) -> None:
    assert record_of_columns(ROW | {"eventtime": time}).event_time.isoformat() == "2026-03-01T10:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "arns"),
    [
        (
            "[{arn=arn:aws:s3:::b/k=1,2, accountid=1, type=x}, {arn=null, accountId=null, type=y}]",
            ["arn:aws:s3:::b/k=1,2", None],
        ),
        ("[{accountid=null, type=x, arn=null, arnprefix=arn:aws:s3:::b/}]", [None]),
        ('[{"ARN": "arn:aws:s3:::b"}]', ["arn:aws:s3:::b"]),
        ([{"arn": "arn:aws:s3:::b"}], ["arn:aws:s3:::b"]),
        ("[]", []),
    ],
)
def test_resources_in_any_form(text: object, arns: list[str | None]) -> None:
    found = record_of_columns(ROW | {"resources": text}).resources
    assert found is not None
    assert [resource.arn for resource in found] == arns


@pytest.mark.parametrize(
    "text",
    [
        "[{arn=arn:aws:s3:::b/a, arn=other}]",
        "[{arn=arn:aws:s3:::b/{x}}]",
        "[{arn=arn:aws:s3:::b/a, x=1, accountid=1, type=x}]",
        "[{arn=arn:aws:s3:::b/a}, {arn=arn:aws:s3:::b/c, accountid=1, type=x}]",
        "[{arn=arn:aws:s3:::b/a, arnprefix=c, accountid=1, type=x}]",
        "[{arn=arn:aws:s3:::b/a, arnprefix=null, accountid=1, type=x}, {arn=b, accountid=1, type=y}]",
        "[arn:aws:s3:::b]",
        "{arn=arn:aws:s3:::b, accountid=1, type=x}",
        "null",
        "",
    ],
)
def test_resources_that_are_not_clear_are_none(text: str) -> None:
    assert record_of_columns(ROW | {"resources": text}).resources is None


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("useridentity", "{type=Role", "userIdentity: not a structure"),
        ("useridentity", "Role", "userIdentity: expected object, got str"),
        ("useridentity", "[" * 100_000, "userIdentity: not a structure"),
        ("useridentity", '{"arn": 7}', "userIdentity.arn: expected str, got int"),
        ("eventname", 7, "eventName: expected str, got int"),
        ("managementevent", "perhaps", "managementEvent: expected bool, got str"),
        ("resources", "[1]", "resources[0]: expected object, got int"),
        ("requestparameters", "a=b", "requestParameters: not a map"),
        ("eventjson", "{", "cut off"),
        ("eventjson", {"eventTime": 7}, "eventTime: expected datetime, got int"),
    ],
)
def test_columns_that_are_wrong(column: str, value: object, reason: str) -> None:
    with pytest.raises(InputError) as error:
        record_of_columns(ROW | {column: value})
    assert str(error.value) == reason


def test_parameters_become_json() -> None:
    lake = record_of_columns(ROW | {"requestparameters": "{roleArn=arn:aws:iam::1:role/x, n=null}"})
    athena = record_of_columns(ROW | {"requestparameters": '{"roleArn": "arn:aws:iam::1:role/x", "n": null}'})
    nested = record_of_columns(ROW | {"requestparameters": {"roleArn": "arn:aws:iam::1:role/x", "n": None}})
    for record in (lake, athena, nested):
        assert msgspec.json.decode(record.request_parameters) == {"roleArn": "arn:aws:iam::1:role/x", "n": None}
