"""The changes of policies that could lower an identity's score: what may be detached, deleted or left. Pure."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from shared.iam.grants import Grant
from shared.model.explanation import Affects, ChangeKind
from shared.model.identity import IdentityDetail, Policy
from shared.model.sources import PolicyKind, PolicySource
from shared.pci.score import Weighed

AWS_OWNS = ":iam::aws:policy/"  # a managed policy of AWS can be detached, and not edited
_KIND_OF_POLICY = {
    PolicyKind.MANAGED: (ChangeKind.DETACH_POLICY, Affects.IDENTITY, "detach the managed policy {name}"),
    PolicyKind.INLINE: (ChangeKind.DELETE_INLINE_POLICY, Affects.IDENTITY, "delete the inline policy {name}"),
    PolicyKind.GROUP_MANAGED: (
        ChangeKind.DETACH_FROM_GROUP,
        Affects.GROUP,
        "detach the managed policy {name} from the group {group}",
    ),
    PolicyKind.GROUP_INLINE: (
        ChangeKind.DELETE_GROUP_POLICY,
        Affects.GROUP,
        "delete the inline policy {name} of the group {group}",
    ),
}
_AFFECTED_BY_EDIT = {
    PolicyKind.MANAGED: Affects.HOLDERS,
    PolicyKind.GROUP_MANAGED: Affects.HOLDERS,
    PolicyKind.GROUP_INLINE: Affects.GROUP,
    PolicyKind.INLINE: Affects.IDENTITY,
}


class Candidate(NamedTuple):
    """A change: the identity after it, and whether it takes a grant away."""

    kind: ChangeKind
    title: str
    affects: Affects
    detail: IdentityDetail
    takes: Callable[[Grant], bool]


def candidates_of(weighed: Weighed) -> Iterator[Candidate]:
    """Groups and whole policies first, then single statements; of each those with the most unused reach first.

    What grants nothing is no candidate: a change can only lower the score by taking grants away.
    """
    mass = _mass_by_statement(weighed)
    statements = sorted(mass, key=lambda one: (-mass[one], *_order(one[0]), one[1]))
    granting = list(dict.fromkeys(source for source, _ in statements))
    yield from _groups(weighed.detail, granting)
    for source in granting:
        yield _without_policy(weighed.detail, source)
    yield from _held_twice(weighed.detail, granting)
    done: set[tuple[str, int]] = set()
    for source, place in statements:
        edited = (source.arn or str(source), place)  # the same policy may be held directly and through a group
        if edited not in done and not (source.arn and AWS_OWNS in source.arn):
            done.add(edited)
            yield from _without_statement(weighed.detail, source, place)


def _mass_by_statement(weighed: Weighed) -> Mapping[tuple[PolicySource, int], float]:
    """Σ ρ of the unused permissions that each granting statement takes part in granting."""
    reached: defaultdict[tuple[PolicySource, int], list[float]] = defaultdict(list)
    for grant in weighed.grants.grants:
        reached[grant.source, grant.statement].append(0.0)
    for part in weighed.unused:
        for place in dict.fromkeys((grant.source, grant.statement) for grant in part.grants):
            reached[place].append(part.reach * part.actions.size)
    return {place: math.fsum(masses) for place, masses in reached.items()}


def _order(source: PolicySource) -> tuple[str, str]:
    """By what people read, and of the same name by ARN: the order of the policies in a file says nothing."""
    return (str(source), source.arn or "")


def _groups(detail: IdentityDetail, granting: Iterable[PolicySource]) -> Iterator[Candidate]:
    """Leave a group: all that the group gives is gone, and for this user alone."""
    for group in dict.fromkeys(source.group for source in granting if source.group):
        policies = tuple(policy for policy in detail.policies if policy.source.group != group)
        groups = tuple(name for name in detail.groups if name != group)
        yield Candidate(
            kind=ChangeKind.LEAVE_GROUP,
            title=f"leave the group {group}",
            affects=Affects.IDENTITY,
            detail=detail.model_copy(update={"policies": policies, "groups": groups}),
            takes=lambda grant, group=group: grant.source.group == group,  # type: ignore[misc]
        )


def _without_policy(detail: IdentityDetail, source: PolicySource) -> Candidate:
    kind, affects, title = _KIND_OF_POLICY[source.kind]
    policies = tuple(policy for policy in detail.policies if policy.source != source)
    return Candidate(
        kind=kind,
        title=title.format(name=source.name, group=source.group),
        affects=affects,
        detail=detail.model_copy(update={"policies": policies}),
        takes=lambda grant: grant.source == source,
    )


def _held_twice(detail: IdentityDetail, granting: Iterable[PolicySource]) -> Iterator[Candidate]:
    """Managed policies that are attached to the identity and to its groups: detaching one of them changes nothing."""
    for arn, times in Counter(source.arn for source in granting if source.arn).items():
        if times > 1:
            name = arn.rsplit("/", 1)[-1]
            policies = tuple(policy for policy in detail.policies if policy.source.arn != arn)
            yield Candidate(
                kind=ChangeKind.DETACH_POLICY,
                title=f"detach the managed policy {name} wherever it is attached ({times} times)",
                affects=Affects.GROUP,
                detail=detail.model_copy(update={"policies": policies}),
                takes=lambda grant, arn=arn: grant.source.arn == arn,  # type: ignore[misc]
            )


def _without_statement(detail: IdentityDetail, source: PolicySource, place: int) -> Iterator[Candidate]:
    """Edit a policy, wherever the identity holds it; one with a single statement can only go as a whole."""

    def is_edited(other: PolicySource) -> bool:
        return other.arn == source.arn if source.arn else other == source

    def edited(policy: Policy) -> Policy:
        if not is_edited(policy.source):
            return policy
        return policy.model_copy(update={"document": _without_place(policy.document, place)})

    own = next(policy for policy in detail.policies if policy.source == source)
    if len(_statements(own.document)[1]) < 2:  # noqa: PLR2004 one is left over
        return
    changed = {
        "policies": tuple(map(edited, detail.policies)),
        "boundary": detail.boundary and edited(detail.boundary),
    }
    group = f" of the group {source.group}" if source.kind is PolicyKind.GROUP_INLINE else ""
    yield Candidate(
        kind=ChangeKind.REMOVE_STATEMENT,
        title=f"remove statement {place + 1} of {source.name}{group}",
        affects=_AFFECTED_BY_EDIT[source.kind],
        detail=detail.model_copy(update=changed),
        takes=lambda grant: is_edited(grant.source) and grant.statement == place,
    )


def _without_place(document: Mapping[str, Any], place: int) -> dict[str, Any]:
    key, statements = _statements(document)
    return {**document, key: [one for number, one in enumerate(statements) if number != place]}


def _statements(document: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The key of the statements as the document spells it, and the statements."""
    key = next(name for name in document if name.lower() == "statement")
    found = document[key]
    return key, list(found) if isinstance(found, list | tuple) else [found]
