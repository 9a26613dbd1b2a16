"""Asking IAM what an identity last accessed: an asynchronous job, then its report to the last page."""

import random
import time
from typing import TYPE_CHECKING, Any

from shared.aws.clients import aws_errors
from shared.errors import DependencyError, InputError
from shared.model.last_accessed import LastAccessed, parse_report

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

DEADLINE_SECONDS = 30.0  # of one job, which takes about a second
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
PAGE_SIZE = 1000  # services at once: the most that IAM gives, and more than there are
IN_PROGRESS = "IN_PROGRESS"


class LastAccessedReader:
    """Reads last accessed information; jobs belong to the session that asked, so one reader asks and reads."""

    def __init__(self, client: "IAMClient") -> None:
        self._client = client

    def read(self, arn: str) -> LastAccessed:
        """What the user or role of this ARN last tried, by service and by tracked action.

        Raises NotFoundError for an identity that is gone, and DependencyError when the job fails or takes too long, or
        when its report is not whole or lists no service at all: no answer is not "nothing used".
        """
        with aws_errors(f"last accessed details of {arn}"):
            job = self._client.generate_service_last_accessed_details(Arn=arn, Granularity="ACTION_LEVEL")["JobId"]
            pages = self._pages(job, arn)
        try:
            return parse_report(pages)
        except InputError as error:
            raise DependencyError(f"last accessed details of {arn}: {error}") from error

    def _pages(self, job: str, arn: str) -> list[dict[str, Any]]:
        pages = [self._finished(job, arn)]
        markers: set[str] = set()
        while pages[-1].get("IsTruncated"):
            marker = pages[-1].get("Marker")
            if not marker or marker in markers:
                raise DependencyError(f"last accessed details of {arn}: the report goes on without saying where")
            markers.add(marker)
            pages.append(self._get(job, Marker=marker))
        return pages

    def _finished(self, job: str, arn: str) -> dict[str, Any]:
        """The first page, once the job is over one way or the other."""
        deadline, pause = time.monotonic() + DEADLINE_SECONDS, FIRST_PAUSE_SECONDS
        while (page := self._get(job)).get("JobStatus") == IN_PROGRESS:
            if time.monotonic() > deadline:
                raise DependencyError(f"last accessed details of {arn}: no report within {DEADLINE_SECONDS:.0f} s")
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 jitter, not a secret
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return page

    def _get(self, job: str, **marker: str) -> dict[str, Any]:
        answer = self._client.get_service_last_accessed_details(JobId=job, MaxItems=PAGE_SIZE, **marker)
        return dict(answer)
