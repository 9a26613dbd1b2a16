"""The account of a deployed stack as the command reads it: IAM now, and what the scorer stored."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from shared.aws.account_snapshots import AccountSnapshots
from shared.aws.audit_table import AuditTable
from shared.aws.caller import caller_of, missing_output, outputs_of, parameters_of
from shared.aws.dynamodb import Table
from shared.aws.iam import IamReader
from shared.aws.journal import Journal
from shared.aws.score_table import ScoreTable
from shared.aws.score_trend import ScoreTrend
from shared.aws.sweep_table import SweepTable
from shared.aws.usage_ledger import UsageLedger
from shared.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class StackFacts:
    """What a stack says of itself: its account, and its parameters that decide over scores."""

    account_id: str
    usage_table: str
    scores_table: str
    window_days: int
    threshold: float
    uses_inventory: bool
    region: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)


class DeployedAccount:
    """Reads with the caller's own credentials, region and profile; changes nothing."""

    def __init__(self, stack_name: str | None = None, *, region: str | None = None, profile: str | None = None) -> None:
        self._caller = caller_of(stack_name, region=region, profile=profile)
        self.stack_name = self._caller.stack_name
        self._clients: dict[str, Any] = {}
        self._making = threading.Lock()  # sessions make one client at a time

    @cached_property
    def stack(self) -> StackFacts:
        """Facts about the stack. Raises InputError when it isn't there, NotFoundError when it isn't leastwise."""
        stack = self._caller.stack()
        outputs, parameters = outputs_of(stack), parameters_of(stack)
        usage, scores = outputs.get("UsageTableName"), outputs.get("ScoresTableName")
        window, threshold = parameters.get("WindowDays"), parameters.get("Threshold")
        if not (usage and scores and window and threshold):
            raise NotFoundError(f"stack {self.stack_name} has no usage ledger and no scores: is it leastwise?")
        _, _, _, region, account_id, *_ = stack["StackId"].split(":")
        return StackFacts(
            account_id=account_id,
            usage_table=usage,
            scores_table=scores,
            window_days=int(window),
            threshold=float(threshold),
            uses_inventory=parameters.get("InventorySource", "none") != "none",
            region=region,
            outputs=outputs,
            parameters=parameters,
        )

    def client(self, service: str) -> Any:
        """The client of an AWS service, with the caller's own credentials, region and profile; threads may share it."""
        with self._making:
            if service not in self._clients:
                self._clients[service] = self._caller.client(service)
            return self._clients[service]

    def output(self, name: str) -> str:
        """An output of the stack. Raises NotFoundError where it has none of that name."""
        if not (value := self.stack.outputs.get(name)):
            raise missing_output(self.stack_name, name)
        return value

    @cached_property
    def iam(self) -> IamReader:
        """Reads identities as they are now."""
        return IamReader(self.client("iam"))

    @cached_property
    def ledger(self) -> UsageLedger:
        """What every identity did."""
        return UsageLedger(self._table(self.stack.usage_table))

    @cached_property
    def journal(self) -> Journal:
        """Plans and their steps. Raises NotFoundError where the stack doesn't say where they are."""
        return Journal(self._table(self.output("JournalTableName")))

    @cached_property
    def audit(self) -> AuditTable:
        """The audit trail. Raises NotFoundError where the stack doesn't say where it is."""
        return AuditTable(self._table(self.output("AuditTableName")))

    @cached_property
    def trend(self) -> ScoreTrend:
        """How scores developed."""
        return ScoreTrend(self._table(self.stack.scores_table))

    @cached_property
    def sweeps(self) -> SweepTable:
        """How far the sweep came."""
        return SweepTable(self._table(self.stack.scores_table))

    @cached_property
    def scores(self) -> ScoreTable:
        """The stored scores."""
        return ScoreTable(self._table(self.stack.scores_table))

    @cached_property
    def snapshots(self) -> AccountSnapshots:
        """The stored inventory and principals."""
        return AccountSnapshots(self._table(self.stack.scores_table))

    def _table(self, name: str) -> Table:
        return Table(self.client("dynamodb"), name)
