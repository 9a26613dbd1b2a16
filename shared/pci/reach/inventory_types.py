"""Which resources of an inventory each action is about: by the ARN templates of its resource types.

An ARN is of the type whose template it fits with the most literal text (`table/${TableName}/index/${IndexName}` rather
than `table/${TableName}`), and of several where they tie. A `${Region}` or `${Account}` stands for some text, what a
template leaves empty must be empty, and any other variable may hold slashes and colons, as paths and names do.

A type of which the inventory holds nothing counts by the type that it lies in, whose template its own begins with:
objects by buckets, log streams by log groups. Source of the templates: AWS service reference (data/SOURCE.md).
"""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from shared.iam.catalogue import Catalogue
from shared.pci.reach.covering import NOTHING, Facets, mask_of

_VARIABLE = re.compile(r"\$\{[^}]*\}|\*")
_SIGN = re.compile("[/:]")
_ANY = "$"  # instead of a resource's first word: whatever it is
_HEAD = 5  # segments of an ARN before the resource's own
_INSIDE = {"/": "slash", ":": "colon"}
# Both `log-group:name` and `log-group:name:*` are how policies name a log group (CloudWatch Logs user guide,
# "CloudWatch Logs resources and operations"), and a function is named with its version or alias, too (Lambda developer
# guide, "Fine-tuning the Resources and Conditions sections of policies"), so that one is reached by either.
_ALSO_INSIDE = {
    "arn:${}:logs:${}:${}:log-group:${}": ":",
    "arn:${}:lambda:${}:${}:function:${}": ":",
}


class ResourceTemplates(Protocol):
    """What says which resource types an action is checked on: shared/iam/operations.OperationMap."""

    def resource_templates(self, action: str) -> tuple[str, ...]:
        """ARN templates of an action in AWS's spelling; empty where it has no resource types."""

    def __hash__(self) -> int:
        """What is made of it is remembered."""


class Kind(NamedTuple):
    """Actions (a mask of the catalogue) that are about the same resources of the inventory."""

    number: int  # tells kinds apart
    actions: int
    facets: Facets
    resources: int  # mask: of any facet


class ServiceKinds(NamedTuple):
    """The kinds of one service's actions; `actions` is their union."""

    actions: int
    kinds: tuple[Kind, ...]


class _Template(NamedTuple):
    """A template read: its literal text's length, and what an ARN's segments must match."""

    name: str
    weight: int
    pattern: re.Pattern[str]


def service_kinds(arns: Sequence[str], catalogue: Catalogue, templates: ResourceTemplates) -> tuple[ServiceKinds, ...]:
    """The actions of the catalogue that an inventory (sorted ARNs) can tell the reach of, by service and kind."""
    names = catalogue.names_of(catalogue.everything)
    plainly = functools.cache(plain)
    of_action = [tuple(map(plainly, templates.resource_templates(name))) for name in names]
    types = _types(arns, frozenset(name for listed in of_action for name in listed))
    grouped: dict[tuple[str, Facets], list[int]] = {}
    known: dict[tuple[str, ...], Facets] = {}
    for place, listed in enumerate(of_action):
        if (facets := known.get(listed)) is None:
            facets = known[listed] = _facets(listed, types)
        if facets.union:
            grouped.setdefault((names[place].partition(":")[0].lower(), facets), []).append(place)
    services: dict[str, list[Kind]] = {}
    for number, ((service, facets), places) in enumerate(grouped.items()):
        services.setdefault(service, []).append(Kind(number, mask_of(places), facets, facets.union))
    return tuple(ServiceKinds(_actions(kinds), tuple(kinds)) for kinds in services.values())


def plain(template: str) -> str:
    """A template whose variables have no names, since services name the same one differently.

    >>> plain("arn:${Partition}:sqs:${Region}:${Account}:${QueueName}")
    'arn:${}:sqs:${}:${}:${}'
    """
    return _VARIABLE.sub("${}", template)


def _facets(listed: Iterable[str], types: Mapping[str, int]) -> Facets:
    """Resources of an action's types: those of the types themselves, or of what they lie in."""
    found = NOTHING
    for name in listed:
        if name in types:
            found |= Facets(types[name], 0, 0)
            if sign := _ALSO_INSIDE.get(name):
                found |= NOTHING._replace(**{_INSIDE[sign]: types[name]})
        elif parent := _parent(name, types):
            found |= NOTHING._replace(**{_INSIDE[name[len(parent)]]: types[parent]})
    return found


def _parent(name: str, types: Mapping[str, int]) -> str | None:
    """The nearest type in the inventory that another type lies in."""
    ends = [place for place, sign in enumerate(name) if sign in _INSIDE]
    return next((name[:end] for end in reversed(ends) if name[:end] in types), None)


def _types(arns: Sequence[str], templates: Iterable[str]) -> Mapping[str, int]:
    """Masks of the resources of each type that there are any of."""
    beginnings = [_beginning(arn) for arn in arns]
    met = {*beginnings, *((service, _ANY) for service, _ in beginnings)}
    candidates: dict[tuple[str, str], list[_Template]] = {}
    for name in templates:
        if (beginning := _beginning(name)) in met:
            candidates.setdefault(beginning, []).append(_read(name))
    places: dict[str, list[int]] = {}
    for place, (arn, (service, word)) in enumerate(zip(arns, beginnings, strict=True)):
        for name in _best(arn, candidates.get((service, word), ()), candidates.get((service, _ANY), ())):
            places.setdefault(name, []).append(place)
    return {name: mask_of(listed) for name, listed in places.items()}


def _best(arn: str, *candidates: Iterable[_Template]) -> list[str]:
    """Names of the templates that an ARN fits with the most literal text."""
    fitting = [one for some in candidates for one in some if one.pattern.fullmatch(arn)]
    most = max((one.weight for one in fitting), default=0)
    return [one.name for one in fitting if one.weight == most]


def _beginning(arn: str) -> tuple[str, str]:
    """Service of an ARN or a template, and its resource's text before the first slash or colon, _ANY for a variable."""
    segments = arn.split(":", _HEAD)
    if len(segments) <= _HEAD:
        return "", ""
    word = _SIGN.split(segments[_HEAD], maxsplit=1)[0]
    return segments[2], _ANY if "$" in word else word


def _read(name: str) -> _Template:
    """A template whose service is known; `${}` in the head is some text, in the resource any text."""
    *head, resource = name.split(":", _HEAD)
    pieces = resource.split("${}")
    pattern = ":".join("[^:]+" if segment == "${}" else re.escape(segment) for segment in head)
    whole = f"{pattern}:{'.+'.join(map(re.escape, pieces))}"
    return _Template(name, sum(map(len, pieces)), re.compile(whole, re.DOTALL))


def _actions(kinds: Iterable[Kind]) -> int:
    union = 0
    for kind in kinds:
        union |= kind.actions
    return union
