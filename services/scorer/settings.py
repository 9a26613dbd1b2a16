"""Settings of the scorer's handlers."""

from enum import StrEnum

from pydantic import Field

from shared.providers.settings import ProviderSettings
from shared.settings import Settings

NO_INVENTORY = "none"
OWN_INVENTORY = "config"


class TrailAccounts(StrEnum):
    """Whose usage is recorded from the log files of a trail."""

    OWN = "own"
    ORGANIZATION = "organization"


class UsageSettings(Settings):
    """Recording usage: CloudTrail events into the ledger."""

    account_id: str = Field(pattern=r"^\d{12}$")
    usage_table: str = Field(min_length=1)
    retention_days: int = Field(ge=90, le=3650)


class TrailLogSettings(UsageSettings):
    """Recording usage: log files of a trail into the ledger."""

    trail_log_bucket: str = Field(min_length=1)
    trail_log_bucket_account_id: str = Field(pattern=r"^\d{12}$")
    trail_log_accounts: TrailAccounts

    @property
    def only_account(self) -> str | None:
        """The one account whose usage counts, or None where everybody's does."""
        return self.account_id if self.trail_log_accounts is TrailAccounts.OWN else None


class ScoreSettings(ProviderSettings):
    """Scoring one identity; the inventory is from AWS Config, from an aggregator of it by name, or from nowhere."""

    usage_table: str = Field(min_length=1)
    scores_table: str = Field(min_length=1)
    event_bus: str = Field(min_length=1)
    stack_name: str = Field(min_length=1)
    window_days: int = Field(ge=1, le=400)
    retention_days: int = Field(ge=90, le=3650)
    inventory_source: str = Field(pattern=r"^[A-Za-z0-9_-]{1,256}$")

    @property
    def has_inventory(self) -> bool:
        """Whether reach is measured against an inventory, where there is one."""
        return self.inventory_source != NO_INVENTORY

    @property
    def aggregator(self) -> str | None:
        """Name of the aggregator that the inventory is read from; None is AWS Config of this account and region."""
        return None if self.inventory_source in {NO_INVENTORY, OWN_INVENTORY} else self.inventory_source


class SweepSettings(ScoreSettings):
    """Scoring all identities; the bucket of the trail's log files is empty where none are read."""

    trail_log_bucket: str
    sweep_schedule: str = Field(pattern=r"^(rate|cron)\(.+\)$")
