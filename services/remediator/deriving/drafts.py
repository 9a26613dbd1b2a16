"""What each strategy puts in the place of an identity's policies, before anything is proven of it. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from services.remediator.changing.steps import is_ours
from services.remediator.deriving.fitting import Fitted, TooLargeError, Wanted, fit
from services.remediator.deriving.inputs import Quotas
from services.remediator.deriving.refusals import NoPlanError
from shared.iam.catalogue import Catalogue
from shared.iam.narrow import as_document, keeps_all, statements_of
from shared.iam.observed import Observed
from shared.iam.policy import Effect, Statement
from shared.iam.sizes import MAX_INLINE_OF_ROLE, MAX_INLINE_OF_USER, policy_size
from shared.model.identity import IdentityDetail, IdentityType, Policy
from shared.model.plan import ReasonCode, Strategy
from shared.model.sources import PolicyKind, PolicySource

Document = dict[str, Any]
_MOST_NAMES = 10
_WHAT_HELPS = "last accessed information makes it shorter, and `replace` can spread it over several policies"


class NewPolicy(NamedTuple):
    """A document to create, and in a patch the policy whose place it takes."""

    document: Document
    source: PolicySource | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """New policies, which of the old ones stay or are dropped, and the identity as it would be afterwards.

    `before` are the policies that the new ones were made of or stand beside, `after` those in force in their place.
    `held` are actions (lower-case) that reach fewer resources in a narrowed statement, `whole` the services that are
    kept whole, each with the policy that it is of in a patch.
    """

    policies: tuple[NewPolicy, ...]
    before: tuple[Policy, ...]
    after: tuple[Policy, ...]
    detail: IdentityDetail
    stays: tuple[PolicySource, ...] = ()
    drops: tuple[PolicySource, ...] = ()
    held: frozenset[str] = frozenset()
    whole: frozenset[tuple[PolicySource | None, str]] = frozenset()
    notes: tuple[str, ...] = ()


def check_boundary(detail: IdentityDetail, strategy: Strategy) -> None:
    """Refuse to set a boundary in the place of somebody else's. Raises NoPlanError (FOREIGN_BOUNDARY)."""
    own = detail.boundary
    if strategy is Strategy.BOUNDARY and own is not None and not is_ours(own.source.arn):
        message = f"it has the permissions boundary {own.source.arn}, which is not ours; `replace` works beside it"
        raise NoPlanError(ReasonCode.FOREIGN_BOUNDARY, message)


def draft(detail: IdentityDetail, wanted: Wanted, strategy: Strategy, quotas: Quotas, catalogue: Catalogue) -> Draft:
    """Narrow an identity's policies to what is wanted, as a strategy does it.

    Lists of observed resources make documents longer, so no service is kept whole for their sake: then fewer are
    written, or none. Raises NoPlanError (TOO_LARGE, QUOTA, NO_EVIDENCE), PolicyDocumentError for a policy that can't
    be read.
    """
    drafting = _Drafting(detail, wanted, quotas, catalogue)
    plain: Draft | None = None
    for some in wanted.with_fewer_observed():
        try:
            found = replace(drafting, wanted=some).of(strategy)
        except NoPlanError:
            continue
        if found.whole and plain is None:
            plain = replace(drafting, wanted=wanted._replace(observed={})).of(strategy)
        if plain is None or found.whole <= plain.whole:
            return found
    return plain or replace(drafting, wanted=wanted._replace(observed={})).of(strategy)


@dataclass(frozen=True, slots=True)
class _Drafting:
    detail: IdentityDetail
    wanted: Wanted
    quotas: Quotas
    catalogue: Catalogue

    def of(self, strategy: Strategy) -> Draft:
        by_strategy: Mapping[Strategy, Callable[[], Draft]] = {
            Strategy.BOUNDARY: self._boundary,
            Strategy.REPLACE: self._replace,
            Strategy.PATCH: self._patch,
        }
        return by_strategy[strategy]()

    def _boundary(self) -> Draft:
        """One document as permissions boundary; in the place of one of ours, which it must not be wider than.

        The policies stay in force beside it, and so do their Denies: only those of an earlier boundary are repeated.
        """
        own = self.detail.boundary
        bases = (own,) if own is not None else without_denies(self.detail.policies)
        check_account(self.quotas, 1)
        fitted = self._fit(bases, most=1)
        (document,) = fitted.documents or (None,)
        if document is None:
            raise NoPlanError(ReasonCode.NO_EVIDENCE, "nothing is left to allow")
        policy = new_policy(document)
        return Draft(
            policies=(NewPolicy(document),),
            before=tuple(bases),
            after=(policy,),
            detail=self.detail.model_copy(update={"boundary": policy}),
            held=fitted.held,
            whole=_whole(fitted),
            notes=_collapsed(fitted),
        )

    def _replace(self) -> Draft:
        """New managed policies for all that is narrowed; a policy, or a group, of which everything is kept stays."""
        stays = self._untouched()
        going = tuple(policy for policy in self.detail.policies if policy.source not in stays)
        fitted = self._fit(going, most=free_places(self.detail, self.quotas))
        check_account(self.quotas, len(fitted.documents))
        left = _left_groups(going)
        boundary = self.detail.boundary
        notes = [f"it leaves the groups {_listed(left)}"] if left else []
        notes += [f"the permissions boundary {boundary.source.arn} stays"] if boundary else []
        return self._changed(
            [NewPolicy(document) for document in fitted.documents],
            stays,
            held=fitted.held,
            whole=_whole(fitted),
            notes=(*_collapsed(fitted), *notes),
            groups=tuple(group for group in self.detail.groups if group not in left),
        )

    def _patch(self) -> Draft:
        """Each own policy narrowed by itself; what came through groups as one policy of its own."""
        stays = self._untouched()
        going = [policy for policy in self.detail.policies if policy.source not in stays]
        shared = [policy for policy in going if policy.source.group is not None]
        found: list[NewPolicy] = []
        drops = [policy.source for policy in shared]
        held: frozenset[str] = frozenset()
        whole: frozenset[tuple[PolicySource | None, str]] = frozenset()
        notes: list[str] = []
        for policies in [[policy] for policy in going if policy.source.group is None] + ([shared] if shared else []):
            source = None if policies is shared else policies[0].source
            fitted = self._fit(policies, most=1)
            found += [NewPolicy(document, source) for document in fitted.documents]
            drops += [source] if source and not fitted.documents else []
            held |= fitted.held
            whole |= _whole(fitted, source)
            notes += _collapsed(fitted)
        self._check_room(found)
        left = _left_groups(shared)
        if left:
            notes.append(f"take it out of the groups {_listed(left)}: what it keeps of them is a policy of its own")
        return self._changed(
            found,
            stays,
            held=held,
            whole=whole,
            drops=tuple(sorted(drops, key=_order)),
            notes=(*sorted(notes), *self._inline_note(found)),
            groups=tuple(group for group in self.detail.groups if group not in left),
        )

    def _changed(
        self, policies: Sequence[NewPolicy], stays: frozenset[PolicySource], groups: tuple[str, ...], **fields: Any
    ) -> Draft:
        """A draft of what takes the place of every policy that doesn't stay."""
        ordered = tuple(sorted(policies, key=lambda one: (one.source is None, _order(one.source or _NO_SOURCE))))
        staying = tuple(policy for policy in self.detail.policies if policy.source in stays)
        after = (*staying, *(new_policy(one.document, number) for number, one in enumerate(ordered, start=1)))
        return Draft(
            policies=ordered,
            before=self.detail.policies,
            after=after,
            detail=self.detail.model_copy(update={"policies": after, "groups": groups}),
            stays=tuple(sorted(stays, key=_order)),
            **fields,
        )

    def _untouched(self) -> frozenset[PolicySource]:
        """Policies of which everything is kept; those of a group only if that is so for all of its policies."""
        observed = Observed(self.wanted.observed, _allows(self.detail.policies))
        whole = {
            policy.source: keeps_all(statements_of([policy]), self.wanted.keep, self.catalogue, observed)
            for policy in self.detail.policies
        }
        broken = {source.group for source, is_whole in whole.items() if not is_whole and source.group is not None}
        return frozenset(source for source, is_whole in whole.items() if is_whole and source.group not in broken)

    def _fit(self, policies: Sequence[Policy], *, most: int) -> Fitted:
        limit = self.quotas.policy_size
        statements = statements_of(policies)
        explaining = _allows(policies if self.detail.boundary in policies else self.detail.policies)
        try:
            return fit(statements, self.wanted, explaining, self.catalogue, limit=limit, most=most)
        except TooLargeError as error:
            if most < 1 or error.documents > most > 1:
                message = (
                    f"more policies have to be attached first, and IAM allows {max(most, 0)} beside those attached"
                )
                raise NoPlanError(ReasonCode.QUOTA, message) from None
            message = f"the policy would have {error.characters} characters, IAM allows {limit}: {_WHAT_HELPS}"
            raise NoPlanError(ReasonCode.TOO_LARGE, message) from None

    def _check_room(self, policies: Iterable[NewPolicy]) -> None:
        """A patch is deployed before anything is deleted, so its managed policies need room beside those attached."""
        more = sum(one.source is None or one.source.kind is PolicyKind.MANAGED for one in policies)
        free = max(free_places(self.detail, self.quotas), 0)
        if more > free:
            message = f"{more} managed policies have to be attached first, and IAM allows {free} beside those attached"
            raise NoPlanError(ReasonCode.QUOTA, f"{message}; `replace` joins policies and may need fewer")
        check_account(self.quotas, more)

    def _inline_note(self, policies: Iterable[NewPolicy]) -> list[str]:
        """IAM counts the inline policies of one identity together."""
        inline = [one for one in policies if one.source and one.source.kind is PolicyKind.INLINE]
        size = sum(policy_size(one.document) for one in inline)
        limit = MAX_INLINE_OF_USER if self.detail.ref.type is IdentityType.USER else MAX_INLINE_OF_ROLE
        if size <= limit:
            return []
        return [f"its inline policies would have {size} characters, IAM allows {limit}: make them managed policies"]


_NO_SOURCE = PolicySource(PolicyKind.INLINE, "")


def without_denies(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """Policies with their Allows only, for what stands beside them: there their Denies hold as they are."""
    allows = ((policy, _allows([policy])) for policy in policies)
    return tuple(
        policy.model_copy(update={"document": as_document(one.render(with_sid=True) for one in own)})
        for policy, own in allows
        if own
    )


def free_places(detail: IdentityDetail, quotas: Quotas) -> int:
    """How many more managed policies may be attached to an identity; below 0 where there are too many already."""
    attached = sum(policy.source.kind is PolicyKind.MANAGED for policy in detail.policies)
    is_user = detail.ref.type is IdentityType.USER
    return (quotas.attached_to_user if is_user else quotas.attached_to_role) - attached


def check_account(quotas: Quotas, more: int) -> None:
    """Refuse what needs more managed policies than the account may have. Raises NoPlanError (QUOTA)."""
    if quotas.policies_used + more > quotas.policies:
        message = f"the account has {quotas.policies_used} policies of {quotas.policies}, {more} more are needed"
        raise NoPlanError(ReasonCode.QUOTA, message)


def new_policy(document: Document, number: int = 1) -> Policy:
    """A document as the managed policy that it will be."""
    return Policy(source=PolicySource(PolicyKind.MANAGED, f"plan {number}"), document=document)


def _allows(policies: Iterable[Policy]) -> tuple[Statement, ...]:
    return tuple(statement for statement in statements_of(policies) if statement.effect is Effect.ALLOW)


def _left_groups(going: Iterable[Policy]) -> list[str]:
    return sorted({policy.source.group for policy in going if policy.source.group is not None})


def _collapsed(fitted: Fitted) -> tuple[str, ...]:
    if not fitted.whole:
        return ()
    told = f"to fit into IAM's limit, these services keep all that was granted of them: {_listed(fitted.whole)}"
    return (f"{told}; {_WHAT_HELPS}",)


def _whole(fitted: Fitted, source: PolicySource | None = None) -> frozenset[tuple[PolicySource | None, str]]:
    return frozenset((source, service) for service in fitted.whole)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"


def _order(source: PolicySource) -> tuple[str, ...]:
    return tuple(part or "" for part in source)
