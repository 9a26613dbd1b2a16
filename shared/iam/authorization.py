"""Account authorization details -> identities with every policy in force.

Shapes as `GetAccountAuthorizationDetails` gives them (boto3 decodes documents; `aws iam` prints them as JSON; the raw
API URL-encodes them): https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
Whatever is missing or has another shape is an error: it must never pass for a permission that isn't there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from shared.errors import InputError, PolicyDocumentError
from shared.iam.authorization_items import LISTS, Raw, check_once, group_name, items_of, listed
from shared.iam.authorization_shapes import (
    GroupDetail,
    Holder,
    InlinePolicy,
    ManagedPolicyDetail,
    PolicyVersion,
    RoleDetail,
    UserDetail,
)
from shared.iam.documents import decode_document
from shared.model.identity import IdentityDetail, IdentityRef, Policy
from shared.model.inventory import account_of_arn
from shared.model.sources import PolicyKind, PolicySource

OnError = Callable[[str, InputError], None]  # told the unique id of an identity, and why it can't be read
LONGEST_ARN = 2_048


def merge_pages(pages: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Join the pages of one listing; identities of one page may hold policies of another.

    Raises InputError for a list that is none.
    """
    merged: dict[str, list[Any]] = {name: [] for name in LISTS}
    for page in pages:
        for name in LISTS:
            merged[name].extend(listed(page, name))
    return merged


def identity_details(
    details: Mapping[str, Any], *, read_at: datetime, on_error: OnError | None = None
) -> Iterator[IdentityDetail]:
    """Every user and role with its inline, managed and group policies and its permissions boundary.

    Raises InputError that names the identity, and the place (JSON path) of what is wrong, for one that has not IAM's
    shape, that is listed twice and differently, or that holds a policy or a group that `details` has no document of, or
    several: a missing document is never an empty one. With `on_error` that is told the unique id, or the place of an
    identity without one, and the error, and the others go on.
    """
    shared = _Shared(details)
    shapes: tuple[type[Holder], ...] = (UserDetail, RoleDetail)
    holders = [(shape, raw) for shape in shapes for raw in items_of(details, shape)]
    for shape, raw in holders:
        try:
            detail = _detail(shape, raw, shared, read_at)
        except InputError as error:
            if on_error is None:
                raise
            on_error(raw.name, error)
            continue
        yield detail


class _Shared:
    """Groups and managed policies of a listing: each is read when somebody holds it, and once."""

    def __init__(self, details: Mapping[str, Any]) -> None:
        self._policies = {raw.name: raw for raw in items_of(details, ManagedPolicyDetail)}
        self._groups = {raw.name: raw for raw in items_of(details, GroupDetail)}
        self._managed: dict[tuple[str, str | None], Policy] = {}
        self._of_group: dict[tuple[str, str], tuple[Policy, ...]] = {}

    def managed(self, arn: str, *, group: str | None = None) -> Policy:
        """The document in force of a managed policy."""
        known = self._managed.get((arn, group))
        if known is None:
            raw = self._policies.get(arn)
            if raw is None:
                raise InputError(f"the default version of {arn} is not in the authorization details")
            kind = PolicyKind.GROUP_MANAGED if group else PolicyKind.MANAGED
            source = PolicySource(kind, arn.rsplit("/", 1)[-1], arn=arn, group=group)
            known = self._managed[arn, group] = Policy(source=source, document=_default_document(arn, raw))
        return known

    def of_group(self, account_id: str, name: str) -> tuple[Policy, ...]:
        """Inline and managed policies of a group of an account, or else of one whose account is not told."""
        known = self._of_group.get((account_id, name))
        if known is None:
            raw = self._groups.get(group_name(account_id, name)) or self._groups.get(group_name("", name))
            if raw is None:
                raise InputError(f"group {name!r} is not in the authorization details")
            try:
                known = self._of_group[account_id, name] = tuple(self._policies_of(name, raw))
            except InputError as error:
                raise InputError(f"group {name}: {error}") from None
        return known

    def _policies_of(self, group: str, raw: Raw) -> Iterator[Policy]:
        check_once(raw)
        detail = GroupDetail.read(raw.value, raw.place)
        yield from _inline(detail.inline, f"{raw.place}.GroupPolicyList", PolicyKind.GROUP_INLINE, group=group)
        for attached in detail.attached_managed_policies:
            yield self.managed(attached.policy_arn, group=group)


def _detail(shape: type[Holder], raw: Raw, shared: _Shared, read_at: datetime) -> IdentityDetail:
    """One identity; raises InputError that names it."""
    try:
        check_once(raw)
        holder = shape.read(raw.value, raw.place)
        boundary, trust = holder.permissions_boundary, holder.trust
        return IdentityDetail(
            ref=IdentityRef(account_id=account_of_arn(holder.arn), identity_id=holder.identity_id, arn=holder.arn),
            created_at=holder.create_date,
            read_at=read_at,
            tags={tag.key: tag.value for tag in holder.tags},
            policies=tuple(_held(holder, raw.place, shared)),
            boundary=shared.managed(boundary.permissions_boundary_arn) if boundary else None,
            trust=None if trust is None else _document(trust, f"{raw.place}.AssumeRolePolicyDocument"),
            groups=holder.groups,
            instance_profile=bool(holder.instance_profile_list),
        )
    except InputError as error:
        name = _arn_of(raw)
        raise InputError(f"{name}: {error}" if name else str(error)) from None


def _held(holder: Holder, place: str, shared: _Shared) -> Iterator[Policy]:
    field = "UserPolicyList" if isinstance(holder, UserDetail) else "RolePolicyList"
    yield from _inline(holder.inline, f"{place}.{field}", PolicyKind.INLINE)
    for attached in holder.attached_managed_policies:
        yield shared.managed(attached.policy_arn)
    for name in holder.groups:
        yield from shared.of_group(account_of_arn(holder.arn), name)


def _arn_of(raw: Raw) -> str | None:
    """The ARN of an identity that may not be readable otherwise."""
    arn = raw.value.get("Arn") if isinstance(raw.value, Mapping) else None
    return arn if isinstance(arn, str) and arn.startswith("arn:") and len(arn) <= LONGEST_ARN else None


def _inline(
    listed: Iterable[InlinePolicy], field: str, kind: PolicyKind, *, group: str | None = None
) -> Iterator[Policy]:
    for number, policy in enumerate(listed):
        document = _document(policy.policy_document, f"{field}[{number}].PolicyDocument")
        yield Policy(source=PolicySource(kind, policy.policy_name, group=group), document=document)


def _default_document(arn: str, raw: Raw) -> dict[str, Any]:
    """The version of a managed policy that is in force: the one marked as default, or else named as such."""
    check_once(raw)
    policy = ManagedPolicyDetail.read(raw.value, raw.place)
    places = _default_places(policy)
    if not places:
        raise InputError(f"{raw.place}: the default version of {arn} is not in the authorization details")
    if len(places) > 1:
        raise InputError(f"{raw.place}.PolicyVersionList: several versions of {arn} are the default")
    version = policy.policy_version_list[places[0]]
    _check_default(policy, version, raw.place)
    return _document(version.document, f"{raw.place}.PolicyVersionList[{places[0]}].Document")


def _default_places(policy: ManagedPolicyDetail) -> list[int]:
    versions = policy.policy_version_list
    marked = [place for place, version in enumerate(versions) if version.is_default_version]
    named = policy.default_version_id
    if marked or named is None:
        return marked
    return [place for place, version in enumerate(versions) if version.version_id == named]


def _check_default(policy: ManagedPolicyDetail, version: PolicyVersion, place: str) -> None:
    named = policy.default_version_id
    if named is not None and version.version_id is not None and named != version.version_id:
        raise InputError(f"{place}.DefaultVersionId: names another version than the one that is marked as default")


def _document(raw: Any, place: str) -> dict[str, Any]:
    """A policy document, whether decoded already, JSON text, or URL-encoded JSON text."""
    try:
        return dict(decode_document(raw))
    except PolicyDocumentError as error:
        raise InputError(f"{place}: {error.reason}") from None
