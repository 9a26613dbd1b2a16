"""What is known of the account around an identity: its inventory and its principals, as the last sweep stored them."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from aws_lambda_powertools.metrics import MetricUnit

from services.scorer.settings import ScoreSettings
from shared.aws import clients
from shared.aws.account_listing import AccountListing
from shared.aws.account_snapshots import AccountSnapshots
from shared.aws.account_surroundings import INVENTORY, PRINCIPALS, Found, StoredSurroundings, surroundings_of
from shared.aws.dynamodb import Table
from shared.aws.inventory import InventoryReader
from shared.errors import LeastwiseError, PolicyDocumentError
from shared.iam.grants import Grants, effective_grants
from shared.knowledge import load_catalogue, load_risk
from shared.model.identity import IdentityDetail
from shared.model.inventory import Inventory
from shared.model.principals import Principals
from shared.observability import logger, metrics
from shared.pci.applicable import applicable_of
from shared.pci.escalation.principals import principals_of
from shared.pci.score import Surroundings
from shared.reference import load_operations

INVENTORY_AGE = timedelta(hours=24)  # at which a sweep reads the inventory anew


def known_surroundings(settings: ScoreSettings) -> Surroundings:
    """What the last sweep stored; a warm function reads it again only where there is something new.

    Raises DependencyError when it cannot be read: a score without it would be another one.
    """
    return _stored(settings, _snapshots(settings)).remembered()


class SurroundingsStore:
    """Stores the account's surroundings anew where a sweep finds them too old."""

    def __init__(self, settings: ScoreSettings) -> None:
        self._settings = settings
        self._account_id = settings.account_id
        self._snapshots = _snapshots(settings)
        self._stored = _stored(settings, self._snapshots)

    def swept(
        self, listing: AccountListing, *, started_at: datetime, now: datetime, out_of_time: Callable[[], bool]
    ) -> Surroundings:
        """What a sweep scores by: principals as they were when it began or later, an inventory of a day or less.

        Where the inventory can't be read, or not before `out_of_time`, the older one goes on being used; scores tell
        its age.
        """
        principals = self._principals(listing, started_at, now)  # first: no sweep can go on without them
        return surroundings_of(self._inventory(now, out_of_time), principals)

    def _principals(self, listing: AccountListing, started_at: datetime, now: datetime) -> Principals:
        known = self._stored.principals(since=started_at)
        if known is not None:
            return known
        principals = principals_of(self._account_id, _granted(listing), listing.groups, load_risk())
        self._snapshots.put(self._account_id, PRINCIPALS, principals.to_json(), at=now)
        return principals

    def _inventory(self, now: datetime, out_of_time: Callable[[], bool]) -> Inventory | None:
        known = self._stored.inventory()
        if not self._settings.has_inventory:
            return None
        reader = InventoryReader(clients.config(), aggregator=self._settings.aggregator)
        age = now - known.read_at if known is not None and known.read_at is not None else None
        if known is not None and age is not None and age < INVENTORY_AGE and known.origin.startswith(reader.origin):
            return known
        try:
            inventory = reader.read(self._account_id, now=now, out_of_time=out_of_time)
            self._snapshots.put(self._account_id, INVENTORY, inventory.to_json(), at=now)
        except LeastwiseError as error:
            metrics.add_metric("InventoryUnread", MetricUnit.Count, 1)
            told = None if age is None else str(age)
            logger.warning("the inventory could not be read", error=str(error), age_of_the_one_in_use=told)
            return known
        logger.info("inventory read", resources=len(inventory.arns), origin=inventory.origin)
        return inventory


def _snapshots(settings: ScoreSettings) -> AccountSnapshots:
    return AccountSnapshots(Table(clients.dynamodb(), settings.scores_table))


def _stored(settings: ScoreSettings, snapshots: AccountSnapshots) -> StoredSurroundings:
    return StoredSurroundings(snapshots, settings.account_id, has_inventory=settings.has_inventory, note=_note)


def _note(found: Found) -> None:
    """What this version can't read counts as never stored, until the next sweep stores it anew."""
    if found.is_of_another_version:
        metrics.add_metric("SnapshotsUnread", MetricUnit.Count, 1)
        logger.warning("a stored snapshot is of another version", snapshot=found.name)


def _granted(listing: AccountListing) -> Iterator[tuple[IdentityDetail, Grants]]:
    """Every identity that can be read, with what it holds; whoever can't is told of where it is scored."""
    catalogue = load_catalogue()
    applicable = applicable_of(catalogue, load_operations())
    for page in listing.pages():
        for detail in page.details:
            try:
                yield detail, applicable.narrowed(effective_grants(detail, catalogue))
            except PolicyDocumentError:
                logger.warning("no escalation path is known to lead here", arn=detail.ref.arn)
