"""From records to what they prove, in one step. Pure."""

from collections.abc import Iterable

from services.scorer.trail.record import Record
from services.scorer.usage.folded import Folded
from services.scorer.usage.tally import Tally
from shared.iam.operations import OperationMap


def fold(records: Iterable[Record], operations: OperationMap, *, feed: str) -> Folded:
    """Add up records: the same set of them gives the same usages, ARNs and coverage, however ordered or repeated."""
    tally = Tally(operations, feed=feed)
    tally.add(records)
    return tally.folded()
