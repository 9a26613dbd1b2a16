"""The account's score from the stored scores of its identities, without holding all that they say. Pure."""

from collections import Counter
from datetime import datetime

from shared.model.score import AccountScore, Band, RiskClass, Score
from shared.model.trend import Reading
from shared.pci.score import score_account

HIGH_RISK = (RiskClass.ESCALATION, RiskClass.CREDENTIAL_EXPOSURE, RiskClass.RESOURCE_EXPOSURE)


class AccountTally:
    """Takes the scores of an account one by one; exempt identities are counted, and count for nothing else."""

    def __init__(self) -> None:
        self.excluded = 0
        self._counted: list[Score] = []
        self._sums: Counter[str] = Counter()

    def add(self, score: Score) -> None:
        """Count one identity."""
        if score.exempt is not None:
            self.excluded += 1
            return
        self._sums["granted"] += score.granted
        self._sums["unused"] += score.unused
        self._sums["high_risk"] += unused_high_risk(score)
        self._counted.append(score.model_copy(update={"contributions": ()}))  # its greater part

    @property
    def unused_high_risk(self) -> int:
        """Unused permissions of the three worst classes, over all identities."""
        return self._sums["high_risk"]

    def score(self, account_id: str, *, now: datetime) -> AccountScore:
        """The account's score."""
        return score_account(self._counted, account_id, excluded=self.excluded, now=now)

    def reading(self, account: AccountScore) -> Reading:
        """The account's score as its trend keeps it."""
        granted, unused = self._sums["granted"], self._sums["unused"]
        return Reading(at=account.scored_at, pci=account.pci, granted=granted, unused=unused)


def unused_high_risk(score: Score) -> int:
    """Unused permissions that could raise privileges, or expose credentials or resources."""
    classes = (one for one in score.contributions if one.path is None and one.risk in HIGH_RISK)
    return sum(one.unused for one in classes)


def band_metrics(account: AccountScore) -> dict[str, int]:
    """How many identities are in each band, by the name of its metric."""
    return {f"{band.value.capitalize()}Identities": account.by_band.get(band, 0) for band in Band}
