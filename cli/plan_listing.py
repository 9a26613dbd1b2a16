"""Which plans of the deployed system `leastwise plans` tells of."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice

from cli.deployed_account import id_of
from cli.plan_answer import Json, summary_value
from shared.aws.deployed_account import DeployedAccount
from shared.errors import InputError
from shared.model.plan import PlanRecord, PlanStatus


def listed(
    account: DeployedAccount,
    statuses: Sequence[str],
    who: Sequence[str],
    *,
    since: datetime | None,
    limit: int,
    unreadable: Callable[[InputError], None],
) -> list[PlanRecord]:
    """Plans in these states (all, if none is named) of these identities (everyone's), the newest first.

    A record that can't be read is told to `unreadable` and left out. Raises InputError for a name that nobody has; a
    unique id may be of somebody who is gone.
    """
    ids = {id_of(name, account) for name in who}
    wanted = [PlanStatus(status) for status in statuses] or list(PlanStatus)
    account_id = account.stack.account_id
    found: dict[str, PlanRecord] = {}  # by plan: one that changes meanwhile could be met in two states
    for status in dict.fromkeys(wanted):
        records = account.journal.with_status(account_id, status, since=since, unreadable=unreadable)
        own = (record for record in records if not ids or record.plan.identity.identity_id in ids)
        for record in islice(own, limit):
            known = found.get(record.plan.plan_id)
            if known is None or known.version < record.version:
                found[record.plan.plan_id] = record
    return sorted(found.values(), key=lambda record: (record.updated_at, record.plan.plan_id), reverse=True)[:limit]


def answer_of(records: Sequence[PlanRecord]) -> Json:
    """The plans in a few fields each."""
    return {"plans": [summary_value(record) for record in records]}
