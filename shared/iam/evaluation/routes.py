"""The ways in which one action of one caller may be allowed, and the gates that are to be passed on each.

A caller with policies of its own may pass, within its account, by its identity-based policies, permissions boundary and
session policies together, or by the resource's policy: one that names the caller itself, or everyone, needs nothing
else; one that names its role is limited by boundary and session policies; one that names its account hands over to the
identity-based policies. The policies of a role to be assumed and of a KMS key have their part in each of these ways.
Across accounts both sides must allow. For all others (services, identity providers, anonymous callers) the resource's
policy decides.

Source: IAM user guide, "How AWS enforcement code logic evaluates requests" and "Cross-account policy evaluation logic".
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from shared.iam.evaluation.callers import IAM_KINDS, Caller, CallerKind
from shared.iam.evaluation.decisions import Code, Decision, Outcome, PolicyType, Reason
from shared.iam.evaluation.layers import MISSING, ContextTest, Layer, Layers, ResourceTest, Rule
from shared.iam.evaluation.principal_match import Match, match_of_allow

_OF_ROLES = frozenset({CallerKind.ROLE, CallerKind.ROLE_SESSION})


class Situation(Enum):
    """How caller and resource stand to each other, which decides who must allow."""

    WITHIN = "one account"
    GUARDED = "one account, and the resource's own policy must allow"
    ACROSS = "two accounts"


class Option(NamedTuple):
    """A statement that allows where resource and context pass its tests; None where each one passes.

    `decision` is what follows where nothing else is left to ask.
    """

    reaches: ResourceTest | None
    holds: ContextTest | None
    reason: Reason
    decision: Decision | None = None


class Gate(NamedTuple):
    """What of a layer may allow: `settled` does, whatever the resource and the context are, else any of `options`."""

    settled: Reason | None
    options: tuple[Option, ...]
    missing: Reason

    @property
    def shut(self) -> bool:
        """Whether it can't allow."""
        return self.settled is None and not self.options


class Route(NamedTuple):
    """One way to be allowed: the reasons that are settled, and the gates that are left, each of which must allow."""

    settled: tuple[Reason, ...]
    gates: tuple[Gate, ...]


class Access(NamedTuple):
    """Every way to be allowed in one situation, Denies aside.

    `decision`: where neither resource nor context can change it. `shut`: what is missing where a route can't be passed.
    `refusal`: the decision where there is but one gate in all, and it doesn't allow.
    """

    decision: Decision | None
    routes: tuple[Route, ...]
    shut: tuple[Reason, ...]
    refusal: Decision | None


def access_of(layers: Layers, caller: Caller, situation: Situation) -> Access:
    """Every way to be allowed to do an action; `layers` are those that apply to the caller, reduced to the action."""
    limits = [_gate(layer, _speaking(layer, caller)) for layer in layers.limits()]
    routes: list[Route] = []
    shut: list[Reason] = []
    for way in _Ways(layers, caller).of(situation):
        gates = [*limits, *way]
        missing = next((gate.missing for gate in gates if gate.shut), None)
        if missing is not None:
            shut.append(missing)
            continue
        settled = tuple(gate.settled for gate in gates if gate.settled is not None)
        routes.append(_route(settled, [gate for gate in gates if gate.settled is None]))
    missing_once = tuple(dict.fromkeys(shut))
    single = len(routes) == 1 and len(routes[0].gates) == 1 and not shut
    refusal = Decision(Outcome.IMPLICIT_DENY, (routes[0].gates[0].missing,)) if single else None
    return Access(_decision(routes, missing_once), tuple(routes), missing_once, refusal)


def _route(settled: tuple[Reason, ...], gates: Sequence[Gate]) -> Route:
    if len(gates) != 1:
        return Route(settled, tuple(gates))
    decided = (
        option._replace(decision=Decision(Outcome.ALLOW, (*settled, option.reason))) for option in gates[0].options
    )
    return Route(settled, (gates[0]._replace(options=tuple(decided)),))


def _decision(routes: Sequence[Route], shut: tuple[Reason, ...]) -> Decision | None:
    if not routes:
        return Decision(Outcome.IMPLICIT_DENY, shut)
    open_ = next((route for route in routes if not route.gates), None)
    return Decision(Outcome.ALLOW, open_.settled) if open_ is not None else None


def _speaking(layer: Layer, caller: Caller, at_least: Match = Match.ACCOUNT) -> Iterable[Rule]:
    """The Allow statements that, in policies that name principals, speak of the caller."""
    if layer.missing.policy_type not in NAMING_PRINCIPALS:
        return layer.allows
    return [rule for rule in layer.allows if match_of_allow(rule.principals, caller) >= at_least]


NAMING_PRINCIPALS = frozenset({PolicyType.RESOURCE, PolicyType.RESOURCE_CONTROL, PolicyType.ENDPOINT})
"""Kinds of policies whose statements say whom they speak of."""


def _gate(layer: Layer, rules: Iterable[Rule]) -> Gate:
    options: list[Option] = []
    for rule in rules:
        if rule.always:
            return Gate(rule.reason, (), layer.missing)
        options.append(Option(rule.reaches, rule.holds, rule.reason))
    return Gate(None, tuple(options), layer.missing)


def _no_policy(policy_type: PolicyType) -> Gate:
    return Gate(None, (), Reason(MISSING[policy_type], policy_type))


class _Ways(NamedTuple):
    """The gates of each way, the most direct way first, beyond those that limit every request."""

    layers: Layers
    caller: Caller

    def of(self, situation: Situation) -> Iterator[list[Gate]]:
        if self.caller.kind is CallerKind.ROOT:
            yield [*self._limits_of_caller(), *self._resource_of_root(situation)]
        elif self.caller.kind not in IAM_KINDS:
            yield [self._resource(Match.ACCOUNT)]
        elif situation is Situation.ACROSS:
            yield [self._identity(), *self._limits_of_caller(), self._resource(Match.ACCOUNT)]
        else:
            yield from self._within(guarded=situation is Situation.GUARDED)

    def _within(self, *, guarded: bool) -> Iterator[list[Gate]]:
        if self.layers.resource is not None:
            yield [self._resource(Match.DIRECT)]
            if self.caller.kind in _OF_ROLES:
                yield [self._resource(Match.ENTITY), *self._limits_of_caller()]
        yield [*([self._resource(Match.ACCOUNT)] if guarded else []), self._identity(), *self._limits_of_caller()]

    def _resource_of_root(self, situation: Situation) -> Iterator[Gate]:
        if situation is Situation.WITHIN:
            reason = Reason(Code.ROOT_USER)
            yield Gate(reason, (), reason)
        else:
            yield self._resource(Match.ACCOUNT)

    def _identity(self) -> Gate:
        layer = self.layers.identity
        return _no_policy(PolicyType.IDENTITY) if layer is None else self._of(layer)

    def _resource(self, at_least: Match) -> Gate:
        layer = self.layers.resource
        if layer is None:
            return _no_policy(PolicyType.RESOURCE)
        return _gate(layer, _speaking(layer, self.caller, at_least))

    def _limits_of_caller(self) -> Iterator[Gate]:
        """Boundary and session policies; without the latter a federated user session holds nothing of its own."""
        if self.layers.boundary is not None:
            yield self._of(self.layers.boundary)
        if self.layers.session is not None:
            yield self._of(self.layers.session)
        elif self.caller.kind is CallerKind.FEDERATED_USER:
            yield _no_policy(PolicyType.SESSION)

    def _of(self, layer: Layer) -> Gate:
        return _gate(layer, _speaking(layer, self.caller))
