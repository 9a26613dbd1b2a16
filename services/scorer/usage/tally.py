"""Adds up records by the hundred thousand: the hot part of usage. Pure.

Each record costs three looks into dictionaries, a comparison of times and, where its resources matter, a look at these.
What makes that fast: a record's *shape*, the dozen short texts that decide its call, is taken in two parts. Who called
and what was called are few, so that both stay in the processor's cache; their pairs are many, but a new one is made
from what is known of its parts. Requests are read only for actions whose resources are still of interest, and then only
the parameters that are needed (`resources`). What it costs: the shape repeats what `call_of` reads, and both must agree
(`_who_of` and `_what_of` say when they do), which a test with a slow and plain reference holds. All caches are bounded;
what grows is the number of calls: identities by operations, regions and outcomes.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from services.scorer.trail.record import API_CALL, Issuer, Record, UserIdentity
from services.scorer.usage.caller import ACCOUNT_ID, Caller, CallerKind, issuer_of, resolve_caller
from services.scorer.usage.calls import AUTO_SCALING, Call, Place, Seen, call_of, caller_in_call, passes_role, place_of
from services.scorer.usage.counted import Counted, pack, unpack
from services.scorer.usage.evidence import primary_action_of, skip_of
from services.scorer.usage.folded import Folded, NamedKey, fold_groups, identity_of
from services.scorer.usage.groups import NOTHING_NAMED, Group, Named
from services.scorer.usage.outcome import Outcome, denied_action_of
from services.scorer.usage.parameters import NO_ROLES, roles_in
from services.scorer.usage.resources import ResourceRule, rule_of
from shared.iam.operations import PASS_ROLE, OperationMap
from shared.model.resources import ANY_RESOURCE
from shared.model.unique_ids import ROLE_ID_PREFIX

MAX_SHAPES = 65_536
_BEGINNING, _END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_NOBODY = UserIdentity()
_PASS_ROLE = PASS_ROLE.lower()
_BY_ISSUER = frozenset({"AssumedRole", "FederatedUser"})
_BY_THEMSELVES = frozenset({"IAMUser", "AWSService", "Root"})

Key: TypeAlias = tuple[str | bool | None, ...]


class _Operation(NamedTuple):
    """What is needed of an operation: its primary action, in lower case, how to tell that one's resources."""

    action: str | None
    rule: ResourceRule | None
    passes_role: bool


class _What:
    """What was called, with which outcome and where: all of a call but its caller and account.

    `operation` is None where nothing can be learnt of resources. Compared by identity, which costs nothing. The keys
    are those of the record that came first: all pairs share them, so that these texts stay in the processor's cache.
    """

    __slots__ = ("key", "name_key", "operation", "rest")

    def __init__(self, name_key: Key, key: Key, call: Call, operation: _Operation | None) -> None:
        self.name_key = name_key
        self.key = key
        self.rest = call[2:]
        self.operation = operation


class _Who:
    """Who called in which account's trail, and the groups of what was called.

    `latest` holds those that came last by name and region, with the rest of what settles them.
    """

    __slots__ = ("account_id", "caller", "groups", "key", "latest")

    def __init__(self, key: Key, caller: Caller, account_id: str) -> None:
        self.key = key
        self.caller = caller
        self.account_id = account_id
        self.groups: dict[_What, Group] = {}
        self.latest: dict[Key, tuple[Key, Group]] = {}


_NO_ONE_YET = _Who((), Caller(CallerKind.UNKNOWN, None, None, None), "")
_NOTHING_YET: tuple[Key, Group] = ((), Group(0, _END, _BEGINNING))


class Tally:
    """Counts calls of one feed, from records or from calls that were aggregated elsewhere.

    The same set of records gives the same usages, ARNs and coverage, however ordered, repeated, or split into tallies
    that are joined. A tally can be pickled; what comes back can be joined into another one, but not added to or folded,
    since it doesn't carry the map of operations.
    """

    def __init__(self, operations: OperationMap, *, feed: str) -> None:
        """Begin with nothing; `feed` names the source in the coverage."""
        self.feed = feed
        self.groups: dict[Call, Group] = {}
        self.named: dict[NamedKey, Named] = {}
        self.days: dict[Place, set[date]] = {}
        self._nowhere: set[date] = set()  # days that prove nothing
        self._operations = operations
        self._operation = lru_cache(maxsize=8_192)(self._operation_of)
        self._whats: dict[Key, _What] = {}
        self._whos: dict[Key, _Who] = {}
        self._latest: dict[str | None, _Who] = {}  # by unique id
        self._pairs = 0  # of who and what that are kept at hand

    def add(self, records: Iterable[Record]) -> None:
        """Add records in any order; one that can't be used is counted under its reason, never raised."""
        latest = self._latest
        for record in records:
            who = record.user_identity or _NOBODY
            giver: UserIdentity | Issuer = who
            if who.session_context is not None:
                issuer = who.session_context.session_issuer
                if issuer is not None and issuer.principal_id:
                    giver = issuer
            time = record.event_time
            if time.tzinfo is not UTC:
                time = _in_utc(time)
            known = latest.get(giver.principal_id, _NO_ONE_YET)
            who_key = (giver.arn, who.type, who.account_id, record.recipient_account_id)
            what_key = (
                record.event_source,
                record.error_code,
                record.event_type,
                record.event_category,
                record.management_event,
                record.read_only,
            )
            pair = known.latest.get((record.event_name, record.aws_region), _NOTHING_YET)
            if pair[0] == what_key and known.key == who_key:
                group = pair[1]
            else:
                group = self._group_of(record, time, giver.principal_id, who_key, what_key)
            group.count += 1
            if time > group.last:
                group.last = time
            elif time < group.first:
                group.first = time
            day = time.date()
            if day not in group.days:
                group.days.add(day)
            rule = group.named.rule
            if rule is not None:
                group.named.note(record, rule)

    def add_call(self, call: Call, seen: Seen) -> None:
        """Add what was seen of a call by somebody who aggregated records by it (times in UTC)."""
        self._group(call, seen.first).absorb(seen.count, seen.first, seen.last)
        self._days_of(call).update(seen.days)
        if skip_of(call) is None and call.outcome is not Outcome.DENIED:
            operation = self._operation(call.event_source, call.event_name)
            if operation.action:
                self._named(call, operation.action).widen(seen.resources)
            if operation.passes_role:
                self._named(call, _PASS_ROLE).widen(seen.roles)

    def join(self, other: "Tally") -> None:
        """Add what another tally of the same feed counted; raises ValueError for another feed."""
        if other.feed != self.feed:
            raise ValueError(f"a tally of {other.feed!r} can't be joined into one of {self.feed!r}")
        for call, group in other.groups.items():
            self._group(call, group.first).absorb(group.count, group.first, group.last)
        for key, named in other.named.items():
            self.named.setdefault(key, Named()).absorb(named)
        for place, days in other.days.items():
            self.days.setdefault(place, set()).update(days)

    def folded(self) -> Folded:
        """Say what all records together prove."""
        return fold_groups(self.groups, self.named, self.days, self._operations, feed=self.feed)

    @property
    def remembered(self) -> int:
        """How many callers, things called and pairs of them are kept at hand: about MAX_SHAPES at most."""
        return len(self._whos) + len(self._whats) + self._pairs

    def _group(self, call: Call, time: datetime) -> Group:
        group = self.groups.get(call)
        if group is None:
            group = self.groups[call] = Group(0, time, time)
        return group

    def _group_of(self, record: Record, time: datetime, unique_id: str | None, who_key: Key, what_key: Key) -> Group:
        """Find the group of a record that is not of the latest, and remember it where the keys settle it."""
        if self.remembered >= MAX_SHAPES:
            self._forget()
        who = self._who_of(record, unique_id, who_key)
        what = self._what_of(record, what_key, who) if who else None
        if who is None or what is None:
            return self._group_of_one(record, time, who.caller if who else None)
        if (group := who.groups.get(what)) is None:
            call = Call(who.caller, who.account_id, *what.rest)
            group = who.groups[what] = self._begun(call, time, what.operation)
            self._pairs += 1
        if not record.error_code:
            who.latest[what.name_key] = (what.key, group)
        return group

    def _group_of_one(self, record: Record, time: datetime, caller: Caller | None) -> Group:
        """Find the group of a record that has to be read whole."""
        call = call_of(record, self._operations, caller=caller)
        operation = self._operation_that_names(call)
        group = self._begun(call, time, operation)
        if operation and operation.passes_role and call.caller.identity_id:
            roles = roles_in(record.request_parameters) if call.names_role else NO_ROLES
            self._named(call, _PASS_ROLE).add(roles.arns if roles.arns and not roles.otherwise else None)
        return group

    def _begun(self, call: Call, time: datetime, operation: _Operation | None) -> Group:
        group = self._group(call, time)
        group.days = self._days_of(call)
        if operation is not None and call.caller.identity_id is not None:
            group.named = self._named_by(call, operation)
        return group

    def _who_of(self, record: Record, unique_id: str | None, key: Key) -> _Who | None:
        """Who made a call, where unique id and key settle that: not in a session without an issuer."""
        if (known := self._whos.get((unique_id, *key))) is not None:
            self._latest[unique_id] = known
            return known
        who, account_id = record.user_identity, record.recipient_account_id
        if who is None or not account_id or not ACCOUNT_ID.fullmatch(account_id):
            return None
        types = _BY_THEMSELVES if issuer_of(who) is None else _BY_ISSUER
        if who.type not in types or (types is _BY_ISSUER and not who.account_id):
            return None
        if who.type == "AssumedRole" and not (unique_id or "").startswith(ROLE_ID_PREFIX):
            return None  # then the session's own id decides, which is no part of the key
        caller = caller_in_call(resolve_caller(who, account_id), account_id)
        known = self._whos[(unique_id, *key)] = self._latest[unique_id] = _Who(key, caller, account_id)
        return known

    def _what_of(self, record: Record, key: Key, who: _Who) -> _What | None:
        """What was called, where the key settles that: requests may tell of another service, or of a passed role."""
        name_key = (record.event_name, record.aws_region)
        # A refusal is settled by its keys and the action that was refused.
        refused = denied_action_of(record.error_message) if record.error_code else None
        whole = (*name_key, *key, refused)
        if (known := self._whats.get(whole)) is not None:
            return known
        source, name = record.event_source or "", record.event_name or ""
        if source == AUTO_SCALING or passes_role(source, name, self._operations):
            return None
        call = call_of(record, self._operations, caller=who.caller)
        known = self._whats[whole] = _What(name_key, key, call, self._operation_that_names(call))
        return known

    def _forget(self) -> None:
        self._latest.clear()
        self._whos.clear()
        self._whats.clear()
        self._pairs = 0

    def _operation_that_names(self, call: Call) -> _Operation | None:
        """The operation of a call, where its uses name resources if its caller is an identity."""
        if call.event_type != API_CALL or not call.complete or call.outcome is Outcome.DENIED:
            return None
        return self._operation(call.event_source, call.event_name)

    def _named_by(self, call: Call, operation: _Operation) -> Named:
        if operation.action is None:
            return NOTHING_NAMED
        named = self._named(call, operation.action)
        if operation.rule is None:  # one such operation opens the action's resources for good, whichever came first
            named.widen(ANY_RESOURCE)
        elif not named.resources.is_any:
            named.rule = operation.rule
        return named

    def _named(self, call: Call, action: str) -> Named:
        key = (identity_of(call), action)
        if (named := self.named.get(key)) is None:
            named = self.named[key] = Named()
        return named

    def _operation_of(self, event_source: str, event_name: str) -> _Operation:
        action = primary_action_of(event_source, event_name, self._operations)
        return _Operation(
            action.lower() if action else None,
            rule_of(action, event_name, self._operations) if action else None,
            passes_role(event_source, event_name, self._operations),
        )

    def _days_of(self, call: Call) -> set[date]:
        """Days on which a trail was seen where the call was made; those of calls that can't tell go nowhere."""
        place = place_of(call)
        return self._nowhere if place is None else self.days.setdefault(place, set())

    def __getstate__(self) -> bytes:
        """Take along what was counted, and nothing that can't leave the process."""
        return pack(Counted(self.feed, self.groups, self.named, self.days))

    def __setstate__(self, state: bytes) -> None:
        """Bring back what was counted."""
        self.feed, self.groups, self.named, self.days = unpack(state)


def _in_utc(time: datetime) -> datetime:
    """The same moment in UTC; one beyond the calendar becomes its first or last moment."""
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return _BEGINNING if time.year == 1 else _END
