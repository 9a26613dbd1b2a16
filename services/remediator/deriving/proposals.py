"""What an outside provider proposes, held to the proofs of what is derived: it may keep more, and never less. Pure.

A proposal grants nothing: a plan's documents are always the identity's own statements, narrowed. What a proven proposal
adds is actions to keep, so that nothing is taken away that either the provider or our own evidence would keep
(docs/decisions/0026).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.remediator.deriving.drafts import new_policy, without_denies
from services.remediator.deriving.proofs import Granted
from services.remediator.deriving.refusals import NoPlanError
from shared.errors import PolicyDocumentError
from shared.iam.catalogue import Catalogue
from shared.iam.compare import compare
from shared.iam.grammar.kinds import PolicyKind
from shared.iam.grants import effective_grants
from shared.iam.replay import Use, replay
from shared.iam.validate import Severity, validate
from shared.model.identity import IdentityDetail
from shared.model.plan import ReasonCode
from shared.model.proof import ProofVerdict
from shared.model.proposal import Proposal

Documents = Sequence[Mapping[str, Any]]


def kept_by(proposal: Proposal, detail: IdentityDetail, uses: Iterable[Use], granted: Granted) -> frozenset[str]:
    """The granted actions (lower-case) that a proposal keeps, once it is proven.

    It has to be made of policies that IAM accepts, to allow nothing that the identity isn't allowed, and to allow every
    recorded use; without a document it proposes nothing, and never means that all can go. Raises NoPlanError
    (NO_PROPOSAL, NOT_PROVEN).
    """
    if not proposal.documents:
        raise NoPlanError(ReasonCode.NO_PROPOSAL, f"{proposal.provider} has no policy for it")
    whose = f"{proposal.provider}'s policy"
    try:
        _check_grammar(proposal.documents, whose)
        _check_nothing_new(proposal.documents, detail, granted.catalogue, whose)
        _check_uses(proposal.documents, detail, uses, granted, whose)
        return granted.actions & _allowed(proposal.documents, detail, granted)
    except PolicyDocumentError as error:
        raise NoPlanError(ReasonCode.NOT_PROVEN, f"{whose} can't be read: {error.code}") from None


def _check_grammar(documents: Documents, whose: str) -> None:
    for document in documents:
        errors = (flaw for flaw in validate(document, PolicyKind.MANAGED) if flaw.severity is Severity.ERROR)
        flaw = next(errors, None)
        if flaw is not None:
            raise NoPlanError(ReasonCode.NOT_PROVEN, f"{whose} is none that IAM would accept: {flaw.code}")


def _check_nothing_new(documents: Documents, detail: IdentityDetail, catalogue: Catalogue, whose: str) -> None:
    """Hold it to what is allowed by each layer; the identity's Denies stay in force whatever becomes of the Allows."""
    layers = [[policy.document for policy in without_denies(detail.policies)]]
    layers += [[detail.boundary.document]] if detail.boundary else []
    for layer in layers:
        comparison = compare(layer, documents, catalogue)
        if comparison.verdict is not ProofVerdict.NO_NEW_ACCESS:
            message = f"{whose} allows what the identity may not: {comparison.verdict}"
            found = comparison.counterexample
            raise NoPlanError(ReasonCode.NOT_PROVEN, f"{message}, {found.action}" if found else message)


def _check_uses(
    documents: Documents, detail: IdentityDetail, uses: Iterable[Use], granted: Granted, whose: str
) -> None:
    before = [policy.document for policy in detail.policies]
    replayed = replay(uses, before, documents, granted.catalogue)
    lost = sorted({use.action for use in replayed.lost if use.action.lower() in granted.actions})
    if lost:
        raise NoPlanError(ReasonCode.NOT_PROVEN, f"{whose} lacks recorded uses: {', '.join(lost[:5])}")


def _allowed(documents: Documents, detail: IdentityDetail, granted: Granted) -> frozenset[str]:
    policies = tuple(new_policy(dict(document), number) for number, document in enumerate(documents, start=1))
    alone = detail.model_copy(update={"policies": policies, "boundary": None, "groups": ()})
    others = granted.actions - granted.catalogue.keys
    return frozenset(effective_grants(alone, granted.catalogue, others=others).actions.keys(granted.catalogue))
