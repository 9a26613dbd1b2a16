"""The answer of `leastwise score` as a JSON value: sorted, so that the same files give the same text. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cli.account_doubts import doubts_of_scores
from cli.account_files import AccountFiles
from cli.answers import printable
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance
from shared.model.score import AccountScore, Score
from shared.pci.score import score_account

Json = dict[str, Any]


def answer_of(
    files: AccountFiles, scores: Sequence[Score], *, threshold: float, wanted: Collection[IdentityRef] = ()
) -> Json:
    """Say every score, worst first, and the accounts' own; of the identities only the wanted ones, if any are.

    `account` is over all identities, `accounts` over those of each account, should files of several have been mixed.
    """
    told = [score for score in worst_first(scores) if not wanted or score.identity in wanted]
    return {
        "account": _account(files.accounts, scores, files.as_of),
        "accounts": [
            _account([account_id], [one for one in scores if one.identity.account_id == account_id], files.as_of)
            for account_id in files.accounts
        ],
        "as_of": moment_text(files.as_of),
        "as_of_source": files.as_of_source.value,
        "window_days": files.window_days,
        "threshold": threshold,
        "model_version": scores[0].model_version,
        "catalogue_version": scores[0].catalogue_version,
        "identities": [_identity(score, threshold) for score in told],
        "errors": [{"id": name, "error": printable(str(error))} for name, error in sorted(files.errors.items())],
        "warnings": [*files.warnings, *doubts_of_scores(told)],
    }


def is_over(answer: Mapping[str, Any]) -> bool:
    """Whether an identity that is told of doesn't comply."""
    return any(one["compliance"] == Compliance.NON_COMPLIANT for one in answer["identities"])


def account_score(scores: Iterable[Score], account_id: str, at: datetime) -> AccountScore:
    """The score of an account: root mean square over those who are not exempt."""
    known = list(scores)
    counted = [score for score in known if score.exempt is None]
    return score_account(counted, account_id, excluded=len(known) - len(counted), now=at)


def worst_first(scores: Iterable[Score]) -> list[Score]:
    """In the order in which answers have them."""
    return sorted(scores, key=lambda score: (-score.pci, score.identity.arn, score.identity.identity_id))


def _account(ids: Sequence[str], scores: Iterable[Score], at: datetime) -> Json:
    """Of one account or, with a null `id`, over several."""
    account = account_score(scores, ids[0], at)
    return {
        "id": ids[0] if len(ids) == 1 else None,
        "pci": account.pci,
        "identities": account.identities,
        "excluded": account.excluded,
        "bands": {band.value: count for band, count in account.by_band.items()},
    }


def _identity(score: Score, threshold: float) -> Json:
    return {
        "arn": score.identity.arn,
        "id": score.identity.identity_id,
        "pci": score.pci,
        "band": score.band.value,
        "compliance": Compliance.of(score.pci, threshold, score.exempt).value,
        "exempt": score.exempt,
        "granted": score.granted,
        "used": score.used,
        "unused": score.unused,
        "unobservable": score.unobservable,
        "reach": score.reach,
        "resources": score.resources,
        "contributions": [one.model_dump(mode="json") for one in score.contributions],
        "coverage": score.coverage.model_dump(mode="json"),
    }


def moment_text(moment: datetime) -> str:
    """A time as answers have it: ISO 8601, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
