"""What the offline commands know of an account, from local files: who holds what, who used what, and what there is.

Nothing is guessed from a clock: the time that is judged is told, or that of the newest record, or else the newest one
that the other files tell.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from cli.account_doubts import doubts_of_identities, doubts_of_listing, doubts_of_records, doubts_of_reports
from cli.account_surroundings import surroundings_of_accounts
from cli.authorization_files import Listing, read_bytes, read_listing
from cli.inputs import STANDARD_INPUT, shown
from cli.policy_dates import policy_dates
from cli.reading_trails.files import find_trails
from cli.reading_trails.reading import Window
from cli.reading_trails.shares import read_all
from services.scorer.usage.folded import Folded
from shared.errors import InputError, PolicyDocumentError
from shared.iam.authorization import identity_details, merge_pages
from shared.iam.permissions import read_permissions
from shared.knowledge import load_catalogue
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.last_accessed import LastAccessed, parse_reports
from shared.model.sources import PolicySource
from shared.model.usage import Coverage, IdentityKey, Usage
from shared.pci.score import UNKNOWN, Surroundings
from shared.reference import load_operations

INSTANT = timedelta(microseconds=1)
EPOCH, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


class TimeSource(StrEnum):
    """Where the time comes from that is judged."""

    OPTION = "option"
    RECORDS = "records"
    LAST_ACCESSED = "last_accessed"
    AUTHORIZATION_DETAILS = "authorization_details"


@dataclass(frozen=True, slots=True)
class AccountFiles:
    """An account as its files tell it, at `as_of` (UTC).

    `errors` say why an identity can't be read, by its unique id or place in the file; it is not among `details`.
    `warnings` are what somebody should know before relying on the rest, a sentence each.
    """

    details: tuple[IdentityDetail, ...]
    errors: Mapping[str, InputError]
    as_of: datetime
    as_of_source: TimeSource
    window_days: int
    warnings: tuple[str, ...]
    _folded: Folded
    _reports: Mapping[str, LastAccessed]
    _surroundings: Mapping[str, Surroundings]
    _stand_ins: frozenset[str]
    _policy_dates: Mapping[str, datetime]

    @property
    def accounts(self) -> tuple[str, ...]:
        """Ids of the accounts whose identities these are: one, unless files of several were mixed."""
        return tuple(sorted({detail.ref.account_id for detail in self.details}))

    def error_of(self, who: str) -> InputError | None:
        """Why the identity of this ARN, unique id or name can't be read."""
        for name, error in self.errors.items():
            if name == who or f"/{str(error).split(': ', 1)[0]}".endswith(f"/{who}"):
                return error
        return None

    def surroundings_of(self, ref: IdentityRef) -> Surroundings:
        """What is known of the account of an identity."""
        return self._surroundings.get(ref.account_id, UNKNOWN)

    def usage_of(self, ref: IdentityRef) -> Usage:
        """What the records tell of an identity, with what was seen of its account; nothing without its real id."""
        if ref.identity_id in self._stand_ins:
            return Usage(ref.identity_id)
        key = IdentityKey(ref.account_id, ref.identity_id)
        used = self._folded.usages.get(key, Usage(ref.identity_id))
        return Usage(ref.identity_id, used.entries, self._folded.coverage.get(ref.account_id, Coverage()))

    def last_accessed_of(self, ref: IdentityRef) -> LastAccessed | None:
        """IAM's report of an identity, where there is one."""
        return self._reports.get(ref.arn)

    def granted_since(self, detail: IdentityDetail) -> dict[PolicySource, datetime]:
        """Since when its managed policies say what they say, as far as the files tell."""
        dates = {policy.source: self._policy_dates.get(policy.source.arn or "") for policy in detail.policies}
        return {source: since for source, since in dates.items() if since is not None}


def read_account(
    authorization_details: Sequence[str],
    cloudtrail: Sequence[str] = (),
    *,
    last_accessed: str | None = None,
    inventory: str | None = None,
    as_of: datetime | None = None,
    window_days: int = 90,
    jobs: int = 1,
) -> AccountFiles:
    """Read an account from its files; `-` is standard input for one of them. Records after `as_of` don't count.

    Raises InputError where a file can't be read or used as a whole. What can't be used of a part of one is among the
    answer's errors and warnings.
    """
    _check_standard_input([*authorization_details, *cloudtrail, last_accessed or "", inventory or ""])
    if as_of:
        _check_time(as_of)
    listing = read_listing(authorization_details)
    reports = _reports(last_accessed)
    details, errors = _details(listing)
    trails = find_trails(cloudtrail)
    totals = read_all(trails.files, jobs, load_operations(), Window(until=as_of + INSTANT if as_of else None))
    accounts = {detail.ref.account_id for detail in details}
    moment, source = (as_of, TimeSource.OPTION) if as_of else _newest(totals.folded, reports, details, accounts)
    _check_time(moment)
    around = surroundings_of_accounts(details, listing.pages, inventory)
    return AccountFiles(
        details=tuple(detail.model_copy(update={"read_at": moment}) for detail in details),
        errors=errors,
        as_of=moment,
        as_of_source=source,
        window_days=window_days,
        warnings=(
            *doubts_of_records(totals, cloudtrail, len(trails.files), accounts, as_of=moment, window_days=window_days),
            *doubts_of_listing(listing, details),
            *doubts_of_identities(totals.folded, details),
            *doubts_of_reports(reports, details),
            *around.doubts,
            *_doubts_of_time(source, moment),
        ),
        _folded=totals.folded,
        _reports=reports,
        _surroundings=around.surroundings,
        _stand_ins=listing.stand_ins,
        _policy_dates=policy_dates(listing.pages),
    )


def _check_time(moment: datetime) -> None:
    """Raise InputError for a time around which there is no room for windows."""
    if not EPOCH <= moment < LATEST:
        raise InputError(f"{moment.isoformat()} is no time that can be judged")


def _check_standard_input(names: Sequence[str]) -> None:
    if names.count(STANDARD_INPUT) > 1:
        raise InputError("standard input (-) can be only one of the files")


def _details(listing: Listing) -> tuple[list[IdentityDetail], dict[str, InputError]]:
    """Every identity that can be read, though not yet when it was, and why the others can't be."""
    errors: dict[str, InputError] = {}
    merged = merge_pages(listing.pages)
    details = []
    for detail in identity_details(merged, read_at=EPOCH, on_error=errors.__setitem__):
        try:
            _check_documents(detail)
        except InputError as error:
            errors[detail.ref.identity_id] = error
        else:
            details.append(detail)
    if not details:
        first = next(iter(errors.values()), "the authorization details list no user and no role")
        raise InputError(f"no identity can be read: {first}" if errors else str(first))
    return details, errors


def _check_documents(detail: IdentityDetail) -> None:
    """Raise InputError that names the policy where the grammar of one can't be read."""
    for policy in (*detail.policies, *filter(None, [detail.boundary])):
        try:
            read_permissions(policy.document, load_catalogue())
        except PolicyDocumentError as error:
            raise InputError(f"{detail.ref.arn}: {policy.source}: {error}") from None


def _reports(name: str | None) -> Mapping[str, LastAccessed]:
    if name is None:
        return {}
    try:
        reports = parse_reports(read_bytes(name))
        for report in reports.values():
            _check_time(report.created_at)
    except InputError as error:
        raise InputError(f"{shown(name)}: {error}") from None
    return reports


def _newest(
    folded: Folded, reports: Mapping[str, LastAccessed], details: Sequence[IdentityDetail], accounts: set[str]
) -> tuple[datetime, TimeSource]:
    """The time of the newest record of these accounts, else of the newest report, else of the newest identity.

    Where no use is recorded on the last day that the records show, it is the end of that day.
    """
    spans = [
        span.last
        for key, usage in folded.usages.items()
        if key.account_id in accounts
        for entry in usage.entries.values()
        for span in entry.spans.values()
    ]
    days = [day for account_id in accounts for day in folded.coverage.get(account_id, Coverage()).seen]
    if days:
        newest = max(spans, default=EPOCH)
        end_of_last = datetime.combine(max(days), time.max, UTC)
        return (newest if newest.date() >= max(days) else end_of_last), TimeSource.RECORDS
    if reports:
        return max(report.created_at for report in reports.values()), TimeSource.LAST_ACCESSED
    return max(detail.created_at for detail in details), TimeSource.AUTHORIZATION_DETAILS


def _doubts_of_time(source: TimeSource, moment: datetime) -> Iterator[str]:
    if source in {TimeSource.LAST_ACCESSED, TimeSource.AUTHORIZATION_DETAILS}:
        where = "report" if source is TimeSource.LAST_ACCESSED else "identity"
        yield f"no record tells a time: scored as of {moment.isoformat()}, by the newest {where}; --as-of sets another"
