"""The account of a deployed stack as the command reads it: IAM now, and what the scorer stored."""

from dataclasses import dataclass
from functools import cached_property

import boto3

from shared.aws.account_snapshots import AccountSnapshots
from shared.aws.clients import CONFIG, aws_errors
from shared.aws.dynamodb import Table
from shared.aws.iam import IamReader
from shared.aws.journal import Journal
from shared.aws.score_table import ScoreTable
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
    journal_table: str = ""


class DeployedAccount:
    """Reads with the caller's own credentials, region and profile; changes nothing."""

    def __init__(self, stack_name: str, *, region: str | None = None, profile: str | None = None) -> None:
        self.stack_name = stack_name
        with aws_errors("reading the AWS configuration"):
            self._session = boto3.Session(region_name=region, profile_name=profile)

    @cached_property
    def stack(self) -> StackFacts:
        """Facts of the stack. Raises NotFoundError when it isn't there or isn't leastwise."""
        with aws_errors(f"DescribeStacks {self.stack_name}"):
            client = self._session.client("cloudformation", config=CONFIG)
            stack = client.describe_stacks(StackName=self.stack_name)["Stacks"][0]
        outputs = {each.get("OutputKey"): each.get("OutputValue") for each in stack.get("Outputs", [])}
        parameters = {each.get("ParameterKey"): each.get("ParameterValue") for each in stack.get("Parameters", [])}
        usage, scores = outputs.get("UsageTableName"), outputs.get("ScoresTableName")
        window, threshold = parameters.get("WindowDays"), parameters.get("Threshold")
        if not (usage and scores and window and threshold):
            raise NotFoundError(f"stack {self.stack_name} has no scores: is it leastwise, and up to date?")
        return StackFacts(
            account_id=stack["StackId"].split(":")[4],
            usage_table=usage,
            scores_table=scores,
            window_days=int(window),
            threshold=float(threshold),
            journal_table=outputs.get("JournalTableName") or "",
            uses_inventory=parameters.get("InventorySource", "none") != "none",
        )

    @cached_property
    def iam(self) -> IamReader:
        """Reads identities as they are now."""
        with aws_errors("reading the AWS configuration"):
            return IamReader(self._session.client("iam", config=CONFIG))

    @cached_property
    def ledger(self) -> UsageLedger:
        """What every identity did."""
        return UsageLedger(self._table(self.stack.usage_table))

    @cached_property
    def journal(self) -> Journal:
        """Plans and their steps. Raises NotFoundError where the stack doesn't say where they are."""
        if not self.stack.journal_table:
            raise NotFoundError(f"stack {self.stack_name} has no output JournalTableName: is it up to date?")
        return Journal(self._table(self.stack.journal_table))

    @cached_property
    def scores(self) -> ScoreTable:
        """The stored scores."""
        return ScoreTable(self._table(self.stack.scores_table))

    @cached_property
    def snapshots(self) -> AccountSnapshots:
        """The stored inventory and principals."""
        return AccountSnapshots(self._table(self.stack.scores_table))

    def _table(self, name: str) -> Table:
        with aws_errors("reading the AWS configuration"):
            return Table(self._session.client("dynamodb", config=CONFIG), name)
