"""What a provider of scores and policies is asked, whoever it is."""

from typing import Protocol

from shared.model.identity import IdentityRef
from shared.model.proposal import Proposal
from shared.model.score import Score


class ScoreProvider(Protocol):
    """Whoever says what an identity's PCI is."""

    def judge(self, own: Score) -> Score:
        """The score that counts, made of our own evidence. Raises ProviderError where nobody can tell."""


class PolicyProvider(Protocol):
    """Whoever proposes what an identity should keep."""

    def propose(self, identity: IdentityRef) -> Proposal | None:
        """A proposal, which has to be proven; None where the policy is derived by ourselves. Raises ProviderError."""


class Native:
    """This stack's own code: the score stands as it was computed, and no proposal comes from outside."""

    def judge(self, own: Score) -> Score:
        """The score as it is."""
        return own

    def propose(self, identity: IdentityRef) -> Proposal | None:  # noqa: ARG002 part of the interface
        """Nothing: plans are derived from the evidence alone."""
        return None
