"""What the demonstration found, for the table in the terminal and for the report."""

from dataclasses import dataclass

from infra.local.demonstration.checks import Check
from shared.model.score import Score


@dataclass(frozen=True, slots=True)
class IdentityFinding:
    """One identity: its scores before and after, how it ended."""

    name: str
    arn: str
    job: str
    before: Score
    after: Score
    outcome: str


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything, the identities worst first; the account's PCI before and after."""

    account_before: float
    account_after: float
    identities: tuple[IdentityFinding, ...]
    checks: tuple[Check, ...]

    @property
    def held(self) -> int:
        """How many checks held."""
        return sum(check.held for check in self.checks)
