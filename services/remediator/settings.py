"""Settings of the remediator's two handlers."""

from typing import Literal

from pydantic import Field

from shared.model.plan import Strategy
from shared.settings import Settings


class RemediationSettings(Settings):
    """What is needed to plan, prove, apply and roll back."""

    account_id: str = Field(pattern=r"^\d{12}$")
    stack_name: str = Field(min_length=1)
    journal_table: str = Field(min_length=1)
    scores_table: str = Field(min_length=1)
    usage_table: str = Field(min_length=1)
    event_bus: str = Field(min_length=1)
    mode_parameter: str = Field(min_length=1)
    strategy: Strategy
    provider: Literal["native"]
    threshold: float = Field(gt=0, le=100)
    window_days: int = Field(ge=1, le=400)
    min_observed_days: int = Field(ge=0, le=400)
    score_max_age_hours: int = Field(ge=1, le=24 * 30)
    plan_ttl_hours: int = Field(ge=1, le=24 * 30)
    dwell_seconds: int = Field(ge=0, le=60)
