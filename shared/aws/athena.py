"""Athena: run one statement after the other, wait for each within bounds, and say where its result is."""

import random
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.aws.clients import aws_errors
from shared.errors import DependencyError, InputError, LeastwiseError

if TYPE_CHECKING:
    from types_boto3_athena import AthenaClient
    from types_boto3_athena.type_defs import QueryExecutionContextTypeDef, QueryExecutionTypeDef

FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 10.0
DEFAULT_WORKGROUP = "primary"
CATALOG = "AwsDataCatalog"

_WORKGROUP = re.compile(r"[A-Za-z0-9._-]{1,128}")
_LOCATION = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<key>[A-Za-z0-9!_./=+@-]*)")


@dataclass(frozen=True, slots=True)
class Place:
    """An object in S3, or a folder where the key ends in a slash or is empty."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, url: str) -> "Place":
        """Read `s3://bucket/key`. Raises InputError for anything else."""
        match = _LOCATION.fullmatch(url)
        if match is None:
            raise InputError("output location: not of the form s3://bucket/folder/")
        return cls(match["bucket"], match["key"])


@dataclass(frozen=True, slots=True)
class FinishedQuery:
    """A query that succeeded: its id, the CSV file of its result (none for DDL), and the bytes that Athena scanned."""

    query_id: str
    result: Place | None
    scanned_bytes: int


class Athena:
    """Runs statements in one workgroup. Results are encrypted as the workgroup says.

    `output_location` (`s3://bucket/folder/`) is needed where the workgroup has none of its own. A statement may take
    `patience_seconds`, the wait in Athena's queue included; then it is stopped.
    """

    def __init__(
        self,
        client: "AthenaClient",
        *,
        workgroup: str = DEFAULT_WORKGROUP,
        output_location: str | None = None,
        patience_seconds: float = 3_600,
    ) -> None:
        if not _WORKGROUP.fullmatch(workgroup):
            raise InputError("workgroup: 1 to 128 letters, digits, dots, dashes and underscores")
        self._client = client
        self._workgroup = workgroup
        self._options: dict[str, Any] = {}
        if output_location is not None:
            place = Place.parse(output_location)
            folder = place.key if place.key.endswith("/") or not place.key else f"{place.key}/"
            self._options["ResultConfiguration"] = {"OutputLocation": f"s3://{place.bucket}/{folder}"}
        self._patience_seconds = patience_seconds

    def run(
        self,
        statement: str,
        *,
        database: str | None = None,
        on_progress: Callable[[float, int], None] | None = None,
    ) -> FinishedQuery:
        """Run one statement to its end; `on_progress` gets the seconds so far and the bytes scanned so far.

        Raises DependencyError with Athena's reason where it refuses the statement, or the statement fails, is cancelled
        by somebody else or takes too long. Left by any exception, Ctrl-C too, a running statement is stopped.
        """
        context: QueryExecutionContextTypeDef = {"Catalog": CATALOG}
        if database:
            context["Database"] = database
        with aws_errors("StartQueryExecution"):
            query_id = self._client.start_query_execution(
                QueryString=statement,
                ClientRequestToken=secrets.token_hex(32),  # the client's own retries start nothing twice
                QueryExecutionContext=context,
                WorkGroup=self._workgroup,
                **self._options,
            )["QueryExecutionId"]
        try:
            execution = self._wait(query_id, on_progress)
        except BaseException:
            self._stop(query_id)
            raise
        return _finished(query_id, execution)

    def _wait(self, query_id: str, on_progress: Callable[[float, int], None] | None) -> "QueryExecutionTypeDef":
        started = time.monotonic()
        wait = FIRST_WAIT_SECONDS
        while True:
            with aws_errors(f"GetQueryExecution {query_id}"):
                execution = self._client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            if execution["Status"]["State"] not in {"QUEUED", "RUNNING"}:
                return execution
            seconds = time.monotonic() - started
            if on_progress:
                on_progress(seconds, _scanned(execution))
            if seconds > self._patience_seconds:
                raise DependencyError(f"query {query_id}: not finished after {self._patience_seconds:.0f} s, stopped")
            time.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 jitter, not a secret
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    def _stop(self, query_id: str) -> None:
        """Stop a statement that nobody waits for any more; the reason for that is told, not a failure of this."""
        with suppress(LeastwiseError), aws_errors(f"StopQueryExecution {query_id}"):
            self._client.stop_query_execution(QueryExecutionId=query_id)


def _finished(query_id: str, execution: "QueryExecutionTypeDef") -> FinishedQuery:
    status = execution["Status"]
    if status["State"] != "SUCCEEDED":
        reason = status.get("StateChangeReason", "no reason given")[:500]
        raise DependencyError(f"query {query_id}: {status['State']}: {reason}")
    location = execution.get("ResultConfiguration", {}).get("OutputLocation", "")
    place = Place.parse(location) if location.endswith(".csv") else None
    return FinishedQuery(query_id, place, _scanned(execution))


def _scanned(execution: "QueryExecutionTypeDef") -> int:
    return execution.get("Statistics", {}).get("DataScannedInBytes", 0)
