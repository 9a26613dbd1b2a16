"""Narrowed statements as documents of IAM's size: one, several, or with whole services kept as granted. Pure.

Short spellings come first, since they change nothing. Then statements are spread over as many documents as there may
be. Only then whole services are kept as they were granted, those first whose actions take most characters, and none
with a feared permission if others are enough: that removes less, and is still only a part of what is granted.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from shared.errors import InputError
from shared.iam.actions import NO_ACTIONS, ActionSet
from shared.iam.catalogue import Catalogue
from shared.iam.narrow import Narrowed, as_document, narrow_statements
from shared.iam.observed import Observed
from shared.iam.policy import Statement
from shared.iam.sizes import pack, policy_size

Document = dict[str, Any]
_HOPELESS = 2  # times too large: short spellings save some percent, seldom a third
_SEPARATORS = len('"",')  # what a pattern costs beyond its own characters


class Wanted(NamedTuple):
    """What is kept of what is `granted`, and on which resources, `observed` by lower-case action.

    `feared` are those that aren't kept which nobody should keep for the sake of brevity.
    """

    granted: ActionSet
    keep: ActionSet
    observed: Mapping[str, tuple[str, ...]]
    feared: ActionSet = NO_ACTIONS

    def with_services(self, services: Iterable[str], catalogue: Catalogue) -> "Wanted":
        """The same with everything that is granted of some services."""
        whole = frozenset(services)
        known = catalogue.mask_any(tuple(f"{service}:*" for service in sorted(whole)))
        unknown = frozenset(key for key in self.granted.unknown if _service(key) in whole)
        observed = {key: patterns for key, patterns in self.observed.items() if _service(key) not in whole}
        return self._replace(keep=self.keep | (self.granted & ActionSet(known, unknown)), observed=observed)

    def with_fewer_observed(self) -> Iterator["Wanted"]:
        """The same with the resources of ever fewer services observed: half of them each time, shortest lists first."""
        length: Counter[str] = Counter()
        for key, patterns in self.observed.items():
            length[_service(key)] += sum(map(len, patterns))
        services = sorted(length, key=lambda service: (length[service], service))
        while services:
            yield self._replace(observed={key: own for key, own in self.observed.items() if _service(key) in services})
            services = services[: len(services) // 2]


class Fitted(NamedTuple):
    """Documents that fit, the actions that reach fewer resources in them, and the services that were kept whole."""

    documents: tuple[Document, ...]
    held: frozenset[str] = frozenset()
    whole: tuple[str, ...] = ()


class TooLargeError(InputError):
    """The statements would need `documents` documents, or (0) one of them can't be made small enough."""

    def __init__(self, statements: Sequence[Document], documents: int) -> None:
        self.statements = statements
        self.characters = policy_size(as_document(statements))
        self.documents = documents
        super().__init__(f"{self.characters} characters are needed")


def fit(
    statements: Sequence[Statement],
    wanted: Wanted,
    observed_over: Sequence[Statement],
    catalogue: Catalogue,
    *,
    limit: int,
    most: int,
) -> Fitted:
    """Narrow statements into at most `most` documents of at most `limit` characters each; none where nothing is left.

    `observed_over` are all Allows that may explain an observed resource. Raises TooLargeError where even whole services
    don't fit.
    """

    def attempt(whole: Sequence[str]) -> Fitted:
        left = wanted.with_services(whole, catalogue) if whole else wanted
        narrowed = narrow_statements(statements, left.keep, catalogue, Observed(left.observed, observed_over))
        return Fitted(spread(narrowed, limit=limit, most=most), narrowed.held, tuple(sorted(whole)))

    try:
        return attempt(())
    except TooLargeError as error:
        if most < 1:
            raise
        failed = error
    for whole in _worth_keeping_whole(failed, limit * most, frozenset(map(_service, wanted.feared.keys(catalogue)))):
        try:
            return attempt(whole)
        except TooLargeError:
            continue
    raise failed


def spread(narrowed: Narrowed, *, limit: int, most: int) -> tuple[Document, ...]:
    """Write narrowed statements into as few documents as can be found. Raises TooLargeError."""
    statements = narrowed.statements(whole_words=True)
    if not statements:
        return ()
    size = policy_size(as_document(statements))
    if size > _HOPELESS * limit * max(most, 1):
        raise TooLargeError(statements, 0)
    if size > limit:
        statements = narrowed.statements(whole_words=False)
    whole = as_document(statements)
    documents: tuple[Document, ...] = (whole,)
    if policy_size(whole) > limit:
        try:
            documents = pack(statements, limit)
        except InputError:
            raise TooLargeError(statements, 0) from None
    if len(documents) > most:
        raise TooLargeError(statements, len(documents))
    return documents


def _worth_keeping_whole(failed: TooLargeError, room: int, feared: frozenset[str]) -> Iterator[list[str]]:
    """Services to keep whole, fewest first, none of the `feared` ones as long as the others save enough by estimate."""
    saved: Counter[str] = Counter()
    for statement in failed.statements:
        for pattern in _listed(statement.get("Action", [])) if statement["Effect"] == "Allow" else []:
            saved[_service(pattern)] += len(pattern) + _SEPARATORS
    for service in saved:
        saved[service] -= len(service) + len(":*") + _SEPARATORS
    services = sorted((one for one in saved if saved[one] > 0), key=lambda one: (-saved[one], one))
    excess = failed.characters - room
    harmless = [service for service in services if service not in feared]
    if len(harmless) < len(services) and sum(saved[service] for service in harmless) >= excess:
        yield from _growing(harmless, saved, excess)
    yield from _growing(services, saved, excess)


def _growing(services: Sequence[str], saved: Mapping[str, int], excess: int) -> Iterator[list[str]]:
    """As many services as would fit by estimate, then twice as many, then all.

    By that estimate none is needed where there is room in all, but not in any one document.
    """
    gains = itertools.accumulate((saved[service] for service in services), initial=0)
    count = max(1, next((count for count, gain in enumerate(gains) if gain >= excess), len(services)))
    while services:
        yield list(services[:count])
        if count >= len(services):
            return
        count *= 2


def _listed(patterns: str | list[str]) -> list[str]:
    return [patterns] if isinstance(patterns, str) else patterns


def _service(pattern: str) -> str:
    return pattern.partition(":")[0].lower()
