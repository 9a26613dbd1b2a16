"""What is left to do to take a plan back, from what an identity holds now: as if it had never been touched. Pure.

What the plan took off is given back first, what it put on is taken off then. What others added or took off stays
theirs. Numbers are those of the journal: 500 + the number of the step that a call undoes, and from 700 on for what has
to be made again first.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from services.remediator.changing.calling import Call
from services.remediator.changing.fingerprint import digest
from services.remediator.changing.state import Held, IdentityState, state_of
from services.remediator.changing.steps import apply_steps, copy_name, is_ours, policy_arn
from shared.model.identity import Policy
from shared.model.plan import Plan, PlannedPolicy, Snapshot, Step, StepKind
from shared.model.sources import PolicyKind

FIRST_UNDOING = 500
FIRST_REMAKING = 700


class Undoing(NamedTuple):
    """Calls that are left: those of `give` first, then of `take_off`, then of `delete`.

    `drift` says what can't be put back as it was, a sentence each.
    """

    give: tuple[Call, ...]
    take_off: tuple[Call, ...]
    delete: tuple[Call, ...]
    drift: tuple[str, ...]


class Undo(NamedTuple):
    """A plan whose `steps` were begun, to be taken back to its snapshot, whose state is `before`."""

    plan: Plan
    snapshot: Snapshot
    before: IdentityState
    steps: tuple[Call, ...]

    @classmethod
    def of(cls, plan: Plan, snapshot: Snapshot, begun: Collection[int]) -> "Undo":
        """How to take back those of a plan's steps that were begun."""
        steps = (Call(number, step) for number, step in enumerate(apply_steps(plan, snapshot)) if number in begun)
        return cls(plan, snapshot, state_of(snapshot), tuple(steps))

    def left(self, now: IdentityState | None, gone: Collection[str] = ()) -> Undoing:
        """What is left to do for an identity that is now in this state; None where the identity is gone.

        `gone` are the policies and groups that IAM says don't exist any more: what they gave comes back as copies of
        our own, since the snapshot has the documents.
        """
        delete = [call for call in self.steps if call.step.kind is StepKind.CREATE_POLICY]
        deleting = tuple(_undone(call, StepKind.DELETE_POLICY) for call in delete)
        if now is None:
            return Undoing((), (), deleting, ())
        rest = _Rest(self.plan, self.snapshot, self.before, now, frozenset(gone))
        attached = [one for one in self.steps if one.step.kind is StepKind.ATTACH_POLICY and rest.has(one.step.target)]
        return Undoing(
            give=tuple(one for call in reversed(self.steps) for one in rest.giving(call)),
            take_off=tuple(_undone(call, StepKind.DETACH_POLICY) for call in attached),
            delete=deleting,
            drift=tuple(sentence for call in self.steps for sentence in rest.drift(call.step)),
        )

    def calls(self) -> tuple[Call, ...]:
        """Every call that taking the plan back may have needed, whatever others did to the identity meanwhile."""
        ours = {call.step.target: "" for call in self.steps if call.step.kind is StepKind.ATTACH_POLICY}
        limits = [Held(call.step.target, "") for call in self.steps if call.step.kind is StepKind.PUT_BOUNDARY]
        bare = replace(self.before, attached=ours, inline={}, groups={}, boundary=limits[0] if limits else None)
        sources = [policy.source for policy in self.snapshot.policies]
        found: dict[int, Call] = {}
        for gone in ({name for source in sources for name in (source.arn, source.group) if name}, set[str]()):
            left = self.left(bare, gone)
            found |= {call.number: call for call in (*left.give, *left.take_off, *left.delete)}
        return tuple(found[number] for number in sorted(found))


class _Rest(NamedTuple):
    """A plan, and how far an identity is from its snapshot."""

    plan: Plan
    snapshot: Snapshot
    before: IdentityState
    now: IdentityState
    gone: frozenset[str]

    def has(self, arn: str) -> bool:
        return arn in self.now.attached

    def giving(self, call: Call) -> Iterator[Call]:
        """Calls that undo a step which took something away; none where it is there (again)."""
        step, target = call.step, call.step.target
        match step.kind:
            case StepKind.PUT_BOUNDARY if self.now.boundary and self.now.boundary.arn == target:
                yield from self._former_boundary(call)
            case StepKind.DETACH_POLICY if not self.has(target):
                yield from self._attaching(call, *self._of(PolicyKind.MANAGED, target))
            case StepKind.DELETE_INLINE if target not in self.now.inline:
                _, policy = self._of(PolicyKind.INLINE, target)
                again = PlannedPolicy(name=target, document=policy.document)
                yield Call(call.number + FIRST_UNDOING, Step(kind=StepKind.PUT_INLINE, target=target, policy=again))
            case StepKind.REMOVE_FROM_GROUP if target in self.gone:
                for place, policy in self._through(target):
                    yield from self._attaching(None, place, policy)
            case StepKind.REMOVE_FROM_GROUP if target not in self.now.groups:
                yield _undone(call, StepKind.ADD_TO_GROUP)

    def drift(self, step: Step) -> Iterator[str]:
        """What of a step can't be undone exactly, because others changed what it was about."""
        target = step.target
        match step.kind:
            case StepKind.PUT_BOUNDARY:
                yield from self._drift_of_boundary(target)
            case StepKind.DETACH_POLICY:
                yield from self._drift_of(*self._of(PolicyKind.MANAGED, target))
            case StepKind.DELETE_INLINE if self._differs(self.now.inline, self.before.inline, target):
                yield f"somebody else made an inline policy {target}, which stays"
            case StepKind.REMOVE_FROM_GROUP if target in self.gone:
                yield f"the group {target} is gone; what it gave is attached instead"
                for place, policy in self._through(target):
                    yield from self._drift_of(place, policy)
            case StepKind.REMOVE_FROM_GROUP if self._differs(self.now.groups, self.before.groups, target):
                yield f"the group {target} has other policies by now"

    def _drift_of_boundary(self, own: str) -> Iterator[str]:
        now, before = self.now.boundary, self.before.boundary
        if now is not None and now.arn != own and now != before:
            yield f"somebody else set the permissions boundary {now.arn}, which stays"
        if now is None and before is not None:
            yield f"somebody else took the permissions boundary off, so {before.arn} isn't put back"

    def _drift_of(self, place: int, policy: Policy) -> Iterator[str]:
        arn, copy = policy.source.arn, self._copy(place, policy)
        if arn is None:
            yield f"the inline policy {policy.source.name} of the group {policy.source.group} is {copy} now"
        elif not self.has(arn) and self.has(copy):
            yield f"the policy {arn} is gone; {copy} has its document"
        elif self.has(arn) and self.now.attached[arn] != digest(policy.document):
            yield f"the policy {arn} has another document by now"

    @staticmethod
    def _differs(now: Mapping[str, str], before: Mapping[str, str], name: str) -> bool:
        return name in now and now[name] != before[name]

    def _former_boundary(self, call: Call) -> Iterator[Call]:
        """The former boundary is a policy of ours that nothing holds, so somebody may have tidied it away.

        It is created again from the snapshot, which changes nothing where it still exists.
        """
        former = self.snapshot.boundary
        if former is None or former.source.arn is None:
            yield _undone(call, StepKind.DELETE_BOUNDARY)
            return
        arn = former.source.arn
        again = PlannedPolicy(name=arn.rsplit("/", 1)[-1], document=former.document)
        yield Call(FIRST_REMAKING, Step(kind=StepKind.CREATE_POLICY, target=arn, policy=again))
        yield Call(call.number + FIRST_UNDOING, Step(kind=StepKind.PUT_BOUNDARY, target=arn))

    def _attaching(self, call: Call | None, place: int, policy: Policy) -> Iterator[Call]:
        """Attach a policy of the snapshot, or a copy where it is gone; `call` is the step that took it off itself."""
        arn, copy = policy.source.arn, self._copy(place, policy)
        if self.has(copy) or (arn is not None and self.has(arn)):
            return
        number = FIRST_REMAKING + 2 * place
        if arn is None or arn in self.gone:
            again = PlannedPolicy(name=copy.rsplit("/", 1)[-1], document=policy.document)
            yield Call(number, Step(kind=StepKind.CREATE_POLICY, target=copy, policy=again))
            yield Call(number + 1, Step(kind=StepKind.ATTACH_POLICY, target=copy))
        else:
            number = call.number + FIRST_UNDOING if call else number + 1
            yield Call(number, Step(kind=StepKind.ATTACH_POLICY, target=arn))

    def _copy(self, place: int, policy: Policy) -> str:
        """ARN of what a policy is made again as, under our path; one of ours as itself."""
        arn = policy.source.arn
        return arn if arn and is_ours(arn) else policy_arn(self.plan, copy_name(self.plan, place))

    def _of(self, kind: PolicyKind, target: str) -> tuple[int, Policy]:
        """The snapshot's policy that a step is about, with its place."""
        return next(
            (place, policy)
            for place, policy in enumerate(self.snapshot.policies)
            if policy.source.kind is kind and target == (policy.source.arn or policy.source.name)
        )

    def _through(self, group: str) -> list[tuple[int, Policy]]:
        return [one for one in enumerate(self.snapshot.policies) if one[1].source.group == group]


def _undone(call: Call, kind: StepKind) -> Call:
    return Call(call.number + FIRST_UNDOING, Step(kind=kind, target=call.step.target))
