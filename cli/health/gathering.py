"""Asks AWS, with the caller's own permissions, how the deployed system stands; all parts at the same time."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from cli.health.facts import MOST, Alarm, Anchored, Depth, Facts, Plans, Read
from cli.health.lines import NotRead
from services.remediator.reconciling.due import INTERRUPTED_AFTER
from shared.aws.anchor_bucket import AnchorBucket
from shared.aws.clients import aws_errors
from shared.aws.deployed_account import DeployedAccount
from shared.aws.outbox import Outbox
from shared.aws.ssm import read_mode
from shared.errors import CallerError, DeniedError, LeastwiseError
from shared.model.plan import PlanRecord, PlanStatus

T = TypeVar("T")

ASKERS = 12  # questions at the same time: about as many as there are parts and queues
WEEK = timedelta(days=7)
ALARMS = 20  # of those that ring are told
WAITING = 1_000  # messages to people are counted
DEAD = "DeadLetterQueueUrl"
LIVE = "QueueUrl"


def facts_of(account: DeployedAccount, *, now: datetime, options: str = "") -> Facts:
    """All that is known of a system; a part that can't be read says so and hides no other.

    Raises LeastwiseError where the stack itself can't be read, or nothing can for the caller's credentials.
    """
    stack = account.stack
    with ThreadPoolExecutor(ASKERS) as pool:

        def ask(question: Callable[..., T], *arguments: object) -> Callable[[], Read[T]]:
            return pool.submit(_read, question, account, *arguments).result

        urls = queue_urls(stack.outputs)
        depths = [ask(_depth, name, url) for name, url in urls.items()]
        mode, trend, sweep = ask(_mode), ask(_trend, now), ask(_sweep)
        coverage, alarms, plans = ask(_coverage, now), ask(_alarms), ask(_plans, now)
        anchor, kept = ask(_anchor), ask(_kept)
        return Facts(
            now=now,
            stack_name=account.stack_name,
            account_id=stack.account_id,
            region=stack.region,
            window_days=stack.window_days,
            parameters=stack.parameters,
            mode_parameter=stack.outputs.get("ModeParameterName", ""),
            mode=mode(),
            trend=trend(),
            sweep=sweep(),
            coverage=coverage(),
            queues=_all([depth() for depth in depths]),
            alarms=alarms(),
            plans=plans(),
            anchor=anchor(),
            kept=kept(),
            options=options,
        )


def queue_urls(outputs: Mapping[str, str]) -> dict[str, str]:
    """The stack's queues by the name of the output that has their URL."""
    return {name: url for name, url in sorted(outputs.items()) if name.endswith(LIVE) and url}


def _read(question: Callable[..., T], *arguments: object) -> Read[T]:
    """An answer, or why there is none; without credentials there is none to any question."""
    try:
        return question(*arguments)
    except CallerError:
        raise
    except DeniedError as error:
        return NotRead(str(error), error.action)
    except LeastwiseError as error:
        return NotRead(str(error))


def _all(parts: list[Read[Depth]]) -> Read[tuple[Depth, ...]]:
    """All queues, or why one of them could not be read: one permission covers all."""
    refused = next((part for part in parts if isinstance(part, NotRead)), None)
    return refused or tuple(part for part in parts if isinstance(part, Depth))


def _mode(account: DeployedAccount) -> Any:
    return read_mode(account.client("ssm"), account.output("ModeParameterName"))


def _trend(account: DeployedAccount, now: datetime) -> Any:
    first = (now - 2 * WEEK).date()
    return tuple(account.trend.points(account.stack.account_id, since=first, until=now.date()))


def _sweep(account: DeployedAccount) -> Any:
    return account.sweeps.get(account.stack.account_id)


def _coverage(account: DeployedAccount, now: datetime) -> Any:
    since = now - timedelta(days=account.stack.window_days)
    return account.ledger.read_coverage(account.stack.account_id, since=since)


def _depth(account: DeployedAccount, name: str, url: str) -> Depth:
    names = ("", "NotVisible", "Delayed")
    with aws_errors(f"GetQueueAttributes {name}"):
        attributes = account.client("sqs").get_queue_attributes(
            QueueUrl=url, AttributeNames=[f"ApproximateNumberOfMessages{suffix}" for suffix in names]
        )["Attributes"]
    waiting, in_work, delayed = (int(attributes[f"ApproximateNumberOfMessages{suffix}"]) for suffix in names)
    return Depth(url.rsplit("/", 1)[-1], waiting, in_work, delayed, dead=name.endswith(DEAD))


def _alarms(account: DeployedAccount) -> tuple[Alarm, ...]:
    with aws_errors("DescribeAlarms"):
        pages = (
            account.client("cloudwatch")
            .get_paginator("describe_alarms")
            .paginate(
                AlarmNamePrefix=f"{account.stack_name}/", StateValue="ALARM", PaginationConfig={"MaxItems": ALARMS}
            )
        )
        found = [alarm for page in pages for alarm in page["MetricAlarms"]]
    return tuple(
        Alarm(alarm["AlarmName"], alarm["StateUpdatedTimestamp"], alarm.get("AlarmDescription", "")) for alarm in found
    )


def _plans(account: DeployedAccount, now: datetime) -> Plans:
    unreadable: list[LeastwiseError] = []

    def of(status: PlanStatus) -> Iterator[PlanRecord]:
        records = account.journal.with_status(account.stack.account_id, status, unreadable=unreadable.append)
        return islice(records, MOST)

    under_way = [*of(PlanStatus.APPLYING), *of(PlanStatus.ROLLING_BACK)]
    applied = list(of(PlanStatus.APPLIED))
    proposed, quarantined = (sum(1 for _ in of(status)) for status in (PlanStatus.PROPOSED, PlanStatus.QUARANTINED))
    return Plans(
        proposed=proposed,
        under_way=len(under_way),
        interrupted=sum(1 for record in under_way if now - record.updated_at > INTERRUPTED_AFTER),
        applied=len(applied),
        watched=sum(1 for record in applied if record.soak_until and record.soak_until > now),
        quarantined=quarantined,
        unreadable=len(unreadable),
    )


def _anchor(account: DeployedAccount) -> Anchored | None:
    account_id = account.stack.account_id
    bucket = AnchorBucket(account.client("s3"), account.output("AuditAnchorBucketName"), owner_account_id=account_id)
    places = bucket.places(account_id)
    if not places:
        return None
    content = bucket.read(places[-1]).content or {}
    try:
        at = datetime.fromisoformat(str(content["anchored_at"]))
    except (KeyError, ValueError):
        raise LeastwiseError(f"anchor {places[-1].number} can't be read: `leastwise audit verify` tells more") from None
    newer = sum(1 for _ in islice(account.audit.of_account(account_id, since=at), MOST))
    touched = sum(1 for place in places if place.overwritten or place.deleted or place.version_id is None)
    return Anchored(places[-1].number, at, len(content.get("faults", ())) + touched, newer)


def _kept(account: DeployedAccount) -> tuple[datetime, ...]:
    outbox = Outbox(account.client("dynamodb"), account.output("NotificationsTableName"))
    return tuple(kept.kept_at for kept in outbox.waiting(limit=WAITING))
