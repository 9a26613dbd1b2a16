"""Statements sorted into layers: everything of one kind of policy, at one level where it has levels.

What a statement tests of resource and context is compiled when it is first needed: only for the actions of requests.

Source: IAM user guide, "IAM JSON policy elements reference".
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from shared.iam.conditions.matching import compile_conditions
from shared.iam.evaluation.decisions import Code, PolicyType, Reason
from shared.iam.evaluation.policies import Document, Levels, Policies
from shared.iam.patterns.action_patterns import is_wild
from shared.iam.patterns.arns import compile_resources
from shared.iam.patterns.variables import Variable, parts_of
from shared.iam.patterns.wildcards import anywhere, compile_texts
from shared.iam.policy import Effect, Statement
from shared.iam.request import Context

ResourceTest = Callable[[str, Context], bool]
ContextTest = Callable[[Context], bool]


class Rule:
    """One statement, with the reason that it is for a decision. `admits` asks about an action in lower case."""

    def __init__(self, statement: Statement, reason: Reason) -> None:
        self.admits = _action_test(statement)
        self.reason = reason
        self.principals = statement.principals
        self._statement = statement

    @cached_property
    def reaches(self) -> ResourceTest | None:
        """Test of the resource; None where each one passes."""
        return _resource_test(self._statement)

    @cached_property
    def holds(self) -> ContextTest | None:
        """Test of the context; None where each one passes."""
        return compile_conditions(self._statement.conditions)

    @cached_property
    def keys(self) -> frozenset[str]:
        """The context keys that the tests may ask for, in lower case."""
        return _keys(self._statement)

    @property
    def placeless(self) -> bool:
        """Whether the statement has no Resource element."""
        return not self._statement.resources and not self._statement.not_resources

    @property
    def always(self) -> bool:
        """Whether it speaks of every resource in every context."""
        return self.holds is None and self.reaches is None


class Layer(NamedTuple):
    """The statements that add up; `missing` is why a layer doesn't allow.

    `passes`: it allows what it doesn't deny, as a level of resource control policies that holds Deny statements only
    does, since RCPFullAWSAccess is there besides.
    """

    allows: tuple[Rule, ...]
    denies: tuple[Rule, ...]
    missing: Reason
    passes: bool = False

    def about(self, action: str) -> "Layer":
        """The same with those statements only that admit an action (in lower case)."""
        allows = [rule for rule in self.allows if rule.admits(action)]
        denies = [rule for rule in self.denies if rule.admits(action)]
        return Layer(tuple(allows), tuple(denies), self.missing, self.passes)

    def placed(self) -> "Layer":
        """The same without the statements that have no Resource element."""
        allows = tuple(rule for rule in self.allows if not rule.placeless)
        return self._replace(allows=allows, denies=tuple(rule for rule in self.denies if not rule.placeless))


class Layers(NamedTuple):
    """All policies; None where no policy of that kind applies."""

    identity: Layer | None
    boundary: Layer | None
    session: Layer | None
    resource: Layer | None
    endpoint: Layer | None
    service_control: tuple[Layer, ...]
    resource_control: tuple[Layer, ...]

    def about(self, action: str) -> "Layers":
        """The same with those statements only that admit an action (in lower case)."""

        def about(layer: Layer | None) -> Layer | None:
            return None if layer is None else layer.about(action)

        return Layers(
            identity=about(self.identity),
            boundary=about(self.boundary),
            session=about(self.session),
            resource=about(self.resource),
            endpoint=about(self.endpoint),
            service_control=tuple(level.about(action) for level in self.service_control),
            resource_control=tuple(level.about(action) for level in self.resource_control),
        )

    def every(self) -> Iterator[Layer]:
        """All layers, in the order in which IAM describes their evaluation."""
        yield from self.limits()
        yield from (layer for layer in self.resource_control if layer.passes)
        own = (self.resource, self.identity, self.boundary, self.session)
        yield from (layer for layer in own if layer is not None)

    def limits(self) -> Iterator[Layer]:
        """Layers that must allow every request."""
        yield from (layer for layer in self.resource_control if not layer.passes)
        yield from self.service_control
        if self.endpoint is not None:
            yield self.endpoint


MISSING = {
    PolicyType.IDENTITY: Code.NO_IDENTITY_ALLOW,
    PolicyType.BOUNDARY: Code.NO_BOUNDARY_ALLOW,
    PolicyType.SESSION: Code.NO_SESSION_ALLOW,
    PolicyType.RESOURCE: Code.NO_RESOURCE_ALLOW,
    PolicyType.SERVICE_CONTROL: Code.NO_SCP_ALLOW,
    PolicyType.RESOURCE_CONTROL: Code.NO_RCP_ALLOW,
    PolicyType.ENDPOINT: Code.NO_ENDPOINT_ALLOW,
}
_ALLOWED_BY = {
    PolicyType.IDENTITY: Code.IDENTITY_ALLOW,
    PolicyType.BOUNDARY: Code.BOUNDARY_ALLOW,
    PolicyType.SESSION: Code.SESSION_ALLOW,
    PolicyType.RESOURCE: Code.RESOURCE_ALLOW,
    PolicyType.SERVICE_CONTROL: Code.SCP_ALLOW,
    PolicyType.RESOURCE_CONTROL: Code.RCP_ALLOW,
    PolicyType.ENDPOINT: Code.ENDPOINT_ALLOW,
}


def compile_layers(policies: Policies) -> Layers:
    """Make a rule of every statement of every policy."""
    return Layers(
        identity=_layer(policies.identity or (), PolicyType.IDENTITY),
        boundary=None if policies.boundaries is None else _layer(policies.boundaries, PolicyType.BOUNDARY),
        session=_layer(policies.sessions, PolicyType.SESSION) if policies.sessions else None,
        resource=None if policies.resource is None else _layer((policies.resource,), PolicyType.RESOURCE),
        endpoint=_layer(policies.endpoint, PolicyType.ENDPOINT) if policies.endpoint else None,
        service_control=_levels(policies.service_control, PolicyType.SERVICE_CONTROL),
        resource_control=_levels(policies.resource_control, PolicyType.RESOURCE_CONTROL),
    )


def _levels(levels: Levels | None, policy_type: PolicyType) -> tuple[Layer, ...]:
    return tuple(_layer(documents, policy_type, level) for level, documents in enumerate(levels or ()))


def _layer(documents: Iterable[Document], policy_type: PolicyType, level: int | None = None) -> Layer:
    rules: dict[Effect, list[Rule]] = {Effect.ALLOW: [], Effect.DENY: []}
    for place, document in enumerate(documents):
        policy = None if policy_type is PolicyType.RESOURCE else place
        for statement in document:
            code = _ALLOWED_BY[policy_type] if statement.effect is Effect.ALLOW else Code.DENY
            reason = Reason(code, policy_type, policy, level, statement.place, statement.sid)
            rules[statement.effect].append(Rule(statement, reason))
    missing = Reason(MISSING[policy_type], policy_type, level=level)
    passes = policy_type is PolicyType.RESOURCE_CONTROL and not rules[Effect.ALLOW]
    return Layer(tuple(rules[Effect.ALLOW]), tuple(rules[Effect.DENY]), missing, passes)


def _action_test(statement: Statement) -> Callable[[str], bool]:
    """Actions are compared without case, by the patterns alone, so that unknown ones work, too."""
    negated = not statement.actions
    patterns = frozenset(map(str.lower, statement.actions or statement.not_actions))
    wild = [pattern for pattern in patterns if is_wild(pattern)]
    stems = tuple([pattern[:-1] for pattern in wild if pattern.endswith("*") and not is_wild(pattern[:-1])])
    literals = patterns.difference(wild)
    others = [pattern for pattern in wild if is_wild(pattern[:-1]) or pattern.endswith("?")]
    matches = compile_texts([parts_of(pattern) for pattern in others], anywhere) if others else None

    def admits(action: str) -> bool:
        if action in literals or action.startswith(stems):
            return not negated
        return (matches is not None and matches(action, {})) is not negated

    return admits


def _resource_test(statement: Statement) -> ResourceTest | None:
    """Without a Resource element, as in a trust policy, a statement speaks of what its policy is attached to."""
    if statement.not_resources:
        excluded = compile_resources(statement.not_resources).test
        return lambda resource, context: not excluded(resource, context)
    if not statement.resources or "*" in statement.resources:
        return None
    included = compile_resources(statement.resources)
    return None if included.always else included.test


def _keys(statement: Statement) -> frozenset[str]:
    texts: list[Sequence[str]] = [statement.resources, statement.not_resources]
    texts += [condition.values for condition in statement.conditions]
    open_texts = [text for listed in texts for text in listed if "${" in text]
    wanted = {part.key for text in open_texts for part in parts_of(text) if isinstance(part, Variable)}
    return frozenset(wanted.union(condition.key for condition in statement.conditions))
