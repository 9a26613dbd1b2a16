"""What the steps of the demonstration share: the deployed system, its identities, the checks and what was found."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from infra.local.demonstration.account import IDENTITIES
from infra.local.demonstration.checks import Checks
from infra.local.demonstration.findings import Findings, IdentityFinding
from infra.local.demonstration.inbox import Notice
from infra.local.demonstration.system import System
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import PlanRecord, PlanStatus
from shared.model.score import Provider, Score

if TYPE_CHECKING:
    from infra.local.demonstration.provider import Outside

THRESHOLD = 60
BY_SSM, BY_QUEUE, ROLLED_BACK = "db-admin", "lena", "sam"
UNTOUCHED = ("break-glass", "legacy-batch")
OURS = ":policy/leastwise/"
SHOWN_LINES = 20  # of a message


@dataclass(slots=True)
class Stage:
    """The account by name: who is in it, how it was, what it used, what it scored before and after, who was changed.

    `outside` is the provider of scores and policies where it isn't this stack itself; `inbox` is what was told so far.
    """

    system: System
    console: Console
    checks: Checks
    outside: "Outside | None" = None
    refs: dict[str, IdentityRef] = field(default_factory=dict)
    originals: dict[str, IdentityDetail] = field(default_factory=dict)
    used: dict[str, frozenset[str]] = field(default_factory=dict)
    before: dict[str, Score] = field(default_factory=dict)
    after: dict[str, Score] = field(default_factory=dict)
    account_pci: tuple[float, float] = (0.0, 0.0)
    changed: Counter[str] = field(default_factory=Counter)
    inbox: list[Notice] = field(default_factory=list)
    _number: int = 1

    def announce(self, title: str) -> None:
        """Announce the next step."""
        self._number += 1
        announce(self.console, self._number, title)

    def show(self, notice: Notice) -> None:
        """Print the beginning of a message."""
        lines = notice.text.splitlines()
        text = "\n".join([*lines[:SHOWN_LINES], "…"] if len(lines) > SHOWN_LINES else lines)
        self.console.print(Panel(Text(text), title=Text(notice.subject), width=110, title_align="left"))

    def due(self) -> set[str]:
        """Who is judged and was over the threshold."""
        return {name for name, score in self.before.items() if score.exempt is None and score.pci >= THRESHOLD}

    def sweep(self) -> dict[str, Any]:
        """Score the whole account, as an outside provider would by now."""
        if self.outside:
            self.outside.look(right_sized=self.right_sized())
        return self.system.sweep()

    def right_sized(self) -> list[str]:
        """Who has a boundary of ours, by name."""
        return sorted(name for name, ref in self.refs.items() if OURS in (self.system.boundary_of(ref) or ""))

    def scores(self) -> dict[str, Score]:
        """The stored score of each who has one."""
        stored = {name: self.system.scores.get(ref.account_id, ref.identity_id) for name, ref in self.refs.items()}
        return {name: found.score for name, found in stored.items() if found}

    def record(self, ref: IdentityRef) -> PlanRecord | None:
        """The latest plan of an identity."""
        current = self.system.journal.current(ref)
        return self.system.journal.get(current.plan_id) if current else None

    def is_as_before(self, name: str) -> bool:
        """Whether IAM has the identity as it was seeded, apart from when it was looked at."""
        now, original = self.system.detail(self.refs[name]), self.originals[name]
        return now == original.model_copy(update={"read_at": now.read_at})

    def check_right_sized(self, name: str) -> None:
        """Boundary set and verified, policies untouched, journal complete."""
        ref = self.refs[name]
        detail = self.system.detail(ref)
        record = self.record(ref)
        if record is None:
            self.checks.hold(f"{name} has an applied plan", held=False)
            return
        applied = record.status is PlanStatus.APPLIED and detail.boundary is not None
        document = detail.boundary.document if detail.boundary else {}
        same_document = document == record.plan.policies[0].document
        untouched = detail.policies == self.originals[name].policies
        steps = self.system.journal.steps(record.plan.plan_id)
        journalled = bool(steps) and all(entry["outcome"] == "done" for entry in steps)
        claim = f"{name} is right-sized as proven and journalled, its own policies untouched"
        self.changed[name] += 1
        effect = f"{len(record.plan.removes):,} permissions gone, {record.plan.proofs.replayed_uses} uses replayed"
        self.checks.hold(claim, applied and same_document and untouched and journalled, effect)

    def findings(self) -> Findings:
        """Everything that was found, the worst identities first."""
        jobs = {one.name: one.job for one in IDENTITIES}
        worst_first = sorted(self.before, key=lambda name: -self.before[name].pci)
        return Findings(
            account_before=self.account_pci[0],
            account_after=self.account_pci[1],
            identities=tuple(
                IdentityFinding(
                    name=name,
                    arn=self.refs[name].arn,
                    job=jobs[name],
                    before=self.before[name],
                    after=self.after[name],
                    outcome=self._outcome(name),
                )
                for name in worst_first
            ),
            checks=tuple(self.checks.made),
        )

    def _outcome(self, name: str) -> str:
        """How it ended for one identity, in a word or two."""
        detail, first = self.system.detail(self.refs[name]), self.before[name]
        if detail.boundary:
            return "right-sized"
        if name == ROLLED_BACK:
            return f"rolled back, PCI {self.scores()[name].pci:.0f} again"
        if first.exempt:
            is_scored = first.provider is (self.outside.who if self.outside else Provider.NATIVE)
            return "exempt" if is_scored else "no score, not judged"
        return "compliant" if first.pci < THRESHOLD else "left: no evidence of use"


Step: TypeAlias = Callable[[Stage], None]


def announce(console: Console, number: int, title: str) -> None:
    """Print the title of a step."""
    console.print(Text.assemble((f"{number} ", "bold cyan"), (title, "bold")))
