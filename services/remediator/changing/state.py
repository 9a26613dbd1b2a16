"""What an identity holds, digested so that looks can be compared, and what a plan makes of it step by step. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from services.remediator.changing.fingerprint import digest
from services.remediator.changing.steps import apply_steps, policy_arn
from shared.model.identity import IdentityDetail, Policy
from shared.model.plan import Plan, Snapshot, Step, StepKind
from shared.model.sources import PolicyKind


class Held(NamedTuple):
    """A managed policy in force: its ARN, and the digest of its document."""

    arn: str
    digest: str


@dataclass(frozen=True, slots=True)
class IdentityState:
    """Who an identity is and what it holds; documents by their digests.

    `attached` by ARN, `inline` by name, `groups` by name with the digest of all that comes through the group.
    """

    identity_id: str
    attached: Mapping[str, str]
    inline: Mapping[str, str]
    groups: Mapping[str, str]
    boundary: Held | None


class Standing(StrEnum):
    """How an identity stands to one step of a plan: as before it, beyond it, short of it, or as the plan never had it.

    SHORT is what an earlier step left or found: an old answer of IAM, or somebody undid a step. STRANGE is somebody
    else's change.
    """

    DUE = "due"
    BEYOND = "beyond"
    SHORT = "short"
    STRANGE = "strange"


def state_of(held: IdentityDetail | Snapshot) -> IdentityState:
    """The state that IAM told of an identity, or that a snapshot kept."""
    ref = held.ref if isinstance(held, IdentityDetail) else held.identity
    through: dict[str, list[str]] = {name: [] for name in held.groups}
    attached: dict[str, str] = {}
    inline: dict[str, str] = {}
    for policy in held.policies:
        source, document = policy.source, digest(policy.document)
        if source.group is not None:
            through.setdefault(source.group, []).append(digest([source.kind, source.arn or source.name, document]))
        elif source.kind is PolicyKind.MANAGED:
            attached[source.arn or source.name] = document
        else:
            inline[source.name] = document
    groups = {name: digest(sorted(parts)) for name, parts in through.items()}
    return IdentityState(ref.identity_id, attached, inline, groups, _held(held.boundary))


def states_along(plan: Plan, snapshot: Snapshot) -> tuple[IdentityState, ...]:
    """The state before the first step of a plan, and the one after each, as predicted: one more than there are steps.

    Creating a policy changes nothing about the identity, so the states around it are equal.
    """
    documents = {policy_arn(plan, policy.name): digest(policy.document) for policy in plan.policies}
    states = [state_of(snapshot)]
    for step in apply_steps(plan, snapshot):
        states.append(_after(states[-1], step, documents))
    return tuple(states)


def standing(current: IdentityState, states: Sequence[IdentityState], number: int) -> Standing:
    """How an identity in the state `current` stands to the step with this number of a plan with these states."""
    places = [place for place, state in enumerate(states) if state == current]
    if not places:
        return Standing.STRANGE
    if number in places:
        return Standing.DUE
    return Standing.BEYOND if places[-1] > number else Standing.SHORT


def _after(state: IdentityState, step: Step, documents: Mapping[str, str]) -> IdentityState:
    match step.kind:
        case StepKind.ATTACH_POLICY:
            return replace(state, attached={**state.attached, step.target: documents[step.target]})
        case StepKind.PUT_BOUNDARY:
            return replace(state, boundary=Held(step.target, documents[step.target]))
        case StepKind.DETACH_POLICY:
            return replace(state, attached=_without(state.attached, step.target))
        case StepKind.DELETE_INLINE:
            return replace(state, inline=_without(state.inline, step.target))
        case StepKind.REMOVE_FROM_GROUP:
            return replace(state, groups=_without(state.groups, step.target))
        case _:
            return state


def _without(entries: Mapping[str, str], name: str) -> Mapping[str, str]:
    return {key: value for key, value in entries.items() if key != name}


def _held(boundary: Policy | None) -> Held | None:
    return Held(boundary.source.arn or "", digest(boundary.document)) if boundary else None
