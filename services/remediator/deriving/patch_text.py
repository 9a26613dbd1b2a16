"""A PATCH plan as text for the code that manages the identity: Terraform or CloudFormation. Pure.

A change that leastwise made by itself would be reverted by the next deployment; so the text says what to write and what
to delete, and a person puts it into the code.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from services.remediator.deriving.patches import cloudformation, terraform
from services.remediator.deriving.patches.changes import Patch, patch_of
from services.remediator.deriving.patches.quoting import comments
from shared.errors import InputError
from shared.model.plan import Plan, Snapshot, Strategy


class _Tool(NamedTuple):
    resources: Callable[[Patch], Iterator[str]]
    deletions: Callable[[Patch], Iterator[str]]


TOOLS: Mapping[str, _Tool] = {
    "cloudformation": _Tool(cloudformation.cloudformation, cloudformation.deletions),
    "terraform": _Tool(terraform.terraform, terraform.deletions),
}


def patch_text(plan: Plan, snapshot: Snapshot, tool: str) -> str:
    """The text of a PATCH plan for "terraform" (HCL) or "cloudformation" (YAML).

    Comments come first: whom it is for, what a person should know, what to delete. Raises InputError for a plan of
    another strategy, for a tool that isn't known, and for a policy that the tool would not take as it stands.
    """
    if plan.strategy is not Strategy.PATCH:
        raise InputError(f"plan {plan.plan_id} is no patch, but a {plan.strategy}")
    if tool not in TOOLS:
        raise InputError(f"{tool} is not known: a patch can be written for {' or '.join(TOOLS)}")
    patch, writer = patch_of(plan, snapshot), TOOLS[tool]
    deletions = list(writer.deletions(patch))
    order = ["Deploy what stands below before you delete anything:"] if patch.changes and deletions else []
    header = comments([*_about(plan), *order, *deletions])
    return "\n".join([*header, *writer.resources(patch)]) + "\n"


def _about(plan: Plan) -> Iterator[str]:
    counts = f"takes away {len(plan.removes)} permissions, keeps {len(plan.keeps)}"
    yield f"{plan.identity.arn}: leastwise plan {plan.plan_id}"
    yield f"It {counts}; PCI (Privilege Creep Index) {plan.pci_before:.0f} before, {plan.pci_after:.0f} after."
    yield from plan.notes
