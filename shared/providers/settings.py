"""Which provider a function asks, as its environment says."""

from pydantic import Field, ValidationInfo, field_validator

from shared.model.score import Provider
from shared.settings import Settings


class ProviderSettings(Settings):
    """Who scores and proposes policies; the secret is for an outside provider, and empty for our own code."""

    account_id: str = Field(pattern=r"^\d{12}$")
    provider: Provider
    provider_secret_arn: str = Field(pattern=r"^$|^arn:[^:]+:secretsmanager:[^:]+:\d{12}:secret:.+$")

    @field_validator("provider_secret_arn")
    @classmethod
    def _is_there_where_needed(cls, value: str, info: ValidationInfo) -> str:
        provider = info.data.get("provider", Provider.NATIVE)
        if provider is not Provider.NATIVE and not value:
            raise ValueError(f"the provider {provider} needs one")
        return value
