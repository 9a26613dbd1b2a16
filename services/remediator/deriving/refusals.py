"""How a derivation ends without a plan: with a catalogued reason, never with a guess. Pure."""

from shared.errors import InputError
from shared.model.plan import Reason, ReasonCode


class NoPlanError(InputError):
    """There is no plan for this identity, for the catalogued `reason`."""

    def __init__(self, code: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.reason = Reason(code=code, message=message)
