"""The demonstration's report: one self-contained HTML file, every value escaped."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from infra.local.demonstration.findings import Findings

TEMPLATE = Path(__file__).with_name("report.html.j2")


def write_report(findings: Findings, target: Path) -> None:
    """Write the report; the folder is made where it is missing."""
    environment = Environment(loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, trim_blocks=True)
    html = environment.get_template(TEMPLATE.name).render(findings=findings)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(html, encoding="utf-8")
