"""What a call proves about its caller's permissions: which actions, how surely, and on what. Pure.

The rules and what was weighed are in docs/decisions/0007-what-a-record-proves.md.
"""

from collections.abc import Iterator, Mapping
from enum import Enum, StrEnum, auto
from typing import NamedTuple

from services.scorer.trail.record import API_CALL
from services.scorer.usage.caller import CallerKind
from services.scorer.usage.calls import Call
from services.scorer.usage.outcome import Outcome
from shared.iam.operations import PASS_ROLE, OperationActions, OperationMap, Unmapped, UnmappedReason
from shared.model.usage import Evidence


class SkipReason(StrEnum):
    """Why a record adds nothing to the ledger."""

    MALFORMED = "malformed"  # an API call that lacks a field which every API call has
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


_SKIP_OF_TYPE: Mapping[str, SkipReason] = {
    "AwsConsoleSignIn": SkipReason.CONSOLE_SIGN_IN,
    "AwsConsoleSignin": SkipReason.CONSOLE_SIGN_IN,  # the documentation's examples have both spellings
    "AwsServiceEvent": SkipReason.SERVICE_EVENT,
}
_SKIP_OF_CALLER: Mapping[CallerKind, SkipReason] = {
    CallerKind.ROOT: SkipReason.ROOT,
    CallerKind.AWS_SERVICE: SkipReason.AWS_SERVICE,
    CallerKind.FEDERATED: SkipReason.FEDERATED,
    CallerKind.OTHER_ACCOUNT: SkipReason.OTHER_ACCOUNT,
    CallerKind.IDENTITY_CENTER: SkipReason.IDENTITY_CENTER,
}


class Scope(Enum):
    """On which resources an action was used."""

    NAMED = auto()  # those that the call named, if that was certain
    ROLES = auto()  # the roles that the call passed
    ANY = auto()
    NONE = auto()  # it was refused: neither resources nor regions


class Proof(NamedTuple):
    """One action, as `prefix:Name`, and what a call proves of it."""

    action: str
    evidence: Evidence
    scope: Scope


def skip_of(call: Call) -> SkipReason | None:
    """Tell why a call is nobody's use of a permission, without looking at the operation; None where it may be one."""
    if call.event_type != API_CALL:
        return skip_of_type(call.event_type)
    if not call.complete:
        return SkipReason.MALFORMED
    if call.caller.identity_id is None:
        return _SKIP_OF_CALLER.get(call.caller.kind, SkipReason.UNKNOWN_CALLER)
    return None


def skip_of_type(event_type: str) -> SkipReason:
    """Tell why a record of a type other than an API call is nobody's use of a permission."""
    return _SKIP_OF_TYPE.get(event_type, SkipReason.NOT_AN_API_CALL)


def proofs_of(call: Call, operations: OperationMap) -> tuple[Proof, ...] | SkipReason:
    """Tell what each record of an identity's call proves: one proof an action, or why there is none.

    A call that passed observes its primary action; one that the reference doesn't know, the action of its own name. A
    refused one is denied, and where the message names the refused action, that one too. Of a call that failed perhaps
    before authorization, every action is only possible.
    """
    actions = _actions_of(call.event_source, call.event_name, operations)
    if isinstance(actions, Unmapped):
        return SkipReason(actions.reason.value)
    return tuple(_denied(call, actions) if call.outcome is Outcome.DENIED else _allowed(call, actions))


def primary_action_of(event_source: str, event_name: str, operations: OperationMap) -> str | None:
    """Action whose resources an allowed call names; None where it has none that is sure."""
    actions = _actions_of(event_source, event_name, operations)
    return None if isinstance(actions, Unmapped) else actions.primary


def _actions_of(event_source: str, event_name: str, operations: OperationMap) -> OperationActions | Unmapped:
    """Actions of an operation; of one that the reference doesn't know, those that its name tells."""
    found = operations.actions_of(event_source, event_name)
    if isinstance(found, Unmapped) and found.reason is not UnmappedReason.NO_ACTION:
        return operations.presumed_actions(event_source, event_name) or found
    return found


def _allowed(call: Call, actions: OperationActions) -> Iterator[Proof]:
    """Prove what a call needed that AWS let pass, or perhaps did."""
    sure = call.outcome is Outcome.PASSED
    if actions.primary:
        yield Proof(actions.primary, Evidence.OBSERVED if sure else Evidence.POSSIBLE, Scope.NAMED)
    for action in actions.possible:
        yield Proof(action, Evidence.POSSIBLE, Scope.ANY)
    if actions.passes_role:
        # A role can also be passed out of sight, by a launch template or a default: without a name it stays possible.
        named = sure and call.names_role
        yield Proof(PASS_ROLE, Evidence.INFERRED if named else Evidence.POSSIBLE, Scope.ROLES)


def _denied(call: Call, actions: OperationActions) -> Iterator[Proof]:
    """Prove what was wanted in vain: no resources and no regions, so that a denied wish can't widen anything."""
    # Who was refused something unknown has not been refused to pass a role, unless the message says so.
    unnamed = (action for action in actions.possible if action != PASS_ROLE)
    for action in sorted(filter(None, {actions.primary, call.denied_action})) or unnamed:
        yield Proof(action, Evidence.DENIED, Scope.NONE)
