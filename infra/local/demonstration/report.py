"""The demonstration's report: one self-contained HTML file, every value escaped."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader

from infra.local.demonstration.account import IDENTITIES
from shared.model.score import Score

if TYPE_CHECKING:
    from infra.local.demonstration.run import Demonstration

TEMPLATE = Path(__file__).with_name("report.html.j2")


def write_report(demonstration: "Demonstration", path: str) -> Path:
    """Write the report and return where it is."""
    environment = Environment(loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, trim_blocks=True)
    html = environment.get_template(TEMPLATE.name).render(
        account_before=demonstration.account_pci[0],
        account_after=demonstration.account_pci[1],
        identities=[_row(demonstration, name) for name in _by_score(demonstration.before)],
        checks=demonstration.checks.made,
    )
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(html, encoding="utf-8")
    return target


def _by_score(scores: dict[str, Score]) -> list[str]:
    return sorted(scores, key=lambda name: -scores[name].pci)


def _row(demonstration: "Demonstration", name: str) -> dict[str, Any]:
    ref, first, last = demonstration.refs[name], demonstration.before[name], demonstration.after[name]
    chain = demonstration.system.audit.chain(f"{ref.account_id}/{ref.identity_id}")
    current = demonstration.system.journal.current(ref)
    record = demonstration.system.journal.get(current.plan_id) if current else None
    return {
        "name": name,
        "arn": ref.arn,
        "job": next(one.job for one in IDENTITIES if one.name == name),
        "before": first,
        "after": last,
        "outcome": demonstration.outcome_of(name),
        "plan": record.plan if record else None,
        "history": list(chain),
    }
