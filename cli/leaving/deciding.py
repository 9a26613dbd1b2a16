"""What has to happen to each identity and policy of ours before the stack may go. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

from services.remediator.changing.steps import former_plans, is_copy, own_arns, plan_of
from services.remediator.reconciling.orphans import ENDED, OWN_NAME
from shared.model.plan import PlanRecord, PlanStatus, Strategy

IN_FORCE = frozenset({PlanStatus.APPLIED, PlanStatus.APPLYING, PlanStatus.ROLLING_BACK, PlanStatus.QUARANTINED})


class Fate(StrEnum):
    """What becomes of an identity's change or of a policy."""

    GIVE_BACK = "give back"  # the plan is rolled back: the identity has again what it had
    DELETE = "delete"  # nobody holds the policy, and its plan has ended
    KEEP = "keep"  # a person said so, or it is what its holder had before
    DECIDE = "decide"  # nobody but a person can tell


class Step(NamedTuple):
    """One thing to do, or to decide. `arn` is an identity's or a policy's, `why` a sentence's part for people."""

    fate: Fate
    arn: str
    plan_id: str
    why: str


class Policy(Protocol):
    """A policy below our path as IAM lists it."""

    @property
    def arn(self) -> str:
        """Its ARN."""

    @property
    def is_free(self) -> bool:
        """Whether nobody holds it, by IAM's counts."""


class Facts(NamedTuple):
    """Everything of ours: plans by id as the journal has them, policies below our path, and their holders by ARN.

    `present` are the ARNs of all users, roles and groups of the account.
    """

    records: Mapping[str, PlanRecord]
    policies: tuple[Policy, ...]
    holders: Mapping[str, tuple[str, ...]]
    present: frozenset[str] = frozenset()


def steps_of(facts: Facts, keep: Collection[str] = ()) -> tuple[Step, ...]:
    """What to do, in order: plans first, the latest before those that it stands on, then policies.

    A plan that amends another goes with that one, whose rollback takes it back. `keep` are ARNs of identities or
    policies that a person wants to leave as they are.
    """
    open_plans = [record for record in facts.records.values() if record.status in IN_FORCE]
    latest_first = sorted(open_plans, key=lambda record: record.applied_at or record.updated_at, reverse=True)
    roots_first = sorted(latest_first, key=lambda record: bool(record.plan.amends))
    stood_on = {plan_id for record in open_plans for plan_id in former_plans(record.snapshot)}
    return (*(_of_plan(record, facts, stood_on, keep) for record in roots_first), *_of_policies(facts, keep))


def undecided(steps: Iterable[Step]) -> tuple[Step, ...]:
    """What only a person can decide."""
    return tuple(step for step in steps if step.fate is Fate.DECIDE)


def unused_keeps(steps: Iterable[Step], keep: Iterable[str]) -> tuple[str, ...]:
    """ARNs that a person wants to keep and that nothing of ours is about: most likely mistyped."""
    kept = {step.arn for step in steps if step.fate is Fate.KEEP}
    return tuple(arn for arn in keep if arn not in kept)


def _of_plan(record: PlanRecord, facts: Facts, stood_on: Collection[str], keep: Collection[str]) -> Step:
    """What becomes of a plan in force; one that is under way is never left half done."""
    plan, who = record.plan, record.plan.identity.arn
    if who in keep and record.status is PlanStatus.APPLIED:
        return Step(Fate.KEEP, who, plan.plan_id, "it stays narrowed, and nobody watches it any more")
    if who in keep and record.status is PlanStatus.QUARANTINED:
        return Step(Fate.KEEP, who, plan.plan_id, "its change stays as it is, half done")
    if plan.plan_id not in stood_on and _is_stripped(record, facts):
        why = "somebody took off what its plan gave it: rolled back, it would have again what it had before"
        return Step(Fate.DECIDE, who, plan.plan_id, why)
    return Step(Fate.GIVE_BACK, who, plan.plan_id, f"its plan is {record.status}")


def _is_stripped(record: PlanRecord, facts: Facts) -> bool:
    """Whether a person took the policies of a replacing plan from an identity that is still there."""
    plan = record.plan
    if record.status is not PlanStatus.APPLIED or plan.strategy is not Strategy.REPLACE:
        return False
    who = plan.identity.arn
    return who in facts.present and any(who not in facts.holders.get(arn, ()) for arn in own_arns(plan))


def _of_policies(facts: Facts, keep: Collection[str]) -> Iterator[Step]:
    for policy in sorted(facts.policies, key=lambda one: one.arn):
        holders = facts.holders.get(policy.arn, ())
        record = facts.records.get(plan_of(policy.arn))
        step = _of_policy(policy, record, holders)
        is_in_force = record is not None and record.status in IN_FORCE
        if step and step.fate is Fate.DECIDE and policy.arn in keep and not is_in_force:
            step = step._replace(fate=Fate.KEEP)
        if step:
            yield step


def _of_policy(policy: Policy, record: PlanRecord | None, holders: tuple[str, ...]) -> Step | None:
    """What becomes of a policy; None where its plan's rollback takes care of it."""
    plan_id = plan_of(policy.arn)
    if record is None or not OWN_NAME.fullmatch(policy.arn.rsplit("/", 1)[-1]):
        return Step(Fate.DECIDE, policy.arn, "", "no plan of this stack made it: another stack did, or a person")
    others = [holder for holder in holders if holder != record.plan.identity.arn]
    if record.status in IN_FORCE:
        if not others:
            return None
        return Step(Fate.DECIDE, policy.arn, plan_id, f"somebody gave it to {', '.join(others)}: take it off them")
    if record.status not in ENDED:
        return Step(Fate.DECIDE, policy.arn, plan_id, f"its plan is {record.status}, and it is there already")
    if holders or not policy.is_free:
        return _of_held_policy(policy, record, holders)
    return Step(Fate.DELETE, policy.arn, plan_id, f"its plan is {record.status}, and nobody holds it")


def _of_held_policy(policy: Policy, record: PlanRecord, holders: tuple[str, ...]) -> Step:
    """What becomes of a policy whose plan has ended and that somebody holds all the same."""
    plan_id = record.plan.plan_id
    if is_copy(policy.arn) and holders == (record.plan.identity.arn,):
        return Step(Fate.KEEP, policy.arn, plan_id, "its holder had the original, which is gone")
    held_by = ", ".join(holders) or "somebody whom the listing doesn't name"
    return Step(Fate.DECIDE, policy.arn, plan_id, f"its plan is {record.status}, and {held_by} holds it")
