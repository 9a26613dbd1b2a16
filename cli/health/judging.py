"""How the deployed system stands: a line for each part, by what is known of it. Pure."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from cli.health.evidence import account_line, anchor_line, coverage_line, plan_lines
from cli.health.facts import Facts, Read
from cli.health.lines import Line, NotRead
from cli.health.operation import alarm_lines, mode_line, notification_line, queue_lines, sweep_line

T = TypeVar("T")


def lines_of(facts: Facts) -> tuple[Line, ...]:
    """Every part in a line or more, in the order in which people ask for them."""
    return tuple(_lines(facts))


def _lines(facts: Facts) -> Iterator[Line]:
    yield from _judged("mode", facts, facts.mode, mode_line)
    yield from _judged("account", facts, facts.trend, account_line)
    yield from _judged("sweep", facts, facts.sweep, sweep_line)
    yield from _judged("coverage", facts, facts.coverage, coverage_line)
    yield from _judged("plans", facts, facts.plans, plan_lines)
    yield from _judged("queues", facts, facts.queues, queue_lines)
    yield from _judged("alarms", facts, facts.alarms, alarm_lines)
    yield from _judged("audit trail", facts, facts.anchor, anchor_line)
    yield from _judged("notifications", facts, facts.kept, notification_line)


def _judged(
    name: str, facts: Facts, part: Read[T], judge: Callable[[Facts, T], Line | tuple[Line, ...]]
) -> tuple[Line, ...]:
    if isinstance(part, NotRead):
        return (part.line(name),)
    judged = judge(facts, part)
    return (judged,) if isinstance(judged, Line) else judged
