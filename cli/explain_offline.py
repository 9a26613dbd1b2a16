"""What `leastwise explain` says of an identity in local files."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from cli.account_files import AccountFiles, read_account
from cli.account_options import THRESHOLD, WINDOW_DAYS
from cli.identity_names import named
from cli.usage import processors
from shared.knowledge import load_catalogue, load_risk
from shared.model.explanation import Explanation
from shared.pci.explanation.explain import Explainer, Judgement
from shared.pci.score import ScoreParameters, Scoring
from shared.protection import protection_of

TOLD = 5  # identities that can't be read


class Files(NamedTuple):
    """Where an account is told of, and the time that is judged."""

    authorization_details: tuple[str, ...]
    cloudtrail: tuple[str, ...] = ()
    last_accessed: str | None = None
    inventory: str | None = None
    as_of: datetime | None = None
    jobs: int = 1


def explain_offline(
    who: str, files: Files, *, window_days: int | None, threshold: float | None, top: int
) -> tuple[Explanation, tuple[str, ...]]:
    """Explain one identity; returns warnings besides. Raises InputError for files or names that can't be used."""
    account = read_account(
        files.authorization_details,
        files.cloudtrail,
        last_accessed=files.last_accessed,
        inventory=files.inventory,
        as_of=files.as_of,
        window_days=window_days or WINDOW_DAYS,
        jobs=files.jobs or processors(),
    )
    if error := account.error_of(who):
        raise error
    ref = named(who, [detail.ref for detail in account.details])
    detail = next(detail for detail in account.details if detail.ref == ref)
    scoring = Scoring(
        load_catalogue(),
        load_risk(),
        ScoreParameters(),
        now=account.as_of,
        window_days=account.window_days,
        surroundings=account.surroundings_of(ref),
    )
    protection = protection_of(detail)
    explanation = Explainer(scoring).explain(
        detail,
        account.usage_of(ref),
        account.last_accessed_of(ref),
        judgement=Judgement(THRESHOLD if threshold is None else threshold, protection.message if protection else None),
        contributors=top,
    )
    return explanation, (*account.warnings, *_unread(account))


def _unread(account: AccountFiles) -> Iterator[str]:
    """Others who can't be read: no fault of the one that is explained, apart from whom that one could become."""
    errors = sorted(map(str, account.errors.values()))
    yield from errors[:TOLD]
    if (more := len(errors) - TOLD) > 0:
        yield f"and {more:,} more identities can't be read: `leastwise score` tells of all"
