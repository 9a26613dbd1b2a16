"""How a proof ended. Kept apart from the models, so that the policy engine runs without pydantic."""

from enum import StrEnum


class ProofVerdict(StrEnum):
    """Outcome of a proof; everything but the first is treated as no."""

    NO_NEW_ACCESS = "no_new_access"
    NEW_ACCESS = "new_access"
    NOT_PROVEN = "not_proven"
