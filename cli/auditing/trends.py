"""How the PCI of the account, or of one identity, developed: the stored values, the limit, and what they come to."""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from cli.auditing.times import Range
from cli.auditing.whom import Whom, whom
from shared.aws.deployed_account import DeployedAccount, StackFacts
from shared.model.trend import TrendPoint

INSTANT = timedelta(microseconds=1)
NO_ALARM = ("", "0")


class Limit(NamedTuple):
    """The PCI from which on somebody is to look, and what it is called."""

    pci: float
    name: str


class Trend(NamedTuple):
    """Points in order, of the days from `since` to `until`, both included; of the account where `whom` is None."""

    account_id: str
    whom: Whom | None
    since: date
    until: date
    limit: Limit | None
    points: tuple[TrendPoint, ...]

    @property
    def missing_days(self) -> int:
        """Days between the first point and the last one that have none."""
        if not self.points:
            return 0
        return (self.points[-1].day - self.points[0].day).days + 1 - len(self.points)


def trend_of(account: DeployedAccount, who: str | None, times: Range, *, now: datetime) -> Trend:
    """The stored trend between two times (up to now by default). Raises InputError for somebody whom nobody knows."""
    facts = account.stack
    meant = whom(who, account) if who else None
    last = times.until - INSTANT if times.until else now
    first = times.since or datetime.min.replace(tzinfo=UTC)
    since, until = first.astimezone(UTC).date(), last.astimezone(UTC).date()
    identity_id = meant.identity_id if meant else None
    points = account.trend.points(facts.account_id, since=since, until=until, identity_id=identity_id)
    limit = Limit(facts.threshold, "threshold") if meant else alarm_of(facts)
    return Trend(facts.account_id, meant, since, until, limit, tuple(points))


def alarm_of(facts: StackFacts) -> Limit | None:
    """The account's PCI at which the stack's alarm goes off, if it has one."""
    value = facts.parameters.get("AccountPciAlarm", "")
    return None if value in NO_ALARM else Limit(float(value), "alarm")
