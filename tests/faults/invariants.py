"""The invariants I1-I14 of the safety contract, checked from outside: by IAM's state, the journal's items, the log.

| id | what is checked here | when |
|---|---|---|
| I1 | every plan is in a terminal state, no message is left in a queue or its DLQ | end |
| I2 | who lost the lock makes no further call; a verdict that comes again changes nothing | every call, end |
| I3 | the identity may do nothing that it might not when its plan was made, or in the shadow world | every call |
| I4 | every recorded use that the shadow world allows is allowed | every call |
| I5 | taken back means: exactly as in the shadow world | end |
| I6 | what a person touched stays as the person left it; nobody else's objects change | every call |
| I7 | a protected identity meets no mutating call | every call |
| I8 | after the kill switch at most the call that was already under way is made | every call |
| I9 | what leastwise did leads to nothing more | end |
| I10 | before each mutating call its intent is in the journal, later its outcome | every call, end |
| I11 | no canary in the log, in events, in errors | end |
| I12 | no policy of ours without a plan that stands on it | end |
| I13 | all this within five deliveries of each message, or one sweep | end |
| I14 | an input that can't be read or believed leads to no change | tests/faults/test_fail_closed.py |

The shadow (tests/faults/people.py) is what IAM would be if leastwise had never been.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from botocore.exceptions import ClientError

from tests.fake_aws.iam_state import Entity, IamState
from tests.fake_aws.wire import Call
from tests.faults import duties, journal_view
from tests.faults.oracle import effective
from tests.faults.people import Facets, facets_of
from tests.faults.shapes import CANARY
from tests.faults.world import Proposed, World

OURS = ":policy/leastwise/"
HOME = "us-east-1"  # where everything was used
LOOKS = frozenset({"get_user", "get_role"})  # each look at an identity begins with one of them


class Violation(NamedTuple):
    """An invariant that did not hold."""

    invariant: str
    what: str

    def __str__(self) -> str:
        """For people."""
        return f"{self.invariant}: {self.what}"


@dataclass
class Watcher:
    """Hears of every call of a world, and judges."""

    world: World
    violations: list[Violation] = field(default_factory=list)
    checks: Counter[str] = field(default_factory=Counter)
    races: list[str] = field(default_factory=list)
    killed_at: int | None = None
    overtaken: bool = False  # somebody else may have noted the outcome of an intent that is still acted on
    lost_in: int | None = None  # number of the invocation that lost its lock
    _after_kill: int = 0
    _after_loss: int = 0
    _judged: tuple[IamState, IamState, int] | None = None
    _last_look: int = 0
    _last_intent: int = 0

    def __post_init__(self) -> None:
        """Listen from now on."""
        wire = self.world.cloud.wire
        wire.expect, wire.watch = self.expect, self.watch

    def fail(self, invariant: str, what: str) -> None:
        """Note a violation, once."""
        found = Violation(invariant, what)
        if found not in self.violations:
            self.violations.append(found)

    # -- before a call takes effect

    def expect(self, call: Call) -> None:
        """Check what must be so before a call is made; raise AccessDenied as IAM would for what a role may not do."""
        if call.operation in LOOKS:
            self._last_look = call.number
        if call.operation == "put_item" and call.arguments["Item"].get("outcome") == {"S": ""}:
            self._last_intent = call.number
        if not call.changes_iam:
            return
        self._check_duty(call)
        self._check_subject(call)
        self._check_intent(call)
        self._check_stops(call)

    def _check_duty(self, call: Call) -> None:
        """A role that lacks the permission is refused; that is a fault of leastwise, unless a person caused it."""
        try:
            duties.check(call, self.world.cloud.iam_backend.state, may_restore=self.world.restoring)
        except ClientError:
            if not self.world.people.pinned:
                self.fail("I6", f"{call.operation}: the role that makes it has no permission for it")
            raise

    def _check_subject(self, call: Call) -> None:
        """Never a protected identity, never somebody else who has the name by now."""
        self.checks["I7"] += 1
        if self.world.shape.protected:
            self.fail("I7", f"{call.operation} on a protected identity")
        entity = self.world.people.entity(self.world.people.account.state)
        named = any(name in call.arguments for name in ("UserName", "RoleName"))
        if named and entity is not None and entity.unique_id != self.world.identity.identity_id:
            if self._is_unseen(self.world.people.recreated_at):
                self.races.append(f"{call.operation} on a namesake")
            else:
                self.fail("I6", f"{call.operation} on somebody else of the same name")

    def _check_intent(self, call: Call) -> None:
        self.checks["I10"] += 1
        backend = self.world.cloud.dynamodb_backend
        if not journal_view.has_intent(backend, call.operation, call.arguments, is_open=not self.overtaken):
            self.fail("I10", f"{call.operation} without its intent on paper")

    def _check_stops(self, call: Call) -> None:
        """Who lost the lock, or whom the kill switch stops, makes at most the call that was under way."""
        if self.lost_in == self.world.invocations:
            self._after_loss += 1
            self.checks["I2"] += 1
            if self._after_loss > 1:
                self.fail("I2", f"{call.operation} by somebody who lost the lock")
        if self.killed_at is not None:
            self._after_kill += 1
            self.checks["I8"] += 1
            if self._after_kill > 1:
                self.fail("I8", f"{call.operation} after the kill switch")

    def _is_unseen(self, done_at: int) -> bool:
        """Whether no look could have shown what was done before the call `done_at`.

        IAM has no compare-and-set, and its calls go by name: what comes between the look that leastwise takes after it
        wrote its intent, and the call itself, can't be seen by anybody.
        """
        return done_at >= self._last_look > self._last_intent

    # -- after each call

    def watch(self, call: Call, error: BaseException | None) -> None:
        """Check what must be so after every single call, whether it worked or not."""
        people = self.world.people
        account, shadow = people.account.state, people.shadow.state
        self._note_proposal(call, error)
        for name in ("I3", "I4", "I6"):
            self.checks[name] += 1
        judged = (account, shadow, len(people.pinned))
        if self._judged is not None and all(a is b or a == b for a, b in zip(judged, self._judged, strict=True)):
            return  # nothing changed since it was judged last
        self._judged = judged
        self._judge_pins(call, people.entity(account))
        self._judge_permissions(call, people.entity(account), people.entity(shadow))
        self._judge_others(account, shadow)

    def _note_proposal(self, call: Call, error: BaseException | None) -> None:
        """Remember what a plan starts from: what people did before it is what it is about."""
        item = call.arguments.get("Item", {}) if call.operation == "put_item" and error is None else {}
        if item.get("status", {}).get("S") != "PROPOSED":
            return
        entity = self.world.people.entity(self.world.people.account.state)
        if entity is not None:
            could = effective(self.world.people.account.state, entity, self.world.shape.probes)
            self.world.proposed[item["pk"]["S"]] = Proposed(call.number, facets_of(entity), could)

    def _is_planned(self, key: tuple[str, str], value: object) -> bool:
        """Whether a plan was made after a person's change, and with it."""
        at = self.world.people.pinned_at.get(key, -1)
        return any(at <= plan.number and plan.facets.get(key) == value for plan in self.world.proposed.values())

    def _judge_pins(self, call: Call, entity: Entity | None) -> None:
        facets = facets_of(entity)
        for key, value in list(self.world.people.pinned.items()):
            if facets.get(key) == value or self._is_planned(key, value):
                continue
            if self._is_unseen(self.world.people.pinned_at.get(key, -1)):
                self.races.append(f"{call.operation} over {key[0]}")
                self.world.people.give_up(key, facets.get(key))
            else:
                self.fail("I6", f"{call.operation} changed {key[0]} {key[1]}, which a person had changed")

    def _judge_permissions(self, call: Call, entity: Entity | None, shadow: Entity | None) -> None:
        if entity is None or shadow is None or self.races:
            return
        probes = self.world.shape.probes
        can = effective(self.world.people.account.state, entity, probes)
        could = effective(self.world.people.shadow.state, shadow, probes)
        before = could.union(*(plan.could for plan in self.world.proposed.values()))
        if more := can - before:
            self.fail("I3", f"after {call.operation} it may {min(more).action}, which it might not")
        used = {probe for probe in could if probe.action in self.world.shape.used and probe.region == HOME}
        if entity.unique_id == self.world.identity.identity_id and (lost := used - can):
            self.fail("I4", f"after {call.operation} it may not {min(lost).action}, which it uses")

    def _judge_others(self, account: IamState, shadow: IamState) -> None:
        key = (self.world.shape.kind, self.world.shape.identity)
        for one in shadow.entities.keys() | account.entities.keys():
            if one != key and facets_of(account.entities.get(one)) != facets_of(shadow.entities.get(one)):
                self.fail("I6", f"{one} was changed, which no plan is about")
        for arn in shadow.policies.keys() | account.policies.keys():
            if OURS in arn:
                continue
            mine, theirs = account.policies.get(arn), shadow.policies.get(arn)
            if mine is None or theirs is None or mine.versions != theirs.versions or mine.default != theirs.default:
                self.fail("I6", f"{arn} was changed, which is not ours")

    # -- at the end

    def judge_end(self) -> None:
        """Check what must be so when everything has come to rest."""
        world = self.world
        backend = world.cloud.dynamodb_backend
        statuses = journal_view.statuses(backend)
        self.checks.update(["I1", "I5", "I11", "I12", "I13"])
        for plan_id, status in statuses.items():
            if status not in journal_view.TERMINAL:
                self.fail("I1", f"plan {plan_id} ended as {status}")
        if dead := len(world.remediations.dead) + len(world.restorations.dead):
            self.fail("I13", f"{dead} messages went to the dead letters")
        for step in journal_view.steps(backend):
            self.checks["I10"] += 1
            if not step.outcome:
                self.fail("I10", f"{step.kind} of plan {step.plan_id} has no outcome")
        self._judge_result(statuses)
        self._judge_quiet()
        self._judge_tidy(statuses)

    def _judge_result(self, statuses: dict[str, str]) -> None:
        people = self.world.people
        account, shadow = people.entity(people.account.state), people.entity(people.shadow.state)
        applied = {plan_id for plan_id, status in statuses.items() if status == "APPLIED"}
        mine, theirs = facets_of(account), facets_of(shadow)
        if not applied and mine != theirs and not self.races:
            self.fail("I5", f"nothing is applied, and yet it differs in {sorted(_difference(mine, theirs))}")
        if applied and account is not None and not any(_is_of(applied, facet) for facet in mine.items()):
            self.fail("I1", "a plan is APPLIED, and the identity carries none of its policies")

    def _judge_quiet(self) -> None:
        events = self.world.cloud.events_backend.entries
        texts = {"the log": self.world.log_text(), "an error": " ".join(self.world.raised)}
        texts["an event"] = " ".join(entry["Detail"] for entry in events)
        for where, text in texts.items():
            if CANARY in text:
                self.fail("I11", f"a canary is in {where}")

    def _judge_tidy(self, statuses: dict[str, str]) -> None:
        people = self.world.people
        entity = people.entity(people.account.state)
        is_there = entity is not None and entity.unique_id == self.world.identity.identity_id
        for arn in people.account.state.policies:
            kept = arn in people.shadow.state.policies or (is_there and statuses.get(plan_of(arn)) == "APPLIED")
            waits = statuses.get(plan_of(arn)) == "QUARANTINED" and self.races  # for a person, who has to look
            if OURS in arn and not kept and not waits:
                self.fail("I12", f"{arn} belongs to a plan that is {statuses.get(plan_of(arn))}")


def _difference(mine: Facets, theirs: Facets) -> set[str]:
    return {" ".join(key) for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key)}


def _is_of(plans: set[str], facet: tuple[tuple[str, str], object]) -> bool:
    (kind, name), value = facet
    text = str(value) if kind == "boundary" else name
    return kind in {"boundary", "attached"} and any(f"{OURS}{plan}" in text for plan in plans)


def plan_of(arn: str) -> str:
    """Id of the plan in the name of a policy of ours."""
    return arn.rsplit("/", 1)[-1].split("-", 1)[0]
