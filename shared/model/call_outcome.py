"""How one mutating call ended. Kept beside the models: the adapter that calls says it, the one who asked decides."""

from enum import StrEnum


class CallOutcome(StrEnum):
    """What became of a call that AWS answered; the words are those of the journal.

    IN_USE: the policy to delete is still attached somewhere. OVER_QUOTA: one of IAM's quotas leaves no room.
    UNMODIFIABLE: only AWS may change this identity.
    """

    DONE = "done"
    IN_USE = "not done: in use"
    OVER_QUOTA = "not done: a quota is used up"
    UNMODIFIABLE = "not done: only AWS may change it"
