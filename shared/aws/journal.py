"""The journal of changes on DynamoDB: written ahead of each call, enough to resume or take back from it alone.

| pk | sk | holds |
|---|---|---|
| `PLAN#<plan id>` | `PLAN` | one PlanRecord (compressed JSON), its status, identity and times readable |
| `PLAN#<plan id>` | `STEP#<number>` | one mutating call: intent, then outcome |
| `PLAN#<plan id>` | `TOLD#<what>` | what was told of the plan: how it ended, and its regrets, so that it is told once |
| `PLAN#<plan id>` | `ORPHAN#<policy name>` | the deletion of a policy that nothing needs: intent, then outcome |
| `IDENTITY#<identity id>` | `LOCK` | who is changing this identity: owner, lease, fencing token |
| `IDENTITY#<identity id>` | `CURRENT` | its latest plan, whether it is parked, and which plans others undid |
| `ACCOUNT#<account id>` | `BUDGET` | how many changes were begun, and failed, in the last day |

The index `by_status` finds plans by `plan_status` (`<account id>#<STATUS>`) and `updated_at`.
"""

import json
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import ValidationError

from shared.aws.dynamodb import ABSENT, Item, Table, sortable
from shared.errors import ConflictError, InputError
from shared.model.identity import IdentityRef
from shared.model.plan import Plan, PlanRecord, PlanStatus, Step
from shared.model.spending import Spending
from shared.validation import describe

MAX_ATTEMPTS = 5  # of one optimistic write
BY_STATUS = ("by_status", "plan_status", "updated_at")
UNFENCED = "attribute_not_exists(fencing_token) OR fencing_token <= :token"
NOT_DONE = "not done"  # how the outcome of a call begins that changed nothing


class Current(NamedTuple):
    """The latest plan of an identity, and why it is left alone for now (empty: it is not).

    `reversions` tell applied plans apart that somebody else undid.
    """

    plan_id: str
    parked: str
    reversions: tuple[str, ...] = ()


class Journal:
    """Plans, their steps, and the lock of each identity."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def claim(self, identity: IdentityRef, owner: str, *, now: datetime, lease: timedelta) -> int:
        """Lock an identity; returns the fencing token, which grows with each owner.

        Raises ConflictError while somebody else's lease runs.
        """
        key = (f"IDENTITY#{identity.identity_id}", "LOCK")
        held = self._table.get(*key)
        token = int(held["fencing_token"]) if held else 0
        if held and _is_live(held, now) and held["owner"] != owner:
            raise ConflictError(f"{identity.arn} is being changed by another delivery until {held['until']}")
        self._table.put(
            {"pk": key[0], "sk": key[1], "owner": owner, "until": sortable(now + lease), "fencing_token": token + 1},
            condition=f"{ABSENT} OR fencing_token = :token",
            values={":token": token},
        )
        return token + 1

    def is_claimed(self, identity: IdentityRef, *, now: datetime) -> bool:
        """Whether somebody's lease of this identity runs."""
        held = self._table.get(f"IDENTITY#{identity.identity_id}", "LOCK")
        return held is not None and _is_live(held, now)

    def release(self, identity: IdentityRef, token: int, *, now: datetime) -> None:
        """Give the lock back, unless it is somebody else's by now."""
        item = {
            "pk": f"IDENTITY#{identity.identity_id}",
            "sk": "LOCK",
            "owner": "",
            "until": sortable(now),
            "fencing_token": token,
        }
        try:
            self._table.put(item, condition="fencing_token = :token", values={":token": token})
        except ConflictError:
            return

    def current(self, identity: IdentityRef | str) -> Current | None:
        """The latest plan of an identity, which its unique id alone names as well; None where there is none."""
        identity_id = identity if isinstance(identity, str) else identity.identity_id
        item = self._table.get(f"IDENTITY#{identity_id}", "CURRENT")
        return Current(item["plan_id"], item["parked"], tuple(item.get("reversions", ()))) if item else None

    def set_current(self, identity: IdentityRef, current: Current, *, now: datetime, token: int) -> None:
        """Point to the identity's latest plan.

        Raises ConflictError where a later holder of the identity's lock than `token`'s has done so already.
        """
        self._table.put(
            {
                "pk": f"IDENTITY#{identity.identity_id}",
                "sk": "CURRENT",
                "identity_arn": identity.arn,
                "updated_at": sortable(now),
                "fencing_token": token,
                **current._asdict(),
            },
            condition=f"{ABSENT} OR {UNFENCED}",
            values={":token": token},
        )

    def get(self, plan_id: str) -> PlanRecord | None:
        """One plan with its snapshot and state, or None. Raises InputError for a record that can't be read."""
        item = self._table.get(f"PLAN#{plan_id}", "PLAN")
        return _record_of(item) if item else None

    def save(self, record: PlanRecord) -> PlanRecord:
        """Write the successor of what was read; returns it with its new version.

        Raises ConflictError when someone else wrote in between, or holds the identity's lock by now and wrote already.
        """
        saved = record.model_copy(update={"version": record.version + 1})
        plan = record.plan
        item = {
            "pk": f"PLAN#{plan.plan_id}",
            "sk": "PLAN",
            "status": record.status.value,
            "plan_status": f"{plan.identity.account_id}#{record.status}",
            "identity_arn": plan.identity.arn,
            "updated_at": sortable(record.updated_at),
            "record_version": saved.version,
            "fencing_token": record.fencing_token,
            "record": zlib.compress(saved.model_dump_json().encode()),
        }
        known = {":version": record.version, ":token": record.fencing_token}
        condition, values = (f"record_version = :version AND ({UNFENCED})", known) if record.version else (ABSENT, {})
        self._table.put(item, condition=condition, values=values)
        return saved

    def with_status(
        self,
        account_id: str,
        status: PlanStatus,
        *,
        since: datetime | None = None,
        oldest_first: bool = False,
        unreadable: Callable[[InputError], None] | None = None,
    ) -> Iterator[PlanRecord]:
        """Plans of an account in one state that were written at `since` or later, newest first unless told otherwise.

        The index lags behind a little: who acts on a plan reads it again. Raises InputError for a record that can't be
        read, unless it is to be told to `unreadable` and left out.
        """
        since_key = sortable(since) if since else None
        partition = f"{account_id}#{status}"
        for item in self._table.query(partition, index=BY_STATUS, sk_from=since_key, newest_first=not oldest_first):
            try:
                record = _record_of(item)
            except InputError as error:
                if unreadable is None:
                    raise
                unreadable(error)
                continue
            yield record

    def spend(self, account_id: str, *, now: datetime, refusal: Callable[[Spending], str]) -> str:
        """Take one change out of the account's budget, unless `refusal` says why not; returns that, or "".

        Raises ConflictError when other writers kept winning.
        """
        for _ in range(MAX_ATTEMPTS):
            version, spending = self._spending(account_id)
            if why := refusal(spending):
                return why
            if self._put_spending(account_id, version, spending.with_begun(now)):
                return ""
        raise ConflictError(f"budget of {account_id}: other writers won {MAX_ATTEMPTS} times")

    def note_failure(self, account_id: str, *, now: datetime) -> None:
        """Count a change that failed. Raises ConflictError when other writers kept winning."""
        for _ in range(MAX_ATTEMPTS):
            version, spending = self._spending(account_id)
            if self._put_spending(account_id, version, spending.with_failed(now)):
                return
        raise ConflictError(f"failures of {account_id}: other writers won {MAX_ATTEMPTS} times")

    def intend(self, plan: Plan, number: int, step: Step, *, token: int, now: datetime) -> None:
        """Write down a call before it is made.

        Raises ConflictError for a worker that lost the identity's lock: whoever has it by now goes on.
        """
        held = self._table.get(f"IDENTITY#{plan.identity.identity_id}", "LOCK")
        if held is None or int(held["fencing_token"]) != token:
            raise ConflictError(f"{plan.identity.arn} is being changed by another delivery by now")
        self._put_step(plan.plan_id, number, step, token, now, outcome="")

    def note(self, plan: Plan, number: int, step: Step, outcome: str, *, token: int, now: datetime) -> None:
        """Write down how a call ended."""
        self._put_step(plan.plan_id, number, step, token, now, outcome=outcome)

    def steps(self, plan_id: str) -> list[Item]:
        """The calls of a plan in order, those of its rollback after those of its application."""
        return list(self._table.query(f"PLAN#{plan_id}", sk_prefix="STEP#"))

    def begun(self, plan_id: str) -> frozenset[int]:
        """Numbers of a plan's calls that were made, or may have been: all but those that are known to have failed."""
        made = (item for item in self.steps(plan_id) if was_made(item))
        return frozenset(int(item["sk"].removeprefix("STEP#")) for item in made)

    def note_told(self, plan_id: str, what: str, *, now: datetime) -> None:
        """Note that something of a plan was told, so that it is told once; noting it again is harmless."""
        self._table.put({"pk": f"PLAN#{plan_id}", "sk": f"TOLD#{what}", "at": sortable(now)})

    def told(self, plan_id: str) -> frozenset[str]:
        """What was told of a plan."""
        items = self._table.query(f"PLAN#{plan_id}", sk_prefix="TOLD#")
        return frozenset(item["sk"].removeprefix("TOLD#") for item in items)

    def note_orphan(self, plan_id: str, policy_arn: str, outcome: str, *, now: datetime) -> None:
        """Write down that a policy of ours is deleted on which nothing stands: before (outcome "") and after."""
        key = {"pk": f"PLAN#{plan_id}", "sk": f"ORPHAN#{policy_arn.rsplit('/', 1)[-1]}"}
        self._table.put({**key, "target": policy_arn, "outcome": outcome, "at": sortable(now)})

    def _spending(self, account_id: str) -> tuple[int, Spending]:
        item = self._table.get(f"ACCOUNT#{account_id}", "BUDGET") or {}
        return int(item.get("write_version", 0)), Spending(item.get("begun", {}), item.get("failed", {}))

    def _put_spending(self, account_id: str, version: int, spending: Spending) -> bool:
        item = {
            "pk": f"ACCOUNT#{account_id}",
            "sk": "BUDGET",
            "write_version": version + 1,
            "begun": spending.begun,
            "failed": spending.failed,
        }
        # an item of the first form, which counted one hour alone, has no version
        condition = "attribute_not_exists(write_version)" if version == 0 else "write_version = :version"
        try:
            self._table.put(item, condition=condition, values={":version": version} if version else {})
        except ConflictError:
            return False
        return True

    def _put_step(self, plan_id: str, number: int, step: Step, token: int, now: datetime, *, outcome: str) -> None:
        self._table.put(
            {
                "pk": f"PLAN#{plan_id}",
                "sk": f"STEP#{number:03d}",
                "kind": step.kind.value,
                "target": step.target,
                "fencing_token": token,
                "outcome": outcome,
                "at": sortable(now),
            },
            condition=f"{ABSENT} OR fencing_token <= :token",
            values={":token": token},
        )


def was_made(step: Item) -> bool:
    """Whether a call of `Journal.steps` was made, or may have been."""
    return not step["outcome"].startswith(NOT_DONE)


def _is_live(held: Item, now: datetime) -> bool:
    return bool(held["owner"]) and held["until"] > sortable(now)


def _record_of(item: Item) -> PlanRecord:
    """Read a stored record. Raises InputError that names the item and what is wrong, without values (I11)."""
    try:
        return PlanRecord.model_validate(json.loads(zlib.decompress(bytes(item["record"]))))
    except ValidationError as error:
        raise InputError(f"{item['pk']} can't be read: {describe(error)}") from None
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise InputError(f"{item['pk']} can't be read: {type(error).__name__}") from None
