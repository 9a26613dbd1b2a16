"""`leastwise identities`: who there is in the deployed account, with score, verdict and plan.

What the command needs is imported when it runs, so that other commands start fast.
"""

from enum import StrEnum
from typing import Annotated

import typer

from cli.answers import put_json
from cli.asking import Place
from cli.stack_options import PROFILE, REGION, STACK
from cli.unreadable import Unreadable


class Sort(StrEnum):
    """What the identities are sorted by: numbers fall, names rise, the newest score comes first."""

    PCI = "pci"
    NAME = "name"
    UNUSED = "unused"
    GRANTED = "granted"
    SCORED = "scored"


class Kind(StrEnum):
    """The kinds of identities."""

    USER = "user"
    ROLE = "role"


class InWords(StrEnum):
    """PCI in words."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Judged(StrEnum):
    """Verdicts, as options have them."""

    COMPLIANT = "compliant"
    NON_COMPLIANT = "non-compliant"
    NOT_APPLICABLE = "not-applicable"


SORT = typer.Option("--sort", help="What to sort by; numbers fall, names rise, the newest score comes first.")
TYPE = typer.Option("--type", help="Only users, or only roles.", show_default=False)
BAND = typer.Option("--band", help="Only those whose PCI is in this band.", show_default=False)
COMPLIANCE = typer.Option("--compliance", help="Only those with this verdict.", show_default=False)
MIN_PCI = typer.Option("--min-pci", min=0, max=100, help="Only those with at least this PCI.", show_default=False)
NAME = typer.Option(
    "--name", metavar="PATTERN", help="Only those with such a name; * and ? stand for any text.", show_default=False
)
LIMIT = typer.Option("--limit", min=1, max=100_000, help="At most so many.")
JSON = typer.Option("--json", help="JSON on standard output.")
CSV = typer.Option("--csv", help="CSV on standard output.")


def identities(
    *,
    sort: Annotated[Sort, SORT] = Sort.PCI,
    kind: Annotated[Kind | None, TYPE] = None,
    band: Annotated[InWords | None, BAND] = None,
    compliance: Annotated[Judged | None, COMPLIANCE] = None,
    min_pci: Annotated[float | None, MIN_PCI] = None,
    name: Annotated[str | None, NAME] = None,
    limit: Annotated[int, LIMIT] = 200,
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    as_json: Annotated[bool, JSON] = False,
    as_csv: Annotated[bool, CSV] = False,
) -> None:
    """List the identities of the deployed account with score, verdict and plan, the worst first."""
    if as_json and as_csv:
        raise typer.BadParameter("only one form can be asked for", param_hint="--csv")
    from cli.identity_listing import Choice, answer_of, chosen, rows_of  # noqa: PLC0415 see above
    from shared.model.identity import IdentityType  # noqa: PLC0415
    from shared.model.plan import Compliance  # noqa: PLC0415
    from shared.model.score import Band  # noqa: PLC0415

    choice = Choice(
        type=IdentityType(kind) if kind else None,
        band=Band(band) if band else None,
        compliance=Compliance(compliance.upper().replace("-", "_")) if compliance else None,
        min_pci=min_pci,
        name=name,
    )
    unreadable = Unreadable()
    found = chosen(rows_of(Place(stack_name, region, profile).account, unreadable.note), choice, sort)
    rows = found[:limit]
    if as_json:
        put_json(answer_of(rows, len(found)))
    else:
        from cli.identity_tables import put_csv, show_identities  # noqa: PLC0415 only people need tables

        if as_csv:
            put_csv(rows)
        else:
            show_identities(rows, len(found))
    unreadable.leave()
