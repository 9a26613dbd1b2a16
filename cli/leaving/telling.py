"""The plan of a removal for people and for machines, and what stays by design."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from cli.leaving.deciding import Fate, Step
from cli.terminal import add_row, console

# By the stack's output that names it. What proves who changed what outlives the stack, and so does its key.
STAYS = {
    "UsageTableName": "table of uses",
    "ScoresTableName": "table of scores",
    "JournalTableName": "table of plans and snapshots",
    "AuditTableName": "table of the audit trail",
    "AuditAnchorBucketName": "bucket of anchors",
    "DataKeyArn": "key that all of it is encrypted with",
    "AnchorSigningKeyId": "key that signed the anchors",
}
SEE = "docs/operations.md#what-stays"


def value_of(stack_name: str, steps: Sequence[Step], outputs: Mapping[str, str]) -> dict[str, Any]:
    """The plan as JSON."""
    return {
        "stack": stack_name,
        "ready": all(step.fate is not Fate.DECIDE for step in steps),
        "steps": [
            {"do": step.fate.value, "arn": step.arn, "plan_id": step.plan_id or None, "why": step.why} for step in steps
        ],
        "stays": [{"what": what, "name": name} for name, what in _staying(outputs)],
    }


def show(stack_name: str, steps: Sequence[Step], outputs: Mapping[str, str]) -> None:
    """The plan as a table, and what stays."""
    out = console()
    if steps:
        table = Table("do", "whom", "plan", "why")
        for step in steps:
            add_row(table, step.fate.value, step.arn, step.plan_id, step.why)
        out.print(table)
    else:
        out.print("Nothing of ours is in force: nothing has to be given back.")
    out.print(f"Then the stack {stack_name} is deleted. What stays ({SEE}):", markup=False)
    for name, what in _staying(outputs):
        out.print(f"  {what}: {name}", markup=False, soft_wrap=True)


def _staying(outputs: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(outputs[output], what) for output, what in STAYS.items() if outputs.get(output)]
