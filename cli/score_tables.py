"""The answer of `leastwise score` for people: the account, a row for each identity, and what the scores rest on."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from cli.terminal import console, shown

WIDE = 110  # columns from which on all numbers of permissions have room
MEDIUM = 80  # columns from which on the band and the unused permissions have room
IDENTITIES_SHOWN = 200  # more than that nobody reads
STYLES = {"high": "bold red", "medium": "yellow", "low": "green"}
WORDS = {"COMPLIANT": "", "NON_COMPLIANT": "over", "NOT_APPLICABLE": "exempt"}

Json = Mapping[str, Any]


def show_scores(answer: Json) -> None:
    """Print the account's score, a row for each identity, worst first, and what that rests on."""
    out = console()
    for account in _accounts(answer):
        out.print(Text(_account(account), style="bold"), soft_wrap=True)
    if errors := len(answer["errors"]):
        out.print(Text(f"Not in these figures: {errors:,} that could not be scored, named below", style="bold red"))
    identities = answer["identities"]
    out.print(_table(identities[:IDENTITIES_SHOWN], width=out.width))
    if (left_out := len(identities) - IDENTITIES_SHOWN) > 0:
        told = f"{left_out:,} more identities, none with a higher PCI, are left out"
        out.print(shown(f"{told}: --json tells of all, --identity of one."), soft_wrap=True)
    for line in _basis(answer):
        out.print(shown(line), soft_wrap=True)


def _accounts(answer: Json) -> list[Json]:
    return [answer["account"]] if len(answer["accounts"]) == 1 else [*answer["accounts"], answer["account"]]


def _account(account: Json) -> str:
    bands = ", ".join(f"{account['bands'][band]:,} {band}" for band in STYLES)
    name = f"Account {account['id']}" if account["id"] else "All accounts"
    exempt = f", {account['excluded']:,} exempt" if account["excluded"] else ""
    return f"{name}: PCI {account['pci']:.1f} over {account['identities']:,} identities ({bands}){exempt}"


def _table(identities: Iterable[Json], *, width: int) -> Table:
    """A row for each identity; a narrow terminal leaves out what `--json` and `explain` tell as well."""
    wide, medium = width >= WIDE, width >= MEDIUM
    counts = ("granted", "used", "unused", "unobservable") if wide else ("unused",) if medium else ()
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("PCI", justify="right")
    if medium:
        table.add_column("band")
    table.add_column("verdict")
    table.add_column("identity", overflow="fold", min_width=16)
    for name in counts:
        table.add_column("unknown" if name == "unobservable" else name, justify="right")
    table.add_column("worst", overflow="fold", no_wrap=not wide)
    for identity in identities:
        band = Text(identity["band"], style=STYLES[identity["band"]])
        table.add_row(
            Text(f"{identity['pci']:.1f}"),
            *([band] if medium else ()),
            Text(WORDS[identity["compliance"]]),
            shown(_short(identity["arn"])),
            *(Text(f"{identity[name]:,}") for name in counts),
            shown(_worst(identity, wide=wide)),
        )
    return table


def _short(arn: str) -> str:
    """An identity without what all ARNs of an account have in common."""
    return arn.split(":", 5)[5]


def _worst(identity: Json, *, wide: bool) -> str:
    """What adds most: an escalation path by its id, or a class, with its first example where there is room."""
    if not identity["contributions"]:
        return ""
    worst = identity["contributions"][0]
    if worst["path"]:
        return f"path {worst['path']}" if wide else str(worst["path"])
    what = str(worst["risk"]).replace("_", " ")
    return f"{what}: {worst['examples'][0]}" if wide and worst["examples"] else what


def _basis(answer: Json) -> Iterator[str]:
    """What every score rests on, in a few lines."""
    moment = datetime.fromisoformat(answer["as_of"])
    yield f"As of {moment:%Y-%m-%d %H:%M:%S} UTC, by what was used in the {answer['window_days']} days before."
    days = sorted({one["coverage"]["observed_days"] for one in answer["identities"]})
    if days == [0]:
        yield "No day of these was observed: every score is an upper bound."
    elif days:
        least = f"{days[0]} to {days[-1]}" if len(days) > 1 else f"{days[0]}"
        yield f"Days with records: {least} of {answer['window_days']}."
    versions = f"Model {answer['model_version']}, catalogue {answer['catalogue_version']}"
    yield f"{versions}. Over: a PCI of {answer['threshold']:g} or more is not compliant."
