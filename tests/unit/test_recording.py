"""What event selectors record without exception: CloudTrail's own examples, and everything that narrows one."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.catalogue import Observability
from shared.iam.data_events import prefixes_of, recorded_prefixes
from shared.knowledge import load_catalogue, load_data_event_types
from shared.model.recording import Recording, recording_of

S3, LAMBDA, TABLE = "AWS::S3::Object", "AWS::Lambda::Function", "AWS::DynamoDB::Table"


def basic(kind: str | None = None, *values: str, **fields: Any) -> dict[str, Any]:
    resources = [{"Type": kind, "Values": list(values)}] if kind else []
    return {
        "ReadWriteType": "All",
        "IncludeManagementEvents": True,
        "DataResources": resources,
        "ExcludeManagementEventSources": [],
    } | fields


def condition(field: str, **operators: list[str]) -> dict[str, Any]:
    return {"Field": field, **operators}


def advanced(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {"Name": "one", "FieldSelectors": list(conditions)}


IS_DATA = condition("eventCategory", Equals=["Data"])
IS_MANAGEMENT = condition("eventCategory", Equals=["Management"])
IS_S3 = condition("resources.type", Equals=[S3])


def of(*selectors: dict[str, Any]) -> Recording:
    kind = "AdvancedEventSelectors" if "FieldSelectors" in selectors[0] else "EventSelectors"
    return recording_of({"TrailARN": "arn", kind: list(selectors)})


WHOLE: dict[str, tuple[tuple[dict[str, Any], ...], set[str]]] = {
    "all buckets": ((basic(S3, "arn:aws:s3"),), {S3}),
    "all buckets, as it was written before": ((basic(S3, "arn:aws:s3:::"),), {S3}),
    "all buckets, of China": ((basic(S3, "arn:aws-cn:s3"),), {S3}),
    "all buckets, of GovCloud": ((basic(S3, "arn:aws-us-gov:s3"),), {S3}),
    "all buckets, and one of them": ((basic(S3, "arn:aws:s3:::one/", "arn:aws:s3"),), {S3}),
    "all functions": ((basic(LAMBDA, "arn:aws:lambda"),), {LAMBDA}),
    "all tables": ((basic(TABLE, "arn:aws:dynamodb"),), {TABLE}),
    "reads here, writes there": (
        (
            basic(S3, "arn:aws:s3", ReadWriteType="ReadOnly"),
            basic(S3, "arn:aws:s3", ReadWriteType="WriteOnly", IncludeManagementEvents=False),
        ),
        {S3},
    ),
    "advanced": ((advanced(IS_DATA, IS_S3),), {S3}),
    "advanced, reads here, writes there": (
        (
            advanced(IS_DATA, IS_S3, condition("readOnly", Equals=["true"])),
            advanced(IS_DATA, IS_S3, condition("readOnly", Equals=["false"])),
        ),
        {S3},
    ),
    "advanced, one narrow and one whole": (
        (advanced(IS_DATA, IS_S3, condition("resources.ARN", Equals=["x"])), advanced(IS_DATA, IS_S3)),
        {S3},
    ),
    "advanced, several": (
        (advanced(IS_DATA, IS_S3), advanced(IS_DATA, condition("resources.type", Equals=[LAMBDA]))),
        {S3, LAMBDA},
    ),
}
NARROW: dict[str, tuple[dict[str, Any], ...]] = {
    "none": (basic(),),
    "one bucket": (basic(S3, "arn:aws:s3:::one/"),),
    "buckets of a prefix": (basic(S3, "arn:aws:s3:::o"),),
    "one function": (basic(LAMBDA, "arn:aws:lambda:us-east-1:123456789012:function:f"),),
    "functions by another service's name": (basic(LAMBDA, "arn:aws:s3"),),
    "buckets without any": (basic(S3),),
    "a type that basic selectors don't know": (basic("AWS::SQS::Queue", "arn:aws:sqs"),),
    "reads": (basic(S3, "arn:aws:s3", ReadWriteType="ReadOnly"),),
    "writes": (basic(S3, "arn:aws:s3", ReadWriteType="WriteOnly"),),
    "a word that we don't know": (basic(S3, "arn:aws:s3", ReadWriteType="Some"),),
    "advanced, reads": (advanced(IS_DATA, IS_S3, condition("readOnly", Equals=["true"])),),
    "advanced, neither": (advanced(IS_DATA, IS_S3, condition("readOnly", Equals=[])),),
    "advanced, not reads": (advanced(IS_DATA, IS_S3, condition("readOnly", NotEquals=["true"])),),
    "advanced, without a category": (advanced(IS_S3),),
    "advanced, of another category": (advanced(condition("eventCategory", Equals=["NetworkActivity"]), IS_S3),),
    "advanced, not a category": (advanced(condition("eventCategory", NotEquals=["Data"]), IS_S3),),
    "advanced, without a type": (advanced(IS_DATA),),
    "advanced, types that begin so": (advanced(IS_DATA, condition("resources.type", StartsWith=["AWS::S3"])),),
    "advanced, types but some": (
        advanced(IS_DATA, condition("resources.type", Equals=[S3], NotEquals=["AWS::S3::AccessPoint"])),
    ),
    "advanced, a field twice": (advanced(IS_DATA, IS_S3, IS_S3),),
    **{
        f"advanced, narrowed by {field}": (advanced(IS_DATA, IS_S3, condition(field, **{operator: ["x"]})),)
        for field in ("eventName", "eventSource", "eventType", "resources.ARN", "userIdentity.arn", "tomorrow")
        for operator in ("Equals", "NotEquals", "StartsWith", "EndsWith", "NotStartsWith", "NotEndsWith")
    },
}


@pytest.mark.parametrize("name", WHOLE)
def test_selectors_that_leave_nothing_out(name: str) -> None:
    selectors, expected = WHOLE[name]
    assert of(*selectors).data_event_types == expected


@pytest.mark.parametrize("name", NARROW)
def test_selectors_that_leave_something_out(name: str) -> None:
    assert of(*NARROW[name]).data_event_types == set()


KMS, RDS = "kms.amazonaws.com", "rdsdata.amazonaws.com"
MANAGEMENT: dict[str, tuple[tuple[dict[str, Any], ...], tuple[str, ...]]] = {
    "as a new trail is": ((basic(),), ()),
    "reads only": ((basic(ReadWriteType="ReadOnly"),), ("no writes",)),
    "writes only": ((basic(ReadWriteType="WriteOnly"),), ("no reads",)),
    "none": ((basic(IncludeManagementEvents=False),), ("no reads", "no writes")),
    "without KMS": ((basic(ExcludeManagementEventSources=[KMS]),), (f"not {KMS}",)),
    "without both": (
        (basic(ExcludeManagementEventSources=[RDS, KMS]),),
        (f"not {KMS}", f"not {RDS}"),
    ),
    "without KMS here, with it there": ((basic(ExcludeManagementEventSources=[KMS]), basic()), ()),
    "without KMS's reads": (
        (basic(ExcludeManagementEventSources=[KMS]), basic(ReadWriteType="WriteOnly")),
        (f"not {KMS}",),
    ),
    "advanced": ((advanced(IS_MANAGEMENT),), ()),
    "advanced, reads only": (
        (advanced(IS_MANAGEMENT, condition("readOnly", Equals=["true"])),),
        ("no writes",),
    ),
    "advanced, without KMS": (
        (advanced(IS_MANAGEMENT, condition("eventSource", NotEquals=[KMS])),),
        (f"not {KMS}",),
    ),
    "advanced, KMS alone": (
        (advanced(IS_MANAGEMENT, condition("eventSource", Equals=[KMS])),),
        ("no reads", "no writes"),
    ),
    "advanced, narrowed": (
        (advanced(IS_MANAGEMENT, condition("eventName", Equals=["x"])),),
        ("no reads", "no writes"),
    ),
    "advanced, data alone": ((advanced(IS_DATA, IS_S3),), ("no reads", "no writes")),
}


@pytest.mark.parametrize("name", MANAGEMENT)
def test_management_events_that_are_missing(name: str) -> None:
    selectors, missing = MANAGEMENT[name]
    assert of(*selectors).management_gaps == missing


def test_a_trail_without_selectors_records_nothing_that_we_know() -> None:
    assert recording_of({"TrailARN": "arn"}) == Recording()
    assert recording_of({"EventSelectors": None, "AdvancedEventSelectors": []}) == Recording()


SELECTORS = st.lists(st.sampled_from([*WHOLE.values()]).map(lambda case: case[0][0]), max_size=3)


@settings(deadline=None)
@given(SELECTORS, SELECTORS)
def test_trails_only_ever_add(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    left, right = (
        recording_of({"EventSelectors": [selector for selector in selectors if "FieldSelectors" not in selector]})
        for selectors in (one, other)
    )

    assert left.join(right) == right.join(left)
    assert left.join(left) == left
    assert left.data_event_types <= left.join(right).data_event_types
    assert set(left.join(right).management_gaps) <= set(left.management_gaps)


def test_a_service_counts_only_with_all_its_types() -> None:
    known = load_data_event_types()

    assert recorded_prefixes({LAMBDA, S3, TABLE}, known) == {"lambda"}
    assert recorded_prefixes({S3, "AWS::S3::AccessPoint"}, known) == {"s3"}
    assert recorded_prefixes(set(), known) == set()
    assert recorded_prefixes({"AWS::Brand::New"}, known) == set()


def test_all_types_make_every_service_with_data_events_count() -> None:
    catalogue, known = load_catalogue(), load_data_event_types()
    recorded = recorded_prefixes(known, known)
    data = {action.partition(":")[0] for action in catalogue.keys_of(catalogue.observability_mask(Observability.DATA))}

    assert data <= recorded == {prefix for kind in known for prefix in prefixes_of(kind)}


@settings(deadline=None)
@given(
    st.frozensets(st.sampled_from(sorted(load_data_event_types()))), st.sampled_from(sorted(load_data_event_types()))
)
def test_recording_one_more_type_never_makes_a_service_count_less(recorded: frozenset[str], more: str) -> None:
    known = load_data_event_types()

    assert recorded_prefixes(recorded, known) <= recorded_prefixes(recorded | {more}, known)
