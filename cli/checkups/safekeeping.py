"""Whether people are told, and whether what is recorded for them stays: the topic, and the bucket of anchors."""

from collections.abc import Iterator

from cli.checkups.finding import Check, Finding, Where
from shared.model.account_setup import BucketLock, Subscribers

SUBSCRIBED = Check(
    "notifications.subscribers",
    "Somebody is told",
    "A notification to a topic without subscribers reaches nobody.",
    "README.md#deploy",
)
LOCKED = Check(
    "audit.anchors",
    "Anchors of the audit trail can't be deleted",
    "An anchor proves later that no entry was changed or removed, if nobody could change the anchor itself.",
    "docs/cli.md",
)


def judge_subscribers(subscribers: Subscribers, topic: str, where: Where) -> Iterator[Finding]:
    """Judge the topic's subscriptions."""
    pending = ", ".join(subscribers.pending)
    told = f"{subscribers.confirmed} confirmed" + (
        f", {len(subscribers.pending)} not yet ({pending})" if pending else ""
    )
    if subscribers.confirmed and not pending:
        yield SUBSCRIBED.ok(told)
    elif pending:
        advice = "Confirm it by the mail from AWS Notifications within two days: after that AWS deletes it."
        finding = SUBSCRIBED.warn if subscribers.confirmed else SUBSCRIBED.fail
        yield finding(told, advice, where.aws("sns", "list-subscriptions-by-topic", "--topic-arn", topic))
    else:
        subscribe = where.aws(
            *("sns", "subscribe", "--topic-arn", topic, "--protocol", "email"),
            *("--notification-endpoint", "TEAM@EXAMPLE.COM"),
        )
        yield SUBSCRIBED.fail(
            told, "Subscribe, and confirm it by the mail within two days: AWS deletes what is not confirmed.", subscribe
        )


def judge_lock(lock: BucketLock, bucket: str) -> Iterator[Finding]:
    """Judge how the bucket of anchors keeps them."""
    if not lock.is_locked or not lock.is_versioned:
        missing = "no object lock" if not lock.is_locked else "no versions"
        advice = "Deploy the stack again from its template: somebody changed the bucket by hand."
        yield LOCKED.fail(f"{bucket} has {missing}", advice)
    elif not lock.days:
        advice = "Deploy again with AnchorRetentionDays: without a retention, an anchor can be deleted at once."
        yield LOCKED.fail(f"{bucket} locks new objects for no time", advice)
    else:
        yield LOCKED.ok(f"{bucket} locks each for {lock.days} days ({lock.mode})")
