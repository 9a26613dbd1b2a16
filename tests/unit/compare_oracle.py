"""A second, naive answer to "does the new set of policies grant anything new?": try every request of a small universe.

Each world is a few context keys with a few values each; its requests are all combinations of actions, resources and
contexts. A statement's requests are a mask, built from naive tests of single elements, so that trying all of them is
quick. Both readings of wildcards in the head of an ARN are tried.
"""

import functools
import ipaddress
import itertools
import random
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

ACTIONS = (
    "iam:passrole",
    "iam:getrole",
    "s3:getobject",
    "s3:getobjecttagging",
    "s3:putobject",
    "s3:deleteobject",
    "s3:listbucket",
    "sqs:sendmessage",
    "new:thing",
    "new:other",
    "s3:getfuture",
    "x:y",
)
ACTION_PATTERNS = (
    "*",
    "s3:*",
    "s3:Get*",
    "S3:getobject*",
    "s3:GetObject",
    "s3:Put*",
    "s3:DeleteObject",
    "s3:*Object",
    "s3:?etObject",
    "s3:PutObjec?",
    "s3:getfutur?",
    "new:Thin?",
    "iam:*",
    "iam:PassRole",
    "new:*",
    "new:Thing",
    "*:*t*",
    "sqs:SendMessage",
)
RESOURCES = (
    "*",
    "arn:aws:s3:::a",
    "arn:aws:s3:::ab",
    "arn:aws:s3:::al",
    "arn:aws:s3:::bo/al",
    "arn:aws:s3:::a/x",
    "arn:aws:s3:::b/x",
    "arn:aws:s3:::b/y",
    "arn:aws:s3:::c/x/x",
    "arn:aws:s3:eu:1:a/x",
    "arn:aws:s3:eu:1:2:a/x",
    "arn:aws:sqs:eu:1:q",
    "arn:aws:iam::111122223333:role/r",
)
RESOURCE_PATTERNS = (
    "*",
    "arn:aws:s3:::a",
    "arn:aws:s3:::a*",
    "arn:aws:s3:::a/*",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::?/*",
    "arn:aws:s3:::*/x",
    "arn:aws:s3:::*x*",
    "arn:aws:s3:::??",
    "arn:aws:s3:*:*:a*",
    "arn:aws:s3:e*:1:a/x",
    "arn:aws:*",
    "arn:aws:sqs:*:1:*",
    "arn:aws:sqs",
)
VARIABLE_PATTERNS = (
    "arn:aws:s3:::${aws:username}",
    "arn:aws:s3:::bo/${aws:username}",
    "arn:aws:s3:::${aws:username}/*",
)

Values = tuple[str, ...] | None  # None: the key is missing
Test = tuple[str, str, tuple[str, ...]]  # operator as spelled, key, values


class World(NamedTuple):
    """Context keys with their values, tests of them, and patterns of resources."""

    keys: Mapping[str, tuple[Values, ...]]
    tests: tuple[Test, ...]
    resources: tuple[str, ...] = RESOURCE_PATTERNS

    def contexts(self) -> list[dict[str, tuple[str, ...]]]:
        """Every combination of values."""
        found = []
        for chosen in itertools.product(*self.keys.values()):
            given = zip(self.keys, chosen, strict=True)
            found.append({key.lower(): values for key, values in given if values is not None})
        return found


def _one(*values: str) -> tuple[Values, ...]:
    return (None, *((value,) for value in values))


REGION, AGENT, MFA, AGE = "aws:RequestedRegion", "aws:UserAgent", "aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge"
SOURCE, TIME, TAGS, ROLE = "aws:SourceIp", "aws:CurrentTime", "aws:TagKeys", "aws:PrincipalArn"
NAME, OWNER = "aws:username", "aws:PrincipalTag/owner"

WORLDS = (
    World(
        {
            REGION: _one("eu-west-1", "eu-west-2", "EU-west-1", "us-east-1"),
            AGENT: _one("a", "b", "ab", "abc"),
        },
        (
            ("StringEquals", REGION, ("eu-west-1",)),
            ("StringEquals", REGION, ("eu-west-1", "eu-west-2")),
            ("StringEqualsIgnoreCase", REGION, ("Eu-West-1",)),
            ("StringNotEqualsIgnoreCase", REGION, ("Eu-West-1",)),
            ("StringLike", REGION, ("eu-*",)),
            ("StringNotLike", REGION, ("eu-*", "us-*")),
            ("StringNotEquals", REGION, ("us-east-1",)),
            ("StringEqualsIfExists", REGION, ("eu-west-2", "us-east-1")),
            ("StringNotEqualsIfExists", REGION, ("eu-west-2",)),
            ("Null", REGION, ("true",)),
            ("Null", REGION, ("false",)),
            ("StringLike", AGENT, ("a*",)),
            ("StringLike", AGENT, ("*b",)),
            ("StringLike", AGENT, ("?b*",)),
            ("StringNotLike", AGENT, ("a*b",)),
            ("StringEquals", AGENT, ("ab", "b")),
            ("StringLikeIfExists", AGENT, ("*c",)),
        ),
    ),
    World(
        {MFA: _one("true", "false"), AGE: _one("4", "5", "5.5", "6", "7")},
        (
            ("Bool", MFA, ("true",)),
            ("Bool", MFA, ("false",)),
            ("BoolIfExists", MFA, ("True",)),
            ("BoolIfExists", MFA, ("false",)),
            ("Null", MFA, ("false",)),
            ("NumericLessThan", AGE, ("5",)),
            ("NumericLessThanEquals", AGE, ("5.0",)),
            ("NumericGreaterThan", AGE, ("5",)),
            ("NumericGreaterThanEquals", AGE, ("6",)),
            ("NumericEquals", AGE, ("5", "6")),
            ("NumericNotEquals", AGE, ("5",)),
            ("NumericLessThanIfExists", AGE, ("6",)),
            ("Null", AGE, ("true",)),
        ),
    ),
    World(
        {
            SOURCE: _one("10.0.0.1", "10.0.1.1", "10.9.0.1", "11.0.0.1", "2001:db8::1"),
            TIME: _one("2020-01-01T00:00:00Z", "2020-06-01T00:00:00Z", "2021-01-01T00:00:00Z", "2022-01-01T00:00:00Z"),
        },
        (
            ("IpAddress", SOURCE, ("10.0.0.0/8",)),
            ("IpAddress", SOURCE, ("10.0.0.0/24", "10.0.1.0/24")),
            ("IpAddress", SOURCE, ("10.0.0.0/23",)),
            ("NotIpAddress", SOURCE, ("10.0.0.0/16",)),
            ("NotIpAddress", SOURCE, ("11.0.0.1",)),
            ("IpAddressIfExists", SOURCE, ("10.9.0.1/32", "2001:db8::/32")),
            ("Null", SOURCE, ("true",)),
            ("DateLessThan", TIME, ("2021-01-01",)),
            ("DateLessThanEquals", TIME, ("2021-01-01T01:00:00+01:00",)),
            ("DateGreaterThan", TIME, ("2020-01-01T00:00:00Z",)),
            ("DateGreaterThanEquals", TIME, ("2020-03-01",)),
            ("DateEquals", TIME, ("2020-06-01",)),
            ("DateNotEquals", TIME, ("2020-06-01", "2021-01-01")),
        ),
    ),
    World(
        {
            TAGS: (None, (), ("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c")),
            ROLE: _one(
                "arn:aws:iam::1:role/x", "arn:aws:iam::1:role/x/y", "arn:aws:iam::2:role/x", "arn:aws:iam::1:user/u"
            ),
        },
        (
            ("ForAllValues:StringEquals", TAGS, ("a",)),
            ("ForAllValues:StringEquals", TAGS, ("a", "b")),
            ("ForAllValues:StringNotEquals", TAGS, ("c",)),
            ("ForAnyValue:StringEquals", TAGS, ("a",)),
            ("ForAnyValue:StringEquals", TAGS, ("b", "c")),
            ("ForAnyValue:StringNotEquals", TAGS, ("a",)),
            ("ForAnyValue:StringLike", TAGS, ("*",)),
            ("ForAllValues:StringLike", TAGS, ("?",)),
            ("StringEquals", TAGS, ("b",)),
            ("StringNotEquals", TAGS, ("b",)),
            ("Null", TAGS, ("false",)),
            ("Null", TAGS, ("true",)),
            ("ArnLike", ROLE, ("arn:aws:iam::1:role/*",)),
            ("ArnEquals", ROLE, ("arn:aws:iam::*:role/x",)),
            ("ArnNotLike", ROLE, ("arn:aws:iam::1:*",)),
            ("StringLike", ROLE, ("arn:aws:iam::1:*",)),
            ("StringEquals", ROLE, ("arn:aws:iam::1:role/x",)),
            ("ArnLikeIfExists", ROLE, ("arn:aws:iam::?:user/*",)),
        ),
    ),
    World(
        {NAME: _one("al", "bo"), OWNER: _one("al", "bo", "cy")},
        (
            ("StringEquals", OWNER, ("${aws:username}",)),
            ("StringNotEquals", OWNER, ("${aws:username}",)),
            ("StringEquals", OWNER, ("al",)),
            ("StringEquals", NAME, ("al",)),
            ("StringLike", NAME, ("*",)),
            ("Null", NAME, ("false",)),
            ("StringEquals", NAME, ("${aws:PrincipalTag/owner, 'al'}", "bo")),
        ),
        (*RESOURCE_PATTERNS[:7], *VARIABLE_PATTERNS),
    ),
)


def random_documents(world: World, chance: random.Random) -> list[dict[str, Any]]:
    """One or two documents of one to four statements."""
    return [
        {"Version": "2012-10-17", "Statement": [_statement(world, chance) for _ in range(chance.randint(1, 3))]}
        for _ in range(chance.choice((1, 1, 1, 2)))
    ]


def narrowed(documents: Sequence[Mapping[str, Any]], world: World, chance: random.Random) -> list[dict[str, Any]]:
    """The same documents with a change or two, most of which grant less."""
    changed = [{**body, "Statement": [dict(one) for one in body["Statement"]]} for body in documents]
    for _ in range(chance.randint(0, 2)):
        statements = chance.choice(changed)["Statement"]
        one = chance.choice(statements)
        what = chance.randrange(5)
        if what == 0 and len(statements) > 1:
            statements.remove(one)
        elif what == 1:
            one.update(_conditions(world, chance))
        elif what == 2 and "Resource" in one:
            one["Resource"] = _some(world.resources, chance)
        elif what == 3 and "Action" in one:
            one["Action"] = _some(ACTION_PATTERNS, chance)
        else:
            statements.append(_statement(world, chance, effect="Deny"))
    return changed


def _some(values: Sequence[str], chance: random.Random) -> list[str]:
    return chance.sample(values, chance.choice((1, 1, 2, 3)))


def _statement(world: World, chance: random.Random, effect: str | None = None) -> dict[str, Any]:
    action = chance.choice(("Action", "Action", "Action", "NotAction"))
    resource = chance.choice(("Resource", "Resource", "Resource", "NotResource"))
    return {
        "Effect": effect or chance.choice(("Allow", "Allow", "Deny")),
        action: _some(ACTION_PATTERNS, chance),
        resource: _some(world.resources, chance),
        **(_conditions(world, chance) if chance.random() < 0.6 else {}),
    }


def _conditions(world: World, chance: random.Random) -> dict[str, Any]:
    block: dict[str, dict[str, list[str]]] = {}
    for operator, key, values in chance.sample(world.tests, chance.choice((1, 1, 2))):
        block.setdefault(operator, {})[key] = list(values)
    return {"Condition": block}


class Universe:
    """Every request of a world, and which of them documents allow, as masks."""

    def __init__(self, world: World, *, across: bool = True) -> None:
        self._across = across
        self.contexts = world.contexts()
        self.requests = list(itertools.product(ACTIONS, RESOURCES, range(len(self.contexts))))
        self._known: dict[Any, int] = {}

    def new(self, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> int:
        """Mask of the requests that the new documents allow and the old ones don't."""
        return self.allowed(new) & ~self.allowed(old)

    def allowed(self, documents: Sequence[Mapping[str, Any]]) -> int:
        """Mask of the requests that documents allow."""
        allowed = denied = 0
        for body in documents:
            for one in body["Statement"]:
                matched = self._actions(one) & self._reached(one)
                if one["Effect"] == "Allow":
                    allowed |= matched
                else:
                    denied |= matched
        return allowed & ~denied

    def _mask(self, what: tuple[str, ...], holding: Callable[[str, str, Mapping[str, Any]], bool]) -> int:
        """The requests for which something holds, remembered by what it is."""
        if what not in self._known:
            chosen = (holding(action, resource, self.contexts[place]) for action, resource, place in self.requests)
            self._known[what] = int("".join("01"[one] for one in chosen)[::-1], 2)
        return self._known[what]

    def _all_but(self, mask: int) -> int:
        return ((1 << len(self.requests)) - 1) & ~mask

    def _actions(self, one: Mapping[str, Any]) -> int:
        patterns = one.get("Action") or one["NotAction"]
        mask = functools.reduce(int.__or__, [self._admitted(pattern.lower()) for pattern in patterns])
        return mask if "Action" in one else self._all_but(mask)

    def _admitted(self, pattern: str) -> int:
        return self._mask((pattern,), lambda action, _resource, _context: _like(pattern, action))

    def _reached(self, one: Mapping[str, Any]) -> int:
        patterns = one.get("Resource") or one["NotResource"]
        mask = functools.reduce(int.__or__, [self._resources(pattern) for pattern in patterns])
        mask = mask if "Resource" in one else self._all_but(mask)
        for operator, keys in one.get("Condition", {}).items():
            for key, values in keys.items():
                mask &= self._tested(operator, key, tuple(values))
        return mask

    def _resources(self, pattern: str) -> int:
        expression = _resource_expression(pattern, self._across)
        return self._mask(
            ("resource", pattern), lambda _action, resource, context: _full(expression, resource, context)
        )

    def _tested(self, operator: str, key: str, values: tuple[str, ...]) -> int:
        return self._mask(
            (operator, key, *values),
            lambda _action, _resource, context: _holds(operator, context.get(key.lower()), values, context),
        )


def allows(documents: Sequence[Mapping[str, Any]], action: str, resource: str, context: Mapping[str, Any]) -> bool:
    """Whether documents allow one request; `context` holds text or lists of text."""
    given = {key.lower(): (values,) if isinstance(values, str) else tuple(values) for key, values in context.items()}
    effects = {
        one["Effect"]
        for body in documents
        for one in body["Statement"]
        if admits(one, action.lower()) and reaches(one, resource, given, across=True) and holds(one, given)
    }
    return effects == {"Allow"}


def admits(one: Mapping[str, Any], action: str) -> bool:
    """Whether a statement speaks of an action."""
    if "NotAction" in one:
        return not any(_like(pattern.lower(), action) for pattern in one["NotAction"])
    return any(_like(pattern.lower(), action) for pattern in one["Action"])


def reaches(one: Mapping[str, Any], resource: str, context: Mapping[str, Any], *, across: bool) -> bool:
    """Whether a statement speaks of a resource."""
    negated = "NotResource" in one
    patterns = one["NotResource" if negated else "Resource"]
    expressions = (_resource_expression(pattern, across) for pattern in patterns)
    return negated is not any(_full(expression, resource, context) for expression in expressions)


def holds(one: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
    """Whether a statement's conditions hold."""
    return all(
        _holds(operator, context.get(key.lower()), values, context)
        for operator, keys in one.get("Condition", {}).items()
        for key, values in keys.items()
    )


def _holds(spelled: str, given: Values, wanted: Sequence[str], context: Mapping[str, Any]) -> bool:
    quantifier, _, operator = spelled.rpartition(":")
    if given == ("",) and (operator == "Null" or quantifier):
        given = None  # an empty text by itself is no value
    if operator == "Null":
        return (not given) == (wanted[0] == "true")
    plain = operator.removesuffix("IfExists")
    negated = "Not" in plain
    if not given:
        return quantifier == "ForAllValues" or (not quantifier and negated) or operator != plain
    matched = [any(_matches(plain.replace("Not", ""), value, one, context) for one in wanted) for value in given]
    if quantifier == "ForAllValues":
        return all(one is not negated for one in matched)
    if quantifier == "ForAnyValue":
        return any(one is not negated for one in matched)
    return any(matched) is not negated


def _matches(operator: str, value: str, wanted: str, context: Mapping[str, Any]) -> bool:
    if operator in ("StringEqualsIgnoreCase", "Bool"):
        return value.lower() == wanted.lower()
    if operator.startswith("String"):
        return _like(wanted, value) if operator == "StringLike" else value == _filled(wanted, context)
    if operator.startswith("Arn"):
        return _like_arn(wanted, value)
    try:
        if operator == "IpAddress":
            return ipaddress.ip_address(value) in ipaddress.ip_network(wanted)
        return _compares(operator, value, wanted)
    except ValueError:
        return False  # text of another kind matches nothing


def _compares(operator: str, value: str, wanted: str) -> bool:
    read = float if operator.startswith("Numeric") else _seconds
    left, right = read(value), read(wanted)
    return {
        "Equals": left == right,
        "LessThan": left < right,
        "LessThanEquals": left <= right,
        "GreaterThan": left > right,
        "GreaterThanEquals": left >= right,
    }[operator.removeprefix("Numeric").removeprefix("Date")]


def _seconds(text: str) -> float:
    if re.fullmatch(r"-?\d+\.\d+", text):
        return float(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _filled(text: str, context: Mapping[str, Any]) -> str | None:
    variable = re.fullmatch(r"\$\{([^,}]*)(?:, '(.*)')?\}", text)
    if variable is None:
        return text
    given = context.get(variable[1].lower())
    return given[0] if given else variable[2]


@functools.cache
def _like(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text) is not None


def _like_arn(pattern: str, text: str) -> bool:
    own, other = pattern.split(":", 5), text.split(":", 5)
    return len(own) == len(other) == 6 and all(map(_like, own, other))


@functools.cache
def _resource_expression(pattern: str, across: bool) -> str:  # noqa: FBT001 a cache key of its own
    """A regular expression in which variables still stand as they are."""
    if pattern == "*":
        return ".*"
    if not across:
        pattern += ":*" * (5 - re.sub(r"\$\{.*?\}", "", pattern).count(":"))
    segments = re.split(r":(?![^{]*\})", pattern, maxsplit=5)
    head = [re.sub(r"\\\*", "[^:]*", re.escape(one)).replace(r"\?", "[^:]") for one in segments[:5]]
    if across:
        head = [f"{one.removesuffix('[^:]*')}.*" if one.endswith("[^:]*") else one for one in head]
    tail = [re.escape(one).replace(r"\*", ".*").replace(r"\?", ".") for one in segments[5:]]
    return ":".join([*head, *tail])


def _full(expression: str, text: str, context: Mapping[str, Any]) -> bool:
    variable = re.search(r"\\\$\\\{(.*?)\\\}", expression)
    if variable is not None:
        given = context.get(variable[1].replace("\\", ""))
        if not given:
            return False
        expression = expression.replace(variable[0], re.escape(given[0]))
    return re.fullmatch(expression, text) is not None
