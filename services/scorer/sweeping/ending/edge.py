"""The end of a sweep wired to AWS: the account's score from the stored ones, told, kept in its trend, and counted."""

from datetime import datetime

from aws_lambda_powertools.metrics import MetricUnit

from services.scorer.core import account_event
from services.scorer.settings import SweepSettings
from services.scorer.sweeping.account import AccountTally, band_metrics
from shared.aws import clients
from shared.aws.dynamodb import Table
from shared.aws.eventbridge import Publisher
from shared.aws.score_table import ScoreTable
from shared.aws.score_trend import ScoreTrend
from shared.events import Service
from shared.model.score import AccountScore
from shared.model.sweep import SweepProgress
from shared.observability import logger, metrics


def score_account_of(settings: SweepSettings, sweep: SweepProgress, now: datetime) -> tuple[AccountScore, AccountTally]:
    """Score the account from the stored scores and tell it; doing so twice for one sweep is harmless."""
    table = Table(clients.dynamodb(), settings.scores_table)
    tally = AccountTally()
    for stored in ScoreTable(table).scores(settings.account_id):
        tally.add(stored.score)
    account = tally.score(settings.account_id, now=now)
    Publisher(clients.events(), settings.event_bus, Service.SCORER).publish(account_event(account, sweep))
    ScoreTrend(table, retention_days=settings.retention_days).add(settings.account_id, tally.reading(account))
    return account, tally


def count_sweep(sweep: SweepProgress, account: AccountScore, tally: AccountTally) -> None:
    """Emit the metrics of a sweep that ended."""
    metrics.add_metric("AccountPci", MetricUnit.NoUnit, account.pci)
    counts = {
        **band_metrics(account),
        "UnusedHighRiskPermissions": tally.unused_high_risk,
        "SweepFound": sweep.found,
        "SweepFailed": sweep.failures,
        "SweepPages": sweep.pages,
    }
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    metrics.add_metric("SweepSeconds", MetricUnit.Seconds, sweep.seconds)
    logger.info("account scored", pci=account.pci, identities=account.identities, sweep_found=sweep.found)
