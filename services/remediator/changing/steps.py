"""A plan as the calls that carry it out, and what is ours: policies under our path. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shared.errors import SafetyError
from shared.model.identity import IdentityDetail, Policy
from shared.model.plan import POLICY_PATH, Plan, Snapshot, Step, StepKind, Strategy
from shared.model.sources import PolicyKind

MAX_STEPS = 200  # so that the numbers of the calls that take a plan back are free
OLD_TAKEN_OFF = frozenset({StepKind.DETACH_POLICY, StepKind.DELETE_INLINE, StepKind.REMOVE_FROM_GROUP})
TAKING_AWAY = OLD_TAKEN_OFF | {StepKind.PUT_BOUNDARY}
_NUMBER = re.compile(r"-r?[1-9]\d*$")  # of a part of a plan's document, or of a copy that a rollback made
_COPY = re.compile(r"-r[1-9]\d*$")


def policy_arn(plan: Plan, name: str) -> str:
    """ARN that IAM gives the plan's policy: deterministic, so that a retry finds what an earlier try made."""
    partition = plan.identity.arn.split(":")[1]
    return f"arn:{partition}:iam::{plan.identity.account_id}:policy{POLICY_PATH}{name}"


def own_arns(plan: Plan) -> tuple[str, ...]:
    """ARNs of the policies that carrying the plan out creates."""
    return tuple(policy_arn(plan, policy.name) for policy in plan.policies)


def boundary_arn(plan: Plan) -> str:
    """ARN of the policy that becomes the identity's permissions boundary."""
    (arn,) = own_arns(plan)
    return arn


def copy_name(plan: Plan, place: int) -> str:
    """Name of the copy of the snapshot's policy at `place`, for a rollback that finds the original gone."""
    return f"{plan.plan_id}-r{place + 1}"


def is_ours(arn: str | None) -> bool:
    """Whether a policy lies under our path."""
    return arn is not None and f":policy{POLICY_PATH}" in arn


def plan_of(arn: str) -> str:
    """Id of the plan that made a policy of ours: its name, without the number of a part or a copy.

    >>> plan_of("arn:aws:iam::111122223333:policy/leastwise/0123456789abcdef-2")
    '0123456789abcdef'
    """
    return _NUMBER.sub("", arn.rsplit("/", 1)[-1])


def is_copy(arn: str) -> bool:
    """Whether a rollback made a policy of ours in place of an original that was gone."""
    return is_ours(arn) and _COPY.search(arn) is not None


def former_plans(snapshot: Snapshot) -> tuple[str, ...]:
    """Ids of our plans whose policies an identity held, its boundary's first; copies made by rollbacks don't count."""
    held = [snapshot.boundary_arn, *sorted(arn for arn in _attached(snapshot.policies) if is_ours(arn))]
    ours = [arn for arn in held if arn and is_ours(arn) and not _COPY.search(arn)]
    return tuple(dict.fromkeys(map(plan_of, ours)))


def carries(detail: IdentityDetail, plan: Plan) -> bool:
    """Whether an identity holds everything that the plan gave it, whatever the documents say by now."""
    if plan.strategy is Strategy.BOUNDARY:
        return detail.boundary is not None and detail.boundary.source.arn == boundary_arn(plan)
    return set(own_arns(plan)) <= set(_attached(detail.policies))


def apply_steps(plan: Plan, snapshot: Snapshot) -> tuple[Step, ...]:
    """Calls that carry a plan out, in order; none for a PATCH.

    BOUNDARY creates its policy and makes it the permissions boundary. REPLACE creates and attaches all its policies and
    only then takes the old ones off, those with a Deny last; boundaries, and what the plan says stays, are left alone.
    Raises SafetyError where it isn't clear what a plan takes off.
    """
    creating = tuple(
        Step(kind=StepKind.CREATE_POLICY, target=policy_arn(plan, policy.name), policy=policy)
        for policy in plan.policies
    )
    match plan.strategy:
        case Strategy.BOUNDARY:
            return (*creating, Step(kind=StepKind.PUT_BOUNDARY, target=boundary_arn(plan)))
        case Strategy.REPLACE:
            attaching = [Step(kind=StepKind.ATTACH_POLICY, target=arn) for arn in own_arns(plan)]
            steps = (*creating, *attaching, *_taking_off(plan, snapshot))
            if len(steps) > MAX_STEPS:
                raise SafetyError(f"plan {plan.plan_id} would take {len(steps)} calls, {MAX_STEPS} at most are made")
            return steps
        case Strategy.PATCH:
            return ()


def _taking_off(plan: Plan, snapshot: Snapshot) -> list[Step]:
    """Old policies off, then the inline ones, then the groups; what denies outlasts what allows."""
    allowing: list[Step] = []
    denying: list[Step] = []
    going = [policy for policy in snapshot.policies if policy.source not in plan.stays]
    for policy in sorted(going, key=lambda policy: (policy.source.kind is PolicyKind.INLINE, _target(policy))):
        if policy.source.group is None:
            managed = policy.source.kind is PolicyKind.MANAGED
            kind = StepKind.DETACH_POLICY if managed else StepKind.DELETE_INLINE
            (denying if _denies(policy) else allowing).append(Step(kind=kind, target=_target(policy)))
    for group, policies in sorted(_by_group(snapshot.policies).items()):
        staying = sum(policy.source in plan.stays for policy in policies)
        if staying not in {0, len(policies)}:
            raise SafetyError(f"plan {plan.plan_id} can't keep some policies of the group {group} and not others")
        if not staying:
            leaving = Step(kind=StepKind.REMOVE_FROM_GROUP, target=group)
            (denying if any(map(_denies, policies)) else allowing).append(leaving)
    return allowing + denying


def _by_group(policies: Iterable[Policy]) -> Mapping[str, list[Policy]]:
    found: dict[str, list[Policy]] = {}
    for policy in policies:
        if policy.source.group is not None:
            found.setdefault(policy.source.group, []).append(policy)
    return found


def _target(policy: Policy) -> str:
    return policy.source.arn or policy.source.name


def _denies(policy: Policy) -> bool:
    statements: Any = policy.document.get("Statement", [])
    return any(one.get("Effect") == "Deny" for one in (statements if isinstance(statements, list) else [statements]))


def _attached(policies: Iterable[Policy]) -> Iterator[str]:
    return (one.source.arn for one in policies if one.source.kind is PolicyKind.MANAGED and one.source.arn)
