"""The catalogue of IAM actions: what each is called, what it may do, and whether a trail would show its use.

Built from the parsed artefact of data/compile_catalogue.py (see data/SOURCE.md). Keys are lower-case `service:action`,
since IAM compares actions without case.
"""

import bisect
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.iam import globs

LAST_CHARACTER = "\U0010ffff"


class AccessLevel(StrEnum):
    """AWS's own classification of what an action does."""

    READ = "Read"
    LIST = "List"
    WRITE = "Write"
    TAGGING = "Tagging"
    PERMISSIONS_MANAGEMENT = "Permissions management"


class Observability(StrEnum):
    """Where CloudTrail shows the use of an action: `none` means that its silence proves nothing."""

    MANAGEMENT = "management"
    DATA = "data"
    NONE = "none"


LEVEL_CODES: Mapping[str, AccessLevel] = {
    "r": AccessLevel.READ,
    "l": AccessLevel.LIST,
    "w": AccessLevel.WRITE,
    "t": AccessLevel.TAGGING,
    "p": AccessLevel.PERMISSIONS_MANAGEMENT,
}
OBSERVABILITY_CODES: Mapping[str, Observability] = {
    "m": Observability.MANAGEMENT,
    "d": Observability.DATA,
    "n": Observability.NONE,
}


@dataclass(frozen=True, slots=True)
class Action:
    """One action. `depends_on` are lower-case keys that AWS may also check when this action is used."""

    name: str
    access_level: AccessLevel
    observability: Observability
    depends_on: frozenset[str] = frozenset()


class Catalogue:
    """Every known action, and which of them a pattern admits.

    `version` names the sources. An instance never changes what it answers; it only remembers answers.
    """

    def __init__(self, artefact: Mapping[str, Any]) -> None:
        """Take the parsed artefact: `{"version", "services": {prefix: {"names", "levels", "observability", …}}}`."""
        self.version: str = artefact["version"]
        self._names: dict[str, str] = {}
        self._levels: dict[str, str] = {}
        self._observability: dict[str, str] = {}
        self._depends: dict[str, list[str]] = {}
        for prefix, service in artefact["services"].items():
            spellings = [f"{prefix}:{name}" for name in service["names"].split()]
            keys = [spelling.lower() for spelling in spellings]
            self._names.update(zip(keys, spellings, strict=True))
            self._levels.update(zip(keys, service["levels"], strict=True))
            self._observability.update(zip(keys, service["observability"], strict=True))
            for name, dependencies in service.get("depends_on", {}).items():
                self._depends[f"{prefix}:{name}".lower()] = dependencies
        self._sorted = sorted(self._names)
        self._keys = frozenset(self._names)
        self._services = frozenset(prefix.lower() for prefix in artefact["services"])
        self._matching: dict[str, frozenset[str]] = {}
        self._unshown: dict[frozenset[str], frozenset[str]] = {}

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._names

    @property
    def keys(self) -> frozenset[str]:
        """Every action, in lower case."""
        return self._keys

    @property
    def services(self) -> frozenset[str]:
        """Every service prefix, in lower case."""
        return self._services

    def get(self, name: str) -> Action | None:
        """The action of that name in any case, or None if the catalogue doesn't know it."""
        key = name.lower()
        if key not in self._names:
            return None
        return Action(
            name=self._names[key],
            access_level=LEVEL_CODES[self._levels[key]],
            observability=OBSERVABILITY_CODES[self._observability[key]],
            depends_on=frozenset(self._depends.get(key, ())),
        )

    def name(self, key: str) -> str:
        """Canonical spelling of an action; an unknown one keeps the spelling it has."""
        return self._names.get(key.lower(), key)

    def access_level(self, key: str) -> AccessLevel | None:
        """Access level of an action (lower-case), or None if the catalogue doesn't know it."""
        code = self._levels.get(key)
        return None if code is None else LEVEL_CODES[code]

    def observability(self, key: str) -> Observability:
        """Where the use of an action (lower-case) shows; an unknown action shows nowhere that we know of."""
        code = self._observability.get(key)
        return Observability.NONE if code is None else OBSERVABILITY_CODES[code]

    def unshown(self, kinds: AbstractSet[Observability]) -> frozenset[str]:
        """Known actions (lower-case) whose observability is none of `kinds`."""
        codes = frozenset(code for code, kind in OBSERVABILITY_CODES.items() if kind not in kinds)
        known = self._unshown.get(codes)
        if known is None:
            keys = (key for key, code in self._observability.items() if code in codes)
            known = self._unshown[codes] = frozenset(keys)
        return known

    def in_order(self, keys: Mapping[str, object]) -> list[str]:
        """Sort lower-case actions; thousands of known ones faster than by comparing them."""
        if len(keys) < len(self._sorted) // 10:
            return sorted(keys)
        known = [key for key in self._sorted if key in keys]
        return known if len(known) == len(keys) else sorted([*known, *(keys.keys() - self._keys)])

    def of_service(self, prefix: str) -> list[str]:
        """Keys of one service, sorted."""
        return self._between(f"{prefix.lower()}:")

    def matching(self, pattern: str) -> frozenset[str]:
        """Keys of the known actions that a pattern admits; `*` and `?` range over the whole string, without case.

        A pattern that no known action matches gives the empty set: whether that means "nothing" is for the caller.
        """
        lowered = pattern.lower()
        known = self._matching.get(lowered)
        if known is None:
            known = self._matching[lowered] = self._search(lowered)
        return known

    def matching_any(self, patterns: Iterable[str]) -> frozenset[str]:
        """Union of `matching` over several patterns."""
        sets = [self.matching(pattern) for pattern in patterns]
        return sets[0] if len(sets) == 1 else frozenset().union(*sets)

    def _search(self, pattern: str) -> frozenset[str]:
        if not globs.is_wild(pattern):
            return frozenset((pattern,)) & self._keys
        if globs.is_everything(pattern):
            return self._keys
        stem = pattern[: min(place for place in (pattern.find("*"), pattern.find("?")) if place >= 0)]
        candidates = self._between(stem)
        if pattern == f"{stem}*":
            return frozenset(candidates)
        matches = globs.compiled(pattern).fullmatch
        return frozenset(key for key in candidates if matches(key))

    def _between(self, stem: str) -> list[str]:
        """Sorted keys that begin with the stem."""
        start = bisect.bisect_left(self._sorted, stem)
        return self._sorted[start : bisect.bisect_right(self._sorted, stem + LAST_CHARACTER)]
