"""What all records together say: usage by identity, the accounts' coverage, and counts. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import TypeAlias

from services.scorer.usage.caller import CallerKind
from services.scorer.usage.calls import Call, Place
from services.scorer.usage.evidence import Proof, Scope, SkipReason, proofs_of, skip_of
from services.scorer.usage.groups import Group, Named
from shared.iam.operations import OperationMap
from shared.model.resources import ANY_RESOURCE, NO_RESOURCE
from shared.model.usage import Coverage, DaySeen, Evidence, IdentityKey, Span, Usage, UsageEntry

NamedKey: TypeAlias = tuple[IdentityKey, str]
"""Identity and lower-case action."""
NamedProofs: TypeAlias = list[tuple[str, Proof]]
"""What a call proves, by lower-case action."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What a set of records adds up to.

    `usages` hold entries only, since coverage is the account's and not an identity's. `arns` are those that the latest
    record of each identity told. `callers` and `skipped` count records, and a record that came twice counts twice.
    """

    usages: Mapping[IdentityKey, Usage] = field(default_factory=dict)
    arns: Mapping[IdentityKey, str] = field(default_factory=dict)
    coverage: Mapping[str, Coverage] = field(default_factory=dict)
    callers: Mapping[CallerKind, int] = field(default_factory=dict)
    skipped: Mapping[SkipReason, int] = field(default_factory=dict)
    records: int = 0


class _Use:
    """An entry in the making: everything known so far of one action of one identity, but the resources."""

    __slots__ = ("action", "anywhere", "regions", "spans")

    def __init__(self, action: str) -> None:
        self.action = action
        self.spans: dict[Evidence, list[datetime]] = {}  # first and last, in place: a Span is slow to make
        self.regions: set[str] = set()
        self.anywhere = False  # whether one use left the resources open

    def add(self, proof: Proof, region: str, group: Group) -> None:
        span = self.spans.get(proof.evidence)
        if span is None:
            self.spans[proof.evidence] = [group.first, group.last]
        else:
            span[0] = min(span[0], group.first)
            span[1] = max(span[1], group.last)
        if proof.scope is not Scope.NONE:
            self.regions.add(region)
            self.anywhere = self.anywhere or proof.scope is Scope.ANY

    def entry(self, named: Named | None) -> UsageEntry:
        resources = ANY_RESOURCE if self.anywhere else named.settle() if named else NO_RESOURCE
        if self.regions and resources == NO_RESOURCE:
            resources = ANY_RESOURCE  # used, and nobody said on what
        spans = {evidence: Span(first, last) for evidence, (first, last) in self.spans.items()}
        return UsageEntry(self.action, MappingProxyType(spans), resources, frozenset(self.regions))


def fold_groups(
    groups: Mapping[Call, Group],
    named: Mapping[NamedKey, Named],
    days: Mapping[Place, Iterable[date]],
    operations: OperationMap,
    *,
    feed: str,
) -> Folded:
    """Work out what each call proves, and add it up by identity.

    `named` are the resources by identity and action; `days` are those seen of each account and region.
    """
    uses: dict[IdentityKey, dict[str, _Use]] = {}
    told: dict[IdentityKey, tuple[datetime, str]] = {}
    callers: Counter[CallerKind] = Counter()
    skipped: Counter[SkipReason] = Counter()
    proofs_of_call = _remembering(operations)
    for call, group in groups.items():
        caller = call.caller
        callers[caller.kind] += group.count
        proofs = skip_of(call) or proofs_of_call(call)
        if isinstance(proofs, SkipReason):
            skipped[proofs] += group.count
            continue
        key = identity_of(call)
        of_identity = uses.setdefault(key, {})
        for action, proof in proofs:
            use = of_identity.get(action)
            if use is None:
                use = of_identity[action] = _Use(proof.action)
            use.add(proof, call.region, group)
        if caller.arn:
            latest = (group.last, caller.arn)
            told[key] = max(told.get(key, latest), latest)
    entries = {key: {name: use.entry(named.get((key, name))) for name, use in of.items()} for key, of in uses.items()}
    return Folded(
        usages={key: Usage(key.identity_id, of_identity) for key, of_identity in entries.items()},
        arns={key: arn for key, (_, arn) in told.items()},
        coverage=_coverage(days, feed),
        callers=dict(callers),
        skipped=dict(skipped),
        records=callers.total(),
    )


def identity_of(call: Call) -> IdentityKey:
    """Whose use a call is, which has to be an identity's."""
    return IdentityKey(str(call.caller.account_id), str(call.caller.identity_id))


def _remembering(operations: OperationMap) -> Callable[[Call], NamedProofs | SkipReason]:
    """Work out proofs, by lower-case action, once for all callers of the same operation with the same outcome."""
    known: dict[tuple[object, ...], NamedProofs | SkipReason] = {}

    def proofs(call: Call) -> NamedProofs | SkipReason:
        what = (call.event_source, call.event_name, call.outcome, call.denied_action, call.names_role)
        if (found := known.get(what)) is None:
            proved = proofs_of(call, operations)
            found = proved if isinstance(proved, SkipReason) else [(one.action.lower(), one) for one in proved]
            known[what] = found
        return found

    return proofs


def _coverage(days: Mapping[Place, Iterable[date]], feed: str) -> dict[str, Coverage]:
    """What was seen of each account; records never say that the data events of every resource are recorded."""
    seen: dict[str, dict[date, DaySeen]] = {}
    for place, on in days.items():
        what = DaySeen(frozenset({place.region}), frozenset({feed}), reads=place.reads)
        of_account = seen.setdefault(place.account_id, {})
        for day in on:
            of_account[day] = of_account[day].join(what) if day in of_account else what
    return {account_id: Coverage(of_account) for account_id, of_account in seen.items() if of_account}
