"""From an API call in CloudTrail to the IAM actions that AWS authorizes for it: pure, over a compiled data file.

`data/operations.json.gz` holds what the AWS service reference says of each operation, and which of its actions a call
proves (`authorized.py` decides that when the file is compiled). How CloudTrail spells services and operations is in
`event_names.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from shared.iam import event_names

PASS_ROLE = "iam:PassRole"  # noqa: S105 an IAM action, no password
_REMEMBERED_CALLS = 16_384  # bounded: event names come from outside
_LONGEST_NAME = 256  # no service, operation or action is called anything longer


class UnmappedReason(StrEnum):
    """Why a call has no IAM action that could be named."""

    UNKNOWN_SERVICE = "unknown_service"
    UNKNOWN_OPERATION = "unknown_operation"  # not in the reference, or there without any action: AWS maps it later
    NO_ACTION = "no_action"  # a call that no IAM permission is needed for


@dataclass(frozen=True, slots=True)
class OperationActions:
    """The IAM actions of one operation, each as `prefix:Name` in the reference's spelling.

    `primary` is the action whose use a successful call proves. It is None where AWS checks one or another of several
    actions, depending on the request: a guess would be false evidence. `possible` holds the actions that AWS may have
    checked too. `passes_role` says that the operation checks iam:PassRole for the roles that a request names. Of an
    operation that the reference doesn't list nobody knows that, so that iam:PassRole is possible unless it only reads.
    """

    primary: str | None
    possible: tuple[str, ...]
    passes_role: bool


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A call that has no IAM action which could be named."""

    reason: UnmappedReason


class _Service(NamedTuple):
    """What the data file says of one service. Operations keep the words of their entry until somebody asks."""

    actions: Mapping[str, str]  # by name in lower case
    operations: Mapping[str, str]
    templates: tuple[str, ...]
    places: Mapping[str, str]  # of an action's templates: `0/2`


class OperationMap:
    """Answers which IAM actions AWS authorizes for a call, and on which kinds of resources.

    An instance never changes what it answers; it remembers the services that were asked for and the latest calls.
    """

    def __init__(self, artefact: Mapping[str, Any]) -> None:
        """Take the parsed data file: its shape is described in data/SOURCE.md."""
        self.source = str(artefact["source"])
        self._texts: Mapping[str, list[str]] = artefact["services"]
        self._services: dict[str, _Service] = {}
        self._resolve = lru_cache(_REMEMBERED_CALLS)(self._resolve_call)

    def actions_of(self, event_source: str, event_name: str) -> OperationActions | Unmapped:
        """Name the actions of a call by CloudTrail's `eventSource` (`ec2.amazonaws.com`) and `eventName`."""
        if len(event_source) > _LONGEST_NAME:
            return Unmapped(UnmappedReason.UNKNOWN_SERVICE)
        if len(event_name) > _LONGEST_NAME:
            return Unmapped(UnmappedReason.UNKNOWN_OPERATION)
        return self._resolve(event_source, event_name)

    def presumed_action(self, event_source: str, event_name: str) -> str | None:
        """The action that a call which the reference doesn't know most likely needed: the one of its own name.

        An API that is newer than the reference is used all the same, and AWS names actions after their operations.
        None where the names could be no action's.
        """
        prefixes = event_names.prefixes_of(event_source, self._texts)
        prefix = prefixes[0] if prefixes else event_names.label_of(event_source).rpartition(".")[2]
        return event_names.presumed(prefix, event_name)

    def presumed_actions(self, event_source: str, event_name: str) -> OperationActions | None:
        """What a call that the reference doesn't know most likely needed, and may have needed; None as above."""
        action = self.presumed_action(event_source, event_name)
        if action is None:
            return None
        return OperationActions(action, _perhaps_pass_role(action.partition(":")[0], event_name), passes_role=False)

    def has_action(self, action: str) -> bool:
        """Whether `prefix:Name` is a known action, in AWS's spelling."""
        prefix, _, name = action.partition(":")
        service = self._service(prefix)
        return service is not None and service.actions.get(name.lower()) == name

    def resource_templates(self, action: str) -> tuple[str, ...]:
        """ARN templates of the resource types that an action is checked on, sorted: `arn:${Partition}:sqs:${Region}…`.

        Empty for an action without resource types (its resource is `*`) and for an unknown one.
        """
        prefix, _, name = action.partition(":")
        service = self._service(prefix)
        if service is None or name not in service.places:
            return ()
        return tuple(service.templates[int(place)] for place in service.places[name].split("/"))

    def services(self) -> tuple[str, ...]:
        """Prefixes of all services, sorted."""
        return tuple(sorted(self._texts))

    def operations_of(self, prefix: str) -> tuple[str, ...]:
        """Names of the operations that the reference lists for a service, in its order."""
        service = self._service(prefix)
        return tuple(service.operations) if service else ()

    def known_actions_of(self, prefix: str) -> tuple[str, ...]:
        """Names of a service's known actions, in the file's order."""
        service = self._service(prefix)
        return tuple(service.actions.values()) if service else ()

    def operation(self, prefix: str, name: str) -> OperationActions | None:
        """Actions of an operation of the reference, by its service's prefix; None where the reference names none."""
        service = self._service(prefix)
        entry = service.operations.get(name) if service else None
        return None if entry is None else read_entry(prefix, name, entry)

    def _service(self, prefix: str) -> _Service | None:
        """Read one service's lines: the first time that it is asked for, since a trail names few of them."""
        if (service := self._services.get(prefix)) is None and prefix in self._texts:
            service = self._services[prefix] = _parse(*self._texts[prefix])
        return service

    def _resolve_call(self, event_source: str, event_name: str) -> OperationActions | Unmapped:
        prefixes = event_names.prefixes_of(event_source, self._texts)
        if not prefixes:
            return Unmapped(UnmappedReason.UNKNOWN_SERVICE)
        for name in event_names.spellings(event_name):
            if found := [actions for prefix in prefixes if (actions := self.operation(prefix, name))]:
                return _either(found)
        for name in event_names.spellings(event_name):
            for prefix in prefixes:
                if action := event_names.action_by_name(prefix, name, self._known(prefix)):
                    return OperationActions(action, _perhaps_pass_role(prefix, name), passes_role=False)
        return self._undecided(prefixes, event_name)

    def _known(self, prefix: str) -> Mapping[str, str]:
        service = self._service(prefix)
        return service.actions if service else {}

    def _undecided(self, prefixes: tuple[str, ...], event_name: str) -> OperationActions | Unmapped:
        """What is left: calls of the console alone, a new version of a known operation, and what nobody knows."""
        for prefix in prefixes:
            if possible := event_names.POSSIBLE_OF_CONSOLE_EVENT.get(f"{prefix}:{event_name}"):
                return OperationActions(None, possible, passes_role=False)
            if event_names.has_no_action(prefix, event_name):
                return Unmapped(UnmappedReason.NO_ACTION)
        for prefix in prefixes:
            if older := self._older_version(prefix, event_name):
                return older
        return Unmapped(UnmappedReason.UNKNOWN_OPERATION)

    def _older_version(self, prefix: str, event_name: str) -> OperationActions | None:
        """An unknown V2 may need the action of the first version or one of its own: neither is proven."""
        name, own = event_names.without_version(event_name), event_names.presumed(prefix, event_name)
        if name is None or own is None:
            return None
        by_name = event_names.action_by_name(prefix, name, self._known(prefix))
        older = self.operation(prefix, name) or (by_name and OperationActions(by_name, (), passes_role=False))
        if not older:
            return None
        passed = () if older.passes_role else _perhaps_pass_role(prefix, event_name)
        return OperationActions(
            None, (own, *filter(None, (older.primary,)), *older.possible, *passed), older.passes_role
        )


def _perhaps_pass_role(prefix: str, event_name: str) -> tuple[str, ...]:
    return (PASS_ROLE,) if event_names.may_pass_role(prefix, event_name) else ()


def _parse(actions: str, operations: str, templates: str) -> _Service:
    names, places = {}, {}
    for word in actions.split():
        name, _, numbers = word.partition("/")
        names[name.lower()] = name
        if numbers:
            places[name] = numbers
    entries = (entry.partition(" ") for entry in operations.split(";") if entry)
    return _Service(names, {name: words for name, _, words in entries}, tuple(templates.split()), places)


def _either(found: list[OperationActions]) -> OperationActions:
    """One call of several services that share an event source: what only some of them would check is not proven."""
    if len(found) == 1:
        return found[0]
    primaries = tuple(dict.fromkeys(actions.primary for actions in found))
    primary = primaries[0] if len(primaries) == 1 else None
    named = [action for actions in found for action in (actions.primary, *actions.possible) if action]
    possible = tuple(action for action in dict.fromkeys(named) if action != primary)
    return OperationActions(primary, possible, any(actions.passes_role for actions in found))


def write_entry(prefix: str, operation: str, actions: OperationActions) -> str:
    """One operation's entry in the data file: its name, then its actions; `read_entry` reads it back.

    The first word is the action that a call proves (`-` for none), iam:PassRole says that the operation passes roles,
    and the rest is possible. An action of the own service goes without its prefix, and an operation that needs just the
    action of its own name is only a name.

    >>> write_entry("ec2", "RunInstances", OperationActions("ec2:RunInstances", ("ec2:CreateTags",), True))
    'RunInstances RunInstances CreateTags iam:PassRole'
    """
    words = [actions.primary or "-", *actions.possible, *([PASS_ROLE] if actions.passes_role else [])]
    if words == [f"{prefix}:{operation}"]:
        return operation
    return " ".join([operation, *(word.removeprefix(f"{prefix}:") if word != PASS_ROLE else word for word in words)])


def read_entry(prefix: str, operation: str, words: str) -> OperationActions:
    """Actions of an operation by the words after its name."""
    if not words:
        return OperationActions(f"{prefix}:{operation}", (), passes_role=False)
    first, *rest = (word if ":" in word or word == "-" else f"{prefix}:{word}" for word in words.split())
    possible = tuple(word for word in rest if word != PASS_ROLE)
    return OperationActions(None if first == "-" else first, possible, passes_role=PASS_ROLE in rest)
