"""Which resources an action was used on: exact ARNs while they are few, then one pattern for each family of them.

A join-semilattice, so that any order, repetition or batching of the same uses gives the same resources. A family holds
its ARNs until there are more than MAX_EXACT of them or they are longer than MAX_FAMILY_LENGTH together, and from then
on their longest common prefix; more than MAX_FAMILIES families are "any". All of that only ever grows with the set of
all ARNs, whichever of them come first.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

MAX_EXACT = 20  # ARNs of one family that are kept as they are
MAX_FAMILY_LENGTH = 4_096  # characters of one family's ARNs that are kept as they are
MAX_FAMILIES = 20  # families of one action
MAX_ARN_LENGTH = 2_048  # IAM's longest

Members: TypeAlias = frozenset[str] | str
"""Exact ARNs, or the prefix that all of them have in common."""

# IAM User Guide, "IAM and AWS STS quotas": a policy may hold tab, line feed, carriage return and U+0020 to U+00FF.
# Of these a resource's name has no use for control characters, and what a policy would read as a pattern is left out.
_WORD = r"[\u0020-\u0029\u002b-\u002e\u0030-\u0039\u003b-\u003e\u0040-\u007e\u00a0-\u00ff]"  # but * / : ?
# One expression for both questions, since it is asked of every ARN: what is an ARN, and which family is it of.
_ARN = re.compile(
    r"(?P<family>arn:aws(?:-[a-z]+)*:(?:"
    rf"s3:::(?:{_WORD}++/)?+"  # an object's bucket
    rf"|[a-z0-9-]++:[a-z0-9-]*+:[a-z0-9-]++:(?:{_WORD}*+[:/])?+"  # table/ or log-group:
    r"|[a-z0-9-]++:[a-z0-9-]*+::"
    rf"))(?:{_WORD}|[:/])*+"
)
_NAMELESS = re.compile(r"(?:[^:]*+:){5}")
_VARIABLE = "${"
# What a pattern of the family can't reach out of: one account, or one bucket.
_CLOSED = re.compile(r"arn:[^:]+:(?:[^:]+:[^:]*:\d{12}:.*|s3:::[^:/]+/)")


@dataclass(frozen=True, slots=True)
class Resources:
    """Resources by family; `families` None is the lattice's top, "any": a use named none, or there are too many.

    A family is the part that a pattern must not reach beyond: partition, service, region, account and type of the
    resource, or the bucket of an S3 object. ARNs without an account id (buckets, hosted zones, APIs, AWS's own managed
    policies) could belong to anybody, so a pattern of them could reach into another account: too many are "any".
    """

    families: Mapping[str, Members] | None

    @classmethod
    def of(cls, arns: Iterable[str]) -> "Resources":
        """Resources of one or more uses by ARN; one that can't be kept as it is makes them "any"."""
        families: dict[str, set[str]] = {}
        for arn in arns:
            family = family_of(arn)
            if family is None:
                return ANY_RESOURCE
            families.setdefault(family, set()).add(arn)
        return _bounded({family: _generalised(family, frozenset(exact)) for family, exact in families.items()})

    @classmethod
    def of_patterns(cls, patterns: Iterable[str] | None) -> "Resources":
        """Read back what `patterns` gave.

        Raises ValueError for text that it never gives: no ARN, or a pattern that may reach beyond one account.
        """
        if patterns is None:
            return ANY_RESOURCE
        read = NO_RESOURCE
        for pattern in patterns:
            read = read.join(_of_pattern(pattern))
        return read

    @property
    def is_any(self) -> bool:
        """Whether nothing is known that could narrow a policy."""
        return self.families is None

    def join(self, other: "Resources") -> "Resources":
        """Least resources that hold both: idempotent, commutative, associative."""
        if self.families is None or other.families is None:
            return ANY_RESOURCE
        joined: dict[str, Members | None] = dict(self.families)
        for family, members in other.families.items():
            known = joined.get(family)
            joined[family] = members if known is None else _join_members(family, known, members)
        return _bounded(joined)

    def exact(self) -> frozenset[str] | None:
        """Every ARN, or None where some are not known one by one."""
        if self.families is None or any(isinstance(members, str) for members in self.families.values()):
            return None
        return frozenset().union(*(members for members in self.families.values() if isinstance(members, frozenset)))

    def patterns(self) -> tuple[str, ...] | None:
        """ARNs, and patterns that end in `*`, sorted as a policy would list them; None for any."""
        if self.families is None:
            return None
        found: list[str] = []
        for members in self.families.values():
            found.extend([f"{members}*"] if isinstance(members, str) else members)
        return tuple(sorted(found))


ANY_RESOURCE: Final = Resources(None)
NO_RESOURCE: Final = Resources({})


def family_of(arn: str) -> str | None:
    """Name the family of an ARN; None for text that is no ARN, or that a policy can't hold or reads as a pattern.

    >>> family_of("arn:aws:dynamodb:eu-west-1:111122223333:table/orders")
    'arn:aws:dynamodb:eu-west-1:111122223333:table/'
    >>> family_of("arn:aws:s3:::photos/2026/cat.jpg")
    'arn:aws:s3:::photos/'
    >>> family_of("arn:aws:s3:::photos")
    'arn:aws:s3:::'
    """
    found = _matched(arn)
    if found is None:
        return None
    family = found[1]
    return None if family == arn and _NAMELESS.fullmatch(arn) else family


def _matched(text: str) -> re.Match[str] | None:
    """Take apart an ARN, or the beginning of one that names at least whose it is."""
    return None if len(text) > MAX_ARN_LENGTH or _VARIABLE in text else _ARN.fullmatch(text)


def _of_pattern(pattern: str) -> Resources:
    prefix = pattern.removesuffix("*")
    found = _matched(prefix)
    family = found["family"] if found else ""
    if prefix != pattern and _CLOSED.fullmatch(family):
        return Resources({family: prefix})
    if prefix == pattern and found and not _NAMELESS.fullmatch(pattern):
        return Resources({family: frozenset({pattern})})
    raise ValueError("neither an ARN nor a pattern within one account")


def _join_members(family: str, left: Members, right: Members) -> Members | None:
    if isinstance(left, frozenset) and isinstance(right, frozenset):
        return _generalised(family, left | right)
    return _common_prefix(
        [*([left] if isinstance(left, str) else left), *([right] if isinstance(right, str) else right)]
    )


def _generalised(family: str, exact: frozenset[str]) -> Members | None:
    """ARNs as they are, or what they have in common; None where that could reach into another account."""
    if len(exact) <= MAX_EXACT and sum(map(len, exact)) <= MAX_FAMILY_LENGTH:
        return exact
    return _common_prefix(exact) if _CLOSED.fullmatch(family) else None


def _common_prefix(texts: Iterable[str]) -> str:
    """Longest text that all begin with: the first and the last in order differ earliest."""
    ordered = sorted(texts)
    first, last = ordered[0], ordered[-1]
    length = next((place for place, (one, two) in enumerate(zip(first, last, strict=False)) if one != two), None)
    return first if length is None else first[:length]


def _bounded(families: Mapping[str, Members | None]) -> Resources:
    kept = {family: members for family, members in families.items() if members is not None}
    if len(kept) < len(families) or len(families) > MAX_FAMILIES:
        return ANY_RESOURCE
    return Resources(kept)
