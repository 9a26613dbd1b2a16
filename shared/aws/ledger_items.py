"""Items of the usage ledger: what stands in them, and how they are read back.

An item holds one fact: a UsageEntry, or a DaySeen. No fact can exceed the 409,600 bytes that DynamoDB takes: resources
have at most 20 families of at most 4,096 characters, each at most two bytes of UTF-8, which makes 163,840 bytes, and
1,200 for the 400 texts; 100 regions take 4,300, 1,000 data event services 67,000, keys, times and names less than
2,000. What is usual is below one kilobyte, which is one write unit.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, TypeAlias

import msgspec

from shared.aws.dynamodb import Item, Key
from shared.errors import InputError
from shared.model.resources import Resources
from shared.model.usage import DaySeen, Evidence, IdentityKey, Span, UsageEntry

Fact: TypeAlias = UsageEntry | DaySeen

FORMAT = 1  # of items; a release whose items this one would misread counts it up
ACTIONS, DAYS = "ACTION#", "DAY#"
MAX_REGIONS = 100  # of one item; AWS has some forty
MAX_DATA_EVENTS = 1_000  # services of one day; AWS has some five hundred

_ACCOUNT = re.compile(r"[0-9]{12}")
_IDENTITY = re.compile(r"\w{1,128}", re.ASCII)  # IAM API reference, idType
_ACTION = re.compile(r"[a-z0-9-]{1,64}:[a-z0-9]{1,128}")
_REGION = re.compile(r"[a-z0-9-]{1,40}")
_NAME = re.compile(r"[a-z0-9-]{1,64}")

_Time: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]


class _StoredEntry(msgspec.Struct):
    sk: str
    action: str
    spans: Annotated[dict[Evidence, tuple[_Time, _Time]], msgspec.Meta(min_length=1)]
    resources: list[str] | None
    regions: frozenset[str]
    version: int
    expires_at: int

    def __post_init__(self) -> None:
        if self.sk != f"{ACTIONS}{self.action.lower()}":
            raise ValueError("the action is not the one of the key")
        if any(first > last for first, last in self.spans.values()):
            raise ValueError("a last time before the first")


class _StoredDay(msgspec.Struct):
    regions: frozenset[str]
    feeds: frozenset[str]
    data_events: frozenset[str]
    version: int
    expires_at: int
    reads: bool = False  # absent where it was not looked for


def identity_partition(identity: IdentityKey) -> str:
    """Partition of all that an identity did; raises InputError for ids as AWS gives none: two could share a key."""
    if not _IDENTITY.fullmatch(identity.identity_id):
        raise InputError("usage ledger: not the unique id of an identity")
    return f"IDENTITY#{_account(identity.account_id)}#{identity.identity_id}"


def account_partition(account_id: str) -> str:
    """Partition of the days on which an account's trail was seen; raises InputError for what is no account id."""
    return f"ACCOUNT#{_account(account_id)}"


def entry_key(identity: IdentityKey, action: str) -> Key:
    """Key of what an identity did with one action in any spelling; raises InputError for what is no action."""
    if not _ACTION.fullmatch(action.lower()):
        raise InputError(f"usage ledger: {identity_partition(identity)}: not an action")
    return identity_partition(identity), f"{ACTIONS}{action.lower()}"


def day_key(account_id: str, day: date) -> Key:
    """Key of what an account's trail showed on one day; raises InputError for what is no account id."""
    return account_partition(account_id), f"{DAYS}{day.isoformat()}"


def day_of_key(key: Key) -> date:
    """The day that a key of `day_key` names; raises ValueError for any other."""
    return date.fromisoformat(key[1].removeprefix(DAYS))


def last_day(key: Key, fact: Fact) -> date:
    """The last day on which there was something to see: what an item's life is counted from."""
    if isinstance(fact, DaySeen):
        return day_of_key(key)
    return max(span.last for span in fact.spans.values()).astimezone(UTC).date()


def join_facts(one: Fact, other: Fact) -> Fact:
    """Join two facts of one key."""
    if isinstance(one, DaySeen) and isinstance(other, DaySeen):
        return one.join(other)
    if isinstance(one, UsageEntry) and isinstance(other, UsageEntry):
        return one.join(other)
    raise TypeError("facts of different keys")


def says_more(old: Fact, joined: Fact) -> bool:
    """Whether a join with `old` tells anything besides a later time of the last day (UTC): then it is written."""
    if isinstance(old, DaySeen) or isinstance(joined, DaySeen):
        return old != joined
    return (
        old.resources != joined.resources
        or old.regions != joined.regions
        or _to_the_day(old.spans) != _to_the_day(joined.spans)
    )


def as_known(entry: UsageEntry) -> UsageEntry:
    """What a stored entry lets us know: the last time only to the day, since later ones of that day aren't written.

    What may have been use was seen until the day's end, so that it never looks older than it is, and what was denied
    until the day's beginning, so that it never seems to explain what came after it. So an entry is the same for any
    order in which its uses came.
    """
    spans = {kind: _spread(span, until_end=kind is not Evidence.DENIED) for kind, span in entry.spans.items()}
    return UsageEntry(entry.action, spans, entry.resources, entry.regions)


def attributes_of(key: Key, fact: Fact) -> Item:
    """Attributes besides keys and bookkeeping; raises InputError where there is more of something than AWS has."""
    if len(fact.regions) > MAX_REGIONS or not all(map(_REGION.fullmatch, fact.regions)):
        raise InputError(f"usage ledger: {_shown(key)}: regions that AWS does not have")
    if isinstance(fact, DaySeen):
        if len(fact.data_events) > MAX_DATA_EVENTS or not all(map(_NAME.fullmatch, fact.data_events | fact.feeds)):
            raise InputError(f"usage ledger: {_shown(key)}: feeds or services that do not exist")
        return {
            "regions": sorted(fact.regions),
            "feeds": sorted(fact.feeds),
            "data_events": sorted(fact.data_events),
            "reads": fact.reads,
        }
    return {
        "action": fact.action,
        "spans": {kind.value: [_text(span.first), _text(span.last)] for kind, span in fact.spans.items()},
        "resources": fact.resources.patterns(),
        "regions": sorted(fact.regions),
    }


def entry_of(item: Mapping[str, Any]) -> UsageEntry:
    """What an item says of an action; attributes that are not known are left alone.

    Raises InputError, which names the key, for an item that another release wrote in another format or that was
    damaged: that is usage that can't be read, and never "no usage".
    """
    try:
        stored = msgspec.convert(_known_format(item), _StoredEntry)
        spans = {kind: Span(first, last) for kind, (first, last) in stored.spans.items()}
        return UsageEntry(stored.action, spans, Resources.of_patterns(stored.resources), stored.regions)
    except ValueError as error:  # and msgspec's ValidationError, which is one
        raise InputError(f"usage ledger: {_shown((item['pk'], item['sk']))}: can't be read: {error}") from error


def day_of(item: Mapping[str, Any]) -> DaySeen:
    """What an item says of a day; raises InputError as `entry_of` does."""
    try:
        day_of_key((item["pk"], item["sk"]))
        stored = msgspec.convert(_known_format(item), _StoredDay)
    except ValueError as error:
        raise InputError(f"usage ledger: {_shown((item['pk'], item['sk']))}: can't be read: {error}") from error
    return DaySeen(stored.regions, stored.feeds, stored.data_events, stored.reads)


def fact_of(item: Mapping[str, Any]) -> Fact:
    """What an item says; raises InputError as `entry_of` does."""
    return day_of(item) if item["sk"].startswith(DAYS) else entry_of(item)


def _known_format(item: Mapping[str, Any]) -> Mapping[str, Any]:
    if item.get("format") != FORMAT:
        raise ValueError("written by another release in a format that this one does not know")
    return item


def _account(account_id: str) -> str:
    if not _ACCOUNT.fullmatch(account_id):
        raise InputError("usage ledger: not an account id")
    return account_id


def _shown(key: Key) -> str:
    return " ".join(key)


def _to_the_day(spans: Mapping[Evidence, Span]) -> dict[Evidence, tuple[datetime, date]]:
    return {kind: (span.first, span.last.astimezone(UTC).date()) for kind, span in spans.items()}


def _spread(span: Span, *, until_end: bool) -> Span:
    midnight = span.last.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if until_end:
        return Span(span.first, midnight + timedelta(days=1, microseconds=-1))
    return Span(span.first, max(span.first, midnight))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
