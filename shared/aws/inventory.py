"""The account's resources, from AWS Config's advanced queries.

Without an aggregator AWS Config answers for its own region alone, and everywhere only for what its recorders record:
the inventory's `origin` says which it was. Source: AWS Config developer guide, "Querying the current configuration
state of AWS resources", and its API reference (SelectResourceConfig, SelectAggregateResourceConfig).
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from shared.aws.clients import aws_errors
from shared.errors import DependencyError, InputError, NotFoundError
from shared.model.inventory import Inventory
from shared.pci.reach.inventory_file import resource_arn

if TYPE_CHECKING:
    from types_boto3_config import ConfigServiceClient

PAGE_SIZE = 100  # rows at once (API limit)
_ACCOUNT_ID = re.compile(r"\d{12}")


class InventoryReader:
    """Reads an account's inventory: through an aggregator where there is one, else in the client's own region."""

    def __init__(self, client: "ConfigServiceClient", *, aggregator: str | None = None) -> None:
        self._client = client
        self._aggregator = aggregator

    def read(self, account_id: str, *, now: datetime, out_of_time: Callable[[], bool] = lambda: False) -> Inventory:
        """Every recorded resource of the account that has an ARN, all pages; how many have none is in `origin`.

        Raises NotFoundError where AWS Config records nothing at all, since "no resources" would be false, and
        DependencyError where it can't be read, or not before `out_of_time`, which is asked after each page.
        """
        if _ACCOUNT_ID.fullmatch(account_id) is None:
            raise InputError("an account id has twelve digits")
        arns: list[str] = []
        skipped = 0
        for page in self._pages(account_id):
            found = [_arn(row) for row in page]
            arns += filter(None, found)
            skipped += found.count(None)
            if out_of_time():
                raise DependencyError(f"{self.origin}: no time to read on after {len(arns) + skipped} resources")
        without = f", without {skipped} that have no ARN" if skipped else ""
        inventory = Inventory(account_id, tuple(arns), now, f"{self.origin}{without}")
        if not inventory.arns:
            raise NotFoundError(f"{inventory.origin}: no resource of the account is recorded; is the recorder on?")
        return inventory

    @property
    def origin(self) -> str:
        """Where its inventories are from: their `origin` begins so."""
        if self._aggregator is not None:
            return f"AWS Config, aggregator {self._aggregator}"
        return f"AWS Config, {self._client.meta.region_name} alone"

    def _pages(self, account_id: str) -> Iterator[list[str]]:
        if self._aggregator is None:
            with aws_errors("SelectResourceConfig"):
                own = self._client.get_paginator("select_resource_config")
                for page in own.paginate(Expression="SELECT arn", PaginationConfig={"PageSize": PAGE_SIZE}):
                    yield page.get("Results", [])
            return
        with aws_errors(f"SelectAggregateResourceConfig {self._aggregator}"):
            aggregate = self._client.get_paginator("select_aggregate_resource_config")
            for answer in aggregate.paginate(
                ConfigurationAggregatorName=self._aggregator,
                Expression=f"SELECT arn WHERE accountId = '{account_id}'",
                PaginationConfig={"PageSize": PAGE_SIZE},
            ):
                yield answer.get("Results", [])


def _arn(row: str) -> str | None:
    """The ARN of a row, which is an object in JSON; None where it has none."""
    try:
        read = json.loads(row)
    except ValueError:
        raise DependencyError("SelectResourceConfig: a row is no JSON") from None
    if not isinstance(read, dict):
        raise DependencyError("SelectResourceConfig: a row is no object")
    arn = read.get("arn")
    return resource_arn(arn) if isinstance(arn, str) else None
