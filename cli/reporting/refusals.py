"""Why identities have no plan: the newest refusal of each, as the audit trail of a deployed system tells it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.aws.deployed_account import DeployedAccount
from shared.errors import DeniedError, InputError
from shared.events import RemediationSkipped

MOST_READ = 10_000  # refusals: a day of the largest account has fewer, and each day tells them anew
NONE_YET = "no plan was made of it yet"
NOT_LOOKED_UP = "why it has no plan was not looked up"


@dataclass(frozen=True, slots=True)
class Refusals:
    """What was said last, by unique id, and what is to be said of everybody else; `problems` as of all readings."""

    told: Mapping[str, str] = field(default_factory=dict)
    otherwise: str = NONE_YET
    problems: tuple[str, ...] = ()

    def of(self, identity_id: str) -> str:
        """Why this one has no plan, in a sentence."""
        return self.told.get(identity_id, self.otherwise)


def refusals_of(account: DeployedAccount, wanted: Collection[str], *, since: datetime) -> Refusals:
    """The newest refusal of each of the `wanted` since then, by one reading of the account's refusals, newest first.

    Raises DependencyError; without a permission for the audit trail, that is said instead of reasons.
    """
    if not wanted:
        return Refusals()
    told: dict[str, str] = {}
    left = MOST_READ
    try:
        for entry in account.audit.of_type(
            account.stack.account_id, RemediationSkipped.__name__, since=since, newest_first=True
        ):
            if entry.identity_id is not None and entry.identity_id in wanted:
                told.setdefault(entry.identity_id, entry.summary)
            left -= 1
            if len(told) == len(wanted) or not left:
                break
    except DeniedError as error:
        return Refusals(told, f"{NOT_LOOKED_UP}: {error}")
    except InputError as error:
        return Refusals(told, NOT_LOOKED_UP, (str(error),))
    return Refusals(told, NONE_YET if left else NOT_LOOKED_UP)
