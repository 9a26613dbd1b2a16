"""What the page's script gets: a short row of every identity to sort and filter by, and its details to open. Pure."""

from datetime import date
from typing import Any

from cli.reporting.heat_map import cell_of, unused_share
from cli.reporting.model import ProposedPlan, ReportIdentity, TrendValue
from cli.reporting.priorities import open_plan
from cli.reporting.words import moment, plain, policy_text, rests_on, risk, verdict

MOST_LINES = 2_000  # of a diff: its documents are there whole
NOWHERE = -1  # the cell of who is exempt, and so not on the map


def index_of(identity: ReportIdentity) -> list[Any]:
    """What is sorted and filtered by, in the order in which the script reads it."""
    plan = open_plan(identity)
    return [
        plain(identity.identity_id),
        plain(
            f"{identity.name} {identity.arn} {identity.identity_id} {identity.plan.plan_id if identity.plan else ''}"
        ),
        identity.type,
        identity.band,
        verdict(identity.compliance),
        1 if plan else 0,
        cell_of(identity) if identity.exempt is None else NOWHERE,
        round(identity.pci, 4),
        round(unused_share(identity), 6),
        identity.unused,
        identity.used,
        round(identity.reach, 6),
        round(plan.pci_after, 4) if plan else -1,
    ]


def details_of(identity: ReportIdentity) -> dict[str, Any]:
    """Everything that an opened row shows, with every text harmless; what is empty is left out."""
    found: dict[str, Any] = {
        "arn": plain(identity.arn),
        "id": plain(identity.identity_id),
        "exempt": plain(identity.exempt or ""),
        "counts": [identity.granted, identity.used, identity.unused, identity.unobservable],
        "days": identity.observed_days,
        "parts": [
            [risk(plain(part.risk)), round(part.chance, 6), part.unused, plain(part.path), *map(plain, part.examples)]
            for part in identity.parts
        ],
        "services": [[plain(one.service), one.used, one.unused, one.unknown, one.granted] for one in identity.services],
        "plan": _plan(identity.plan) if identity.plan else None,
        "noPlan": plain(identity.no_plan),
        "history": [[moment(one.at), plain(one.event_type), plain(one.summary)] for one in identity.history],
        "trend": days_of(identity.trend),
        "coverage": [*map(plain, identity.coverage)],
        "outcome": plain(identity.outcome),
    }
    return {name: value for name, value in found.items() if value}


def _plan(plan: ProposedPlan) -> dict[str, Any]:
    shown = plan.diff[:MOST_LINES]
    left = [f"… and {len(plan.diff) - MOST_LINES:,} more lines"] if len(plan.diff) > MOST_LINES else []
    return {
        "id": plain(plan.plan_id),
        "strategy": plain(plan.strategy),
        "status": plain(plan.status),
        "removes": plan.removes,
        "keeps": plan.keeps,
        "before": round(plan.pci_before, 4),
        "after": round(plan.pci_after, 4),
        "diff": "\n".join([*(plain(line) for line in shown), *left]),
        "policies": [[plain(policy.name), policy_text(policy.text)] for policy in plan.policies],
        "notes": [*map(plain, plan.notes)],
        "enough": plan.enough,
        "rests": rests_on(plan.observed_days),
    }


def days_of(trend: tuple[TrendValue, ...]) -> list[Any]:
    """A trend in few characters: its first day, then days since that with their PCI, in order."""
    if not trend:
        return []
    ordered = sorted(trend, key=lambda one: one.day)
    first: date = ordered[0].day
    return [first.isoformat(), *([(one.day - first).days, round(one.pci, 2)] for one in ordered)]
