"""Plans of the deployed system for people: a row each, or one with its state, its calls and what it changes."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.answers import printable
from cli.asking import Place
from cli.identity_names import resource_of
from cli.plan_answer import Json
from cli.plan_body import show_plan
from cli.plan_show import find
from cli.terminal import console, shown
from shared.model.plan import PlanRecord, PlanStatus

WIDE = 110  # columns from which on counts and strategies have room
STYLES = {
    PlanStatus.PROPOSED: "cyan",
    PlanStatus.APPLYING: "yellow",
    PlanStatus.ROLLING_BACK: "yellow",
    PlanStatus.APPLIED: "green",
    PlanStatus.QUARANTINED: "bold red",
}


def show_records(records: Sequence[PlanRecord]) -> None:
    """Print a row for each plan."""
    out = console()
    if not records:
        out.print("No plans.")
        return
    wide = out.width >= WIDE
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("plan", "state", "changed"):
        table.add_column(name, no_wrap=True)
    table.add_column("identity", overflow="fold", min_width=12)
    table.add_column("PCI", no_wrap=True, justify="right")
    if wide:
        table.add_column("removes", no_wrap=True, justify="right")
        table.add_column("strategy", no_wrap=True)
        table.add_column("because", overflow="fold")
    for record in records:
        plan = record.plan
        row = [
            Text(plan.plan_id),
            Text(record.status.value, style=STYLES.get(record.status, "")),
            Text(f"{record.updated_at:%Y-%m-%d %H:%M}" if wide else f"{record.updated_at:%m-%d %H:%M}"),
            shown(resource_of(plan.identity)),
            Text(f"{plan.pci_before:.0f} -> {plan.pci_after:.0f}"),
        ]
        if wide:
            row += [Text(f"{len(plan.removes):,}"), Text(plan.strategy.value), shown(_why(record))]
        table.add_row(*row)
    out.print(table)


def show_record(place: Place, plan_id: str) -> None:
    """Print one plan: state, proofs, calls, the documents before and after, and what can be done with it."""
    record, answer = find(place, plan_id)
    out = console()
    show_plan(out, record.plan, record.snapshot.policies, record.snapshot.boundary, diff=True)
    out.print()
    for line in _state(record):
        out.print(shown(line), soft_wrap=True)
    _show_steps(out, answer)
    for line in _commands(record, place):
        out.print(shown(line), soft_wrap=True)


def _why(record: PlanRecord) -> str:
    if record.reason:
        return record.reason.message or record.reason.code.value.replace("_", " ")
    return f"approved by {record.approved_by}" if record.approved_by else f"trigger {record.trigger}"


def _state(record: PlanRecord) -> Iterator[str]:
    reason = f" ({record.reason.code.value}: {record.reason.message})" if record.reason else ""
    yield f"State: {record.status.value} since {_moment(record.updated_at)}{reason}"
    yield f"Made {_moment(record.plan.created_at)}, asked for by {record.trigger}"
    if record.status is PlanStatus.PROPOSED:
        yield f"Good until {_moment(record.plan.expires_at)}"
    if record.noticed_at:
        yield f"Known to people since {_moment(record.noticed_at)}"
    if record.approved_by:
        yield f"Approved by {record.approved_by}"
    if record.applied_at:
        watched = f", watched until {_moment(record.soak_until)}" if record.soak_until else ""
        yield f"Applied {_moment(record.applied_at)}{watched}"
    yield from record.drift


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _show_steps(out: Console, answer: Json) -> None:
    made: Iterable[Json] = answer["steps"]
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("call", no_wrap=True)
    table.add_column("on", overflow="fold")
    table.add_column("outcome" if made else "", overflow="fold")
    for step in made:
        outcome = step["outcome"] or "not known: it was begun"
        table.add_row(Text(step["kind"].replace("_", " ")), shown(step["target"]), shown(outcome))
    for step in answer["steps_to_come"]:
        table.add_row(Text(step["kind"].replace("_", " ")), shown(step["target"]), Text("to come"))
    if table.row_count:
        out.print(table)


def _commands(record: PlanRecord, place: Place) -> Iterator[str]:
    """What a person can do next."""
    plan, options = record.plan, place.options
    command = f"leastwise plan {{}} {plan.plan_id}{options}"
    match record.status:
        case PlanStatus.PROPOSED:
            yield f"To apply it: {command.format('approve')}"
            yield f"To turn it down: {command.format('reject')}"
        case PlanStatus.APPLIED:
            yield f"To undo it: {command.format('rollback')}"
            if plan.removes:
                yield f"To give one action back: {command.format('restore')} --action {plan.removes[0]}"
        case PlanStatus.APPLYING | PlanStatus.ROLLING_BACK | PlanStatus.QUARANTINED:
            yield f"To take it back: {command.format('rollback')}"
        case _:
            yield f"To have a new one made: leastwise plan propose {printable(resource_of(plan.identity))}{options}"
