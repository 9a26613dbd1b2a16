"""Writes what was folded into the ledger, or only counts it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from cli.backfilling.folders import Places
from cli.backfilling.outcome import Outcome
from services.scorer.usage.folded import Folded
from shared.aws.usage_ledger import UsageLedger
from shared.model.usage import Coverage


class LedgerWriter:
    """Merges folded records into the ledger; without one (a dry run) it only counts what it would be told.

    A day counts as seen only where all of it was read, since what is missing would look as if it had not been used. So
    coverage is left out of days before `first`, of which the first files hold the end, and of accounts of which
    `places` leaves out a region.
    """

    def __init__(self, ledger: UsageLedger | None, outcome: Outcome, *, first: date, places: Places) -> None:
        self._ledger = ledger
        self._outcome = outcome
        self._first = first
        self._places = places
        outcome.partial = sorted(places.partial)

    def write(self, folded: Folded) -> frozenset[str]:
        """Merge uses, then coverage; the ledger is a semilattice: what was written before changes nothing.

        What can't be stored is noted. Gives the accounts that it concerns, of which no coverage is written.
        """
        folded = replace(folded, coverage=self._whole(folded.coverage))
        self._outcome.note_folded(folded)
        if self._ledger is None:
            return frozenset()
        recorded = self._ledger.record(folded.usages, folded.coverage)
        self._outcome.writes += recorded.written
        for account_id, problems in recorded.problems.items():
            for problem in problems:
                self._outcome.note_not_stored(account_id, str(problem))
        return frozenset(recorded.problems)

    def _whole(self, coverage: Mapping[str, Coverage]) -> Mapping[str, Coverage]:
        whole = {account: seen.since(self._first) for account, seen in coverage.items()}
        if not self._places.partial:
            return whole
        read = set(self._places.regions) - self._places.partial
        return {account: seen for account, seen in whole.items() if account in read}
