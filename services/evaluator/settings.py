"""Settings of the evaluator's two handlers."""

from pydantic import Field

from shared.settings import Settings


class VerdictSettings(Settings):
    """What both handlers need to judge, to tell it and to ask for a re-evaluation."""

    account_id: str = Field(pattern=r"^\d{12}$")
    scores_table: str = Field(min_length=1)
    event_bus: str = Field(min_length=1)
    threshold: float = Field(gt=0, le=100)
    score_max_age_hours: int = Field(ge=1, le=24 * 30)
    evaluator_queue_url: str = Field(min_length=1)
    reevaluation_delay_seconds: int = Field(ge=0, le=900)


class EvaluateSettings(VerdictSettings):
    """Judging scores as they come; `config_rule_name` is empty where AWS Config is switched off."""

    config_rule_name: str
