"""What must hold of a draft before anybody may apply it: nothing new, no use lost, IAM accepts it. Pure.

docs/decisions/0021 argues why these proofs also hold for every state that an application passes through.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from services.remediator.deriving.drafts import Draft
from services.remediator.deriving.keep import ALWAYS_ALLOWED
from services.remediator.deriving.refusals import NoPlanError
from services.remediator.deriving.resource_policies import has_resource_policies, maybe_granted_elsewhere
from shared.iam.catalogue import Catalogue
from shared.iam.compare import compare
from shared.iam.grammar.kinds import PolicyKind
from shared.iam.narrow import rendered_denies, statements_of
from shared.iam.replay import Use, replay
from shared.iam.validate import Severity, validate
from shared.model.identity import IdentityDetail, IdentityType, Policy
from shared.model.plan import Proofs, ReasonCode, Strategy
from shared.model.proof import ProofVerdict
from shared.model.usage import Usage

Documents = Sequence[Mapping[str, Any]]
_KINDS: Mapping[Strategy, PolicyKind] = {
    Strategy.BOUNDARY: PolicyKind.BOUNDARY,
    Strategy.REPLACE: PolicyKind.MANAGED,
    Strategy.PATCH: PolicyKind.IDENTITY,
}


class Granted(NamedTuple):
    """What an identity is granted before the change, as lower-case actions."""

    actions: frozenset[str]
    catalogue: Catalogue


def prove(found: Draft, detail: IdentityDetail, strategy: Strategy, uses: Iterable[Use], granted: Granted) -> Proofs:
    """Prove that a draft grants nothing new at any time, and that every recorded use stays allowed.

    What was used and is not granted any more (a boundary or a Deny came later) can't be lost. Raises
    NoPlanError (NOT_PROVEN, OUTSIDE_GRANTS).
    """
    catalogue = granted.catalogue
    before, after = _documents(found.before), _documents(found.after)
    check_grammar(found, strategy)
    check_denies(found)
    verdict = check_nothing_new(before, after, catalogue)
    if strategy is not Strategy.BOUNDARY:  # which is one call; the others stand beside the old ones for a while
        check_nothing_new(before, [*before, *(one.document for one in found.policies)], catalogue)
    recorded = tuple(uses)
    replayed = replay(recorded, before, after, catalogue)
    if lost := [use for use in replayed.lost if use.action.lower() in granted.actions]:
        raise NoPlanError(ReasonCode.NOT_PROVEN, f"recorded uses would be lost: {_examples(lost)}")
    if strategy is Strategy.BOUNDARY and detail.ref.type is IdentityType.ROLE:
        # What a resource policy grants, a boundary's implicit deny would take from a role, though not from a user (IAM
        # User Guide, "Permissions boundaries for IAM entities"). An earlier boundary limited that already, so that only
        # what it lets pass can be taken away.
        elsewhere: Iterable[Use] = maybe_granted_elsewhere(recorded, detail.policies)
        if detail.boundary is not None:
            elsewhere = (use for use in replayed.lost if has_resource_policies(use.action))
        if outside := [*replayed.outside, *elsewhere]:
            message = f"used what no policy of its own surely grants (a resource policy may): {_examples(outside)}"
            raise NoPlanError(ReasonCode.OUTSIDE_GRANTS, f"{message}; `replace` doesn't take that away")
    return Proofs(no_new_access=verdict, replay=True, replayed_uses=replayed.replayed)


def uses_of(used: Iterable[str], usage: Usage) -> Iterator[Use]:
    """Every recorded use to replay: each resource, or pattern of resources, that the ledger knows of each action."""
    for key in sorted(frozenset(used) - ALWAYS_ALLOWED):
        entry = usage.entries[key]
        for resource in entry.resources.patterns() or (None,):
            yield Use(entry.action, resource)


def check_nothing_new(before: Documents, after: Documents, catalogue: Catalogue) -> ProofVerdict:
    """Hold the documents in force afterwards to those before. Raises NoPlanError (NOT_PROVEN)."""
    comparison = compare(before, after, catalogue)
    if comparison.verdict is not ProofVerdict.NO_NEW_ACCESS:
        raise NoPlanError(ReasonCode.NOT_PROVEN, f"{comparison.verdict}: {comparison.reason}")
    return comparison.verdict


def check_denies(found: Draft) -> None:
    """Every Deny that was in force must be there afterwards, word for word. Raises NoPlanError (NOT_PROVEN)."""
    before, after = (set(rendered_denies(statements_of(policies))) for policies in (found.before, found.after))
    if missing := len(before - after):
        raise NoPlanError(ReasonCode.NOT_PROVEN, f"{missing} of its Deny statements would be missing")


def check_grammar(found: Draft, strategy: Strategy) -> None:
    """IAM must accept what is created; a flaw that the old policies have, too, it accepted. Raises NoPlanError."""
    kind = _KINDS[strategy]
    accepted = {flaw.code for policy in found.before for flaw in validate(policy.document, kind)}
    for one in found.policies:
        errors = [flaw for flaw in validate(one.document, kind) if flaw.severity is Severity.ERROR]
        new = next((flaw for flaw in errors if flaw.code not in accepted), None)
        if new is not None:
            raise NoPlanError(ReasonCode.NOT_PROVEN, f"IAM would refuse the policy: {new.code} at {new.path}")


def _documents(policies: Iterable[Policy]) -> list[Mapping[str, Any]]:
    return [policy.document for policy in policies]


def _examples(uses: Iterable[Use]) -> str:
    return ", ".join(sorted({use.action for use in uses})[:5])
