"""What a plan takes away and keeps, service by service: few lines in place of hundreds of actions. Pure."""

from collections import Counter
from collections.abc import Iterable

from shared.events import ServiceChange
from shared.model.plan import Plan

MAX_SERVICES = 10  # an event tells the services that lose most; IAM knows some 450


def changes_by_service(plan: Plan) -> tuple[ServiceChange, ...]:
    """The services that lose most, with how many of their permissions go and stay; at most ten, none without a loss."""
    removes, keeps = _counted(plan.removes), _counted(plan.keeps)
    most = sorted(removes.items(), key=lambda item: (-item[1], item[0]))[:MAX_SERVICES]
    return tuple(ServiceChange(service=name, removes=count, keeps=keeps[name]) for name, count in most)


def _counted(actions: Iterable[str]) -> Counter[str]:
    return Counter(action.partition(":")[0].lower() for action in actions)
