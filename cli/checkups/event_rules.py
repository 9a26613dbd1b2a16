"""Whether API calls reach the stack, reads included: its rules of EventBridge, and what came in by them."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from cli.checkups.finding import Check, Finding, Where
from shared.model.account_setup import EventRule
from shared.model.usage import Coverage

WITH_READS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"  # EventBridge API Reference, PutRule
# Rules by their names in the template, and the output with the queue that each must fill.
RULES = {
    "ManagementEventsRule": "UsageQueueUrl",
    "RefusedCallsRule": "RestoreQueueUrl",
    "IamChangesRule": "ScoreQueueUrl",
}
RECENT_DAYS = 7

SEE = "README.md#how-it-works"
STATE = Check(
    "events.rules",
    "The rules take read events as well",
    "A rule that is merely enabled gets no read-only calls, and what only reads would look unused.",
    SEE,
    is_essential=True,
)
TARGETS = Check(
    "events.targets",
    "The rules fill the stack's queues",
    "A call that reaches no queue is lost; one that can't be delivered belongs in the dead-letter queue.",
    SEE,
)
ARRIVED = Check(
    "events.arrived",
    "API calls come in",
    "Days without any are days on which nobody can say what was used.",
    SEE,
    is_essential=True,
)
READS = Check(
    "events.reads",
    "Reads are among them",
    "Where reads are left out, what only reads would look unused.",
    SEE,
)
RULE_CHECKS = (STATE, TARGETS)
COVERAGE_CHECKS = (ARRIVED, READS)


def judge_rules(rules: Mapping[str, EventRule], outputs: Mapping[str, str], where: Where) -> Iterator[Finding]:
    """Judge the stack's rules, by their names in the template."""
    wrong = [rule for rule in rules.values() if rule.state != WITH_READS]
    if wrong:
        told = ", ".join(f"{rule.name} is {rule.state}" for rule in wrong)
        yield STATE.fail(told, "Set the state; the pattern stays as it is.", *(_mended(rule, where) for rule in wrong))
    else:
        yield STATE.ok(f"{len(rules)} rules")
    missing, unsafe = [], []
    for logical, rule in rules.items():
        queue = where.arn("sqs", outputs.get(RULES[logical], "").rpartition("/")[2])
        if queue not in rule.targets:
            missing.append(f"{rule.name} does not fill {queue}")
        elif not rule.targets[queue]:
            unsafe.append(f"{rule.name} has no dead-letter queue")
    advice = "Deploy the stack again from its template: somebody changed the rule by hand."
    if missing:
        yield TARGETS.fail("; ".join(missing + unsafe), advice)
    elif unsafe:
        yield TARGETS.warn("; ".join(unsafe), advice)
    else:
        yield TARGETS.ok("each with a dead-letter queue")


def judge_coverage(coverage: Coverage, today: date) -> Iterator[Finding]:
    """Judge what the usage ledger saw in the last days (`RECENT_DAYS`)."""
    last_two = today - timedelta(days=1)
    if not coverage.days:
        advice = "After a deployment, wait half an hour. Else look at the checks of the trail and of the rules."
        yield ARRIVED.fail(f"none in the last {RECENT_DAYS} days", advice)
        return
    latest = max(coverage.days)
    if latest < last_two:
        advice = "Look at the checks of the trail and of the rules, at the dead-letter queues, and at the alarms."
        yield ARRIVED.fail(f"none since {latest.isoformat()}", advice)
        return
    regions = ", ".join(sorted(coverage.since(last_two).regions)) or "no region named"
    yield ARRIVED.ok(f"the last on {latest.isoformat()}, of {regions}")
    if any(seen.reads for seen in coverage.since(last_two).seen.values()):
        yield READS.ok(f"since {last_two.isoformat()}")
    else:
        advice = "Have the trail record reads, and the rules take them: see the checks of the trail and of the rules."
        yield READS.fail(f"none since {last_two.isoformat()}", advice)


def _mended(rule: EventRule, where: Where) -> str:
    """PutRule wants the pattern, too; EnableRule alone would leave reads out."""
    pattern = where.aws("events", "describe-rule", "--name", rule.name, "--query", "EventPattern", "--output", "text")
    put = where.aws("events", "put-rule", "--name", rule.name, "--state", WITH_READS)
    return f'{put} --event-pattern "$({pattern})"'
