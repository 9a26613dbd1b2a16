"""From rows of the backfill's query to usage: a row proves what the records that it adds up prove."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.scorer.backfill.query import RESULT_COLUMNS, UNKNOWN_VARIANT
from services.scorer.backfill.roles import mentions_of
from services.scorer.backfill.rows import RowTally
from shared.model.resources import ANY_RESOURCE, Resources
from shared.model.usage import Coverage, Evidence, IdentityKey, Span, UsageEntry
from shared.reference import load_operations

ACCOUNT, USER, ROLE = "111122223333", "AIDAEXAMPLE0000000001", "AROAEXAMPLE0000000001"
FIRST, LAST = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 5, 31, 12, tzinfo=UTC)
PASSED = f"arn:aws:iam::{ACCOUNT}:role/worker"


def variant(*arns: str, request: dict[str, Any] | None = None, roles: dict[str, Any] | None = None) -> str:
    """What records of a call named, as the query writes it."""
    resources = json.dumps([{"arn": arn} for arn in arns]) if arns else ""
    taken = "".join(f'"{name}":{json.dumps(value)},' for name, value in (request or {}).items())
    mentions = json.dumps(mentions_of(json.dumps(roles))) if roles else ""
    return "\n".join((resources, taken, mentions))


def row(*variants: str, **values: str) -> dict[str, str]:
    """A row of five calls of a user, with all these variants."""
    return dict.fromkeys(RESULT_COLUMNS, "") | {
        "event_type": "AwsApiCall",
        "event_source": "s3.amazonaws.com",
        "event_name": "GetObject",
        "event_region": "us-east-1",
        "recipient_account_id": ACCOUNT,
        "caller_type": "IAMUser",
        "caller_id": USER,
        "caller_arn": f"arn:aws:iam::{ACCOUNT}:user/ada",
        "caller_account_id": ACCOUNT,
        "identified": "true",
        "timed": "true",
        "is_call": "1",
        "first_time": "2026-03-01T00:00:00Z",
        "last_time": "2026-05-31T12:00:00Z",
        "records": "5",
        "reads": "0",
        "variants": str(len(variants)),
        "named": json.dumps(variants),
        **values,
    }


def entry_of(*rows: dict[str, str], identity: str = USER, action: str = "s3:getobject") -> UsageEntry:
    tally = RowTally(load_operations())
    for each in rows:
        tally.add(each)
    folded = tally.folded()
    assert set(folded.usages) == {IdentityKey(ACCOUNT, identity)}
    assert folded.records == 5 * len(rows)
    return folded.usages[IdentityKey(ACCOUNT, identity)].entries[action]


def test_a_row_has_the_span_of_all_its_records() -> None:
    entry = entry_of(row(variant("arn:aws:s3:::photos/1"), variant("arn:aws:s3:::photos/2")))
    assert entry.spans == {Evidence.OBSERVED: Span(FIRST, LAST)}
    assert entry.resources == Resources.of(["arn:aws:s3:::photos/1", "arn:aws:s3:::photos/2"])
    assert entry.regions == {"us-east-1"}


OBJECTS = [f"arn:aws:s3:::photos/{number}" for number in range(5)]


@pytest.mark.parametrize(
    "open_row",
    [
        row(variant(OBJECTS[0]), variant()),
        row(variant(OBJECTS[0]), variant("arn:aws:s3:::photos")),
        row(variant(OBJECTS[0]), UNKNOWN_VARIANT),
        row(*map(variant, OBJECTS), variants="6"),
    ],
    ids=["names nothing", "names the bucket alone", "too long", "too many"],
)
def test_one_record_that_leaves_its_resource_open_makes_it_any(open_row: dict[str, str]) -> None:
    assert entry_of(open_row).resources == ANY_RESOURCE


def test_a_row_type_may_come_as_a_list() -> None:
    """Presto wrote a row as a list in JSON, Trino writes an object."""
    listed = "\n".join((json.dumps([["arn:aws:s3:::photos/1"], [None], []]), "", ""))
    assert entry_of(row(listed)).resources == Resources.of(["arn:aws:s3:::photos/1"])


def test_a_parameter_that_was_taken_names_the_resource() -> None:
    call = {"event_source": "dynamodb.amazonaws.com", "event_name": "Query"}
    entry = entry_of(row(variant(request={"tableName": "orders"}), **call), action="dynamodb:query")
    assert entry.resources == Resources.of([f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/orders"])


@pytest.mark.parametrize(
    ("roles", "mentions", "evidence", "resources"),
    [
        ({"role": PASSED}, "true", Evidence.INFERRED, Resources.of([PASSED])),
        ({"role": "worker"}, "true", Evidence.INFERRED, ANY_RESOURCE),
        (None, "", Evidence.POSSIBLE, ANY_RESOURCE),
    ],
)
def test_roles_are_inferred_where_they_are_mentioned(
    roles: dict[str, Any] | None, mentions: str, evidence: Evidence, resources: Resources
) -> None:
    call = {"event_source": "lambda.amazonaws.com", "event_name": "CreateFunction20150331", "mentions_role": mentions}
    entry = entry_of(row(variant(roles=roles), **call), action="iam:passrole")
    assert set(entry.spans) == {evidence}
    assert entry.resources == resources


def test_a_role_that_nobody_knows_is_inferred_all_the_same() -> None:
    call = {"event_source": "lambda.amazonaws.com", "event_name": "CreateFunction20150331", "mentions_role": "true"}
    entry = entry_of(row(UNKNOWN_VARIANT, **call), action="iam:passrole")
    assert set(entry.spans) == {Evidence.INFERRED}
    assert entry.resources == ANY_RESOURCE


@pytest.mark.parametrize(
    "caller",
    [
        {"caller_id": ROLE, "caller_arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/app"},
        {"caller_id": ROLE, "issuer_type": "Role", "issuer_id": ROLE, "issuer_arn": PASSED},
    ],
)
def test_sessions_are_their_roles(caller: dict[str, str]) -> None:
    entry = entry_of(row(variant(), caller_type="AssumedRole", **caller), identity=ROLE)
    assert set(entry.spans) == {Evidence.OBSERVED}


def test_a_refused_call_is_denied() -> None:
    refused = row(variant(), error_code="AccessDenied", denied_action="kms:Decrypt")
    assert set(entry_of(refused, action="kms:decrypt").spans) == {Evidence.DENIED}


def test_application_auto_scaling_is_told_apart() -> None:
    call = {"event_source": "autoscaling.amazonaws.com", "event_name": "PutScalingPolicy"}
    scaling = row(variant(), **call, scaling_service="application-autoscaling")
    for told, action in (
        (scaling, "application-autoscaling:putscalingpolicy"),
        (row(variant(), **call), "autoscaling:putscalingpolicy"),
    ):
        assert entry_of(told, action=action).action.lower() == action


def test_days_are_those_of_their_own_rows() -> None:
    tally = RowTally(load_operations())
    seen = row(is_call="0", shows_trail="true", seen_day="2026-04-01", named="", reads="0")
    for each in (row(variant()), seen, {**seen, "event_region": "eu-west-1"}, {**seen, "shows_trail": "false"}):
        tally.add(each)
    for place in ({"recipient_account_id": ""}, {"event_region": "not a region"}, {"seen_day": "2026-04-31"}):
        tally.add({**seen, **place})
    expected = Coverage.of([date(2026, 4, 1)], regions=["eu-west-1", "us-east-1"], feeds=["trail"], reads=False)
    assert tally.folded().coverage == {ACCOUNT: expected}
    tally.add({**seen, "reads": "1"})
    assert tally.folded().coverage[ACCOUNT].reads


def test_a_call_without_its_fields_is_malformed() -> None:
    tally = RowTally(load_operations())
    tally.add(row(variant(), event_name=""))
    tally.add(row(variant(), identified="false"))
    assert tally.folded().skipped == {"malformed": 10}
