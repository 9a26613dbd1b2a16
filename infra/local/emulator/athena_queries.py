"""What ministack's Athena lacks for queries: functions that DuckDB calls otherwise, and result files.

ministack writes a result below its location instead of at it, without Athena's quotes.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlparse

import duckdb  # type: ignore[import-not-found]  # only in the local AWS's own environment
from ministack.services import athena, s3

# Functions of Athena (Trino) by those of DuckDB. Regular expressions are RE2's instead of Java's.
FUNCTIONS = (
    "json_extract_scalar(json, path) AS json_extract_string(TRY_CAST(json AS JSON), path)",
    "json_format(json) AS CAST(json AS VARCHAR)",
    "regexp_like(text, pattern) AS regexp_matches(text, pattern)",
)


def install() -> None:
    """Replace how ministack opens DuckDB and how it writes results."""
    connect = duckdb.connect

    def connect_with_functions(*arguments: Any, **options: Any) -> duckdb.DuckDBPyConnection:
        connection = connect(*arguments, **options)
        for function in FUNCTIONS:
            connection.execute(f"CREATE MACRO {function}")
        return connection

    duckdb.connect = connect_with_functions
    athena._save_query_results = save_results


async def save_results(query_id: str) -> None:
    """Write the result of a query where GetQueryExecution says that it is; a failed write fails the query."""
    execution = athena._executions[query_id]
    place = urlparse(execution["ResultConfiguration"]["OutputLocation"])
    results = execution["_results"]
    lines = [_line(results["columns"]), *map(_line, results["rows"])]
    content = "".join(lines if results["columns"] else []).encode()
    response = s3._put_object(place.netloc, place.path.lstrip("/"), content, {"content-type": "text/csv"})
    if isinstance(response, tuple) and response[0] >= 300:  # noqa: PLR2004 any status but success
        execution["Status"] |= {"State": "FAILED", "StateChangeReason": "the result could not be written to S3"}


def _line(values: Iterable[Any]) -> str:
    """One line as Athena writes it: every value in quotes, nothing at all for NULL."""
    return ",".join("" if value is None else '"' + _text(value).replace('"', '""') + '"' for value in values) + "\n"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
