"""What only a trail's log files bring: data events, other regions, and what EventBridge dropped."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

from cli.checkups.finding import Check, Finding, Where
from cli.checkups.trails import joined
from shared.model.account_setup import BucketEvents, TrailSetup
from shared.model.usage import TRAIL_FEED, Coverage

SEE = "README.md#read-the-trails-log-files"
CONNECT = "services/scorer/README.md#log-files-of-a-trail"
DATA = Check(
    "logs.data-events",
    "Data events are recorded",
    "Reading an S3 object or invoking a function is a data event. Where none are recorded, nobody can say whether such "
    "permissions were used, and they are kept.",
    SEE,
)
READ = Check(
    "logs.read",
    "The stack reads a trail's log files",
    "They bring every region, data events, and what EventBridge dropped.",
    SEE,
)
TRAIL = Check(
    "logs.trail",
    "A trail of all regions fills that bucket",
    "The stack reads what a trail delivers there, and nothing else.",
    CONNECT,
)
KEY = Check(
    "logs.key",
    "The stack may decrypt the log files",
    "A function that can't use the key reads nothing.",
    CONNECT,
)
TOLD = Check(
    "logs.notified",
    "The bucket tells the stack of new files",
    "A file that nobody is told of is not read.",
    CONNECT,
)
ARRIVED = Check(
    "logs.arrived",
    "Log files come in",
    "Data events are believed only on days on which a log file came.",
    CONNECT,
)
TRAIL_CHECKS = (DATA, READ)
CREATED = "s3:ObjectCreated:*"


def judge_data_events(trails: Sequence[TrailSetup]) -> Iterator[Finding]:
    """Say of which types all data events are recorded, by any trail that logs."""
    unread = "; ".join(trail.unread for trail in trails if trail.unread)
    types = sorted(joined(trails).data_event_types)
    if types:
        yield DATA.ok(f"all of {', '.join(types)}")
    elif unread:
        yield DATA.unknown(f"could not ask: {unread}")
    else:
        yield DATA.warn(
            "of no type of resource completely",
            "Record those of the services whose permissions you want judged (AWS charges for data events): an event "
            "selector of the trail with nothing but eventCategory and resources.type.",
        )


def judge_log_files(
    trails: Sequence[TrailSetup], parameters: Mapping[str, str], *, needs_deployment: bool
) -> Iterator[Finding]:
    """Judge by the stack's parameters and the trails whether log files are read, from the right place, with the key."""
    bucket = parameters.get("TrailLogBucketName", "")
    if not bucket:
        found = "only management events of this region come in, by EventBridge"
        again = "Deploy" if needs_deployment else "Deploy again"
        yield READ.warn(found, f"{again} with TrailLogBucketName, the bucket of a trail of all regions.")
        return
    yield READ.ok(bucket)
    filling = [trail for trail in trails if trail.bucket == bucket and trail.is_multi_region]
    unread = "; ".join(trail.unread for trail in trails if trail.unread)
    able = [trail for trail in filling if trail.is_logging and not trail.delivery_error]
    if able:
        yield TRAIL.ok(", ".join(trail.arn for trail in able))
    elif unread:
        yield TRAIL.unknown(f"could not ask: {unread}")
    else:
        told = "a trail names it, but does not log or can't deliver" if filling else "no trail of this account does"
        advice = "Start the trail, or name its bucket in TrailLogBucketName. One of another account can't be seen here."
        yield TRAIL.warn(told, advice) if parameters.get("TrailLogBucketAccountId") else TRAIL.fail(told, advice)
    if filling:
        yield _key(filling, parameters.get("TrailLogKmsKeyArn", ""))


def judge_bucket_events(
    told: BucketEvents, bucket: str, parameters: Mapping[str, str], queue: str, where: Where
) -> Iterator[Finding]:
    """Judge whom the bucket tells of new objects: our queue, the topic of the parameter, or EventBridge."""
    topic = parameters.get("TrailLogTopicArn", "")
    if queue in told.queues:
        yield TOLD.ok("the queue")
    elif topic and topic in told.topics:
        yield TOLD.ok(f"the topic {topic}, to which the queue must be subscribed")
    elif told.event_bridge:
        yield TOLD.ok("EventBridge")
    else:
        wanted = {"QueueConfigurations": [{"QueueArn": queue, "Events": [CREATED]}]}
        yield TOLD.fail(
            f"{bucket} tells neither the queue nor EventBridge",
            "Add the queue. The second command replaces the bucket's notifications: add what the first one shows.",
            where.aws("s3api", "get-bucket-notification-configuration", "--bucket", bucket),
            where.aws(
                *("s3api", "put-bucket-notification-configuration", "--bucket", bucket),
                *("--notification-configuration", json.dumps(wanted)),
            ),
        )


def judge_arrivals(coverage: Coverage, today: date) -> Iterator[Finding]:
    """Judge whether the ledger has log files of the last two days."""
    days = [day for day, seen in coverage.seen.items() if TRAIL_FEED in seen.feeds]
    if days and max(days) >= today - timedelta(days=1):
        yield ARRIVED.ok(f"the last on {max(days).isoformat()}")
    else:
        told = f"none since {max(days).isoformat()}" if days else "none in the last days"
        advice = "Look at the checks of the trail, the key and the bucket, and at the dead-letter queues."
        yield ARRIVED.fail(told, advice)


def _key(filling: Sequence[TrailSetup], given: str) -> Finding:
    keys = {trail.key for trail in filling if trail.key}
    if keys - {given}:
        told = f"they are encrypted with {', '.join(sorted(keys - {given}))}"
        advice = "Deploy again with this key as TrailLogKmsKeyArn; a key of another account must let the role in, too."
        return KEY.fail(told, advice)
    return KEY.ok(f"with {given}" if keys else "S3's own keys encrypt them")
