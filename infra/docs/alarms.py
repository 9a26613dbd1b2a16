"""The table of alarms for the documentation, from the alarms themselves. Pure."""

from collections.abc import Mapping
from typing import Any

from infra.build.template import resources_of
from infra.docs.tables import Lines, table

Template = Mapping[str, Any]
Alarm = Mapping[str, Any]

UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))
OF_SECONDS = {"ApproximateAgeOfOldestMessage"}
COMPARISONS = {
    "GreaterThanThreshold": "over",
    "GreaterThanOrEqualToThreshold": "at least",
    "LessThanThreshold": "less than",
}


def alarms(template: Template) -> Lines:
    """Every alarm by the end of its name: when it goes off, and what it tells whoever gets it."""
    found = [body["Properties"] for body in resources_of(dict(template), "AWS::CloudWatch::Alarm").values()]
    return table(["alarm", "goes off at", "what it means and what to do"], map(_row, found))


def _row(alarm: Alarm) -> list[str]:
    name = str(alarm["AlarmName"]["Fn::Sub"]).removeprefix("${StackName}/")
    told = "" if "AlarmActions" not in alarm else " (sent directly)"
    return [f"`{name}`{told}", _limit(alarm), alarm["AlarmDescription"]]


def _limit(alarm: Alarm) -> str:
    """When it goes off: `ApproximateAgeOfOldestMessage` over 15 minutes in each of 2 times 5 minutes."""
    threshold = alarm["Threshold"]
    if isinstance(threshold, Mapping):
        limit = f"the parameter `{threshold['Ref']}`"
    else:
        limit = duration(threshold) if alarm["MetricName"] in OF_SECONDS else str(threshold)
    times, period = alarm["EvaluationPeriods"], duration(alarm["Period"])
    within = f"within {period}" if times == 1 else f"in each of {times} times {period}"
    what = "number of " if alarm["Statistic"] == "SampleCount" else ""
    return f"{what}`{alarm['MetricName']}` {COMPARISONS[alarm['ComparisonOperator']]} {limit} {within}"


def duration(seconds: int) -> str:
    """Seconds in the largest unit that divides them.

    >>> duration(900), duration(3600)
    ('15 minutes', '1 hour')
    """
    size, unit = next((size, unit) for size, unit in UNITS if seconds % size == 0)
    count = seconds // size
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
