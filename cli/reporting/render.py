"""A report as one HTML file that needs nothing else: no network, no server, and no trust in what it shows."""

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from cli.reporting import words
from cli.reporting.details import details_of, index_of
from cli.reporting.heat_map import UNUSED_LABELS, heat_map, unused_share
from cli.reporting.model import Report, ReportIdentity
from cli.reporting.priorities import (
    FIRST,
    WORST,
    decimals_of,
    left_of,
    open_plan,
    origins_by_risk,
    origins_by_service,
    steps_of,
)
from cli.reporting.soundness import refuse_unsound
from cli.reporting.trend import trend_of
from shared.model.plan import Compliance, PlanStatus
from shared.model.score import Band

PAGE = files("cli.reporting") / "page"
STYLES = ("colors.css", "report.css", "table.css", "print.css")
SCRIPTS = ("dom.js", "details.js", "table.js", "report.js")  # in the order in which they need each other
MANY = 200  # identities, from which on a browser need not lay out those that are off the screen
TITLES = {"offline": "From files", "deployed": "From the deployed system", "demonstration": "Demonstration"}


def render(report: Report) -> str:
    """Write the page; the same report always gives the same text.

    Texts of the report may hold anything. Raises ValueError where a number is none or is outside of its range.
    """
    refuse_unsound(report)
    steps, left = steps_of(report), left_of(report)
    counted = [one for one in report.identities if one.exempt is None]
    style, script = (Markup(_joined(names)) for names in (STYLES, SCRIPTS))  # noqa: S704 the project's own files
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            style=style,
            script=script,
            policy=_content_policy(style, script),
            many=MANY,
            title=TITLES[report.kind],
            columns=UNUSED_LABELS,
            rows=heat_map(counted),
            tiles=_tiles(report, counted),
            trend=trend_of(report.trend),
            steps=steps[:FIRST],
            plans=len(steps),
            decimals=decimals_of(report.account_pci, [step.account_after for step in steps[:FIRST]]),
            unplanned=left[:WORST],
            all_unplanned=len(left),
            after_all=steps[-1].account_after if len(steps) > FIRST else None,
            risks=origins_by_risk(report.identities),
            services=origins_by_service(report.identities),
            types=sorted({one.type for one in report.identities}),
            band=Band.of(report.account_pci).value,
            band_before=None if report.account_pci_before is None else Band.of(report.account_pci_before).value,
            index=_data([index_of(one) for one in report.identities]),
        )
    )


def _environment() -> Environment:
    """Templates in which every value is escaped, and every text from outside harmless, whoever forgets to say so."""
    environment = Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        finalize=lambda value: words.plain(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "count": words.count,
        "pci": words.pci,
        "plain": words.plain,
        "share": words.share,
        "moment": words.moment,
        "verdict": words.verdict,
        "risk": words.risk,
        "rests_on": words.rests_on,
        "unused_share": unused_share,
        "open_plan": open_plan,
        "details": lambda identity: _data(details_of(identity)),
    }
    return environment


def _read(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def _joined(names: tuple[str, ...]) -> str:
    return "\n" + "".join(map(_read, names))


def _data(value: Any) -> Markup:
    return Markup(words.script_json(value))  # noqa: S704 nothing in it can end its element


def _content_policy(style: str, script: str) -> str:
    """Nothing is loaded from anywhere, and nothing runs but exactly this style and this script."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{_digest(style)}'",
            f"script-src 'sha256-{_digest(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _tiles(report: Report, ones: Sequence[ReportIdentity]) -> list[tuple[str, str, str]]:
    """Name, number and a word of explanation for each figure beside the gauge, all over those who are not exempt."""
    over = sum(one.compliance == Compliance.NON_COMPLIANT for one in ones)
    granted, unused = sum(one.granted for one in ones), sum(one.unused for one in ones)
    plans = [plan for one in ones if (plan := open_plan(one))]
    waiting = sum(plan.status == PlanStatus.PROPOSED for plan in plans)
    bands = ", ".join(f"{report.bands.get(band.value, 0):,} {band.value}" for band in reversed(Band))
    by_plan = f"{sum(plan.removes for plan in plans):,} permissions would go"
    return [
        ("Over the threshold", words.count(over), f"of {len(ones):,}, at a PCI of {report.threshold:g} or more"),
        ("Identities", words.count(len(ones)), bands),
        (
            "Unused permissions",
            words.count(unused),
            f"{words.share(unused / granted)} of all" if granted else "of none",
        ),
        ("Plans that wait", words.count(waiting), by_plan)
        if waiting
        else ("Plans possible", f"{len(plans):,}", by_plan),
        ("Exempt", words.count(report.excluded), "in no other figure here"),
    ]
