"""What `leastwise analyze` finds out of an account, the files that it writes, and what it tells of them."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli import propose_answer, score_answer
from cli.account_files import AccountFiles
from cli.plan_files import write_plans, write_whole
from cli.proposing import Wishes, propose_all
from cli.reporting.model import Report
from cli.reporting.offline import report_of_files
from cli.reporting.priorities import Left, Step, left_of, steps_of
from cli.reporting.render import render
from cli.scoring import Scorings, score_all
from shared.model.plan import Compliance
from shared.pci.parameters import PCI_DIGITS

SCORES, PLANS, POLICIES, REPORT = "scores.json", "plans.json", "policies", "report.html"
FIRST = 10  # plans, those that lower the account most; and of those without one, the worst

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Analysis:
    """The answers of `leastwise score` and `leastwise propose`, and the report."""

    scored: Json
    planned: Json
    report: Report


def analyzed(files: AccountFiles, wishes: Wishes, *, jobs: int) -> Analysis:
    """Score everyone, plan for those who don't comply in up to `jobs` processes, and report."""
    scorings = Scorings(files)
    scores = score_all(files, scorings)
    scored = score_answer.answer_of(files, scores, threshold=wishes.threshold)
    proposed = propose_all(files, wishes, (), scorings=scorings, jobs=jobs)
    planned = propose_answer.answer_of(files, proposed, wishes)
    report = report_of_files(files, scores, proposed, scorings=scorings, scored=scored, planned=planned)
    return Analysis(scored, planned, report)


def write_analysis(analysis: Analysis, folder: Path) -> None:
    """Write everything into a folder, the report last: where it is, the rest is. Raises InputError."""
    page = render(analysis.report)
    write_whole(folder / SCORES, json.dumps(analysis.scored) + "\n")
    write_whole(folder / PLANS, json.dumps(analysis.planned) + "\n")
    write_plans(folder / POLICIES, analysis.planned["plans"])
    write_whole(folder / REPORT, page)


def answer_of(analysis: Analysis, folder: Path) -> Json:
    """The account in a few figures, what lowers it most, and where the files are."""
    scored, planned = analysis.scored, analysis.planned
    plans, steps, left = planned["plans"], steps_of(analysis.report), left_of(analysis.report)
    errors = {error["id"]: error["error"] for error in (*scored["errors"], *planned["errors"])}
    return {
        "account": scored["account"],
        "as_of": scored["as_of"],
        "window_days": scored["window_days"],
        "threshold": scored["threshold"],
        "over": [_over(one) for one in scored["identities"] if one["compliance"] == Compliance.NON_COMPLIANT],
        "plans": len(plans),
        "plans_enough": sum(plan["compliance_after"] == Compliance.COMPLIANT for plan in plans),
        "no_plan": _reasons(scored, planned),
        "account_after": round(steps[-1].account_after, PCI_DIGITS) if steps else scored["account"]["pci"],
        "first": [_step(step, analysis.report) for step in steps[:FIRST]],
        "without_plan": len(left),
        "left": [_left(one, analysis.report) for one in left[:FIRST]],
        "files": {
            "report": str(folder / REPORT),
            "scores": str(folder / SCORES),
            "plans": str(folder / PLANS),
            "policies": str(folder / POLICIES) if plans else None,
        },
        "errors": [{"id": name, "error": error} for name, error in sorted(errors.items())],
        "warnings": list(analysis.report.warnings),
    }


def _reasons(scored: Json, planned: Json) -> Json:
    """Who doesn't comply and has no plan, by reason, the most frequent first."""
    over = {one["id"] for one in scored["identities"] if one["compliance"] == Compliance.NON_COMPLIANT}
    return dict(Counter(one["reason"] for one in planned["skipped"] if one["id"] in over).most_common())


def _over(identity: Json) -> Json:
    return {name: identity[name] for name in ("arn", "id", "pci", "granted", "unused")}


def _step(step: Step, report: Report) -> Json:
    identity = report.identities[step.place]
    return {
        "identity": identity.arn,
        "plan_id": identity.plan.plan_id if identity.plan else None,
        "removes": step.removes,
        "pci_before": step.pci_before,
        "pci_after": step.pci_after,
        "account_after": round(step.account_after, PCI_DIGITS),
    }


def _left(left: Left, report: Report) -> Json:
    identity = report.identities[left.place]
    return {"identity": identity.arn, "id": identity.identity_id, "pci": left.pci, "why": left.why}
