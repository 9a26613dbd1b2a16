"""Whether CloudTrail records what people do: without a trail that logs, EventBridge gets no API calls."""

from collections.abc import Iterator, Sequence

from cli.checkups.finding import Check, Finding, Where
from shared.model.account_setup import TrailSetup
from shared.model.recording import READS, WRITES, Recording

SEE = "README.md#deploy"
LOGGING = Check(
    "trail.logging",
    "A trail logs in this region",
    "EventBridge gets API calls only where a trail logs; without one everything looks unused.",
    SEE,
    is_essential=True,
)
MANAGEMENT = Check(
    "trail.management-events",
    "Management events are recorded, reads included",
    "What is not recorded looks unused, and would be taken away.",
    SEE,
)
GLOBAL = Check(
    "trail.global-services",
    "Events of global services are recorded",
    "Calls of IAM and STS are events of global services.",
    SEE,
)
REGIONS = Check(
    "trail.regions",
    "A trail records every region",
    "What an identity does in another region can come only from a multi-region trail's log files.",
    "README.md#read-the-trails-log-files",
)
DELIVERY = Check(
    "trail.delivery",
    "Log files are delivered",
    "Log files are what a dropped event is made good from, and what an investigation needs.",
    "README.md#read-the-trails-log-files",
)
VALIDATION = Check(
    "trail.validation",
    "Log files are signed",
    "With digests it can be proven that no log file was changed or deleted.",
    SEE,
)
CHECKS = (LOGGING, MANAGEMENT, GLOBAL, REGIONS, DELIVERY, VALIDATION)
ALL_EVENTS = '[{"ReadWriteType": "All", "IncludeManagementEvents": true}]'


def judge_trails(trails: Sequence[TrailSetup], where: Where) -> Iterator[Finding]:
    """Judge all trails of a region together: what one records, another needn't."""
    logging = [trail for trail in trails if trail.is_logging]
    unread = "; ".join(trail.unread for trail in trails if trail.unread)
    if not logging:
        yield _none_logs(trails, unread, where)
        return
    yield LOGGING.ok(_named(logging))
    first = logging[0]
    yield _management(logging, unread, where)
    yield _one_has(GLOBAL, [trail.has_global_events for trail in logging], unread) or GLOBAL.fail(
        f"not by {_named(logging)}",
        "Have a trail include global services.",
        _update(first, "--include-global-service-events", where),
    )
    yield _one_has(REGIONS, [trail.is_multi_region for trail in logging], unread) or REGIONS.warn(
        f"{_named(logging)}: {where.region} alone",
        "Make the trail one of all regions.",
        _update(first, "--is-multi-region-trail", where),
    )
    yield _delivery(logging)
    yield _one_has(VALIDATION, [trail.is_validated for trail in logging], unread) or VALIDATION.warn(
        f"not of {_named(logging)}",
        "Turn log file validation on.",
        _update(first, "--enable-log-file-validation", where),
    )


def joined(trails: Sequence[TrailSetup]) -> Recording:
    """What the trails that log record together."""
    recording = Recording()
    for trail in trails:
        if trail.is_logging:
            recording = recording.join(trail.recording)
    return recording


def _none_logs(trails: Sequence[TrailSetup], unread: str, where: Where) -> Finding:
    if unread:
        return LOGGING.unknown(f"could not ask: {unread}")
    if not trails:
        return LOGGING.fail(
            f"there is no trail in {where.region}",
            "Make one, with a bucket that lets CloudTrail write to it, and start it.",
            _in_home(
                where,
                *("create-trail", "--name", "management-events", "--s3-bucket-name", "BUCKET"),
                *("--is-multi-region-trail", "--enable-log-file-validation"),
            ),
            _in_home(where, "start-logging", "--name", "management-events"),
        )
    starts = (_in_home(where, "start-logging", "--name", trail.arn, home=trail.home_region) for trail in trails)
    return LOGGING.fail(f"stopped: {_named(trails)}", "Start one of them.", *starts)


def _management(logging: Sequence[TrailSetup], unread: str, where: Where) -> Finding:
    recording = joined(logging)
    gaps = recording.management_gaps
    if not gaps:
        return MANAGEMENT.ok("reads and writes, of every service")
    if unread:
        advice = "Ask in the account that owns the trail. After the deployment, what came in shows it (events.reads)."
        return MANAGEMENT.unknown(f"could not ask: {unread}", advice)
    words = f"{_named(logging)}: {', '.join(gaps)}"
    first = logging[0]
    show = _in_home(where, "get-event-selectors", "--trail-name", first.arn, home=first.home_region)
    put = _in_home(
        where,
        *("put-event-selectors", "--trail-name", first.arn, "--event-selectors", ALL_EVENTS),
        home=first.home_region,
    )
    advice = "Record all management events. This replaces the trail's selectors: add what else the first command shows."
    if {READS, WRITES} <= set(recording.management):
        return MANAGEMENT.warn(words, f"{advice} What these services do stays unseen.", show, put)
    return MANAGEMENT.fail(words, advice, show, put)


def _delivery(logging: Sequence[TrailSetup]) -> Finding:
    failing = [trail for trail in logging if trail.delivery_error]
    if not failing:
        return DELIVERY.ok(", ".join(sorted({trail.bucket for trail in logging})))
    told = "; ".join(f"{_name(trail)} to {trail.bucket}: {trail.delivery_error}" for trail in failing)
    advice = "Let CloudTrail write by the bucket's policy, and by that of the KMS key where there is one."
    return DELIVERY.warn(told, advice)


def _one_has(check: Check, has: Sequence[bool], unread: str) -> Finding | None:
    """The finding where one trail has it, or nobody can know; None where none has."""
    if any(has):
        return check.ok(f"{sum(has)} of {len(has)} trails that log")
    return check.unknown(f"could not ask: {unread}") if unread else None


def _update(trail: TrailSetup, option: str, where: Where) -> str:
    return _in_home(where, "update-trail", "--name", trail.arn, option, home=trail.home_region)


def _in_home(where: Where, *words: str, home: str = "") -> str:
    """A command about a trail, which is changed in its home region."""
    return where._replace(region=home or where.region).aws("cloudtrail", *words)


def _named(trails: Sequence[TrailSetup]) -> str:
    return ", ".join(map(_name, trails))


def _name(trail: TrailSetup) -> str:
    return trail.arn.rpartition("/")[2]
