"""What an identity keeps, and why: unknown is not unused, denied is not used, no evidence means no change. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

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
    For an identity that IAM saw at work in a region whose trail was not seen, the trail could have shown nothing; nor
    could it for a service that IAM saw tried on a day without a trail. Used actions outside the catalogue stay.
    `last_accessed` maps service namespaces to the last attempt; a service that is not listed is unknown.
    """
    actions = frozenset(granted)
    used = frozenset(usage.used_since(since))
    needed = {key.lower() for action in used if (known := catalogue.get(action)) for key in known.depends_on}
    possible = {key for key, entry in usage.entries.items() if entry.possible_since(since)}
    elsewhere, missed = worked_elsewhere(usage, last_accessed, since), missed_services(usage, last_accessed, since)
    unobservable = {
        action
        for action in actions
        if (elsewhere or action.partition(":")[0] in missed or not is_observable(action, usage, catalogue))
        and not left_alone(action, last_accessed, since)
    }
    unknown = {action for action in used if catalogue.get(action) is None}
    return KeepSet(frozenset(actions & (used | needed | possible | unobservable) | unknown), used)


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


def missed_services(usage: Usage, last_accessed: Mapping[str, LastAccess], since: datetime) -> frozenset[str]:
    """Services that IAM saw tried, since `since`, on a day on which the trail was not seen (or the days beside it)."""
    near = {day + timedelta(days=offset) for day in usage.coverage.days for offset in (-1, 0, 1)}
    return frozenset(
        service
        for service, access in last_accessed.items()
        if access.at is not None and access.at >= since and access.at.date() not in near
    )


def left_alone(action: str, last_accessed: Mapping[str, LastAccess], since: datetime) -> bool:
    """Whether IAM says that the action's service was not even tried since `since`."""
    access = last_accessed.get(action.partition(":")[0])
    return access is not None and (access.at is None or access.at < since)
