"""What a tally counted, packed for the way to another process: pickling it object by object takes ten times as long."""

from datetime import date, datetime
from typing import NamedTuple

import msgspec

from services.scorer.usage.calls import Call, Place
from services.scorer.usage.folded import NamedKey
from services.scorer.usage.groups import Group, Named
from shared.model.resources import ANY_RESOURCE, Resources


class Counted(NamedTuple):
    """Groups by call, named resources by identity and action, days by place."""

    feed: str
    groups: dict[Call, Group]
    named: dict[NamedKey, Named]
    days: dict[Place, set[date]]


class _Packed(msgspec.Struct, array_like=True):
    feed: str
    groups: list[tuple[Call, int, datetime, datetime]]
    named: list[tuple[NamedKey, tuple[str, ...] | None]]  # patterns, of which most are ARNs; None for any
    days: list[tuple[Place, set[date]]]


_decoder = msgspec.msgpack.Decoder(_Packed)


def pack(counted: Counted) -> bytes:
    """Write down what was counted."""
    packed = _Packed(
        counted.feed,
        [(call, group.count, group.first, group.last) for call, group in counted.groups.items()],
        [(key, named.settle().patterns()) for key, named in counted.named.items()],
        list(counted.days.items()),
    )
    return msgspec.msgpack.encode(packed)


def unpack(data: bytes) -> Counted:
    """Read back what `pack` wrote."""
    packed = _decoder.decode(data)
    return Counted(
        packed.feed,
        {call: Group(count, first, last) for call, count, first, last in packed.groups},
        {key: _named(patterns) for key, patterns in packed.named},
        dict(packed.days),
    )


def _named(patterns: tuple[str, ...] | None) -> Named:
    """Read patterns back; those that are plain ARNs may as well wait to be folded."""
    if patterns is None:
        return Named(ANY_RESOURCE)
    arns = [pattern for pattern in patterns if not pattern.endswith("*")]
    return Named(Resources.of_patterns(pattern for pattern in patterns if pattern.endswith("*")), arns)
