"""How an account and a deployed stack are set up, as far as the system depends on it: facts, without a judgement."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from shared.model.recording import Recording


class TrailSetup(NamedTuple):
    """A trail that records in the region that was asked; `unread` says why its state is not known, empty where it is.

    `key` is the ARN of the KMS key that encrypts its log files, empty where S3's own keys do.
    """

    arn: str
    home_region: str
    bucket: str
    is_multi_region: bool
    has_global_events: bool
    is_validated: bool
    key: str = ""
    is_logging: bool = False
    delivery_error: str = ""
    recording: Recording = Recording()
    unread: str = ""


class EventRule(NamedTuple):
    """A rule of EventBridge: its state, and its targets' ARNs, each with the ARN of its dead-letter queue, or empty."""

    name: str
    state: str
    targets: Mapping[str, str]


class RecorderSetup(NamedTuple):
    """AWS Config's recorder in one region: whether it is on, and which types it records how often.

    `frequencies` has CONTINUOUS or DAILY for each asked type that is recorded. `error` and `channel_error` are codes of
    AWS.
    """

    name: str
    is_recording: bool
    status: str
    error: str
    frequencies: Mapping[str, str]
    has_channel: bool
    channel_error: str


class ConfigRuleSetup(NamedTuple):
    """A rule of AWS Config: its state, and when it last succeeded and failed, with the failure's code."""

    state: str
    succeeded_at: datetime | None
    failed_at: datetime | None
    error: str


class BucketEvents(NamedTuple):
    """Whom a bucket tells of new objects: ARNs of queues and topics, and whether EventBridge."""

    queues: frozenset[str]
    topics: frozenset[str]
    event_bridge: bool


class BucketLock(NamedTuple):
    """Whether a bucket keeps versions and locks new objects; the retention is GOVERNANCE or COMPLIANCE, or empty."""

    is_versioned: bool
    is_locked: bool
    mode: str
    days: int


class Subscribers(NamedTuple):
    """How many subscriptions of a topic are confirmed, and the protocols of those that are not yet."""

    confirmed: int
    pending: tuple[str, ...]


class AlarmState(NamedTuple):
    """A CloudWatch alarm: OK, ALARM or INSUFFICIENT_DATA, and since when; `advice` is its own description."""

    name: str
    state: str
    since: datetime
    advice: str
    is_active: bool


class Concurrency(NamedTuple):
    """How many executions Lambda runs at the same time in this region at most, and did at most in the last day."""

    limit: int
    unreserved: int
    peak: int


class Permission(NamedTuple):
    """Whether IAM's simulation lets a caller do an action on a resource; None where it depends on the request."""

    action: str
    resource: str
    is_allowed: bool | None
