"""A day of an account as the usage ledger meets it: who calls what on which resources, and when it is delivered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import NamedTuple

from shared.model.resources import ANY_RESOURCE, Resources
from shared.model.usage import Evidence, IdentityKey, Span, Usage, UsageEntry

ACCOUNT = "111122223333"
REGION = "eu-west-1"
FIRST_DAY = date(2026, 3, 1)
DAY_SECONDS = 86_400
DELAY_SECONDS = 60.0  # mean, between a call and its delivery: what is late overtakes nothing, but is overtaken
STEP_SECONDS = 1.0  # mean, between two calls of one burst


@dataclass(frozen=True, slots=True)
class Mix:
    """How many of each identity's actions name resources of which sort.

    `unnamed` are calls that name none (lists, most reads); `few` know 1 to 3 resources, `some` 4 to 20, and `unbounded`
    a new one with every call (objects, tasks, log streams) in one bucket.
    """

    unnamed: int
    few: int
    some: int
    unbounded: int


TYPICAL = Mix(unnamed=24, few=8, some=5, unbounded=3)
NAMELESS = Mix(unnamed=40, few=0, some=0, unbounded=0)


class Call(NamedTuple):
    """One event; `arn` is empty where it names no resource."""

    delivered: float
    second: float
    identity: int
    action: int
    arn: str


def calls_of_day(day: int, *, events: int, identities: int, mix: Mix, burst: int, seed: int = 7) -> Sequence[Call]:
    """The calls of one day in the order in which they are delivered.

    Every action of an identity is called by its rank (one over it); `burst` is the mean length of a run of calls of one
    action by one identity.
    """
    random = Random(f"{seed} {day}")  # noqa: S311 the same day in every run
    actions = mix.unnamed + mix.few + mix.some + mix.unbounded
    weights = [1 / rank for rank in range(1, actions + 1)]
    calls: list[Call] = []
    while len(calls) < events:
        identity, [action] = random.randrange(identities), random.choices(range(actions), weights)
        second = random.uniform(0, DAY_SECONDS - 1)
        length = 1 if burst == 1 else 1 + round(random.expovariate(1 / (burst - 1)))
        for _ in range(min(length, events - len(calls))):
            arn = _Named(mix, identity, action).arn(f"{date_of(day)}/part-{len(calls):06d}", random)
            calls.append(Call(second + random.expovariate(1 / DELAY_SECONDS), second, identity, action, arn))
            second = min(second + random.expovariate(1 / STEP_SECONDS), DAY_SECONDS - 1)
    return sorted(calls)


def date_of(day: int) -> date:
    """The date of a day by number."""
    return FIRST_DAY + timedelta(days=day)


def usages_of(batch: Sequence[Call], day: int) -> dict[IdentityKey, Usage]:
    """Fold a batch as the scorer does: one entry for each identity and action."""
    grouped: dict[tuple[int, int], list[Call]] = {}
    for call in batch:
        grouped.setdefault((call.identity, call.action), []).append(call)
    midnight = datetime.combine(date_of(day), time.min, UTC)
    usages: dict[IdentityKey, dict[str, UsageEntry]] = {}
    for (identity, number), calls in grouped.items():
        seconds = [call.second for call in calls]
        span = Span(midnight + timedelta(seconds=min(seconds)), midnight + timedelta(seconds=max(seconds)))
        arns = {call.arn for call in calls}
        resources = ANY_RESOURCE if "" in arns else Resources.of(arns)
        entry = UsageEntry(f"service:Action{number:02d}", {Evidence.OBSERVED: span}, resources, frozenset({REGION}))
        usages.setdefault(IdentityKey(ACCOUNT, f"AROA{identity:017d}"), {})[entry.action.lower()] = entry
    return {key: Usage(key.identity_id, entries) for key, entries in usages.items()}


class _Named(NamedTuple):
    """Which resources one action of one identity names."""

    mix: Mix
    identity: int
    action: int

    def arn(self, new: str, random: Random) -> str:
        """The resource of one call; `new` is a name that no call had before."""
        # The sorts are dealt out over the ranks, so that each has actions that are called often and seldom.
        sort = self.action * 7 % (self.mix.unnamed + self.mix.few + self.mix.some + self.mix.unbounded)
        if (sort := sort - self.mix.unnamed) < 0:
            return ""
        if (sort := sort - self.mix.few) < 0:
            number = random.randrange(1 + (self.identity + self.action) % 3)
            return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{self.action:02d}-{number}"
        if sort < self.mix.some:
            number = random.randrange(4 + (self.identity + self.action) % 17)
            return f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/app-{self.action:02d}/{number:02d}"
        return f"arn:aws:s3:::data-{self.identity:02d}/dt={new}"
