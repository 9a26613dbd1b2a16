"""The demonstration's report: the deployed system's page, with what was before, how it ended, and the checks."""

from dataclasses import replace
from pathlib import Path

from cli.reporting.model import Claim, Report, ReportIdentity, ReportKind
from cli.reporting.render import render
from infra.local.demonstration.findings import Findings, IdentityFinding


def write_report(report: Report, findings: Findings, target: Path) -> None:
    """Write the page; the folder is made where it is missing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render(demonstrated(report, findings)), encoding="utf-8")


def demonstrated(report: Report, findings: Findings) -> Report:
    """The report on the deployed system, with the demonstration's findings in it."""
    found = {one.arn: one for one in findings.identities}
    return replace(
        report,
        kind=ReportKind.DEMONSTRATION,
        account_pci_before=findings.account_before,
        claims=tuple(Claim(check.claim, check.held, check.detail) for check in findings.checks),
        identities=tuple(_with_outcome(one, found.get(one.arn)) for one in report.identities),
    )


def _with_outcome(identity: ReportIdentity, finding: IdentityFinding | None) -> ReportIdentity:
    """Before and after are those of the demonstration's steps: a rollback comes later, and has the score now."""
    if finding is None:
        return identity
    scores = f"PCI {finding.before.pci:.0f} before, {finding.after.pci:.0f} after"
    return replace(identity, outcome=f"{finding.job}. {scores}; {finding.outcome}")
