"""IAM's last accessed reports as `aws iam get-service-last-accessed-details` prints them, whole and broken."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InputError
from shared.model.last_accessed import LastAccess, LastAccessed, parse_report, parse_reports

ARN = "arn:aws:iam::123456789012:role/ci/deployer"
OTHER = "arn:aws:iam::123456789012:user/ana"
CREATED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
JULY = datetime(2026, 2, 20, 9, 30, tzinfo=UTC)


def a_service(namespace: str, **fields: Any) -> dict[str, Any]:
    return {"ServiceName": namespace.upper(), "ServiceNamespace": namespace, "TotalAuthenticatedEntities": 0} | fields


def an_action(name: str, at: object = None) -> dict[str, Any]:
    tried = {"LastAccessedEntity": ARN, "LastAccessedTime": at, "LastAccessedRegion": "us-east-1"}
    return {"ActionName": name} | (tried if at is not None else {})


def tried(namespace: str, at: object = "2026-02-20T09:30:00Z", **fields: Any) -> dict[str, Any]:
    when = {"LastAuthenticated": at, "LastAuthenticatedEntity": ARN, "LastAuthenticatedRegion": "eu-west-1"}
    return a_service(namespace, **(when | fields))


def a_page(*services: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "JobStatus": "COMPLETED",
        "JobType": "ACTION_LEVEL",
        "JobCreationDate": "2026-03-01T12:00:00+00:00",
        "JobCompletionDate": "2026-03-01T12:00:01+00:00",
        "ServicesLastAccessed": list(services),
        "IsTruncated": False,
    } | fields


def read(report: object, arn: str = ARN) -> LastAccessed:
    return parse_reports(json.dumps({arn: report}))[arn]


def test_a_report_at_service_level() -> None:
    report = read(a_page(tried("s3"), a_service("ec2"), JobType="SERVICE_LEVEL"))

    assert report.services == {"s3": LastAccess(JULY, "eu-west-1"), "ec2": LastAccess()}
    assert report.actions == {}
    assert report.created_at == CREATED


def test_a_report_at_action_level() -> None:
    actions = [an_action("CreateBucket", "2026-02-20T09:30:00Z"), an_action("DeleteBucket")]
    report = read(a_page(tried("s3", "2026-02-21T00:00:00Z", TrackedActionsLastAccessed=actions)))

    assert report.actions == {"s3:createbucket": LastAccess(JULY, "us-east-1"), "s3:deletebucket": LastAccess()}
    assert dict(report.attempts()).keys() == {"s3"}
    assert len(list(report.attempts())) == 3


@pytest.mark.parametrize(
    "moment",
    [
        "2026-02-20T09:30:00Z",
        "2026-02-20T09:30:00.000000+00:00",
        "2026-02-20T10:30:00+01:00",
        JULY.timestamp(),
        int(JULY.timestamp()),
    ],
)
def test_every_spelling_of_a_moment_is_the_same_moment(moment: object) -> None:
    assert read(a_page(tried("s3", moment))).services["s3"].at == JULY
    assert parse_report([a_page(tried("s3", JULY))]).services["s3"].at == JULY


def test_pages_are_read_as_one_and_the_later_attempt_counts() -> None:
    first = a_page(tried("s3"), a_service("ec2"), IsTruncated=True, Marker="m")
    second = a_page(tried("s3", "2026-02-19T00:00:00Z"), tried("ec2"), a_service("iam"))
    report = parse_report([first, second])

    assert report.services == {
        "s3": LastAccess(JULY, "eu-west-1"),
        "ec2": LastAccess(JULY, "eu-west-1"),
        "iam": LastAccess(),
    }


def test_an_action_that_was_tried_means_that_its_service_was() -> None:
    report = read(a_page(a_service("s3", TrackedActionsLastAccessed=[an_action("CreateBucket", JULY.timestamp())])))

    assert report.services["s3"] == LastAccess(JULY, "us-east-1")


def test_names_are_compared_without_case() -> None:
    report = read(a_page(tried("S3", TrackedActionsLastAccessed=[an_action("CREATEBucket")])))

    assert (set(report.services), set(report.actions)) == ({"s3"}, {"s3:createbucket"})


def test_an_attempt_in_a_region_that_is_not_named() -> None:
    assert read(a_page(tried("s3", LastAuthenticatedRegion=None))).services["s3"] == LastAccess(JULY)


BROKEN: dict[str, tuple[Any, str]] = {
    "not an object": ([], "not an object"),
    "no status": ({"ServicesLastAccessed": []}, "JobStatus"),
    "another status": (a_page(tried("s3"), JobStatus="DONE"), "JobStatus"),
    "failed": (a_page(JobStatus="FAILED", Error={"Code": "Oops", "Message": "m"}), "the job failed: Oops"),
    "failed without a reason": (a_page(JobStatus="FAILED"), "the job failed"),
    "in progress": (a_page(JobStatus="IN_PROGRESS"), "not finished"),
    "truncated": (a_page(tried("s3"), IsTruncated=True, Marker="m"), "IsTruncated"),
    "no service": (a_page(), "lists no service"),
    "no list of services": ({"JobStatus": "COMPLETED", "JobCreationDate": 1}, "lists no service"),
    "services are no list": (a_page() | {"ServicesLastAccessed": {"s3": 1}}, "ServicesLastAccessed: not a list"),
    "a service is no object": (a_page() | {"ServicesLastAccessed": ["s3"]}, r"ServicesLastAccessed\[0\]"),
    "a service without a namespace": (a_page(tried("s3"), {"ServiceName": "EC2"}), r"\[1\].ServiceNamespace"),
    "an empty namespace": (a_page(a_service(" ")), "ServiceNamespace"),
    "a namespace that is a number": (a_page(tried("s3", ServiceNamespace=3)), "ServiceNamespace"),
    "a region that is a number": (a_page(tried("s3", LastAuthenticatedRegion=3)), "LastAuthenticatedRegion"),
    "actions are no list": (a_page(tried("s3", TrackedActionsLastAccessed="all")), "TrackedActionsLastAccessed"),
    "an action without a name": (a_page(tried("s3", TrackedActionsLastAccessed=[{}])), "ActionName"),
    "a moment without a zone": (a_page(tried("s3", "2026-02-20T09:30:00")), "LastAuthenticated: not a moment"),
    "a date": (a_page(tried("s3", "2026-02-20")), "not a moment"),
    "no moment": (a_page(tried("s3", "yesterday")), "not a moment"),
    "a truth value": (a_page(tried("s3", at=True)), "not a moment"),
    "not a number": (a_page(tried("s3", float("nan"))), "not a moment"),
    "an endless number": (a_page(tried("s3", float("inf"))), "not a moment"),
    "a moment beyond the calendar": (a_page(tried("s3", 1e30)), "not a moment"),
    "an action at no moment": (
        a_page(tried("s3", TrackedActionsLastAccessed=[an_action("CreateBucket", "x")])),
        "LastAccessedTime",
    ),
    "no date of the job": (a_page(tried("s3"), JobCreationDate=None), "JobCreationDate"),
    "a report about somebody else": (a_page(tried("s3", LastAuthenticatedEntity=OTHER)), "another identity"),
    "a list for somebody": (a_page(tried("s3", LastAuthenticatedEntity=[])), "another identity"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_report_is_an_error_and_never_nothing_used(name: str) -> None:
    report, complaint = BROKEN[name]
    with pytest.raises(InputError, match=complaint) as error:
        read(report)
    assert ARN in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        "\xff",
        b"\xff\xfe{",
        "[" * 100_000,
        json.dumps({ARN: a_page(tried("s3"))})[:-1] + f', "{ARN}": 1}}',
    ],
)
def test_a_broken_file_is_an_error(text: str | bytes) -> None:
    with pytest.raises(InputError):
        parse_reports(text)


def test_a_file_without_any_report_is_empty() -> None:
    assert parse_reports("{}") == {}
    with pytest.raises(InputError, match="no page"):
        parse_report([])


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.just("COMPLETED") | st.just("s3"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*a_page(), *tried("s3"), *an_action("x", 1), "TrackedActionsLastAccessed"]), inner
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON)
def test_any_other_document_is_an_error_or_a_report(document: object) -> None:
    page = a_page() | (document if isinstance(document, dict) else {"ServicesLastAccessed": document})
    try:
        report = read(page)
    except InputError:
        return
    assert report.services
