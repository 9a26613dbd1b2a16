"""Who expands a policy to concrete actions: each tool by the function that its users call, with what it leaves out."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.managed import Document, as_list, statements_of


@dataclass(frozen=True, slots=True)
class Expander:
    """`expand` is timed, on what `prepare` makes of a document; `names` says which actions its answer holds."""

    expand: Callable[[Any], Any]
    names: Callable[[Any], Iterable[str]]
    prepare: Callable[[Document], Any] = lambda document: document


def leastwise_names() -> Expander:
    """Our engine, down to a list of action names as people read them."""
    catalogue, expand = _leastwise()
    return Expander(lambda document: catalogue.names_of(expand(document).known), iter)


def leastwise_mask() -> Expander:
    """Our engine, to the set (a bit mask) that it goes on working with."""
    catalogue, expand = _leastwise()
    return Expander(expand, lambda found: catalogue.names_of(found.known))


def leastwise_parsed() -> Expander:
    """Our engine within a longer piece of work, where the policy was read before: statements to a bit mask."""
    from shared.iam.actions import expand_document  # noqa: PLC0415 what a contender imports is part of its time
    from shared.iam.policy import parse_document  # noqa: PLC0415

    catalogue, _ = _leastwise()
    return Expander(
        lambda statements: expand_document(statements, catalogue),
        lambda found: catalogue.names_of(found.known),
        parse_document,
    )


def _leastwise() -> tuple[Any, Callable[[Document], Any]]:
    from shared.iam.actions import expand_document  # noqa: PLC0415
    from shared.iam.policy import parse_document  # noqa: PLC0415
    from shared.knowledge import load_catalogue  # noqa: PLC0415

    catalogue = load_catalogue()
    return catalogue, lambda document: expand_document(parse_document(document), catalogue)


def policy_sentry() -> Expander:
    """A copy of the policy with its wildcards written out; NotAction and Deny stay what they were."""
    from policy_sentry.analysis.expand import get_expanded_policy  # noqa: PLC0415

    return Expander(get_expanded_policy, _allowed)


def policyuniverse() -> Expander:
    """A copy of the policy with the actions of its Allows written out, NotAction turned round; Denies stay."""
    from policyuniverse.expander_minimizer import expand_policy  # noqa: PLC0415

    return Expander(expand_policy, _allowed)


def parliament() -> Expander:
    """Each pattern of the Allows by itself: its expansion knows patterns, not policies."""
    import parliament  # noqa: PLC0415

    def expand(document: Document) -> list[dict[str, str]]:
        return [
            action
            for statement in statements_of(document)
            if statement["Effect"] == "Allow"
            for pattern in as_list(statement.get("Action", []))
            for action in parliament.expand_action(pattern, raise_exceptions=False)
        ]

    return Expander(expand, lambda found: (f"{action['service']}:{action['action']}" for action in found))


def cloudsplaining() -> Expander:
    """The actions of the Allows without those of any Deny, whatever its conditions and resources."""
    from cloudsplaining.scan.policy_document import PolicyDocument  # noqa: PLC0415

    return Expander(lambda document: PolicyDocument(document).all_allowed_actions, iter)


def _allowed(document: Document) -> list[str]:
    return [
        action
        for statement in statements_of(document)
        if statement["Effect"] == "Allow"
        for action in as_list(statement.get("Action", []))
    ]


EXPANDERS: Mapping[str, Callable[[], Expander]] = {
    "leastwise": leastwise_names,
    "leastwise (bit mask)": leastwise_mask,
    "leastwise (bit mask, policy parsed before)": leastwise_parsed,
    "policy_sentry": policy_sentry,
    "policyuniverse": policyuniverse,
    "parliament": parliament,
    "cloudsplaining": cloudsplaining,
}
SLOW = frozenset({"policyuniverse"})  # takes part in one round
# What a tool's answer leaves out, as it says itself: elements that it doesn't account for.
IGNORED: Mapping[str, tuple[str, ...]] = {
    "policy_sentry": ("NotAction", "Deny"),
    "policyuniverse": ("Deny",),
    "parliament": ("NotAction", "Deny"),
}
