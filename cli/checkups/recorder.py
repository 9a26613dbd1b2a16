"""Whether AWS Config records users and roles, and evaluates the stack's rule."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cli.checkups.finding import Check, Finding, Level, Where
from shared.model.account_setup import ConfigRuleSetup, RecorderSetup

TYPES = ("AWS::IAM::User", "AWS::IAM::Role")
CONTINUOUS = "CONTINUOUS"
OLD = timedelta(days=2)  # the rule is evaluated every 24 hours at least
WITHOUT = "Or go without: deploy with EnableConfig=false and InventorySource=none."

SEE = "README.md#deploy"
ON = Check(
    "config.recorder",
    "AWS Config's recorder is on",
    "Verdicts are shown, and remediation is driven, by AWS Config.",
    SEE,
)
RECORDED = Check(
    "config.iam-types",
    "It records IAM users and roles in this region",
    "The rule is evaluated only for what is recorded here. In a second region the same items would be paid for twice.",
    SEE,
)
FREQUENCY = Check(
    "config.frequency",
    "It records them as they change",
    "With daily recording a change is judged up to a day late.",
    SEE,
)
CHANNEL = Check(
    "config.channel",
    "It delivers what it records",
    "A recorder without a delivery channel can't be started.",
    SEE,
)
RULE = Check(
    "config.rule",
    "The stack's rule is evaluated",
    "Without it AWS Config shows no verdicts, and starts no remediation.",
    SEE,
)
RECORDER_CHECKS = (ON, RECORDED, FREQUENCY, CHANNEL)


def judge_recorder(recorder: RecorderSetup | None, where: Where, *, is_required: bool) -> Iterator[Finding]:
    """Judge the region's recorder; what is wrong is only a warning where AWS Config is not required."""
    for finding in _recorder_findings(recorder, where):
        if finding.level is Level.FAIL and not is_required:
            yield finding._replace(level=Level.WARN, advice=f"{finding.advice} {WITHOUT}")
        else:
            yield finding


def judge_rule(rule: ConfigRuleSetup, name: str, where: Where, *, now: datetime) -> Iterator[Finding]:
    """Judge the stack's rule by its state and its last evaluations."""
    begin = where.aws("configservice", "start-config-rules-evaluation", "--config-rule-names", name)
    if rule.state not in {"ACTIVE", "EVALUATING"}:
        yield RULE.fail(f"{name} is {rule.state}", "Deploy the stack again from its template.")
    elif rule.failed_at and (rule.succeeded_at is None or rule.failed_at > rule.succeeded_at):
        told = f"failed at {rule.failed_at:%Y-%m-%d %H:%M} UTC: {rule.error or 'no code'}"
        yield RULE.fail(told, "Look at the log of the rule's function, then evaluate again.", begin)
    elif rule.succeeded_at is None:
        yield RULE.warn("never evaluated yet", "Wait half an hour after a deployment, or evaluate now.", begin)
    elif now - rule.succeeded_at > OLD:
        told = f"last evaluated at {rule.succeeded_at:%Y-%m-%d %H:%M} UTC"
        yield RULE.warn(told, "It is due every 24 hours: evaluate now, and look at the recorder.", begin)
    else:
        yield RULE.ok(f"last evaluated at {rule.succeeded_at:%Y-%m-%d %H:%M} UTC")


def _recorder_findings(recorder: RecorderSetup | None, where: Where) -> Iterator[Finding]:
    if recorder is None:
        yield ON.fail(
            f"there is no recorder in {where.region}",
            "Make one that records IAM users and roles, with its role and a delivery channel, and start it.",
            where.aws("iam", "create-service-linked-role", "--aws-service-name", "config.amazonaws.com"),
            _recording("default", f"arn:{where.partition}:iam::{where.account_id}:role/{_LINKED_ROLE}", where),
            where.aws(
                "configservice", "put-delivery-channel", "--delivery-channel", "name=default,s3BucketName=BUCKET"
            ),
            where.aws("configservice", "start-configuration-recorder", "--configuration-recorder-name", "default"),
        )
        return
    yield _state(recorder, where)
    missing = [kind for kind in TYPES if kind not in recorder.frequencies]
    if missing:
        yield RECORDED.fail(
            f"not {' and '.join(missing)}",
            "Add them to the recorder's group: includeGlobalResourceTypes where it records all types (in this region "
            "alone), else to its list. The first command shows the group, of which the second one wants all.",
            where.aws("configservice", "describe-configuration-recorders"),
            where.aws(
                "configservice", "put-configuration-recorder", "--configuration-recorder", "file://recorder.json"
            ),
        )
    else:
        yield RECORDED.ok(" and ".join(TYPES))
        yield _frequency(recorder)
    yield _channel(recorder, where)


_LINKED_ROLE = "aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"


def _recording(name: str, role: str, where: Where) -> str:
    return where.aws(
        *("configservice", "put-configuration-recorder"),
        *("--configuration-recorder", f"name={name},roleARN={role}"),
        *("--recording-group", f"allSupported=false,resourceTypes={','.join(TYPES)}"),
    )


def _state(recorder: RecorderSetup, where: Where) -> Finding:
    if not recorder.is_recording:
        name = ("--configuration-recorder-name", recorder.name)
        start = where.aws("configservice", "start-configuration-recorder", *name)
        return ON.fail(f"{recorder.name} is stopped", "Start it.", start)
    if recorder.status == "Failure":
        told = f"{recorder.name} failed: {recorder.error or 'no code'}"
        return ON.fail(told, "Look at the recorder's role, and at the policy of the bucket that it delivers to.")
    return ON.ok(recorder.name)


def _frequency(recorder: RecorderSetup) -> Finding:
    slow = [kind for kind in TYPES if recorder.frequencies[kind] != CONTINUOUS]
    if slow:
        advice = "Record these types continuously: an override in the recorder's recordingMode."
        return FREQUENCY.warn(f"{' and '.join(slow)} once a day", advice)
    return FREQUENCY.ok("continuously")


def _channel(recorder: RecorderSetup, where: Where) -> Finding:
    if not recorder.has_channel:
        put = where.aws(
            "configservice", "put-delivery-channel", "--delivery-channel", "name=default,s3BucketName=BUCKET"
        )
        return CHANNEL.fail("there is no delivery channel", "Make one.", put)
    if recorder.channel_error:
        advice = "Let AWS Config write by the policy of the channel's bucket, and of its key where there is one."
        return CHANNEL.warn(f"the last delivery failed: {recorder.channel_error}", advice)
    return CHANNEL.ok("there is a delivery channel")
