"""Where a trail keeps its log files in S3, and the checks that let names from outside into prefixes and SQL text.

Source: AWS CloudTrail User Guide, "Finding your CloudTrail log files" (organization trails: "Log file location").
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from shared.errors import InputError

EARLIEST = date(2013, 11, 1)  # CloudTrail's first month

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.=+@-]+(?:/[A-Za-z0-9!_.=+@-]+)*")
_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z0-9-]{1,40}")  # as the ledger takes them


@dataclass(frozen=True, slots=True)
class TrailLayout:
    """The place of one trail's log files: a bucket, the trail's own prefix ("" for none), the organization if any.

    Every part is checked, so that it can stand in SQL text and in a location template as it is.
    """

    bucket: str
    prefix: str = ""
    organization_id: str | None = None

    def __post_init__(self) -> None:
        checked(_BUCKET, self.bucket, "bucket")
        if self.prefix:
            checked(_PREFIX, self.prefix, "prefix (without a slash at its ends)")
        if self.organization_id is not None:
            checked(_ORGANIZATION, self.organization_id, "organization id")

    @property
    def accounts_folder(self) -> str:
        """The prefix below which each account has its folder."""
        parts = [self.prefix, "AWSLogs", self.organization_id]
        return "".join(f"{part}/" for part in parts if part)

    def regions_folder(self, account_id: str) -> str:
        """The prefix below which each region of an account has its folder."""
        return f"{self.accounts_folder}{account_id}/CloudTrail/"

    def days_folder(self, account_id: str, region: str) -> str:
        """The prefix below which the log files of an account in a region are kept as `yyyy/mm/dd/`."""
        return f"{self.regions_folder(account_id)}{region}/"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which log files: of these accounts, in these regions, delivered from `since` to `until`, both inclusive (UTC)."""

    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    since: date
    until: date

    def __post_init__(self) -> None:
        for account_id in self.accounts:
            checked(_ACCOUNT, account_id, "account id")
        for region in self.regions:
            checked(_REGION, region, "region")
        if not EARLIEST <= self.since <= self.until:
            raise InputError(f"days: {self.since} to {self.until} is no range of days since {EARLIEST}")

    def days(self) -> Iterator[date]:
        """Every day, in order."""
        for offset in range((self.until - self.since).days + 1):
            yield self.since + timedelta(days=offset)


def checked(form: re.Pattern[str], value: str, what: str) -> str:
    """The value, where all of it has the form. Raises InputError, which names what is wrong and not the value."""
    if not form.fullmatch(value):
        raise InputError(f"{what}: not of the form {form.pattern}")
    return value


def is_account_id(text: str) -> bool:
    """Whether this is the form of an account id."""
    return _ACCOUNT.fullmatch(text) is not None


def is_region(text: str) -> bool:
    """Whether this is the form of a region's name."""
    return _REGION.fullmatch(text) is not None


def account_ids(folders: Iterable[str]) -> tuple[str, ...]:
    """The accounts among the folders below `TrailLayout.accounts_folder`."""
    return _names(folders, _ACCOUNT)


def organization_ids(folders: Iterable[str]) -> tuple[str, ...]:
    """The organizations among the same folders, which a layout without an organization doesn't reach."""
    return _names(folders, _ORGANIZATION)


def region_names(folders: Iterable[str]) -> tuple[str, ...]:
    """The regions among the folders below `TrailLayout.regions_folder`."""
    return _names(folders, _REGION)


def _names(folders: Iterable[str], form: re.Pattern[str]) -> tuple[str, ...]:
    names = (folder.rstrip("/").rpartition("/")[2] for folder in folders)
    return tuple(sorted({name for name in names if form.fullmatch(name)}))
