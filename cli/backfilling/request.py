"""What a backfill is asked to do, and how its parts are put together."""

from dataclasses import dataclass
from datetime import date, datetime

from cli.backfilling.folders import Places, find_places
from cli.backfilling.ledger import LedgerWriter
from cli.backfilling.objects import ObjectsBackfill
from cli.backfilling.outcome import Outcome
from cli.backfilling.progress import Progress
from cli.backfilling.queries import QueryBackfill
from services.scorer.backfill.layout import Selection, TrailLayout
from services.scorer.backfill.rows import FEED
from services.scorer.backfill.table import TrailTable
from services.scorer.usage.tally import Tally
from shared.aws.athena import Athena
from shared.aws.backfill_session import BackfillSession, LedgerPlace
from shared.aws.dynamodb import Table
from shared.aws.known_entries import KnownEntries
from shared.aws.s3 import LogBucket
from shared.aws.usage_ledger import UsageLedger
from shared.reference import load_operations

WRITERS = 8  # ledger items that are written at the same time


@dataclass(frozen=True, slots=True)
class AthenaOptions:
    """Where and how Athena works; no output location means the workgroup's."""

    workgroup: str
    output_location: str | None
    database: str


@dataclass(frozen=True, slots=True)
class Request:
    """One backfill, begun at `now`. No accounts or regions means all that are there; no options for Athena mean S3."""

    layout: TrailLayout
    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    since: date
    until: date
    threads: int
    athena: AthenaOptions | None
    now: datetime

    def __post_init__(self) -> None:
        Selection(self.accounts, self.regions, self.since, self.until)  # checks them


def run_backfill(request: Request, session: BackfillSession, ledger: LedgerPlace | None, outcome: Outcome) -> None:
    """Do what is asked, and count it in `outcome`; without a ledger nothing is written."""
    client = session.s3(connections=request.threads + 1)
    layout = request.layout
    bucket = LogBucket(client, layout.bucket)
    places = find_places(bucket, layout, request.accounts, request.regions, threads=request.threads)
    usage_ledger = _ledger(session, ledger, request.threads) if ledger else None
    writer = LedgerWriter(usage_ledger, outcome, first=request.since, places=places)
    progress = Progress()
    if request.athena:
        options = request.athena
        athena = Athena(session.athena(), workgroup=options.workgroup, output_location=options.output_location)
        queries = QueryBackfill(
            athena,
            TrailTable(layout, options.database),
            lambda place: LogBucket(client, place.bucket).open(place.key),
            load_operations(),
            now=request.now,
        )
        queries.run(places, (request.since, request.until), writer, outcome, progress)
        return
    days = Selection((), (), request.since, request.until).days()
    operations = load_operations()
    objects = ObjectsBackfill(
        bucket,
        _folders(layout, places),
        new_tally=lambda: Tally(operations, feed=FEED),
        threads=request.threads,
        now=request.now,
    )
    objects.run(days, writer, outcome, progress)


def _folders(layout: TrailLayout, places: Places) -> list[str]:
    return [layout.days_folder(account, region) for account, regions in places.regions.items() for region in regions]


def _ledger(session: BackfillSession, place: LedgerPlace, threads: int) -> UsageLedger:
    return UsageLedger(
        Table(session.dynamodb(), place.table),
        retention_days=place.retention_days,
        known=KnownEntries(),
        writers=min(WRITERS, threads),
    )
