"""Scores of all identities of an account's files."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from cli.account_files import AccountFiles
from shared.knowledge import load_catalogue, load_risk
from shared.model.score import Score
from shared.pci.score import ScoreParameters, Scoring
from shared.protection import protection_of

MANY = 200  # identities: fewer take less time than it takes to read a progress bar

T = TypeVar("T")


def score_all(files: AccountFiles) -> list[Score]:
    """Score everyone, each within its own account; the protected and the exempt are marked as exempt."""
    scorings: dict[str, Scoring] = {}
    scores = []
    for detail in _progress(files.details):
        ref = detail.ref
        scoring = scorings.get(ref.account_id)
        if scoring is None:
            scoring = scorings[ref.account_id] = Scoring(
                load_catalogue(),
                load_risk(),
                ScoreParameters(),
                now=files.as_of,
                window_days=files.window_days,
                surroundings=files.surroundings_of(ref),
            )
        score = scoring.score(detail, files.usage_of(ref), files.last_accessed_of(ref))
        protection = protection_of(detail)
        scores.append(score.model_copy(update={"exempt": protection.message}) if protection else score)
    return scores


def _progress(items: Sequence[T]) -> Iterable[T]:
    """The same, with a bar on standard error where that is a terminal and it takes long."""
    return items if len(items) < MANY or not sys.stderr.isatty() else _shown(items)


def _shown(items: Sequence[T]) -> Iterator[T]:
    from rich.console import Console  # noqa: PLC0415 only a terminal needs it
    from rich.progress import track  # noqa: PLC0415

    yield from track(items, "scoring", console=Console(file=sys.stderr), transient=True)
