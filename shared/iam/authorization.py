"""Account authorization details -> identities with every policy in force.

Shapes as `GetAccountAuthorizationDetails` gives them (boto3 decodes documents; `aws iam` prints them as JSON; the raw
API URL-encodes them): https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from pydantic import ValidationError

from shared.errors import InputError
from shared.model.identity import IdentityDetail, IdentityRef, Policy
from shared.model.sources import PolicyKind, PolicySource

OnError = Callable[[str, InputError], None]  # told the unique id of an identity, and why it can't be read
LISTS = ("UserDetailList", "RoleDetailList", "GroupDetailList", "Policies")


def merge_pages(pages: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Join the pages of one listing; identities of one page may hold policies of another."""
    merged: dict[str, list[Any]] = {name: [] for name in LISTS}
    for page in pages:
        for name in LISTS:
            merged[name].extend(page.get(name, []))
    return merged


def identity_details(
    details: Mapping[str, Any], *, read_at: datetime, on_error: OnError | None = None
) -> Iterator[IdentityDetail]:
    """Every user and role with its inline, managed and group policies and its permissions boundary.

    Raises InputError that names the identity when a policy that it holds has no document in `details`: a missing
    document is never an empty one. With `on_error` that is told the unique id and the error, and the others go on.
    """
    policies = {policy["Arn"]: policy for policy in details.get("Policies", [])}
    groups = {group["GroupName"]: group for group in details.get("GroupDetailList", [])}
    raws = [(user["UserId"], user) for user in details.get("UserDetailList", [])]
    raws += [(role["RoleId"], role) for role in details.get("RoleDetailList", [])]
    for identity_id, raw in raws:
        try:
            detail = _detail(raw, identity_id, _held(raw, policies, groups), policies, read_at)
        except InputError as error:
            if on_error is None:
                raise
            on_error(identity_id, error)
            continue
        yield detail


def _held(
    raw: Mapping[str, Any], policies: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Mapping[str, Any]]
) -> list[Policy]:
    held = [*_inline(raw, "UserPolicyList"), *_inline(raw, "RolePolicyList"), *_attached(raw, policies)]
    for name in raw.get("GroupList", []):
        if name not in groups:
            raise InputError(f"{raw['Arn']}: group {name!r} is not in the authorization details")
        held.extend(_of_group(groups[name], policies))
    return held


def _detail(
    raw: Mapping[str, Any],
    identity_id: str,
    held: list[Policy],
    policies: Mapping[str, Mapping[str, Any]],
    read_at: datetime,
) -> IdentityDetail:
    arn = raw["Arn"]
    boundary = raw.get("PermissionsBoundary") or {}
    boundary_arn = boundary.get("PermissionsBoundaryArn")
    try:
        return IdentityDetail(
            ref=IdentityRef(account_id=arn.split(":")[4], identity_id=identity_id, arn=arn),
            created_at=_time(raw["CreateDate"]),
            read_at=read_at,
            tags={tag["Key"]: tag["Value"] for tag in raw.get("Tags", [])},
            policies=tuple(held),
            boundary=_managed(boundary_arn, policies, arn) if boundary_arn else None,
        )
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise InputError(f"{arn}: {where}") from None


def _inline(raw: Mapping[str, Any], field: str) -> Iterator[Policy]:
    for policy in raw.get(field, []):
        source = PolicySource(PolicyKind.INLINE, policy["PolicyName"])
        yield Policy(source=source, document=_document(policy["PolicyDocument"], raw["Arn"]))


def _attached(raw: Mapping[str, Any], policies: Mapping[str, Mapping[str, Any]]) -> Iterator[Policy]:
    for attached in raw.get("AttachedManagedPolicies", []):
        yield _managed(attached["PolicyArn"], policies, raw["Arn"])


def _of_group(group: Mapping[str, Any], policies: Mapping[str, Mapping[str, Any]]) -> Iterator[Policy]:
    name = group["GroupName"]
    for policy in group.get("GroupPolicyList", []):
        source = PolicySource(PolicyKind.GROUP_INLINE, policy["PolicyName"], group=name)
        yield Policy(source=source, document=_document(policy["PolicyDocument"], name))
    for attached in group.get("AttachedManagedPolicies", []):
        yield _managed(attached["PolicyArn"], policies, name, group=name)


def _managed(arn: str, policies: Mapping[str, Mapping[str, Any]], holder: str, *, group: str | None = None) -> Policy:
    policy = policies.get(arn)
    versions = policy.get("PolicyVersionList", []) if policy else []
    default = next((version for version in versions if version.get("IsDefaultVersion")), None)
    if default is None:
        raise InputError(f"{holder}: the default version of {arn} is not in the authorization details")
    kind = PolicyKind.GROUP_MANAGED if group else PolicyKind.MANAGED
    source = PolicySource(kind, arn.rsplit("/", 1)[-1], arn=arn, group=group)
    return Policy(source=source, document=_document(default["Document"], arn))


def _document(raw: Any, where: str) -> dict[str, Any]:
    """A policy document, whether decoded already, JSON text, or URL-encoded JSON text."""
    if isinstance(raw, str):
        text = raw if raw.lstrip().startswith("{") else unquote(raw)
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError):
            raise InputError(f"{where}: a policy document is not JSON") from None
    if not isinstance(raw, dict):
        raise InputError(f"{where}: a policy document is a {type(raw).__name__}, not an object")
    return raw


def _time(raw: Any) -> datetime:
    moment = raw if isinstance(raw, datetime) else datetime.fromisoformat(str(raw))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
