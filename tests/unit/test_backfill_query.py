"""The backfill's SQL: what gets into it, and that what it sees of a request never narrows more than the request."""

import json
import re
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.scorer.backfill import parameters
from services.scorer.backfill.layout import (
    Selection,
    TrailLayout,
    account_ids,
    organization_ids,
    region_names,
)
from services.scorer.backfill.query import MAX_QUERY_BYTES, RESULT_COLUMNS, usage_query
from services.scorer.backfill.roles import UNNAMED_ROLE, mentions_in, mentions_of, roles_of
from services.scorer.backfill.rows import passing_operations
from services.scorer.backfill.table import COLUMNS, MAX_INJECTED, PARTITIONS, TrailTable
from services.scorer.usage.parameters import roles_in
from services.scorer.usage.resources import Addressing
from shared.errors import InputError
from shared.reference import load_operations

ACCOUNT, REGION = "111122223333", "us-east-1"
SINCE, UNTIL = date(2026, 1, 30), date(2026, 2, 2)
LATEST = datetime(2026, 2, 3, 12, 30, 59, 999, tzinfo=UTC)
LAYOUT = TrailLayout("trail-logs", "audit/logs", "o-exampleorg1")
SELECTION = Selection((ACCOUNT,), (REGION,), SINCE, UNTIL)

# What could leave its place in SQL text, a location or a template, or name another place.
INTRUDERS = ["", "'", "x'; DROP TABLE y; --", "a`b", 'a"b', "${account}", "a b", "a\nb", "ü", "%", "a\\"]


@pytest.mark.parametrize("text", INTRUDERS)
def test_nothing_from_outside_leaves_its_place(text: str) -> None:
    with pytest.raises(InputError):
        TrailLayout(text)
    for inner in (text, f"logs/{text}", f"/{text}", f"{text}/"):
        if inner:
            with pytest.raises(InputError):
                TrailLayout("trail-logs", inner)
    with pytest.raises(InputError):
        TrailLayout("trail-logs", "", text)
    chosen: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
        ((text,), ()),
        ((f"{ACCOUNT}{text or '0'}",), ()),
        ((), (text,)),
        ((), (f"{REGION}{text or '.'}",)),
    ]
    for accounts, regions in chosen:
        with pytest.raises(InputError):
            Selection(accounts, regions, SINCE, UNTIL)
    for value in (text, f"leastwise{text or '-'}"):
        with pytest.raises(InputError):
            TrailTable(LAYOUT, value)


def test_a_refusal_never_repeats_the_value() -> None:
    with pytest.raises(InputError) as refused:
        TrailLayout("Secret'Bucket")
    assert "Secret" not in str(refused.value)


@pytest.mark.parametrize(("since", "until"), [(UNTIL, SINCE), (date(2013, 10, 31), UNTIL)])
def test_days_must_be_a_range_since_cloudtrail_exists(since: date, until: date) -> None:
    with pytest.raises(InputError, match="days"):
        Selection((), (), since, until)


def test_days_are_told_in_order() -> None:
    assert list(SELECTION.days()) == [date(2026, 1, 30), date(2026, 1, 31), date(2026, 2, 1), UNTIL]


def test_folders_are_cloudtrails() -> None:
    assert LAYOUT.days_folder(ACCOUNT, REGION) == (
        "audit/logs/AWSLogs/o-exampleorg1/111122223333/CloudTrail/us-east-1/"
    )
    assert TrailLayout("trail-logs").regions_folder(ACCOUNT) == "AWSLogs/111122223333/CloudTrail/"


def test_folders_tell_accounts_organizations_and_regions() -> None:
    folders = ["AWSLogs/111122223333/", "AWSLogs/o-exampleorg1/", "AWSLogs/other/", "AWSLogs/111122223333/"]
    assert account_ids(folders) == (ACCOUNT,)
    assert organization_ids(folders) == ("o-exampleorg1",)
    assert region_names(["x/CloudTrail/us-east-1/", "x/CloudTrail/Not Here/"]) == (REGION,)


def test_the_table_is_what_aws_documents() -> None:
    """Format, template and properties as in "Create the table for CloudTrail logs … using partition projection"."""
    ddl = TrailTable(LAYOUT).create_table
    location = "s3://trail-logs/audit/logs/AWSLogs/o-exampleorg1/"
    assert f"LOCATION '{location}'" in ddl
    assert f"'storage.location.template' = '{location}${{account}}/CloudTrail/${{region}}/${{day}}/'" in ddl
    for part in (
        "CREATE EXTERNAL TABLE IF NOT EXISTS `leastwise`.`trail_",
        "PARTITIONED BY (`account` STRING, `region` STRING, `day` STRING)",
        "ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'",
        "STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'",
        "'projection.enabled' = 'true'",
        "'projection.account.type' = 'injected'",
        "'projection.region.type' = 'injected'",
        "'projection.day.type' = 'date'",
        "'projection.day.format' = 'yyyy/MM/dd'",
        "'projection.day.range' = '2013/11/01,NOW'",
    ):
        assert part in ddl
    names = [name for name, _ in COLUMNS]
    assert len({*names, *PARTITIONS}) == len(names) + len(PARTITIONS)


def test_another_trail_is_another_table() -> None:
    tables = [TrailTable(layout) for layout in (LAYOUT, TrailLayout("trail-logs"), TrailLayout("trail-logs", "audit"))]
    assert len({table.name for table in tables}) == len(tables)
    assert TrailTable(LAYOUT, "other").name == tables[0].name


def test_the_query_names_every_partition_and_column() -> None:
    query = usage_query(TrailTable(LAYOUT), SELECTION, ["RunInstances"], latest=LATEST)
    assert "\"account\" IN ('111122223333')" in query
    assert "\"region\" IN ('us-east-1')" in query
    assert "\"day\" BETWEEN '2026/01/30' AND '2026/02/02'" in query
    read = set(re.findall(r"\b[a-z]+\b", query))
    assert read.issuperset(name for name, _ in COLUMNS)
    last = query[query.rindex("SELECT") :]
    assert [name for name in RESULT_COLUMNS if not re.search(rf"\b{name}\b", last)] == []


def test_the_query_leaves_out_what_differs_from_session_to_session() -> None:
    query = usage_query(TrailTable(LAYOUT), SELECTION, [], latest=LATEST)
    for name in ("accesskeyid", "username", "sourceipaddress", "useragent", "eventid", "requestid", "responseelements"):
        assert name not in query


def test_what_is_later_than_the_latest_is_neither_a_use_nor_a_day_that_was_seen() -> None:
    query = usage_query(TrailTable(LAYOUT), SELECTION, [], latest=LATEST)
    assert query.count("eventtime <= '2026-02-03T12:30:59Z'") == 2
    assert "(latest)" not in query


def test_a_query_takes_a_thousand_accounts_and_no_more() -> None:
    passing = passing_operations(load_operations())
    accounts = [f"{number:012d}" for number in range(MAX_INJECTED + 1)]
    regions = tuple(f"eu-region-{number}" for number in range(40))
    query = usage_query(
        TrailTable(LAYOUT), Selection(tuple(accounts[:MAX_INJECTED]), regions, SINCE, UNTIL), passing, latest=LATEST
    )
    assert len(query.encode()) < MAX_QUERY_BYTES // 2
    with pytest.raises(InputError, match="accounts"):
        usage_query(TrailTable(LAYOUT), Selection(tuple(accounts), regions, SINCE, UNTIL), passing, latest=LATEST)
    with pytest.raises(InputError, match="regions"):
        usage_query(TrailTable(LAYOUT), Selection((ACCOUNT,), (), SINCE, UNTIL), passing, latest=LATEST)


def test_operations_that_pass_roles_are_named_without_versions() -> None:
    passing = passing_operations(load_operations())
    assert {"RunInstances", "CreateFunction", "RunTask", "CreateStack"} <= set(passing)
    assert not any(re.search(r"20\d{6}$", name) for name in passing)


ROLE = "arn:aws:iam::111122223333:role/path/worker"
keys = st.sampled_from(["role", "roleArn", "executionRole", "iamInstanceProfile", "name", "arn", "Roles", "x"])
texts = st.sampled_from([ROLE, "", "worker", "arn:aws:iam::1:role/x", '"role":"x"', "a\\", "}", "arn:aws:s3:::b"])
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(keys, values, max_size=4))
@example({"a": {"role": {"b": {}, "c": "worker"}}})
@settings(deadline=None, max_examples=500)
def test_mentions_tell_every_role_that_a_request_names(request: dict[str, Any]) -> None:
    """What SQL sees names a role wherever a walk through the request does, and every ARN that this finds."""
    text = json.dumps(request)
    known = roles_in(msgspec.Raw(text.encode()))
    told = roles_of(mentions_of(text))
    assert known.arns <= set(told)
    if known.otherwise:
        assert UNNAMED_ROLE in told


@pytest.mark.parametrize(
    ("request_", "roles"),
    [
        ({}, []),
        ({"roleArn": ROLE}, [ROLE]),
        ({"target": {"roleArn": ROLE}, "role": None}, [ROLE]),
        ({"role": "worker"}, [UNNAMED_ROLE]),
        ({"role": ""}, []),
        ({"iamInstanceProfile": {}}, []),
        ({"iamInstanceProfile": {"name": "web"}}, [UNNAMED_ROLE]),
        ({"roles": [ROLE]}, [ROLE, UNNAMED_ROLE]),
        ({"description": 'the "role" of it'}, []),
        ({"other": [ROLE]}, [ROLE]),
    ],
)
def test_roles_are_told_from_mentions(request_: dict[str, Any], roles: list[str]) -> None:
    mentions = mentions_of(json.dumps(request_))
    assert roles_of(mentions) == roles
    assert mentions_in(json.dumps(mentions)) == tuple(mentions)


@pytest.mark.parametrize("text", ["{", '"x"', "[1]", "{}"])
def test_mentions_in_any_other_form_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        mentions_in(text)


addressed = st.dictionaries(
    st.sampled_from([field.encode_name for field in msgspec.structs.fields(Addressing)]),
    st.none()
    | st.integers(0, 9)
    | st.lists(st.text(max_size=3), max_size=2)
    | st.sampled_from(
        [
            "photos",
            "photos-s3alias",
            "x--ol-s3",
            "x--use1-az4--x-s3",
            "x.s3-accesspoint.us-east-1.amazonaws.com",
            "arn:aws:s3:::accesspoint",
        ]
    ),
)


@given(addressed)
@settings(deadline=None)
def test_whatever_leaves_doubt_in_a_request_does_so_in_the_query(request: dict[str, Any]) -> None:
    text = json.dumps(request)
    try:
        direct = msgspec.json.decode(text, type=Addressing).is_direct
    except msgspec.MsgspecError:
        direct = False
    assert direct or re.search(parameters.DOUBT, text)


def test_most_requests_leave_no_doubt() -> None:
    for request in ({"bucketName": "photos", "Host": "photos.s3.amazonaws.com"}, {"functionName": "f"}, {}):
        assert not re.search(parameters.DOUBT, json.dumps(request))


@pytest.mark.parametrize("name", parameters.PARAMETERS)
def test_every_parameter_that_is_taken_is_one_that_could_name_a_resource(name: str) -> None:
    """Else the query could never tell that it took all of them."""
    assert re.fullmatch(parameters.NAMING_KEY, f'"{name}":')
