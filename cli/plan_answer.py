"""Plans and their state in the journal as JSON values. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from cli.answers import printable
from cli.score_answer import moment_text
from services.remediator.changing.steps import apply_steps
from shared.model.plan import Plan, PlannedPolicy, PlanRecord, PlanStatus
from shared.model.proof import ProofVerdict

Json = dict[str, Any]
WAITING = frozenset({PlanStatus.PROPOSED})


def plan_value(plan: Plan) -> Json:
    """A plan: whose, what it takes away and keeps, with which documents, and what was proven."""
    proven = plan.proofs.no_new_access is ProofVerdict.NO_NEW_ACCESS
    return {
        "identity": plan.identity.arn,
        "id": plan.identity.identity_id,
        "plan_id": plan.plan_id,
        "strategy": plan.strategy.value,
        "policies": [_policy(policy) for policy in plan.policies],
        "stays": [str(source) for source in plan.stays],
        "drops": [str(source) for source in plan.drops],
        "removes": list(plan.removes),
        "narrows": list(plan.narrows),
        "keeps": list(plan.keeps),
        "proofs": {**plan.proofs.model_dump(mode="json"), "no_new_access": proven},
        "pci_before": plan.pci_before,
        "pci_after": plan.pci_after,
        "notes": list(plan.notes),
        "coverage": plan.coverage.model_dump(mode="json"),
    }


def record_value(record: PlanRecord, steps: Sequence[Mapping[str, Any]]) -> Json:
    """A plan of the journal with its state and its calls: those that were made, or of a waiting one those to come."""
    plan = record.plan
    return {
        **summary_value(record),
        **plan_value(plan),
        "restores": list(plan.restores),
        "amends": plan.amends or None,
        "policy_arns": list(record.policy_arns),
        "drift": [printable(line) for line in record.drift],
        "steps": [_step(step) for step in steps],
        "steps_to_come": _to_come(record),
    }


def summary_value(record: PlanRecord) -> Json:
    """State of a plan in a few fields; times are null where it did not come to that."""
    plan, reason = record.plan, record.reason
    times = {name: getattr(record, name) for name in ("noticed_at", "applied_at", "soak_until", "updated_at")}
    return {
        "plan_id": plan.plan_id,
        "identity": plan.identity.arn,
        "id": plan.identity.identity_id,
        "status": record.status.value,
        "reason": reason.code.value if reason else None,
        "message": printable(reason.message) if reason else None,
        "strategy": plan.strategy.value,
        "pci_before": plan.pci_before,
        "pci_after": plan.pci_after,
        "removes_count": len(plan.removes),
        "keeps_count": len(plan.keeps),
        "trigger": record.trigger,
        "approved_by": printable(record.approved_by) or None,
        "created_at": moment_text(plan.created_at),
        "expires_at": moment_text(plan.expires_at),
        **{name: moment_text(moment) if moment else None for name, moment in times.items()},
    }


def _policy(policy: PlannedPolicy) -> Json:
    """A policy to write; of a patch also the one in force that it narrows."""
    source = {"source": str(policy.source)} if policy.source else {}
    return {"name": policy.name, "document": policy.document, **source}


def _step(item: Mapping[str, Any]) -> Json:
    """A call as the journal has it; its outcome is empty as long as nobody knows it."""
    return {
        "number": int(str(item["sk"]).rpartition("#")[2]),
        "kind": item["kind"],
        "target": item["target"],
        "outcome": printable(item["outcome"]),
        "at": item["at"],
    }


def _to_come(record: PlanRecord) -> list[Json]:
    if record.status not in WAITING:
        return []
    return [{"kind": step.kind.value, "target": step.target} for step in apply_steps(record.plan, record.snapshot)]
