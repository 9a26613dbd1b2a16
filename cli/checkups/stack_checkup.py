"""The checks that only a deployed stack can be asked for."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from cli.checkups import event_rules, log_files, recorder, safekeeping, stack
from cli.checkups.finding import Finding, Where, examine
from shared.aws.bucket_setup import read_bucket_events, read_bucket_lock
from shared.aws.config_setup import read_config_rule
from shared.aws.deployed_account import DeployedAccount, StackFacts
from shared.aws.event_rules import read_rule
from shared.aws.ssm import read_mode, read_text
from shared.aws.stack_attention import read_alarms, read_subscribers, read_waiting
from shared.aws.stack_resources import name_of, stack_status
from shared.errors import SettingsError
from shared.model.account_setup import EventRule
from shared.model.plan import Mode
from shared.model.usage import Coverage

Task = Callable[[], list[Finding]]
DEAD_LETTERS = "DeadLetterQueueUrl"


def tasks(account: DeployedAccount, facts: StackFacts, where: Where, *, now: datetime) -> Iterator[Task]:
    """What to ask of a stack, each by itself; what its parameters turned off is not asked."""
    yield partial(_state, account, where)
    yield from _controls(account, facts, where)
    yield from _feeds(account, facts, where, now=now)
    yield from _people(account, facts, where, now=now)


def _state(account: DeployedAccount, where: Where) -> list[Finding]:
    name = account.stack_name
    return examine(
        (stack.STATE,),
        lambda: stack_status(account.client("cloudformation"), name),
        lambda status: stack.judge_state(status, name, where),
    )


def _controls(account: DeployedAccount, facts: StackFacts, where: Where) -> Iterator[Task]:
    """The parameters that people set."""
    mode, safeguards = facts.outputs.get("ModeParameterName", ""), facts.outputs.get("SafeguardsParameterName", "")

    def read() -> Mode | SettingsError:
        try:
            return read_mode(account.client("ssm"), account.output("ModeParameterName"))
        except SettingsError as error:
            return error

    yield partial(examine, (stack.MODE,), read, partial(stack.judge_mode, parameter=mode, where=where))
    yield partial(
        examine,
        (stack.SAFEGUARDS,),
        lambda: read_text(account.client("ssm"), account.output("SafeguardsParameterName")),
        partial(stack.judge_safeguards, parameter=safeguards, where=where),
    )


def _feeds(account: DeployedAccount, facts: StackFacts, where: Where, *, now: datetime) -> Iterator[Task]:
    """What the stack hears of the account: API calls, log files, AWS Config."""

    def rules() -> dict[str, EventRule]:
        cloudformation, events = account.client("cloudformation"), account.client("events")
        return {
            logical: read_rule(events, name_of(cloudformation, account.stack_name, logical))
            for logical in event_rules.RULES
        }

    yield partial(
        examine,
        event_rules.RULE_CHECKS,
        rules,
        partial(event_rules.judge_rules, outputs=facts.outputs, where=where),
    )
    bucket, queue = facts.parameters.get("TrailLogBucketName", ""), facts.outputs.get("TrailLogQueueArn", "")

    def judge(coverage: Coverage) -> Iterator[Finding]:
        yield from event_rules.judge_coverage(coverage, now.date())
        if bucket:
            yield from log_files.judge_arrivals(coverage, now.date())

    since = now - timedelta(days=event_rules.RECENT_DAYS)
    checks = (*event_rules.COVERAGE_CHECKS, *((log_files.ARRIVED,) if bucket else ()))
    yield partial(examine, checks, lambda: account.ledger.read_coverage(facts.account_id, since=since), judge)
    if bucket:
        yield partial(
            examine,
            (log_files.TOLD,),
            lambda: read_bucket_events(account.client("s3"), bucket),
            lambda told: log_files.judge_bucket_events(told, bucket, facts.parameters, queue, where),
        )
    if rule := facts.outputs.get("ConfigRuleName"):
        yield partial(
            examine,
            (recorder.RULE,),
            lambda: read_config_rule(account.client("config"), rule),
            lambda found: recorder.judge_rule(found, rule, where, now=now),
        )


def _people(account: DeployedAccount, facts: StackFacts, where: Where, *, now: datetime) -> Iterator[Task]:
    """What waits for people, and how they are told."""
    dead = {name: url for name, url in facts.outputs.items() if name.endswith(DEAD_LETTERS) and url}
    yield partial(
        examine,
        (stack.QUEUES,),
        lambda: {name: read_waiting(account.client("sqs"), url) for name, url in dead.items()},
        lambda waiting: stack.judge_queues(
            waiting, lambda name: where.arn("sqs", dead[name].rpartition("/")[2]), where
        ),
    )
    yield partial(
        examine,
        (stack.ALARMS,),
        lambda: read_alarms(account.client("cloudwatch"), f"{account.stack_name}/"),
        partial(stack.judge_alarms, now=now, where=where),
    )
    topic = facts.outputs.get("TopicArn", "")
    yield partial(
        examine,
        (safekeeping.SUBSCRIBED,),
        lambda: read_subscribers(account.client("sns"), account.output("TopicArn")),
        partial(safekeeping.judge_subscribers, topic=topic, where=where),
    )
    yield partial(
        examine,
        (safekeeping.LOCKED,),
        lambda: read_bucket_lock(account.client("s3"), account.output("AuditAnchorBucketName")),
        lambda lock: safekeeping.judge_lock(lock, facts.outputs["AuditAnchorBucketName"]),
    )
