"""The answer of `leastwise propose` as a JSON value: sorted, so that the same files give the same text. Pure."""

from cli.account_files import AccountFiles
from cli.answers import printable
from cli.plan_answer import Json, plan_value
from cli.propose_doubts import doubts_of
from cli.proposing import Proposal, Proposed, Skipped, Wishes
from cli.score_answer import moment_text
from services.remediator.changing.fingerprint import take_snapshot
from services.remediator.deriving.patch_text import patch_text
from shared.errors import InputError
from shared.model.plan import Compliance


def answer_of(files: AccountFiles, proposed: Proposed, wishes: Wishes) -> Json:
    """Say every plan, the one that lowers the PCI most first, and who has none and why, the highest PCI first."""
    proposals = sorted(
        proposed.proposals, key=lambda one: (one.plan.pci_after - one.plan.pci_before, one.plan.identity.arn)
    )
    skipped = sorted(proposed.skipped, key=lambda one: (-one.pci, one.ref.arn))
    errors = {**files.errors, **proposed.errors}
    return {
        "as_of": moment_text(files.as_of),
        "as_of_source": files.as_of_source.value,
        "window_days": files.window_days,
        "threshold": wishes.threshold,
        "resource_scope": wishes.resource_scope.value,
        "plans": [_plan(one) for one in proposals],
        "skipped": [_skipped(one) for one in skipped],
        "errors": [{"id": name, "error": printable(str(error))} for name, error in sorted(errors.items())],
        "warnings": [*files.warnings, *map(printable, doubts_of(files, proposed, wishes))],
    }


def is_unsolved(proposed: Proposed) -> bool:
    """Whether somebody who does not comply has no plan, or one that is not enough."""
    return any(one.is_over for one in proposed.skipped) or not all(one.enough for one in proposed.proposals)


def _plan(proposal: Proposal) -> Json:
    compliance = Compliance.COMPLIANT if proposal.enough else Compliance.NON_COMPLIANT
    return {
        **plan_value(proposal.plan),
        "kept_because": dict(proposal.kept_because),
        "compliance_after": compliance.value,
        "patch": _patch(proposal),
    }


def _patch(proposal: Proposal) -> Json | None:
    """The text of a patch; null with the reason where the tool would not take what is to be written."""
    if proposal.tool is None:
        return None
    try:
        text = patch_text(proposal.plan, take_snapshot(proposal.detail), proposal.tool)
    except InputError as error:
        return {"tool": proposal.tool, "text": None, "error": printable(str(error))}
    return {"tool": proposal.tool, "text": text, "error": None}


def _skipped(one: Skipped) -> Json:
    return {
        "identity": one.ref.arn,
        "id": one.ref.identity_id,
        "pci": one.pci,
        "reason": one.reason.code.value,
        "message": printable(one.reason.message),
    }
