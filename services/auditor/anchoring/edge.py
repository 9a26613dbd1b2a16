"""One run of anchoring: what the last anchors say, every chain from its anchored end on, the next anchor."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from types import ModuleType
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from services.auditor.anchoring.anchors import AnchorWalk, faults_of_places, read_anchor, row_of, signature_of
from services.auditor.anchoring.core import (
    Looked,
    events_of,
    is_complete,
    is_due,
    next_anchor,
    next_number,
    order_of,
)
from services.auditor.chain import BEFORE_ALL, ChainReport, verify_chain, verify_on
from services.auditor.settings import AnchorSettings
from shared.aws import clients as aws_clients
from shared.aws.anchor_bucket import AnchorBucket
from shared.aws.audit_table import AuditTable
from shared.aws.dynamodb import Table
from shared.aws.eventbridge import Publisher
from shared.aws.kms import AnchorKey
from shared.errors import ConflictError
from shared.events import Service
from shared.model.anchor import Anchor, AnchorPlace, StoredAnchor, TrailFault
from shared.model.stored_entry import StoredEntry
from shared.observability import logger, metrics

READERS = 8  # chains read at the same time; boto3 keeps ten connections
RESERVE_SECONDS = 20.0  # kept for telling of faults and writing the anchor


class Anchoring:
    """One invocation. What it does not reach in its time keeps its anchored end, and comes first in the next one."""

    def __init__(
        self,
        settings: AnchorSettings,
        now: datetime,
        remaining_seconds: Callable[[], float],
        *,
        clients: ModuleType | Any = aws_clients,
    ) -> None:
        self._account_id = settings.account_id
        self._number = 1  # of the anchor that this run makes
        self._now = now
        self._remaining_seconds = remaining_seconds
        self._audit = AuditTable(Table(clients.dynamodb(), settings.audit_table))
        self._bucket = AnchorBucket(clients.s3(), settings.anchor_bucket, owner_account_id=settings.account_id)
        self._publisher = Publisher(clients.events(), settings.event_bus, Service.AUDITOR)
        self._key = AnchorKey(clients.kms(), settings.signing_key_id) if settings.signing_key_id else None

    def run(self) -> dict[str, Any]:
        """Verify what was recorded since the last anchor, write the next anchor, and tell of the faults new in it.

        What the last anchor recorded is told again before: an anchor is only followed once its faults were told. Raises
        DependencyError where something can't be read, written or told; SafetyError where there is no place left.
        """
        places = self._places()
        walk = self._anchors_before(places)
        if walk.newest:
            self._tell(walk.newest)
        looked = self._look(walk, places)
        anchor = next_anchor(walk, looked, account_id=self._account_id, number=self._number, now=self._now)
        written = self._write(anchor)
        answer = self._report(anchor, len(looked.faults(walk.heads)), walk, written=written)
        if written:
            self._tell(anchor)
        return answer

    def _tell(self, anchor: Anchor) -> None:
        if events := events_of(anchor):
            self._publisher.publish(*events)

    def _anchors_before(self, places: list[AnchorPlace]) -> AnchorWalk:
        """What the anchors up to now say: the last ones by themselves, every 24th time all of them."""
        taken = {place.number for place in places}
        row = row_of(places)
        last, refused = self._last_anchors(row)
        walk = AnchorWalk(first=last[0].place.number if last else 1, are_signed=bool(self._key), refused=refused)
        for stored in last:
            walk.add(stored)
        self._number = next_number(walk, taken)
        if len(last) < len(row) and is_complete(self._number):
            walk = self._all_anchors(row, refused) or walk
            self._number = next_number(walk, taken)
        return walk

    def _last_anchors(self, row: list[AnchorPlace]) -> tuple[list[StoredAnchor], frozenset[int]]:
        """The newest anchors, back to one that holds all chains, and the numbers of those that the key did not sign.

        The newest one that the key signed vouches for those before. Where it signed none, it begins with the next.
        """
        read: list[StoredAnchor] = []
        is_trusted, unsigned = self._key is None, set()
        for place in reversed(row):
            read.append(self._bucket.read(place))
            anchor = read_anchor(read[-1])
            if isinstance(anchor, TrailFault):
                continue
            is_trusted = is_trusted or self._is_signed(anchor, read[-1])
            if not is_trusted:
                unsigned.add(anchor.number)
            elif anchor.complete:
                break
        return read[::-1], frozenset(unsigned if is_trusted else ())

    def _is_signed(self, anchor: Anchor, stored: StoredAnchor) -> bool:
        signature = signature_of(stored)
        return bool(self._key and signature and self._key.verify(anchor.digest, signature))

    def _all_anchors(self, row: list[AnchorPlace], refused: frozenset[int]) -> AnchorWalk | None:
        """What all anchors say; None where the time is over before."""
        walk = AnchorWalk(are_signed=bool(self._key), refused=refused)
        for stored in self._bucket.read_all(row):
            if self._is_out_of_time():
                return None
            walk.add(stored)
        return walk

    def _look(self, walk: AnchorWalk, places: list[AnchorPlace]) -> Looked:
        listed = frozenset(self._audit.chains(self._account_id))
        row = order_of(listed | set(walk.heads), walk.newest.pending_from if walk.newest else None)
        reports: dict[str, ChainReport] = {}
        pending = None
        with ThreadPoolExecutor(READERS) as pool:
            for chain, (report, done) in zip(row, pool.map(lambda chain: self._prove(chain, walk), row), strict=True):
                if report:
                    reports[chain] = report
                if not done and pending is None:
                    pending = chain
        faults = {fault.place: fault for fault in (*faults_of_places(places), *walk.faults)}
        return Looked(reports, listed, tuple(faults.values()), pending)

    def _prove(self, chain: str, walk: AnchorWalk) -> tuple[ChainReport | None, bool]:
        """Verify a chain from its anchored end on, and say whether the time sufficed."""
        if self._is_out_of_time():
            return None, False
        proven = walk.heads.get(chain, BEFORE_ALL)
        entries = InTime(self._audit.raw_chain(chain, from_sequence=proven.sequence), self._is_out_of_time)
        report = verify_on(entries, chain=chain, proven=proven)
        if report.whole and not entries.stopped and is_due(chain, self._number):
            report = self._again(chain, report)
        return report, not entries.stopped

    def _again(self, chain: str, report: ChainReport) -> ChainReport:
        """Verify what was proven before once more, as far as the time allows; what is proven now stays so."""
        entries = InTime(self._audit.raw_chain(chain), self._is_out_of_time)
        again = verify_chain(entries, chain=chain, anchored={report.head.sequence: report.head.entry_hash})
        if entries.stopped or again.whole:
            return report
        return again._replace(head=report.head)

    def _is_out_of_time(self) -> bool:
        return self._remaining_seconds() < RESERVE_SECONDS

    def _write(self, anchor: Anchor) -> bool:
        """Write the anchor, and name it in the log, which is a witness outside the bucket.

        Returns False where another run wrote its number first, and raises ConflictError where somebody else did.
        """
        try:
            self._bucket.write(anchor, self._key.sign(anchor.digest) if self._key else None)
        except ConflictError:
            found = [self._bucket.read(place) for place in self._places() if place.number == anchor.number]
            others = [read_anchor(stored) for stored in found]
            if not any(isinstance(one, Anchor) and one.previous_digest == anchor.previous_digest for one in others):
                raise
            logger.info("another run wrote this anchor first", number=anchor.number)
            return False
        logger.info("anchor written", number=anchor.number, digest=anchor.digest, previous=anchor.previous_digest)
        return True

    def _places(self) -> list[AnchorPlace]:
        return self._bucket.places(self._account_id)

    def _report(self, anchor: Anchor, faults: int, walk: AnchorWalk, *, written: bool) -> dict[str, Any]:
        before = walk.newest.entries if walk.newest else 0
        counts = {
            "AnchorsWritten": int(written),
            "AuditFaults": faults,
            "AuditChains": anchor.chains,
            "EntriesAnchored": anchor.entries - before,
            "AnchorsUnfinished": int(anchor.pending_from is not None),
        }
        for name, value in counts.items():
            metrics.add_metric(name, MetricUnit.Count, value)
        finished = anchor.pending_from is None
        logger.info("anchored", number=anchor.number, written=written, faults=faults, finished=finished)
        return {"number": anchor.number, "written": written, "faults": faults, "finished": finished}


class InTime:
    """Entries until the time is over, at least one."""

    def __init__(self, entries: Iterable[StoredEntry], is_over: Callable[[], bool]) -> None:
        self._entries = entries
        self._is_over = is_over
        self.stopped = False

    def __iter__(self) -> Iterator[StoredEntry]:
        for place, entry in enumerate(self._entries):
            if place and self._is_over():
                self.stopped = True
                return
            yield entry
