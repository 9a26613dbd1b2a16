"""The Privilege Creep Index (PCI) of an identity and of an account: pure arithmetic over grants and usage.

Per risk class k, with m_k = Σ ρ over the unused granted actions of k: s_k = α_k · (1 − exp(−(m_k / κ_k)^γ)), and
PCI = 100 · (1 − Π_k (1 − s_k)): each class is a chance of damage, the PCI is the chance that at least one strikes.
A completed escalation path counts as s = α of its class. Absolute and saturating, so that the score doesn't drift as
AWS adds actions. Source: this project's own metric, calibrated on AWS managed policies: tests/unit/test_calibration.py.
"""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from shared.iam.catalogue import Catalogue
from shared.model.identity import IdentityDetail
from shared.model.last_accessed import LastAccessed
from shared.model.score import AccountScore, Band, Score
from shared.model.usage import Usage
from shared.pci.contributions import contributions_of, survival
from shared.pci.parameters import PCI_DIGITS, ClassWeight, ScoreParameters
from shared.pci.risk import RiskTable
from shared.pci.weighing import UNKNOWN, Part, Surroundings, Weighed, Weighing

__all__ = [
    "UNKNOWN",
    "ClassWeight",
    "Part",
    "ScoreParameters",
    "Scoring",
    "Surroundings",
    "Weighed",
    "score_account",
    "score_identity",
]


class Scoring:
    """Scores the identities of one account at one time; remembers what they share.

    `now` is the end of the window of `window_days`.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        risk: RiskTable,
        parameters: ScoreParameters,
        *,
        now: datetime,
        window_days: int,
        surroundings: Surroundings = UNKNOWN,
    ) -> None:
        self.catalogue = catalogue
        self.risk = risk
        self.parameters = parameters
        self.now = now
        self.window_days = window_days
        self.surroundings = surroundings
        self._weighing = Weighing(catalogue, risk, now=now, window_days=window_days, surroundings=surroundings)

    def weigh(self, detail: IdentityDetail, usage: Usage, last_accessed: LastAccessed | None = None) -> Weighed:
        """Say what an identity holds and what is known of its use. Raises PolicyDocumentError.

        What was only denied counts as unused. Without a single observed day there is no usage to tell apart: then
        everything counts as unused, so that the score is the identity's whole potential, an upper bound, and its
        coverage says `observed_days` 0. Nothing may be planned on it.
        """
        return self._weighing.weigh(detail, usage, last_accessed)

    def score(self, detail: IdentityDetail, usage: Usage, last_accessed: LastAccessed | None = None) -> Score:
        """Score one identity. Raises PolicyDocumentError where one of its policies can't be read."""
        weighed = self.weigh(detail, usage, last_accessed)
        contributions = contributions_of(weighed, self.catalogue, self.risk, self.parameters)
        return Score(
            identity=detail.ref,
            pci=round(100 * (1 - survival(contributions)), PCI_DIGITS),
            model_version=self.parameters.version,
            catalogue_version=self.catalogue.version,
            scored_at=self.now,
            granted=weighed.grants.actions.size,
            used=weighed.used.size,
            unused=sum(part.actions.size for part in weighed.unused),
            unobservable=weighed.unobservable.size,
            reach=weighed.reach,
            resources=weighed.resources,
            contributions=contributions,
            coverage=weighed.coverage,
        )


def score_identity(
    detail: IdentityDetail,
    usage: Usage,
    catalogue: Catalogue,
    risk: RiskTable,
    parameters: ScoreParameters,
    *,
    now: datetime,
    window_days: int,
    last_accessed: LastAccessed | None = None,
    surroundings: Surroundings = UNKNOWN,
) -> Score:
    """Score one identity at `now` by its use in the `window_days` before.

    What IAM says was last accessed decides, where it is given, about actions that no trail could show. Raises
    PolicyDocumentError where one of its policies can't be read.
    """
    scoring = Scoring(catalogue, risk, parameters, now=now, window_days=window_days, surroundings=surroundings)
    return scoring.score(detail, usage, last_accessed)


def score_account(scores: Sequence[Score], account_id: str, excluded: int, now: datetime) -> AccountScore:
    """Root mean square over the scored identities of an account, 0 without any; `excluded` ones are left out."""
    mean_square = math.fsum(score.pci**2 for score in scores) / len(scores) if scores else 0.0
    bands = Counter(score.band for score in scores)
    return AccountScore(
        account_id=account_id,
        pci=min(100.0, round(math.sqrt(mean_square), PCI_DIGITS)),
        identities=len(scores),
        excluded=excluded,
        by_band={band: bands[band] for band in Band},
        scored_at=now,
    )
