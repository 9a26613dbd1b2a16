"""The journal of changes on DynamoDB: written ahead of each call, enough to resume or take back from it alone.

| pk | sk | holds |
|---|---|---|
| `PLAN#<plan id>` | `PLAN` | one PlanRecord (compressed JSON), its status, identity and times readable |
| `PLAN#<plan id>` | `STEP#<number>` | one mutating call: intent, then outcome |
| `IDENTITY#<identity id>` | `LOCK` | who is changing this identity: owner, lease, fencing token |
| `IDENTITY#<identity id>` | `CURRENT` | the identity's latest plan, and whether it is parked |
| `ACCOUNT#<account id>` | `BUDGET` | how many changes were begun in the current hour |
"""

import json
import zlib
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.aws.dynamodb import ABSENT, Item, Table, sortable
from shared.errors import ConflictError
from shared.model.identity import IdentityRef
from shared.model.plan import Plan, PlanRecord, Step

MAX_ATTEMPTS = 5  # of one optimistic write


class Current(NamedTuple):
    """The latest plan of an identity, and why it is left alone for now (empty: it is not)."""

    plan_id: str
    parked: str


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

    def current(self, identity: IdentityRef) -> Current | None:
        """The identity's latest plan, or None."""
        item = self._table.get(f"IDENTITY#{identity.identity_id}", "CURRENT")
        return Current(item["plan_id"], item["parked"]) if item else None

    def set_current(self, identity: IdentityRef, current: Current, *, now: datetime) -> None:
        """Point to the identity's latest plan."""
        self._table.put(
            {
                "pk": f"IDENTITY#{identity.identity_id}",
                "sk": "CURRENT",
                "identity_arn": identity.arn,
                "updated_at": sortable(now),
                **current._asdict(),
            }
        )

    def get(self, plan_id: str) -> PlanRecord | None:
        """One plan with its snapshot and state, or None."""
        item = self._table.get(f"PLAN#{plan_id}", "PLAN")
        return _record_of(item) if item else None

    def save(self, record: PlanRecord) -> PlanRecord:
        """Write the successor of what was read; returns it with its new version.

        Raises ConflictError when someone else wrote in between.
        """
        saved = record.model_copy(update={"version": record.version + 1})
        plan = record.plan
        item = {
            "pk": f"PLAN#{plan.plan_id}",
            "sk": "PLAN",
            "status": record.status.value,
            "identity_arn": plan.identity.arn,
            "updated_at": sortable(record.updated_at),
            "record_version": saved.version,
            "record": zlib.compress(saved.model_dump_json().encode()),
        }
        condition = ABSENT if record.version == 0 else "record_version = :version"
        values = {} if record.version == 0 else {":version": record.version}
        self._table.put(item, condition=condition, values=values)
        return saved

    def spend(self, account_id: str, *, now: datetime, limit: int) -> bool:
        """Take one change out of the hour's budget; False when `limit` changes were begun in this hour already.

        Raises ConflictError when other writers kept winning.
        """
        key, hour = (f"ACCOUNT#{account_id}", "BUDGET"), sortable(now)[:13]
        for _ in range(MAX_ATTEMPTS):
            item = self._table.get(*key) or {"budget_hour": "", "spent": 0}
            spent = int(item["spent"]) if item["budget_hour"] == hour else 0
            if spent >= limit:
                return False
            try:
                self._table.put(
                    {"pk": key[0], "sk": key[1], "budget_hour": hour, "spent": spent + 1},
                    condition=f"{ABSENT} OR (budget_hour = :hour AND spent = :spent)",
                    values={":hour": item["budget_hour"], ":spent": item["spent"]},
                )
            except ConflictError:
                continue
            return True
        raise ConflictError(f"budget of {account_id}: other writers won {MAX_ATTEMPTS} times")

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

    def _put_step(self, plan_id: str, number: int, step: Step, token: int, now: datetime, *, outcome: str) -> None:
        self._table.put(
            {
                "pk": f"PLAN#{plan_id}",
                "sk": f"STEP#{number:03d}",
                "kind": step.kind.value,
                "policy_arn": step.policy_arn,
                "fencing_token": token,
                "outcome": outcome,
                "at": sortable(now),
            },
            condition=f"{ABSENT} OR fencing_token <= :token",
            values={":token": token},
        )


def _is_live(held: Item, now: datetime) -> bool:
    return bool(held["owner"]) and held["until"] > sortable(now)


def _record_of(item: Item) -> PlanRecord:
    return PlanRecord.model_validate(json.loads(zlib.decompress(bytes(item["record"]))))
