"""`leastwise data`: how well the shipped IAM knowledge covers a trail, and how to bring it up to date."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.answers import printable, put_json

SHOWN = 5  # names of each kind that people are shown

data = typer.Typer(
    no_args_is_help=True, help="The map from CloudTrail's calls to IAM actions: report on it, refresh it."
)

PATHS = typer.Argument(metavar="PATH...", help="Files or directories with CloudTrail records; - is standard input.")
JSON = typer.Option("--json", help="JSON on standard output.")
OUTPUT = typer.Option("--output", help="Directory to write to (default: where leastwise reads its data).")
ENDPOINT = typer.Option("--endpoint", help="Where the service reference is published (default: AWS).")
FORCE = typer.Option("--force", help="Write even what lacks services, or much else, of the data at hand.")


@data.command()
def coverage(paths: Annotated[list[str], PATHS], *, as_json: Annotated[bool, JSON] = False) -> None:
    """Tell how many records the map names an action for, and which calls it does not."""
    from cli.data_coverage import coverage_of  # noqa: PLC0415 each command loads only what it needs
    from cli.reading_trails.files import read_trails  # noqa: PLC0415
    from shared.reference import load_operations  # noqa: PLC0415

    answer = coverage_of((batch for _, batch in read_trails(paths)), load_operations())
    if as_json:
        put_json(answer)
        return
    mapped, lines = answer["mapped"], [f"{answer['records']:,} records"]
    lines += [f"  {mapped['primary']:>9,}  prove an action", f"  {mapped['possible']:>9,}  may have needed an action"]
    lines += [f"  {mapped['presumed']:>9,}  presumed to need the action of their own name"]
    lines += [f"  {answer['unmapped']:>9,}  without an action", f"  {answer['unreadable']:>9,}  unreadable places"]
    lines += [_told(call) for call in answer["calls"]]
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))


def _told(call: dict[str, Any]) -> str:
    action = f" ({call['action']})" if "action" in call else ""
    return f"{call['count']:>11,}  {call['event_source']} {call['event_name']}: {call['reason']}{action}"


@data.command()
def refresh(
    output: Annotated[Path | None, OUTPUT] = None,
    endpoint: Annotated[str | None, ENDPOINT] = None,
    *,
    force: Annotated[bool, FORCE] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Rebuild the map from the service reference that AWS publishes now."""
    from cli.data_refresh import refresh_data  # noqa: PLC0415 each command loads only what it needs
    from shared.aws.service_reference import ENDPOINT as AWS  # noqa: PLC0415
    from shared.aws.service_reference import ServiceReferenceSite  # noqa: PLC0415
    from shared.knowledge import DATA  # noqa: PLC0415

    answer = refresh_data(ServiceReferenceSite(endpoint or AWS), output or DATA, shipped=DATA, force=force)
    if as_json:
        put_json(answer)
        return
    lines = [answer["source"]]
    for kind, count in answer["counts"].items():
        lines.append(f"  {count:>7,} {kind}: {_gained(answer['changes'][kind])}")
    lines += [f"taken although {objection}" for objection in answer["objections"]]
    lines += [f"wrote {path}" for path in answer["written"]]
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))


def _gained(change: dict[str, list[str]]) -> str:
    """Counts of what came and went, with the first of each by name."""
    told = []
    for word, names in change.items():
        first = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
        told.append(f"{len(names):,} {word}" + (f" ({first})" if names else ""))
    return "; ".join(told)
