"""What IAM holds, as values that are replaced and never changed: a read of the past is a read of an older state."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

Named = tuple[tuple[str, str], ...]  # names with documents (JSON text) or values, in order
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Entity:
    """A user, role or group."""

    kind: str
    name: str
    path: str
    unique_id: str
    arn: str
    created: datetime
    tags: Named = ()
    inline: Named = ()
    attached: tuple[str, ...] = ()
    boundary: str | None = None
    groups: tuple[str, ...] = ()
    trust: str = ""


@dataclass(frozen=True, slots=True)
class Managed:
    """A managed policy; `versions` are (id, document), oldest first."""

    arn: str
    name: str
    path: str
    unique_id: str
    created: datetime
    versions: Named
    default: str = "v1"
    made: int = 1  # versions ever made
    tags: Named = ()
    description: str = ""

    @property
    def document(self) -> str:
        """The document in force."""
        return dict(self.versions)[self.default]


@dataclass(frozen=True, slots=True)
class IamState:
    """A whole account; entities by (kind, lower-case name), since IAM tells no names apart by case."""

    entities: Mapping[tuple[str, str], Entity] = field(default_factory=lambda: MappingProxyType({}))
    policies: Mapping[str, Managed] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, kind: str) -> list[Entity]:
        """All users, roles or groups, by name."""
        return sorted((one for (k, _), one in self.entities.items() if k == kind), key=lambda one: one.name)

    def with_entity(self, entity: Entity) -> "IamState":
        """The state with an entity added or replaced."""
        return replace(self, entities=_with(self.entities, (entity.kind, entity.name.lower()), entity))

    def without_entity(self, entity: Entity) -> "IamState":
        """The state without an entity."""
        key = (entity.kind, entity.name.lower())
        return replace(self, entities=MappingProxyType({k: v for k, v in self.entities.items() if k != key}))

    def with_policy(self, policy: Managed) -> "IamState":
        """The state with a policy added or replaced."""
        return replace(self, policies=_with(self.policies, policy.arn, policy))

    def without_policy(self, arn: str) -> "IamState":
        """The state without a policy."""
        return replace(self, policies=MappingProxyType({k: v for k, v in self.policies.items() if k != arn}))

    def holders(self, arn: str) -> list[Entity]:
        """Who has a policy attached."""
        return [one for one in self.entities.values() if arn in one.attached]

    def bounded(self, arn: str) -> list[Entity]:
        """Whose permissions boundary a policy is."""
        return [one for one in self.entities.values() if one.boundary == arn]


K = TypeVar("K")


def _with(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    return MappingProxyType({**mapping, key: value})


def put(pairs: Named, name: str, value: str) -> Named:
    """Pairs with one set; a new one comes last, a known one keeps its place."""
    found = dict(pairs)
    found[name] = value
    return tuple(found.items())


def drop(pairs: Named, name: str) -> Named:
    """Pairs without one."""
    return tuple(pair for pair in pairs if pair[0] != name)
