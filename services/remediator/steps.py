"""A plan as the calls that carry it out, and the calls that take it back. Pure."""

from collections.abc import Mapping
from typing import Any

from shared.model.plan import POLICY_PATH, Plan, PlannedPolicy, Snapshot, Step, StepKind


def policy_arn(plan: Plan, name: str) -> str:
    """ARN that IAM gives the plan's policy: deterministic, so that a retry finds what an earlier try made."""
    partition = plan.identity.arn.split(":")[1]
    return f"arn:{partition}:iam::{plan.identity.account_id}:policy{POLICY_PATH}{name}"


def boundary_arn(plan: Plan) -> str:
    """ARN of the policy that becomes the identity's permissions boundary."""
    (policy,) = plan.policies
    return policy_arn(plan, policy.name)


def is_ours(arn: str | None) -> bool:
    """Whether a policy lies under our path."""
    return arn is not None and f":policy{POLICY_PATH}" in arn


def plan_of(arn: str) -> str:
    """Id of the plan that made a policy of ours: its name."""
    return arn.rsplit("/", 1)[-1]


def apply_steps(plan: Plan) -> tuple[Step, Step]:
    """Calls of the boundary strategy, in order: create the policy, then make it the permissions boundary."""
    (policy,) = plan.policies
    arn = boundary_arn(plan)
    return (
        Step(kind=StepKind.CREATE_POLICY, policy_arn=arn, policy=policy),
        Step(kind=StepKind.PUT_BOUNDARY, policy_arn=arn),
    )


def restore_steps(plan: Plan, snapshot: Snapshot) -> tuple[Step, ...]:
    """Calls that put the former boundary back, for an identity that still carries the plan's.

    The former one is a policy of ours that nothing holds any more, so somebody may have tidied it away: it is created
    again from the snapshot, which changes nothing where it still exists.
    """
    if snapshot.boundary_arn is None:
        return (Step(kind=StepKind.DELETE_BOUNDARY, policy_arn=boundary_arn(plan)),)
    former = PlannedPolicy(name=plan_of(snapshot.boundary_arn), document=_former_document(snapshot))
    return (
        Step(kind=StepKind.CREATE_POLICY, policy_arn=snapshot.boundary_arn, policy=former),
        Step(kind=StepKind.PUT_BOUNDARY, policy_arn=snapshot.boundary_arn),
    )


def removal_step(plan: Plan) -> Step:
    """The call that removes the plan's policy, once nothing holds it any more."""
    return Step(kind=StepKind.DELETE_POLICY, policy_arn=boundary_arn(plan))


def _former_document(snapshot: Snapshot) -> dict[str, Any]:
    (document,) = [entry["boundary"]["document"] for entry in snapshot.policies if _is_boundary(entry)]
    return dict(document)


def _is_boundary(entry: Mapping[str, Any]) -> bool:
    return "boundary" in entry
