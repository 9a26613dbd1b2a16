"""The one query of a backfill: months of records, added up by Athena to the calls that they are.

A *call* is everything that decides what a record proves (services/scorer/usage/calls.py), so that the number of rows
follows the number of identities and of what they do, not the number of records. Session names, event ids, addresses and
parameters are left out. Beside each call stand its first and last time, how many records it is, and its *variants*: the
distinct resources that its records named and the roles that they passed, up to MAX_VARIANTS of them; with more, nothing
is known. A second kind of row tells on which days each account was seen in which regions, and whether that showed any
event that only reads. GROUPING SETS give both from one scan, since Athena is paid by the byte scanned. Records of the
future are kept apart like those without a time.

The text is Trino SQL (Athena engine version 3) in a subset that DuckDB understands too, but for three functions that
the local AWS adds (infra/local/emulator/athena_queries.py).
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from services.scorer.backfill.layout import Selection
from services.scorer.backfill.parameters import DOUBT, NAMING_KEY, are_all, taken_parameters
from services.scorer.backfill.roles import ROLE_MENTION
from services.scorer.backfill.table import DAY_FORMAT, MAX_INJECTED, TrailTable
from services.scorer.usage.outcome import DENIED_ACTION, MAX_MESSAGE
from shared.errors import InputError

MAX_VARIANTS = 50
MAX_VARIANT_CHARACTERS = 1_000  # of what a variant names; a row then stays below Python's limit for a field of CSV
UNKNOWN_VARIANT = "?"  # names something, but nobody knows what
MAX_QUERY_BYTES = 262_144  # Athena's quota

_TIME = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
API_VERSION = "(20[0-9]{6}|20[0-9]{2}_[0-9]{2}_[0-9]{2})?([vV][0-9]{1,2})?$"
_OPERATION = re.compile(r"[A-Za-z0-9_]{1,128}")

_LATEST = "(latest)"  # stands for the time after which nothing can have happened

# What of a record tells one call from another. `caller_id` and `caller_arn` end before a session's name.
CALL_COLUMNS: Final = {
    "event_type": "eventtype",
    "event_source": "eventsource",
    "event_name": "eventname",
    "event_region": "awsregion",
    "recipient_account_id": "recipientaccountid",
    "caller_type": "useridentity.type",
    "caller_id": "split_part(useridentity.principalid, ':', 1)",
    "caller_arn": (
        "CASE WHEN strpos(useridentity.arn, ':iam::') > 0 THEN useridentity.arn "
        "WHEN strpos(useridentity.arn, ':assumed-role/') > 0 THEN regexp_extract(useridentity.arn, '^[^/]*/[^/]*') END"
    ),
    "caller_account_id": "useridentity.accountid",
    "invoked_by": "useridentity.invokedby",
    "issuer_type": "useridentity.sessioncontext.sessionissuer.type",
    "issuer_id": "useridentity.sessioncontext.sessionissuer.principalid",
    "issuer_arn": "useridentity.sessioncontext.sessionissuer.arn",
    "issuer_account_id": "useridentity.sessioncontext.sessionissuer.accountid",
    "error_code": "errorcode",
    "denied_action": f"regexp_extract(substr(errormessage, 1, {MAX_MESSAGE}), '{DENIED_ACTION.pattern}', 1)",
    "scaling_service": (
        "CASE WHEN eventsource = 'autoscaling.amazonaws.com' "
        "THEN json_extract_scalar(additionaleventdata, '$.service') END"
    ),
    "identified": "useridentity IS NOT NULL",
    "timed": f"regexp_like(eventtime, '{_TIME}') AND eventtime <= '{_LATEST}'",
}
# Whether a role is mentioned decides between inferred and possible, and so which times belong to which evidence.
MENTIONS_ROLE = "mentions_role"
_SEEN_COLUMNS: Final = {
    "seen_day": "substr(eventtime, 1, 10)",
    # A management event that isn't malformed, as in services/scorer/usage/calls.py.
    "shows_trail": (
        f"coalesce(eventtime <= '{_LATEST}', false) "
        "AND coalesce(eventcategory = 'Management', managementevent <> 'false', true) "
        "AND (coalesce(nullif(eventtype, ''), 'AwsApiCall') <> 'AwsApiCall' "
        "OR (coalesce(eventsource, '') <> '' AND coalesce(eventname, '') <> '' AND useridentity IS NOT NULL))"
    ),
}
RESULT_COLUMNS: Final = (
    *CALL_COLUMNS,
    MENTIONS_ROLE,
    *_SEEN_COLUMNS,
    "is_call",
    "first_time",
    "last_time",
    "records",
    "reads",
    "variants",
    "named",
)


def usage_query(table: TrailTable, selection: Selection, passing: Iterable[str], *, latest: datetime) -> str:
    """The query over one selection, of at most MAX_INJECTED accounts.

    `passing` are the names of operations that check iam:PassRole, without API versions; what is later than `latest`
    can't have happened. Raises InputError where the text would be longer than Athena takes, or the selection more than
    a query may name.
    """
    _check_size("accounts", selection.accounts)
    _check_size("regions", selection.regions)
    told = CALL_COLUMNS | _SEEN_COLUMNS
    end = latest.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    calls = ", ".join((*CALL_COLUMNS, MENTIONS_ROLE))
    seen = ", ".join((*_SEEN_COLUMNS, "recipient_account_id", "event_region"))
    every = ", ".join((*CALL_COLUMNS, MENTIONS_ROLE, *_SEEN_COLUMNS))
    query = f"""WITH told AS (
  SELECT
    {_listed(f"{expression.replace(_LATEST, end)} AS {name}" for name, expression in told.items())},
    CASE WHEN readonly = 'true' THEN 1 ELSE 0 END AS read_only, eventtime AS event_time, requestparameters AS request,
    coalesce(regexp_like(requestparameters, '{DOUBT}'), false) AS doubtful,
    json_format(CAST(resources AS JSON)) AS named_resources,
    CASE WHEN regexp_like(requestparameters, '{NAMING_KEY}')
      THEN {taken_parameters("requestparameters")} END AS taken,
    CASE WHEN regexp_replace(eventname, '{API_VERSION}', '') IN ({_names(passing)})
      THEN json_format(CAST(regexp_extract_all(requestparameters, '{ROLE_MENTION}') AS JSON)) END AS named_roles
  FROM "{table.database}"."{table.name}"
  WHERE "account" IN ({_literals(selection.accounts)})
    AND "region" IN ({_literals(selection.regions)})
    AND "day" BETWEEN '{selection.since.strftime(DAY_FORMAT)}' AND '{selection.until.strftime(DAY_FORMAT)}'
), named AS (
  SELECT *, named_roles <> '[]' AS {MENTIONS_ROLE},
    CASE WHEN doubtful THEN '' ELSE coalesce(named_resources, '') END AS by_resources,
    CASE WHEN NOT doubtful AND {are_all("taken", "request")} THEN taken ELSE '' END AS by_request,
    coalesce(nullif(named_roles, '[]'), '') AS by_roles
  FROM told
), variants AS (
  SELECT *, CASE WHEN length(by_resources) + length(by_request) + length(by_roles) <= {MAX_VARIANT_CHARACTERS}
    THEN by_resources || chr(10) || by_request || chr(10) || by_roles ELSE '{UNKNOWN_VARIANT}' END AS variant
  FROM named
), grouped AS (
  SELECT {every}, variant, grouping(seen_day) AS is_call,
    min(event_time) AS first_time, max(event_time) AS last_time, count(*) AS records,
    max(read_only) AS reads
  FROM variants
  GROUP BY GROUPING SETS (({calls}, variant), ({seen}))
)
SELECT {every}, is_call, min(first_time) AS first_time, max(last_time) AS last_time, sum(records) AS records,
  max(reads) AS reads, count(*) AS variants, json_format(CAST(min(variant, {MAX_VARIANTS}) AS JSON)) AS named
FROM grouped
GROUP BY {every}, is_call
"""  # noqa: S608 every value was checked for its form, or is a constant of this module
    if len(query.encode()) > MAX_QUERY_BYTES:
        raise InputError(f"the query is longer than {MAX_QUERY_BYTES} bytes: name fewer accounts")
    return query


def _check_size(what: str, values: tuple[str, ...]) -> None:
    if not 0 < len(values) <= MAX_INJECTED:
        raise InputError(f"{what}: {len(values)} of them, and a query takes 1 to {MAX_INJECTED}")


def _listed(lines: Iterable[str]) -> str:
    return ",\n    ".join(lines)


def _literals(values: Iterable[str]) -> str:
    """Values that were checked for their form, none of which has a quote."""
    return ", ".join(f"'{value}'" for value in values)


def _names(operations: Iterable[str]) -> str:
    return _literals(sorted({name for name in operations if _OPERATION.fullmatch(name)} | {""}))
