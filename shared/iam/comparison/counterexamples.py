"""From a gap to a request that shows it: concrete, and confirmed by `evaluate` before anyone is told of it."""

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from shared.iam.comparison.gap import ACCOUNT, Gap
from shared.iam.comparison.questions import Finding
from shared.iam.comparison.reach import Rule
from shared.iam.comparison.representatives import EXAMPLE
from shared.iam.comparison.situations import Situation
from shared.iam.evaluate import Evaluator, Outcome, Policies, compile_policies
from shared.iam.evaluation.callers import known_context, read_caller
from shared.iam.patterns.globs import Wild
from shared.iam.patterns.language import Budget
from shared.iam.patterns.variables import Part, Variable, has_variables, parts_of, resolve
from shared.iam.policy import Statement, parse_document
from shared.iam.request import Context, Request, context_of

NO_CONTEXT: Mapping[str, Any] = MappingProxyType({})
OTHER_ACCOUNT = "999900001111"
MAX_VARIANTS = 24
MAX_PARTS = 4  # of a pattern to find values of its variables with: few enough for a regular expression
MAX_RESOURCE = 512
_COST = 60  # steps that one evaluation counts for
RESOURCE_ACCOUNT = "aws:resourceaccount"
_GUARDED = ("sts:", "kms:")
_ACCOUNT_SEGMENT = 4
_ACCOUNT_DIGITS = 12


class Counterexample(NamedTuple):
    """A request that the new policies allow and the old ones don't; `action` is in canonical spelling.

    `principal` is None for identity policies: whoever holds them. `context` holds text or lists of text by key.
    `assuming` says, of resource policies, what else has to be so: what the caller's own policies allow.
    """

    action: str
    resource: str
    principal: str | None = None
    context: Mapping[str, Any] = NO_CONTEXT
    resource_account: str | None = None
    assuming: str = ""

    def request(self) -> Request:
        """The request itself; that of an identity policy is made by a user of the resource's account."""
        if self.principal is not None:
            return Request(self.principal, self.action, self.resource, self.resource_account, context_of(self.context))
        account = self.resource_account or _account_of(self.resource)
        return Request(_user(account), self.action, self.resource, account, context_of(self.context))

    def as_json(self) -> dict[str, Any]:
        """What there is to say of it, as JSON values."""
        return {name: dict(value) if name == "context" else value for name, value in self._asdict().items() if value}


class Confirmation:
    """Asks `evaluate` about both sides of a comparison, with those statements only that could speak of the action."""

    def __init__(self, old: Sequence[Rule], new: Sequence[Rule], budget: Budget) -> None:
        self._old = old
        self._new = new
        self._budget = budget
        self._trials: dict[str, _Trial] = {}

    def confirmed(self, finding: Finding, situation: Situation) -> Counterexample | None:
        """A request that shows the gap, or None where none of those that were tried does."""
        if finding.gap.resource is None or situation.nameless:
            return None
        for action in finding.actions:
            service, _, name = action.lower().partition(":")
            if not name:
                continue  # no request is made for an action that isn't of the form service:name
            if service not in self._trials:
                old, new = (_of_service(side, service) for side in (self._old, self._new))
                self._trials[service] = _Trial(old, new, self._budget)
            found = self._trials[service].confirmed(action, finding.gap, situation)
            if found is not None:
                return found
        return None


def _of_service(rules: Iterable[Rule], service: str) -> tuple[Statement, ...]:
    """The statements that could speak of a service's actions, without patterns that can't: quicker to compile."""
    found = []
    for rule in rules:
        patterns = rule.actions.of_service(service)
        if rule.but_actions:
            found.append(rule.statement._replace(not_actions=patterns or rule.actions.patterns[:1]))
        elif patterns:
            found.append(rule.statement._replace(actions=patterns))
    return tuple(found)


class _Trial:
    """The statements of both sides that could speak of one service's actions, compiled when first needed."""

    def __init__(self, old: tuple[Statement, ...], new: tuple[Statement, ...], budget: Budget) -> None:
        self._old = old
        self._new = new
        self._budget = budget
        self._evaluators: dict[tuple[object, ...], Evaluator] = {}
        statements = (*old, *new)
        self._tests = [condition for statement in statements for condition in statement.conditions]
        patterns = dict.fromkeys(
            parts_of(pattern)
            for statement in statements
            for pattern in (*statement.resources, *statement.not_resources)
        )
        self._patterns = [parts for parts in patterns if has_variables(parts) and len(parts) <= MAX_PARTS]
        texts = [*patterns, *(parts_of(value) for test in self._tests for value in test.values)]
        self._wanted = {part.key for parts in texts for part in parts if isinstance(part, Variable)}
        self._asked = self._wanted | {test.key for test in self._tests}

    def confirmed(self, action: str, gap: Gap, situation: Situation) -> Counterexample | None:
        """A request for the action that shows the gap, or None where none of those that were tried does."""
        for context in itertools.islice(self._contexts(gap), MAX_VARIANTS):
            letters = [one if isinstance(one, str) else one.value(context) for one in gap.resource or ()]
            resource = "".join([EXAMPLE if letter is None else letter for letter in letters])
            found = self._tried(action, resource, context, situation)
            if found is not None:
                return found
        return None

    def _contexts(self, gap: Gap) -> Iterator[Context]:
        """The gap's context, with values for variables; where it left something open, other values too."""
        wanted = sorted(self._wanted - gap.context.values.keys())
        base: dict[str, tuple[str, ...]] = dict.fromkeys(wanted, (EXAMPLE,))
        base |= {key: values for key, values in gap.context.values.items() if values is not None}
        yield base
        doubtful = [key for key in dict.fromkeys((*gap.context.doubtful, *wanted)) if key in base]
        within = self._values_within("".join(one for one in gap.resource or () if isinstance(one, str)))
        options = [
            list(dict.fromkeys((base[key], *within.get(key, ()), *self._values_of(key, base)))) for key in doubtful
        ]
        for chosen in itertools.product(*options):
            yield base | dict(zip(doubtful, chosen, strict=True))

    def _values_within(self, resource: str) -> dict[str, list[tuple[str, ...]]]:
        """Values of variables with which a resource matches the patterns that hold them."""
        found: dict[str, list[tuple[str, ...]]] = {}
        for parts in self._patterns:
            names = [part.key for part in parts if isinstance(part, Variable)]
            match = re.fullmatch("".join(map(_expression, parts)), resource[:MAX_RESOURCE], re.DOTALL)
            for key, value in zip(names, match.groups() if match else (), strict=False):
                found.setdefault(key, []).append((value,))
        return found

    def _values_of(self, key: str, context: Context) -> Iterator[tuple[str, ...]]:
        """Values that tests of a key ask for, variables filled in."""
        for test in self._tests:
            if test.key == key:
                resolved = (resolve(value, context) for value in test.values)
                yield from ((text.replace("*", EXAMPLE).replace("?", "x"),) for text in resolved if text is not None)
        yield (f"{EXAMPLE}-2",)

    def _tried(self, action: str, resource: str, context: Context, situation: Situation) -> Counterexample | None:
        for bare in _requests(action, resource, context, situation):
            request = self._explicit(bare)
            for assuming, beside in _beside_resource() if situation.callers else _beside_identity(request):
                self._budget.spend(2 * _COST)
                if self._allows(self._new, request, assuming, beside) and not self._allows(
                    self._old, request, assuming, beside
                ):
                    usual = not situation.callers and request.principal == _user(_account_of(resource))
                    principal = None if usual else request.principal
                    given = {
                        key: values[0] if len(values) == 1 else list(values)
                        for key, values in sorted(request.context.items())
                    }
                    return Counterexample(action, resource, principal, given, request.resource_account, assuming)
        return None

    def _explicit(self, request: Request) -> Request:
        """The request with what IAM adds to its context by itself, as far as the policies ask for it."""
        if not self._asked:
            return request
        added: dict[str, tuple[str, ...]] = (
            {RESOURCE_ACCOUNT: (request.resource_account,)} if request.resource_account else {}
        )
        added |= known_context(read_caller(request.principal))
        return request._replace(context={key: added[key] for key in added.keys() & self._asked} | dict(request.context))

    def _allows(self, side: tuple[Statement, ...], request: Request, assuming: str, beside: Mapping[str, Any]) -> bool:
        key = (side is self._new, assuming, request.resource_account)
        if key not in self._evaluators:
            of_resource = any(statement.principals is not None for statement in side)
            own: dict[str, Any] = {"resource": side} if of_resource else {"identity": (side,)}
            self._evaluators[key] = compile_policies(Policies(**own | dict(beside)))
        return self._evaluators[key].evaluate(request).outcome is Outcome.ALLOW


def _requests(action: str, resource: str, context: Context, situation: Situation) -> Iterator[Request]:
    """Requests of callers that the situation is about, within the resource's account and from another one."""
    account = _account_of(resource)
    if not situation.callers:
        yield Request(_user(account), action, resource, account, context)
        yield Request(f"arn:aws:sts::{account}:assumed-role/{EXAMPLE}/{EXAMPLE}", action, resource, account, context)
        return
    for principal in situation.callers:
        yield Request(principal, action, resource, None, context)
        yield Request(principal, action, resource, OTHER_ACCOUNT, context)


def _beside_identity(request: Request) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """For a role to be assumed and a KMS key, the resource's own policy must hand over to the identity policies."""
    yield "", {}
    if request.action.lower().startswith(_GUARDED):
        yield "the resource's policy hands over to its account", {"resource": _everything(request.resource_account)}


def _beside_resource() -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "", {}
    everything = (_everything(None),)
    yield "the caller's own policies allow it", {"identity": everything}
    both = {"identity": everything, "boundaries": everything}
    yield "the caller's own policies and permissions boundary allow it", both
    yield "the caller's permissions boundary allows nothing", {"boundaries": ()}


@functools.lru_cache(64)
def _everything(account: str | None) -> tuple[Statement, ...]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return parse_document({"Statement": statement | ({"Principal": {"AWS": account}} if account else {})})


def _account_of(resource: str) -> str:
    """The account of an ARN, or an example where it names none."""
    segments = resource.split(":")
    named = segments[_ACCOUNT_SEGMENT] if len(segments) > _ACCOUNT_SEGMENT else ""
    return named if named.isdecimal() and len(named) == _ACCOUNT_DIGITS else ACCOUNT


def _user(account: str) -> str:
    return f"arn:aws:iam::{account}:user/{EXAMPLE}"


def _expression(part: Part) -> str:
    if isinstance(part, Variable):
        return "(.+?)"
    if isinstance(part, Wild):
        return ".*" if part is Wild.RUN else "."
    return re.escape(part)
