"""What the remediator's entrances share: adapters for AWS, a clock, and the time that is left."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.remediator.changing.ports import Clock, RemainingSeconds, Sleep
from services.remediator.settings import RemediationSettings
from shared.aws import clients as aws_clients
from shared.aws.access_analyzer import Analyzer
from shared.aws.account_snapshots import AccountSnapshots
from shared.aws.account_surroundings import Found, StoredSurroundings
from shared.aws.dynamodb import Table
from shared.aws.eventbridge import Publisher
from shared.aws.grant_dates import GrantDates
from shared.aws.iam import IamReader
from shared.aws.iam_changes import IamChanges
from shared.aws.iam_quotas import IamQuotas, read_quotas
from shared.aws.journal import Journal
from shared.aws.last_accessed import LastAccessedReader
from shared.aws.own_policies import OwnPolicies
from shared.aws.score_table import ScoreTable
from shared.aws.ssm import read_mode, read_text
from shared.aws.usage_ledger import UsageLedger
from shared.events import Service
from shared.model.plan import Mode
from shared.model.safeguards import Safeguards, parse_safeguards
from shared.observability import logger, metrics, utc_now
from shared.providers.choice import policy_provider
from shared.providers.interface import PolicyProvider


@dataclass(frozen=True, slots=True)
class Wiring:
    """One invocation's way to AWS; nothing in it survives the invocation but the clients' connections."""

    settings: RemediationSettings
    iam: IamReader
    changes: IamChanges
    journal: Journal
    scores: ScoreTable
    ledger: UsageLedger
    surroundings: StoredSurroundings
    last_accessed: LastAccessedReader
    grant_dates: GrantDates
    own_policies: OwnPolicies
    quotas: Callable[[], IamQuotas]
    analyzer: Analyzer | None
    policies: PolicyProvider
    publisher: Publisher
    mode: Callable[[], Mode]
    safeguards: Callable[[], Safeguards]
    clock: Clock
    sleep: Sleep
    remaining_seconds: RemainingSeconds
    owner: str

    @classmethod
    def of(
        cls,
        settings: RemediationSettings,
        context: LambdaContext,
        *,
        clients: ModuleType | Any = aws_clients,
        clock: Clock = utc_now,
        sleep: Sleep = time.sleep,
    ) -> "Wiring":
        """Wire an invocation to the given clients (`shared.aws.clients`, or stand-ins with the same functions)."""
        dynamodb, ssm = clients.dynamodb(), clients.ssm()

        def remaining_seconds() -> float:
            return context.get_remaining_time_in_millis() / 1000

        scores = Table(dynamodb, settings.scores_table)
        return cls(
            settings=settings,
            iam=IamReader(clients.iam()),
            changes=IamChanges(clients.iam(), may_give_back=settings.may_restore),
            journal=Journal(Table(dynamodb, settings.journal_table)),
            scores=ScoreTable(scores),
            ledger=UsageLedger(Table(dynamodb, settings.usage_table)),
            surroundings=StoredSurroundings(
                AccountSnapshots(scores), settings.account_id, has_inventory=settings.has_inventory, note=_note
            ),
            last_accessed=LastAccessedReader(clients.iam()),
            grant_dates=GrantDates(scores),
            own_policies=OwnPolicies(clients.iam()),
            quotas=lambda: read_quotas(clients.iam()),
            analyzer=Analyzer(clients.accessanalyzer()) if settings.access_analyzer else None,
            policies=policy_provider(
                settings,
                remaining_seconds,
                window_days=settings.window_days,
                preserve_reads=settings.preserve_reads,
            ),
            publisher=Publisher(clients.events(), settings.event_bus, Service.REMEDIATOR),
            mode=lambda: read_mode(ssm, settings.mode_parameter),
            safeguards=lambda: parse_safeguards(read_text(ssm, settings.safeguards_parameter)),
            clock=clock,
            sleep=sleep,
            remaining_seconds=remaining_seconds,
            owner=context.aws_request_id,
        )


def _note(found: Found) -> None:
    """What this version can't read counts as never stored, until the next sweep stores it anew."""
    if found.is_of_another_version:
        metrics.add_metric("SnapshotsUnread", MetricUnit.Count, 1)
        logger.warning("a stored snapshot is of another version", snapshot=found.name)
