"""From CloudTrail records to the usage ledger: which action of which identity was observed, possible or denied. Pure.

What a record says about resources, and what it leaves open, decides how far a policy may later be narrowed. So an
entry's `resources` are the ARNs that all its uses named, and None ("any") as soon as one use didn't name its resource.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from services.scorer.caller import Caller, CallerKind, resolve_identity
from services.scorer.cloudtrail import API_CALL, CloudTrailRecord
from services.scorer.outcome import Outcome, outcome_of
from shared.iam.operations import PASS_ROLE, OperationActions, OperationMap, Unmapped, UnmappedReason
from shared.model.usage import Coverage, Evidence, Span, Usage, UsageEntry, join_resources


class SkipReason(StrEnum):
    """Why a record adds nothing to the ledger."""

    SERVICE_EVENT = "service_event"
    CONSOLE_SIGN_IN = "console_sign_in"
    NOT_AN_API_CALL = "not_an_api_call"
    UNKNOWN_SERVICE = "unknown_service"
    UNKNOWN_OPERATION = "unknown_operation"
    NO_ACTION = "no_action"
    ROOT = "root"
    AWS_SERVICE = "aws_service"
    FEDERATED = "federated"
    OTHER_ACCOUNT = "other_account"
    IDENTITY_CENTER = "identity_center"
    UNKNOWN_CALLER = "unknown_caller"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record that adds nothing to the ledger."""

    reason: SkipReason


class IdentityKey(NamedTuple):
    """Names an identity in the ledger; its ARN isn't always known."""

    account_id: str
    identity_id: str


@dataclass(frozen=True, slots=True)
class Folded:
    """What a batch of records adds up to.

    `usages` hold entries only, since coverage is the account's and not an identity's. `arns` are those that the latest
    record of each identity told. `callers` and `skipped` count records, and a record that came twice counts twice.
    """

    usages: Mapping[IdentityKey, Usage] = field(default_factory=dict)
    arns: Mapping[IdentityKey, str] = field(default_factory=dict)
    coverage: Mapping[str, Coverage] = field(default_factory=dict)
    callers: Mapping[CallerKind, int] = field(default_factory=dict)
    skipped: Mapping[SkipReason, int] = field(default_factory=dict)
    records: int = 0


_REASON_OF_TYPE: Mapping[str, SkipReason] = {
    "AwsConsoleSignIn": SkipReason.CONSOLE_SIGN_IN,
    "AwsServiceEvent": SkipReason.SERVICE_EVENT,
}
_REASON_OF_CALLER: Mapping[CallerKind, SkipReason] = {
    CallerKind.ROOT: SkipReason.ROOT,
    CallerKind.AWS_SERVICE: SkipReason.AWS_SERVICE,
    CallerKind.FEDERATED: SkipReason.FEDERATED,
    CallerKind.OTHER_ACCOUNT: SkipReason.OTHER_ACCOUNT,
    CallerKind.IDENTITY_CENTER: SkipReason.IDENTITY_CENTER,
}


def uses_of(record: CloudTrailRecord, operations: OperationMap) -> tuple[UsageEntry, ...] | Skipped:
    """Tell what one record proves about its caller's permissions: one entry an action, or why there is none.

    A call that passed observes its primary action; one that the reference doesn't know, the action of its own name. A
    refused one is denied, and where the message names the refused action, that one too. Of a call that failed perhaps
    before authorization, every action is only possible.
    """
    if record.event_type != API_CALL:
        return _not_a_call(record)
    actions = operations.actions_of(record.event_source, record.event_name)
    if isinstance(actions, Unmapped):
        presumed = operations.presumed_action(record.event_source, record.event_name)
        if actions.reason is UnmappedReason.NO_ACTION or presumed is None:
            return Skipped(SkipReason(actions.reason.value))
        actions = OperationActions(presumed, (), passes_role=False)
    outcome = outcome_of(record)
    if outcome is Outcome.DENIED:
        return tuple(_denied(record, actions, operations))
    return tuple(_allowed(record, actions, sure=outcome is Outcome.PASSED))


def fold(records: Iterable[CloudTrailRecord], operations: OperationMap, *, feed: str) -> Folded:
    """Add up records: the same set of them gives the same usages, ARNs and coverage, however ordered or repeated."""
    usages: dict[IdentityKey, dict[str, UsageEntry]] = {}
    arns: dict[IdentityKey, tuple[datetime, str]] = {}
    sightings: set[_Sighting] = set()
    callers: Counter[CallerKind] = Counter()
    skipped: Counter[SkipReason] = Counter()
    for record in records:
        caller = resolve_identity(record)
        callers[caller.kind] += 1
        if account_id := record.account_id or caller.account_id:
            sightings.add(_Sighting(account_id, record.event_time.date(), record.region))
        attributed = _attribute(record, caller, operations)
        if isinstance(attributed, Skipped):
            skipped[attributed.reason] += 1
            continue
        key, uses = attributed
        _join_into(usages.setdefault(key, {}), uses)
        if caller.arn:
            told = (record.event_time, caller.arn)
            arns[key] = max(arns.get(key, told), told)
    return Folded(
        usages={key: Usage(key.identity_id, entries) for key, entries in usages.items()},
        arns={key: arn for key, (_, arn) in arns.items()},
        coverage=_coverage(sightings, feed),
        callers=dict(callers),
        skipped=dict(skipped),
        records=callers.total(),
    )


class _Sighting(NamedTuple):
    """One account's trail seen on one day (UTC) in one region."""

    account_id: str
    day: date
    region: str


def _attribute(
    record: CloudTrailRecord, caller: Caller, operations: OperationMap
) -> tuple[IdentityKey, tuple[UsageEntry, ...]] | Skipped:
    """Give a record's uses to the identity whose permissions it used; calls of everybody else are only counted."""
    if caller.identity_id is None or caller.account_id is None:
        of_caller = Skipped(_REASON_OF_CALLER.get(caller.kind, SkipReason.UNKNOWN_CALLER))
        return of_caller if record.event_type == API_CALL else _not_a_call(record)
    uses = uses_of(record, operations)
    return uses if isinstance(uses, Skipped) else (IdentityKey(caller.account_id, caller.identity_id), uses)


def _not_a_call(record: CloudTrailRecord) -> Skipped:
    return Skipped(_REASON_OF_TYPE.get(record.event_type, SkipReason.NOT_AN_API_CALL))


def _coverage(sightings: Iterable[_Sighting], feed: str) -> dict[str, Coverage]:
    """What was seen. A data event is a use, but never says that data events are recorded of every resource."""
    coverage: dict[str, Coverage] = {}
    for account_id, day, region in sightings:
        seen = Coverage(frozenset({day}), frozenset({region}), frozenset({feed}))
        coverage[account_id] = coverage[account_id].join(seen) if account_id in coverage else seen
    return coverage


def _allowed(record: CloudTrailRecord, actions: OperationActions, *, sure: bool) -> Iterator[UsageEntry]:
    """Entries of a call that AWS let pass, or perhaps did."""
    if actions.primary:
        kind = Evidence.OBSERVED if sure else Evidence.POSSIBLE
        yield _entry(record, actions.primary, kind, _bounded(record.resource_arns))
    for action in actions.possible:
        yield _entry(record, action, Evidence.POSSIBLE, None)
    if actions.passes_role:
        # A role can also be passed out of sight, by a launch template or a default: without a name it stays possible.
        kind = Evidence.INFERRED if sure and (record.role_arns or record.names_role) else Evidence.POSSIBLE
        yield _entry(record, PASS_ROLE, kind, None if record.names_role else _bounded(record.role_arns))


def _denied(record: CloudTrailRecord, actions: OperationActions, operations: OperationMap) -> Iterator[UsageEntry]:
    """Entries of a refused call: no resources and no regions, so that a denied wish can't widen anything."""
    named = record.denied_action
    wanted = {actions.primary, named if named and operations.has_action(named) else None} - {None}
    span = Span(record.event_time, record.event_time)
    for action in sorted(filter(None, wanted)) or actions.possible:
        yield UsageEntry(action, MappingProxyType({Evidence.DENIED: span}))


def _bounded(arns: frozenset[str]) -> frozenset[str] | None:
    """The resources that a use named: None where it named none, or more than the ledger keeps."""
    return join_resources(arns, arns) if arns else None


def _entry(record: CloudTrailRecord, action: str, kind: Evidence, resources: frozenset[str] | None) -> UsageEntry:
    span = Span(record.event_time, record.event_time)
    return UsageEntry(action, MappingProxyType({kind: span}), resources, frozenset({record.region}))


def _join_into(entries: dict[str, UsageEntry], uses: Iterable[UsageEntry]) -> None:
    for use in uses:
        key = use.action.lower()
        entries[key] = entries[key].join(use) if key in entries else use
