"""Asking IAM what was last accessed: the job is waited for, every page is read, and no answer is an error."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from shared.aws import clients, last_accessed
from shared.aws.last_accessed import LastAccessedReader
from shared.errors import DeniedError, DependencyError, NotFoundError
from shared.model.last_accessed import LastAccess
from tests.builders import NOW

JOB = "12345678-1234-1234-1234-123456789012"
ARN = "arn:aws:iam::123456789012:role/deployer"
SEEN = datetime(2026, 2, 1, tzinfo=UTC)
Answers = Callable[..., None]
GENERATE, GET = "generate_service_last_accessed_details", "get_service_last_accessed_details"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, in order; nobody waits."""
    waited: list[float] = []
    monkeypatch.setattr("shared.aws.last_accessed.time.sleep", waited.append)
    return waited


@pytest.fixture
def iam(fresh_clients: None, pauses: list[float]) -> Iterator[Stubber]:
    """IAM, which answers what it is told to and must be asked for all of it."""
    with Stubber(clients.iam()) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def answers(iam: Stubber) -> Answers:
    """IAM's answers about the job, in order, with the marker that each must be asked with; the job always starts."""
    iam.add_response(GENERATE, {"JobId": JOB}, {"Arn": ARN, "Granularity": "ACTION_LEVEL"})

    def add(*pages: dict[str, Any], markers: tuple[str, ...] = ()) -> None:
        moment = {"JobCreationDate": NOW, "JobCompletionDate": NOW}
        asked: list[dict[str, str]] = [{}] * (len(pages) - len(markers)) + [{"Marker": marker} for marker in markers]
        for page, marker in zip(pages, asked, strict=True):
            expected = {"JobId": JOB, "MaxItems": 1000, **marker}
            iam.add_response(GET, {"ServicesLastAccessed": [], **moment, **page}, expected)

    return add


def accessed(namespace: str, when: datetime | None, *actions: str) -> dict[str, Any]:
    service: dict[str, Any] = {"ServiceName": namespace.upper(), "ServiceNamespace": namespace}
    tracked = [
        {"ActionName": name, "LastAccessedEntity": ARN, "LastAccessedTime": SEEN, "LastAccessedRegion": "us-east-1"}
        for name in actions
    ]
    tried = {"LastAuthenticated": when, "LastAuthenticatedRegion": "eu-west-1"} if when else {}
    return service | tried | ({"TrackedActionsLastAccessed": tracked} if tracked else {})


def done(*services: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"JobStatus": "COMPLETED", "ServicesLastAccessed": list(services), **fields}


RUNNING = {"JobStatus": "IN_PROGRESS"}


def test_the_job_is_waited_for_and_its_report_read_to_the_last_page(answers: Answers, pauses: list[float]) -> None:
    first = done(accessed("s3", SEEN, "CreateBucket"), IsTruncated=True, Marker="m")
    second = done(accessed("ec2", None), IsTruncated=True, Marker="n")
    answers(RUNNING, RUNNING, first, second, done(accessed("iam", None)), markers=("m", "n"))

    found = LastAccessedReader(clients.iam()).read(ARN)

    assert found.services == {"s3": LastAccess(SEEN, "eu-west-1"), "ec2": LastAccess(), "iam": LastAccess()}
    assert found.actions == {"s3:createbucket": LastAccess(SEEN, "us-east-1")}
    assert found.created_at == NOW
    assert len(pauses) == 2


def test_the_pauses_grow_with_jitter_and_stay_bounded(answers: Answers, pauses: list[float]) -> None:
    answers(*[RUNNING] * 8, done(accessed("s3", None)))
    LastAccessedReader(clients.iam()).read(ARN)

    bounds = [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    assert all(bound / 2 <= pause <= bound for pause, bound in zip(pauses, bounds, strict=True))


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ({"JobStatus": "FAILED", "Error": {"Code": "Oops", "Message": "m"}}, "the job failed: Oops"),
        (done(), "lists no service"),
        (done(accessed("s3", SEEN), IsTruncated=True), "without saying where"),
        (done(accessed(" ", SEEN)), "ServiceNamespace"),
    ],
)
def test_no_report_is_an_error_and_never_nothing_used(answers: Answers, answer: dict[str, Any], complaint: str) -> None:
    answers(answer)
    with pytest.raises(DependencyError, match=complaint) as error:
        LastAccessedReader(clients.iam()).read(ARN)
    assert ARN in str(error.value)


def test_pages_that_go_round_in_a_circle_are_an_error(answers: Answers) -> None:
    page = done(accessed("s3", SEEN), IsTruncated=True, Marker="m")
    answers(page, page, markers=("m",))
    with pytest.raises(DependencyError, match="without saying where"):
        LastAccessedReader(clients.iam()).read(ARN)


def test_a_later_page_of_a_job_that_failed_is_an_error(answers: Answers) -> None:
    answers(done(accessed("s3", SEEN), IsTruncated=True, Marker="m"), {"JobStatus": "FAILED"}, markers=("m",))
    with pytest.raises(DependencyError, match="the job failed"):
        LastAccessedReader(clients.iam()).read(ARN)


def test_a_job_that_does_not_end_is_given_up(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_accessed, "DEADLINE_SECONDS", -1.0)
    answers(RUNNING)
    with pytest.raises(DependencyError, match="no report within"):
        LastAccessedReader(clients.iam()).read(ARN)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("NoSuchEntity", NotFoundError), ("AccessDenied", DeniedError), ("Throttling", DependencyError)],
)
def test_iams_refusals_are_translated(iam: Stubber, code: str, kind: type[DependencyError]) -> None:
    iam.add_client_error(GENERATE, service_error_code=code)
    with pytest.raises(kind, match=code):
        LastAccessedReader(clients.iam()).read(ARN)
