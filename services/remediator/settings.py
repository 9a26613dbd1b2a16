"""Settings of the remediator's handlers."""

from pydantic import Field

from shared.model.plan import RegretResponse, ResourceScope, Strategy
from shared.providers.settings import ProviderSettings

NO_INVENTORY = "none"


class RemediationSettings(ProviderSettings):
    """What is needed to plan, prove, apply and roll back."""

    stack_name: str = Field(min_length=1)
    journal_table: str = Field(min_length=1)
    scores_table: str = Field(min_length=1)
    usage_table: str = Field(min_length=1)
    event_bus: str = Field(min_length=1)
    mode_parameter: str = Field(min_length=1)
    strategy: Strategy
    threshold: float = Field(gt=0, le=100)
    window_days: int = Field(ge=1, le=400)
    min_observed_days: int = Field(ge=0, le=400)
    score_max_age_hours: int = Field(ge=1, le=24 * 30)
    plan_ttl_hours: int = Field(ge=1, le=24 * 30)
    dwell_seconds: int = Field(ge=0, le=60)
    safeguards_parameter: str = Field(min_length=1)
    resource_scope: ResourceScope
    preserve_reads: bool
    grace_days: int = Field(ge=0, le=400)
    notice_hours: int = Field(ge=0, le=24 * 30)
    soak_days: int = Field(ge=0, le=90)
    on_regret: RegretResponse
    max_changes_per_hour: int = Field(ge=1, le=1000)
    max_changed_percent: int = Field(ge=1, le=100)
    access_analyzer: bool
    may_restore: bool
    inventory_source: str = Field(pattern=r"^[A-Za-z0-9_-]{1,256}$")

    @property
    def has_inventory(self) -> bool:
        """Whether the scorer measures reach against an inventory."""
        return self.inventory_source != NO_INVENTORY
