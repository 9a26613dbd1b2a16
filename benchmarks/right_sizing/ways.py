"""The ways to narrow an identity, measured side by side: each gives a policy to bound it by, or says why not."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from services.remediator.deriving.derive import derive_plan
from services.remediator.deriving.inputs import Evidence, Knowledge, Options
from shared.errors import InputError
from shared.iam.grants import effective_grants
from shared.iam.narrow import narrow
from shared.knowledge import load_catalogue, load_risk
from shared.model.identity import IdentityDetail
from shared.model.last_accessed import LastAccess, LastAccessed
from shared.model.plan import Reason, ResourceScope, Strategy
from shared.model.usage import Usage
from shared.pci.score import ScoreParameters

WINDOW_DAYS = 90
THRESHOLD = 60.0
OURS, SERVICES, PEER = "leastwise, as deployed", "unused services go (Repokid's idea)", "trailscraper"


class Case(NamedTuple):
    """An identity at one time: what it holds, and what was seen of it until then."""

    detail: IdentityDetail
    usage: Usage
    now: datetime


Document: TypeAlias = Mapping[str, Any]
Way: TypeAlias = Callable[[Case], Document | str]
"""Gives a document, or why there is none."""


@cache
def knowledge() -> Knowledge:
    """What is known of AWS."""
    return Knowledge(load_catalogue(), load_risk(), ScoreParameters())


def options(**changes: Any) -> Options:
    """The defaults of the deployed system, but for the days that must have been seen: the records are of one."""
    return Options(
        strategy=Strategy.BOUNDARY,
        window_days=WINDOW_DAYS,
        threshold=THRESHOLD,
        min_observed_days=1,
        ttl=timedelta(hours=24),
        **changes,
    )


def last_accessed(case: Case) -> LastAccessed:
    """What IAM would say if the identity had done nothing but what the records tell, by service alone.

    Attempts count, refused ones too. A service that is granted and was not tried is listed without a time.
    """
    granted = effective_grants(case.detail, knowledge().catalogue).by_action
    services = {action.split(":")[0]: LastAccess() for action in granted}
    for action, entry in case.usage.entries.items():
        service, region = action.split(":")[0], min(entry.regions, default=None)
        at = max(span.last for span in entry.spans.values())
        known = services.get(service, LastAccess()).at
        if known is None or at > known:
            services[service] = LastAccess(at, region)
    return LastAccessed(services, {}, case.now)


def ours(chosen: Options, *, asks_iam: bool = True) -> Way:
    """Our plan, derived and proven; as the deployed system does it with last accessed information."""

    def way(case: Case) -> Document | str:
        evidence = Evidence(case.usage, last_accessed=last_accessed(case) if asks_iam else None)
        plan = derive_plan(case.detail, evidence, knowledge(), chosen, now=case.now)
        return plan.code.value if isinstance(plan, Reason) else plan.policies[0].document

    return way


def whole_services(case: Case) -> Document | str:
    """The main step of Netflix's Repokid, as an idea: services that were not accessed go, the others stay whole.

    Repokid asks IAM what was last accessed, which counts attempts; here the records tell, which count attempts, too.
    Written for this benchmark; source of the idea: https://github.com/Netflix/repokid (Apache-2.0).
    """
    accessed = {action.split(":")[0] for action in case.usage.entries}
    granted = effective_grants(case.detail, knowledge().catalogue).by_action
    kept = frozenset(action for action in granted if action.split(":")[0] in accessed)
    try:
        return narrow(case.detail.policies, kept, knowledge().catalogue)
    except InputError as error:
        return str(error)


WAYS: Mapping[str, Way] = {
    OURS: ours(options()),
    "the same, resources as observed": ours(options(resource_scope=ResourceScope.OBSERVED)),
    "the same, reads preserved": ours(options(preserve_reads=True)),
    "the same, without last accessed information": ours(options(), asks_iam=False),
    SERVICES: whole_services,
}
