"""Why a saga stops before its end, as errors, and when waiting has lasted long enough. Pure."""

from shared.errors import DeniedError, InputError, SafetyError
from shared.model.plan import Reason, ReasonCode

MIN_SECONDS_LEFT = 15.0  # for one more step, its read-back and the journal
STABLE_READS = 2  # reads that must agree with the first one, over the dwell
MAX_READS = 12
REFUSED = (DeniedError, InputError, SafetyError)  # trying again can't help


class StopError(SafetyError):
    """The plan is to be taken back, for the catalogued `reason`: someone else's change wins, or it is too late."""

    def __init__(self, code: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.reason = Reason(code=code, message=message)


def reason_of(error: Exception) -> Reason:
    """The catalogued reason for which a plan is taken back after an error."""
    if isinstance(error, StopError):
        return error.reason
    return Reason(code=ReasonCode.VERIFICATION_FAILED, message=str(error))
