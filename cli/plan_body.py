"""What a plan does, for people: what it takes away by risk, what was proven, and the documents before and after."""

from collections.abc import Iterable, Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.answers import printable
from cli.policy_diff import differences
from cli.terminal import add_row, shown
from shared.knowledge import load_risk
from shared.model.identity import Policy
from shared.model.plan import Plan, Strategy
from shared.model.proof import ProofVerdict
from shared.model.score import RiskClass

LINES_SHOWN = 400  # of a diff: more than that nobody reads
SERVICES_SHOWN, EXAMPLES_SHOWN = 6, 2
WIDE = 120  # columns from which on examples have room
STYLES = {"-": "red", "+": "green", "@": "cyan"}
STAYS = "Its own policies stay in force, with every Deny: the boundary is the limit of what they allow."
DOES = {
    Strategy.BOUNDARY: "sets a permissions boundary",
    Strategy.REPLACE: "replaces the policies",
    Strategy.PATCH: "says what to change in the code that manages it; nothing is applied",
}


def head_of(plan: Plan) -> Iterator[str]:
    """The first lines about a plan."""
    yield plan.identity.arn
    yield f"Plan {plan.plan_id}, strategy {plan.strategy.value}: {DOES[plan.strategy]}"
    removed, kept = len(plan.removes), len(plan.keeps)
    yield f"PCI {plan.pci_before:.1f} -> {plan.pci_after:.1f}, takes {removed:,} permissions away, keeps {kept:,}"


def show_plan(
    out: Console,
    plan: Plan,
    policies: Sequence[Policy],
    boundary: Policy | None,
    *,
    diff: bool,
    told: Sequence[str] = (),
) -> None:
    """Print a plan beside the policies that were in force when it was made; `told` is what else is known of it."""
    first, *others = head_of(plan)
    out.print(Text(printable(first), style="bold"), soft_wrap=True)
    for line in (*others, *told, *_proofs(plan), *plan.notes):
        out.print(shown(line), soft_wrap=True)
    if plan.restores:
        restored = f"Gives back what plan {plan.amends} took: {', '.join(plan.restores)}"
        out.print(shown(restored), soft_wrap=True)
    if plan.removes:
        out.print(_by_risk(plan.removes, examples=out.width >= WIDE))
    if diff:
        if plan.strategy is Strategy.BOUNDARY:
            out.print(shown(STAYS), soft_wrap=True)
        for lines in differences(plan, policies, boundary):
            show_diff(out, lines)


def show_diff(out: Console, lines: Sequence[str]) -> None:
    """Print a unified diff, in colour where the terminal has any."""
    for line in lines[:LINES_SHOWN]:
        is_title = line.startswith(("---", "+++"))
        out.print(Text(printable(line), style="bold" if is_title else STYLES.get(line[:1], "")), soft_wrap=True)
    if (more := len(lines) - LINES_SHOWN) > 0:
        out.print(shown(f"and {more:,} more lines: --json has the whole documents"), soft_wrap=True)


def _proofs(plan: Plan) -> Iterator[str]:
    proofs = plan.proofs
    access = "nothing new is granted" if proofs.no_new_access is ProofVerdict.NO_NEW_ACCESS else proofs.no_new_access
    uses = (
        f"all {proofs.replayed_uses:,} recorded uses stay allowed" if proofs.replay else "recorded uses would be lost"
    )
    yield f"Proven: {access}; {uses}"


def _by_risk(removes: Iterable[str], *, examples: bool) -> Table:
    """What goes, the worst class first, with the services that lose most."""
    risk = load_risk()
    classes: dict[RiskClass, list[str]] = {}
    for action in removes:
        classes.setdefault(risk.risk_of(action.lower()), []).append(action)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("takes away", no_wrap=True)
    table.add_column("permissions", justify="right", no_wrap=True)
    table.add_column("of services", overflow="fold")
    if examples:
        table.add_column("such as", overflow="fold")
    for kind in RiskClass:
        if actions := classes.get(kind):
            such = [", ".join(actions[:EXAMPLES_SHOWN])] if examples else []
            add_row(table, kind.value.replace("_", " "), len(actions), _services(actions), *such)
    return table


def _services(actions: Iterable[str]) -> str:
    """Services by how many of the actions are theirs."""
    counts: dict[str, int] = {}
    for action in actions:
        service = action.partition(":")[0]
        counts[service] = counts.get(service, 0) + 1
    ordered = sorted(counts, key=lambda service: (-counts[service], service))
    more = f" and {len(ordered) - SERVICES_SHOWN:,} more" if len(ordered) > SERVICES_SHOWN else ""
    return ", ".join(f"{service} {counts[service]:,}" for service in ordered[:SERVICES_SHOWN]) + more
