"""Finds the accounts and regions that a trail has log files of."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from services.scorer.backfill.layout import TrailLayout, account_ids, organization_ids, region_names
from shared.aws.s3 import LogBucket
from shared.errors import InputError


class Places(NamedTuple):
    """Regions by account, both sorted, and the accounts of which a region that has log files was left out."""

    regions: Mapping[str, tuple[str, ...]]
    partial: frozenset[str] = frozenset()


def find_places(
    bucket: LogBucket, layout: TrailLayout, accounts: Sequence[str], regions: Sequence[str], *, threads: int
) -> Places:
    """Name the folders of these accounts and regions, or of all that there are where none are named.

    Raises InputError where one that is named has no folder, or none is there: a wrong name is never "no usage".
    """
    known = account_ids(bucket.folders(layout.accounts_folder))
    _check_known("account", accounts, known, layout)
    if not known:
        raise InputError(_nothing_below(layout, organization_ids(bucket.folders(layout.accounts_folder))))
    chosen = tuple(sorted(set(accounts))) or known
    with ThreadPoolExecutor(threads) as pool:
        found = pool.map(lambda account: region_names(bucket.folders(layout.regions_folder(account))), chosen)
    there = dict(zip(chosen, found, strict=True))
    _check_known("region", regions, {region for names in there.values() for region in names}, layout)
    wanted = {account: _wanted(names, regions) for account, names in there.items()}
    wanted = {account: names for account, names in wanted.items() if names}
    return Places(wanted, frozenset(account for account, names in wanted.items() if names != there[account]))


def _wanted(there: tuple[str, ...], named: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in there if name in named) if named else there


def _check_known(what: str, named: Sequence[str], known: Sequence[str] | set[str], layout: TrailLayout) -> None:
    if missing := sorted(set(named).difference(known)):
        raise InputError(f"{what} {', '.join(missing)}: no log files below {_url(layout)}")


def _nothing_below(layout: TrailLayout, organizations: Sequence[str]) -> str:
    if organizations:
        return f"{_url(layout)} holds an organization's trail: add --organization-id {' or '.join(organizations)}"
    return f"no log files of CloudTrail below {_url(layout)}: check --bucket, --prefix and --organization-id"


def _url(layout: TrailLayout) -> str:
    return f"s3://{layout.bucket}/{layout.accounts_folder}"
