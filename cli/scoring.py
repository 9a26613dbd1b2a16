"""Scores of all identities of an account's files."""

from cli.account_files import AccountFiles
from cli.progress import progress
from shared.knowledge import load_catalogue, load_risk
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.score import Score
from shared.pci.score import ScoreParameters, Scoring
from shared.protection import protection_of

MANY = 200  # identities: fewer take less time than it takes to read a progress bar


class Scorings:
    """Scores the identities of some files; remembers the scores, and what the identities of an account share."""

    def __init__(self, files: AccountFiles) -> None:
        self._files = files
        self._of_account: dict[str, Scoring] = {}
        self._scores: dict[IdentityRef, Score] = {}

    def of(self, ref: IdentityRef) -> Scoring:
        """The scoring of an identity's account."""
        scoring = self._of_account.get(ref.account_id)
        if scoring is None:
            scoring = self._of_account[ref.account_id] = Scoring(
                load_catalogue(),
                load_risk(),
                ScoreParameters(),
                now=self._files.as_of,
                window_days=self._files.window_days,
                surroundings=self._files.surroundings_of(ref),
            )
        return scoring

    def score(self, detail: IdentityDetail) -> Score:
        """The score of one of the files' identities. Raises PolicyDocumentError."""
        ref = detail.ref
        known = self._scores.get(ref)
        if known is None:
            usage, report = self._files.usage_of(ref), self._files.last_accessed_of(ref)
            known = self._scores[ref] = self.of(ref).score(detail, usage, report)
        return known


def score_all(files: AccountFiles, scorings: Scorings | None = None) -> list[Score]:
    """Score everyone, each within its own account; the protected and the exempt are marked as exempt."""
    known = scorings or Scorings(files)
    scores = []
    for detail in progress(files.details, "scoring", many=MANY):
        score, protection = known.score(detail), protection_of(detail)
        scores.append(score.model_copy(update={"exempt": protection.message}) if protection else score)
    return scores
