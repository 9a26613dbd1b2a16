"""What an outside provider proposes that an identity should keep: nothing is believed of it before it is proven."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.model.score import Provider


class Proposal(BaseModel):
    """Policy documents as the provider answered them, together what it would leave to the identity; maybe none."""

    model_config = ConfigDict(frozen=True)

    provider: Provider
    documents: tuple[dict[str, Any], ...]
