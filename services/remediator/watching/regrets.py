"""Regrets: what a changed identity was refused although its snapshot allowed it. Read from the ledger alone. Pure.

The ledger knows the first refusal of an action to the moment, and the last one to the day, of which it tells the
beginning (`UsageLedger.read`). So an action that was refused before the change, and again after it on the same day, is
a regret from the next day on: never too early, at most a day late.
"""

from datetime import datetime
from typing import NamedTuple

from shared.iam import scopes
from shared.iam.catalogue import Catalogue
from shared.iam.grants import Grant, effective_grants
from shared.model.identity import IdentityDetail, Policy
from shared.model.plan import PlanRecord, PlanStatus, Regret, Snapshot, Strategy
from shared.model.sources import PolicyKind, PolicySource
from shared.model.usage import Evidence, Usage, UsageEntry


def is_watched(record: PlanRecord, now: datetime) -> bool:
    """Whether a plan was applied and its soak period runs."""
    return record.status is PlanStatus.APPLIED and record.soak_until is not None and now < record.soak_until


def regrets_of(
    record: PlanRecord, usage: Usage, catalogue: Catalogue, *, root: PlanRecord | None = None
) -> tuple[Regret, ...]:
    """What an identity was refused in its soak period and had before, by action.

    `record` is the plan in force, `root` the oldest one under it that is watched (itself where there is none): refusals
    count from `root` on, and are measured by what its snapshot allowed. An action counts if it was taken away, or kept
    while what it depends on was taken, or kept for fewer resources. What the snapshot did not allow is no regret,
    whoever wanted it. Raises PolicyDocumentError as `effective_grants` does.
    """
    root = root or record
    refused = _refused(record, root, usage)
    if not refused:
        return ()
    taken = _Taken.of(record, root.snapshot, frozenset(refused), catalogue)
    in_force = frozenset(_refused(record, record, usage))
    regrets = []
    for key, denied_at in sorted(refused.items()):
        if lost := taken.explains(key, in_force, catalogue):
            names = tuple(sorted(_name(one, usage, catalogue) for one in lost))
            regrets.append(Regret(action=_name(key, usage, catalogue), denied_at=denied_at, lost=names))
    return tuple(regrets)


def _name(key: str, usage: Usage, catalogue: Catalogue) -> str:
    """How an action is spelled: by the catalogue, else as the trail has it."""
    seen = usage.entries.get(key)
    return catalogue.name(key if key in catalogue or seen is None else seen.action)


def _refused(record: PlanRecord, root: PlanRecord, usage: Usage) -> dict[str, datetime]:
    """When each action was first known to be refused after the change, by lower-case action."""
    applied_at, until = root.applied_at, record.soak_until
    if record.status is not PlanStatus.APPLIED or applied_at is None or until is None:
        return {}
    times = {key: _refused_since(entry, applied_at) for key, entry in usage.entries.items()}
    return {key: at for key, at in times.items() if at is not None and at <= until}


def _refused_since(entry: UsageEntry, start: datetime) -> datetime | None:
    span = entry.spans.get(Evidence.DENIED)
    if span is None or span.last < start:
        return None
    return span.first if span.first >= start else span.last


class _Taken(NamedTuple):
    """What an identity held before a plan and holds after it, as lower-case actions.

    `narrowed` are those that it kept for fewer resources.
    """

    before: frozenset[str]
    after: frozenset[str]
    narrowed: frozenset[str]

    @classmethod
    def of(cls, record: PlanRecord, snapshot: Snapshot, asked: frozenset[str], catalogue: Catalogue) -> "_Taken":
        """Compare a snapshot with what the plan left; actions that only the trail knows count where they match."""
        unknown = asked - catalogue.keys
        before = effective_grants(_before(snapshot), catalogue, others=unknown).by_action
        after = effective_grants(_after(record), catalogue, others=unknown).by_action
        kept = asked & before.keys() & after.keys()
        narrowed = {key for key in kept if not _reaches_as_far(after[key], before[key])}
        narrowed |= kept & {action.lower() for action in record.plan.narrows}
        return cls(frozenset(before), frozenset(after), frozenset(narrowed))

    def explains(self, action: str, refused: frozenset[str], catalogue: Catalogue) -> frozenset[str]:
        """What was taken away that explains why an action was refused; nothing where it explains nothing.

        `refused` are those that were refused under the plan in force: of an action that it grants, older refusals are
        settled. Of what an action depends on, what was refused itself is the explanation; else all of it may be.
        """
        if action not in self.before:
            return frozenset()
        if action not in self.after:
            return frozenset({action})
        if action not in refused:
            return frozenset()
        if action in self.narrowed:
            return frozenset({action})
        known = catalogue.get(action)
        gone = (known.depends_on if known else frozenset()) & self.before - self.after
        return gone & refused or gone


def _before(snapshot: Snapshot) -> IdentityDetail:
    return _holder(snapshot, snapshot.policies, snapshot.boundary)


def _after(record: PlanRecord) -> IdentityDetail:
    """The identity as the plan left it."""
    plan, snapshot = record.plan, record.snapshot
    planned = tuple(
        Policy(source=PolicySource(PolicyKind.MANAGED, policy.name), document=policy.document)
        for policy in plan.policies
    )
    if plan.strategy is Strategy.BOUNDARY:
        return _holder(snapshot, snapshot.policies, planned[0])
    stays = tuple(policy for policy in snapshot.policies if policy.source in plan.stays)
    return _holder(snapshot, (*planned, *stays), snapshot.boundary)


def _holder(snapshot: Snapshot, policies: tuple[Policy, ...], boundary: Policy | None) -> IdentityDetail:
    at = snapshot.taken_at
    return IdentityDetail(ref=snapshot.identity, created_at=at, read_at=at, policies=policies, boundary=boundary)


def _reaches_as_far(after: tuple[Grant, ...], before: tuple[Grant, ...]) -> bool:
    """Whether the grants of an action surely reach every resource that those before did."""
    return all(_is_covered(grant, after) for grant in before)


def _is_covered(grant: Grant, granted: tuple[Grant, ...]) -> bool:
    """Whether what is granted, under no more conditions, reaches all resources that a grant reaches."""
    after = [wide for wide in granted if _holds_wherever(wide, grant)]
    if not grant.resources:
        return any(scopes.covers_scope(wide, grant) for wide in after)
    return all(any(scopes.covers_pattern(wide, pattern) for wide in after) for pattern in grant.resources)


def _holds_wherever(wide: Grant, grant: Grant) -> bool:
    """Whether nothing limits a grant that does not limit the other one as well."""
    conditions = all(condition in grant.conditions for condition in wide.conditions)
    return conditions and all(scope in grant.within for scope in wide.within)
