"""What was seen so far: the growing counterparts of `Seen`, mutable for speed. Pure."""

from collections.abc import Iterable
from datetime import date, datetime

from services.scorer.trail.record import Record
from services.scorer.usage.resources import ResourceRule, is_direct
from shared.model.resources import ANY_RESOURCE, NO_RESOURCE, Resources

MAX_PENDING = 64  # ARNs that are kept before they are folded: memory against time


class Named:
    """Resources that one identity's uses of one action named.

    `arns` wait to be folded into `resources`; Resources is a semilattice, so when that happens makes no difference.
    `rule` is None where nothing is to be learnt from records: the resources are "any", or told in another way.
    """

    __slots__ = ("arns", "resources", "rule")

    def __init__(self, resources: Resources = NO_RESOURCE, arns: Iterable[str] = ()) -> None:
        """Begin with these resources, of which some may still wait to be folded."""
        self.arns = set(arns)
        self.resources = resources
        self.rule: ResourceRule | None = None

    def note(self, record: Record, rule: ResourceRule) -> None:
        """Note the resources of one more use, by its action's rule: its ARNs that fit, else those of its request."""
        if rule.addressed and not is_direct(record.request_parameters):
            self.widen(ANY_RESOURCE)
            return
        found = False
        if rule.by_resources and record.resources:
            arns = self.arns
            for resource in record.resources:
                arn = resource.arn
                if arn in arns:
                    found = True
                elif arn is not None and rule.fits(arn):
                    arns.add(arn)
                    found = True
            if len(arns) > MAX_PENDING:
                self.settle()
        if not found:
            self.add(rule.named_in_request(record))

    def add(self, arns: Iterable[str] | None) -> None:
        """Note named resources; None leaves them open for good."""
        if arns is None:
            self.widen(ANY_RESOURCE)
            return
        self.arns.update(arns)
        if len(self.arns) > MAX_PENDING:
            self.settle()

    def widen(self, resources: Resources) -> None:
        """Join resources; once they are "any", nothing needs to be asked or kept any more."""
        self.resources = self.resources.join(resources)
        if self.resources.is_any:
            self.rule = None
            self.arns.clear()

    def settle(self) -> Resources:
        """Fold what waits, and say which resources all uses named."""
        if self.arns and not self.resources.is_any:
            waiting = Resources.of(self.arns)
            self.arns.clear()
            self.widen(waiting)
        return self.resources

    def absorb(self, other: "Named") -> None:
        """Add what somebody else saw of the same action."""
        self.widen(other.resources)
        if not self.resources.is_any:
            self.add(other.arns)


class Group:
    """Count and span (UTC) of one call.

    `days` is shared by all calls of an account and region, `named` by all of an identity and action.
    """

    __slots__ = ("count", "days", "first", "last", "named")

    def __init__(self, count: int, first: datetime, last: datetime) -> None:
        """Begin with this many records."""
        self.count = count
        self.first = first
        self.last = last
        self.days: set[date] = set()
        self.named = NOTHING_NAMED

    def absorb(self, count: int, first: datetime, last: datetime) -> None:
        """Add so many more records of the same call."""
        self.count += count
        self.first = min(self.first, first)
        self.last = max(self.last, last)


NOTHING_NAMED = Named(ANY_RESOURCE)
