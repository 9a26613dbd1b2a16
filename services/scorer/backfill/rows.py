"""From the query's rows to usage: each row is turned into records that prove the same, and these are tallied. Pure."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

import msgspec

from services.scorer.backfill.layout import is_account_id, is_region
from services.scorer.backfill.query import API_VERSION, MENTIONS_ROLE, RESULT_COLUMNS, UNKNOWN_VARIANT
from services.scorer.backfill.roles import UNNAMED_ROLE, mentions_in, roles_of
from services.scorer.trail.record import Issuer, Record, Resource, SessionContext, UserIdentity
from services.scorer.usage.calls import Seen, call_of
from services.scorer.usage.folded import Folded
from services.scorer.usage.tally import Tally
from shared.errors import InputError
from shared.iam.operations import OperationMap
from shared.model.usage import Coverage

FEED: Final = "trail"
# Not "Management": which days were seen is told by rows of their own.
_CATEGORY = "Data"
_VARIANT_PARTS = 3
_API_VERSION = re.compile(API_VERSION)

Row = Mapping[str, str]


class RowTally:
    """Adds up rows of the query, by column name, NULL as "".

    `undated` counts records whose time nobody can read, or that is still to come.
    """

    def __init__(self, operations: OperationMap) -> None:
        self._operations = operations
        self._tally = Tally(operations, feed=FEED)
        self._coverage: dict[str, Coverage] = {}
        self.undated = 0
        self.rows = 0

    def add(self, row: Row) -> None:
        """Add a call, or a day that was seen; raises InputError for a row that the query can't have given."""
        self.rows += 1
        try:
            if row["is_call"] == "1":
                self._add_call(row)
            elif row["is_call"] == "0":
                self._add_day(row)
            else:
                raise InputError("is_call: neither 0 nor 1")
        except (LookupError, ValueError, TypeError) as error:
            raise InputError(f"row {self.rows} of the result: {type(error).__name__}") from None

    def folded(self) -> Folded:
        """What all rows together prove, with the coverage that they tell."""
        return replace(self._tally.folded(), coverage=self._coverage)

    def _add_call(self, row: Row) -> None:
        count = int(row["records"])
        first, last = _time(row["first_time"]), _time(row["last_time"])
        if row["timed"] != "true" or first is None or last is None:
            self.undated += count
            return
        records = list(_records(row, first))
        self._tally.add(records)
        # What the records of the variants, one each, don't tell: how many there were, and until when.
        call = call_of(records[0], self._operations)
        self._tally.add_call(call, Seen(count=count - len(records), first=first, last=last))

    def _add_day(self, row: Row) -> None:
        account_id, region, day = row["recipient_account_id"], row["event_region"], _day(row["seen_day"])
        if row["shows_trail"] != "true" or day is None or not is_account_id(account_id) or not is_region(region):
            return
        seen = Coverage.of([day], regions=[region], feeds=[FEED], reads=int(row["reads"]) > 0)
        known = self._coverage.get(account_id)
        self._coverage[account_id] = known.join(seen) if known else seen


def named_rows(lines: Iterator[Sequence[str]]) -> Iterator[Row]:
    """Rows by column name. Raises InputError where the file isn't the query's, or a row has another length."""
    header = next(lines, None)
    if header is None or tuple(header) != RESULT_COLUMNS:
        raise InputError("the result does not begin with the columns of the query")
    for number, values in enumerate(lines, start=1):
        if len(values) != len(RESULT_COLUMNS):
            raise InputError(f"row {number} of the result has {len(values)} values instead of {len(RESULT_COLUMNS)}")
        yield dict(zip(RESULT_COLUMNS, values, strict=True))


def passing_operations(operations: OperationMap) -> tuple[str, ...]:
    """Names of all operations that check iam:PassRole, without API versions, sorted."""
    found = {
        _API_VERSION.sub("", name)
        for prefix in operations.services()
        for name in operations.operations_of(prefix)
        if (actions := operations.operation(prefix, name)) and actions.passes_role
    }
    return tuple(sorted(found))


def _records(row: Row, time: datetime) -> Iterator[Record]:
    """One record for each variant of a call; one that names nothing where there were more than the row holds."""
    variants = json.loads(row["named"])
    for variant in variants:
        yield _record(row, time, variant)
    if int(row["variants"]) > len(variants):
        yield _record(row, time, UNKNOWN_VARIANT)


def _record(row: Row, time: datetime, variant: str) -> Record:
    if variant == UNKNOWN_VARIANT:
        resources, request = "", ""
        roles = [UNNAMED_ROLE] if row[MENTIONS_ROLE] == "true" else []
    else:
        resources, request, mentions = variant.split("\n", _VARIANT_PARTS - 1)
        roles = roles_of(mentions_in(mentions))
    denied, service = row["denied_action"], row["scaling_service"]
    return Record(
        event_time=time,
        event_type=row["event_type"] or None,
        event_source=row["event_source"] or None,
        event_name=row["event_name"] or None,
        event_category=_CATEGORY,
        aws_region=row["event_region"] or None,
        recipient_account_id=row["recipient_account_id"] or None,
        user_identity=_identity(row),
        error_code=row["error_code"] or None,
        error_message=f"not authorized to perform: {denied}" if denied else None,
        resources=[Resource(arn=arn) for arn in _arns(resources)] or None,
        request_parameters=msgspec.Raw(_request(request, roles)),
        additional_event_data=msgspec.Raw(json.dumps({"service": service}).encode() if service else b"null"),
    )


def _identity(row: Row) -> UserIdentity | None:
    issuer = Issuer(
        type=row["issuer_type"] or None,
        principal_id=row["issuer_id"] or None,
        arn=row["issuer_arn"] or None,
        account_id=row["issuer_account_id"] or None,
    )
    who = UserIdentity(
        type=row["caller_type"] or None,
        principal_id=row["caller_id"] or None,
        arn=row["caller_arn"] or None,
        account_id=row["caller_account_id"] or None,
        invoked_by=row["invoked_by"] or None,
        session_context=SessionContext(session_issuer=issuer) if issuer != Issuer() else None,
    )
    return who if row["identified"] == "true" else None


def _arns(text: str) -> Iterator[str | None]:
    """ARNs of a record's resources; Athena writes a row as an object or as a list, by its version."""
    entries: list[Any] = json.loads(text) if text else []
    for entry in entries:
        yield entry.get("arn") if isinstance(entry, dict) else entry[0] if entry else None


def _request(taken: str, roles: Sequence[str]) -> bytes:
    """Request parameters: those that were taken, and the roles under a key that no parameter has."""
    fields = taken.rstrip(",")
    if roles:
        fields = ",".join(filter(None, [fields, f'"passed role":{json.dumps(roles)}']))
    return f"{{{fields}}}".encode() if fields else b"null"


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
