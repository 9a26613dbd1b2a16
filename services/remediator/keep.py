"""What an identity keeps, and why: unknown is not unused, denied is not used, no evidence means no change. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.iam.catalogue import Catalogue, Observability
from shared.model.usage import LastAccess, Usage

# Calls that AWS allows everyone, whatever the policies say: nothing in a policy ever granted them.
ALWAYS_ALLOWED = frozenset({"sts:getcalleridentity", "sts:getsessiontoken"})


@dataclass(frozen=True, slots=True)
class KeepSet:
    """Lower-case actions to keep, and those among them that are proven uses."""

    keep: frozenset[str]
    used: frozenset[str]


def keep_set(
    granted: Iterable[str],
    usage: Usage,
    last_accessed: Mapping[str, LastAccess],
    catalogue: Catalogue,
    *,
    since: datetime,
) -> KeepSet:
    """Decide for every granted action whether it stays.

    It stays if it was used since `since` (observed or inferred), if a used action depends on it, if AWS may have
    checked it, or if the trail could not have shown it and IAM does not say that its service was left alone.
    For an identity that IAM saw at work in a region whose trail was not seen, the trail could have shown nothing.
    `last_accessed` maps service namespaces to the last attempt; a service that is not listed is unknown.
    """
    actions = frozenset(granted)
    used = frozenset(usage.used_since(since))
    needed = {key.lower() for action in used if (known := catalogue.get(action)) for key in known.depends_on}
    possible = {key for key, entry in usage.entries.items() if entry.possible_since(since)}
    elsewhere = worked_elsewhere(usage, last_accessed, since)
    unobservable = {
        action
        for action in actions
        if (elsewhere or not is_observable(action, usage, catalogue)) and not left_alone(action, last_accessed, since)
    }
    return KeepSet(frozenset(actions & (used | needed | possible | unobservable)), used)


def is_observable(action: str, usage: Usage, catalogue: Catalogue) -> bool:
    """Whether the trail that was seen would have shown a use of this action."""
    match catalogue.observability(action):
        case Observability.MANAGEMENT:
            return bool(usage.coverage.days)
        case Observability.DATA:
            return usage.coverage.data_events
        case _:
            return False


def worked_elsewhere(usage: Usage, last_accessed: Mapping[str, LastAccess], since: datetime) -> bool:
    """Whether IAM last saw some service tried, since `since`, in a region that the trail does not cover.

    IAM names only the last region of each service, so one such region is taken to mean that there may be more.
    """
    return any(
        access.at is not None
        and access.at >= since
        and access.region is not None
        and access.region not in usage.coverage.regions
        for access in last_accessed.values()
    )


def left_alone(action: str, last_accessed: Mapping[str, LastAccess], since: datetime) -> bool:
    """Whether IAM says that the action's service was not even tried since `since`."""
    access = last_accessed.get(action.partition(":")[0])
    return access is not None and (access.at is None or access.at < since)
