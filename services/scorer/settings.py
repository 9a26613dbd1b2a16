"""Settings of the scorer's three handlers."""

from pydantic import Field

from shared.settings import Settings


class UsageSettings(Settings):
    """Recording usage: CloudTrail events into the ledger."""

    account_id: str = Field(pattern=r"^\d{12}$")
    usage_table: str = Field(min_length=1)
    retention_days: int = Field(ge=90, le=3650)


class ScoreSettings(Settings):
    """Scoring one identity, or all of them."""

    account_id: str = Field(pattern=r"^\d{12}$")
    usage_table: str = Field(min_length=1)
    scores_table: str = Field(min_length=1)
    event_bus: str = Field(min_length=1)
    stack_name: str = Field(min_length=1)
    window_days: int = Field(ge=1, le=400)
