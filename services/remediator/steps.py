"""A plan as the calls that carry it out, and the calls that take it back. Pure."""

from shared.model.plan import Plan, Snapshot, Step, StepKind

POLICY_PATH = "/leastwise/"
PLAN_TAG = "leastwise:plan"


def policy_arn(plan: Plan, name: str) -> str:
    """ARN that IAM gives the plan's policy: deterministic, so that a retry finds what an earlier try made."""
    partition = plan.identity.arn.split(":")[1]
    return f"arn:{partition}:iam::{plan.identity.account_id}:policy{POLICY_PATH}{name}"


def is_ours(arn: str | None) -> bool:
    """Whether a policy lies under our path."""
    return arn is not None and f":policy{POLICY_PATH}" in arn


def apply_steps(plan: Plan) -> tuple[Step, ...]:
    """Calls of the boundary strategy, in order: create the policy, then make it the permissions boundary."""
    (policy,) = plan.policies
    arn = policy_arn(plan, policy.name)
    return (
        Step(kind=StepKind.CREATE_POLICY, policy_arn=arn, policy=policy),
        Step(kind=StepKind.PUT_BOUNDARY, policy_arn=arn),
    )


def rollback_steps(plan: Plan, snapshot: Snapshot, *, boundary_now: str | None) -> tuple[Step, ...]:
    """Calls that put the identity back: restore the boundary if it is still the plan's, then remove the plan's policy.

    A boundary that someone else set in the meantime stays as it is.
    """
    (policy,) = plan.policies
    arn = policy_arn(plan, policy.name)
    restore: tuple[Step, ...] = ()
    if boundary_now == arn:
        kind = StepKind.PUT_BOUNDARY if snapshot.boundary_arn else StepKind.DELETE_BOUNDARY
        restore = (Step(kind=kind, policy_arn=snapshot.boundary_arn or arn),)
    return (*restore, Step(kind=StepKind.DELETE_POLICY, policy_arn=arn))
