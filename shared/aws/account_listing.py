"""The identities of an account page by page, each with every policy in force: what a sweep goes through, and resumes.

Two listings (GetAccountAuthorizationDetails with a filter): first what identities share, which are groups and managed
policies, of which only the documents in force are kept; then users and roles, a page at a time.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import ValidationError

from shared.aws.iam import IamReader, ListedKind, managed_policies_named
from shared.errors import InputError, NotFoundError
from shared.iam.authorization import identity_details
from shared.model.identity import IdentityDetail, IdentityRef

SHARED: tuple[ListedKind, ...] = ("Group", "LocalManagedPolicy", "AWSManagedPolicy")
HOLDERS: tuple[ListedKind, ...] = ("User", "Role")


class IdentityPage(NamedTuple):
    """Some identities of an account; `unreadable` says by unique id why others of the page could not be read.

    `named` are those of the unreadable that can be looked at by themselves, by unique id too. `marker` is where the
    next page begins, None after the last.
    """

    details: tuple[IdentityDetail, ...]
    unreadable: Mapping[str, InputError]
    named: Mapping[str, IdentityRef]
    marker: str | None


class _Shared(NamedTuple):
    groups: list[dict[str, Any]]
    policies: dict[str, dict[str, Any]]  # by ARN


class AccountListing:
    """One reading of an account: what identities share is read once, when it is first needed."""

    def __init__(self, reader: IamReader, *, now: datetime) -> None:
        self._reader = reader
        self._now = now

    @property
    def groups(self) -> dict[str, str]:
        """ARNs of all groups by their names."""
        return {group["GroupName"]: group["Arn"] for group in self._shared.groups}

    def pages(self, *, marker: str | None = None) -> Iterator[IdentityPage]:
        """All users and roles from `marker` on. Raises MarkerRefusedError where IAM doesn't know that any more."""
        for page in self._reader.pages(HOLDERS, marker=marker):
            unreadable: dict[str, InputError] = {}
            completed = self._completed(page.content)
            details = tuple(identity_details(completed, read_at=self._now, on_error=unreadable.__setitem__))
            named = {ref.identity_id: ref for ref in _references(page.content) if ref.identity_id in unreadable}
            yield IdentityPage(details, unreadable, named, page.marker)

    def _completed(self, holders: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """A page with the groups and policies that its identities hold.

        A policy that the shared listing left out, as it may one that is a boundary only, is read by itself. One that is
        gone was taken away meanwhile: whoever still names it here is unreadable, and must be looked at again.
        """
        groups, policies = self._shared
        details = {**holders, "GroupDetailList": groups}
        for arn in managed_policies_named(details):
            if arn not in policies:
                try:
                    policies[arn] = self._reader.policy(arn)
                except NotFoundError:
                    continue
        return {**details, "Policies": list(policies.values())}

    @cached_property
    def _shared(self) -> _Shared:
        groups: list[dict[str, Any]] = []
        policies: dict[str, dict[str, Any]] = {}
        for page in self._reader.pages(SHARED):
            groups += page.content["GroupDetailList"]
            policies.update((policy["Arn"], _in_force(policy)) for policy in page.content["Policies"])
        return _Shared(groups, policies)


def _references(holders: Mapping[str, list[Any]]) -> Iterator[IdentityRef]:
    """Users and roles of a page, but for those that have not IAM's shape."""
    for name, key in (("UserDetailList", "UserId"), ("RoleDetailList", "RoleId")):
        for raw in holders[name]:
            with suppress(ValidationError, LookupError, TypeError, AttributeError):
                yield IdentityRef(account_id=raw["Arn"].split(":")[4], identity_id=raw[key], arn=raw["Arn"])


def _in_force(policy: Mapping[str, Any]) -> dict[str, Any]:
    """A listed policy without the documents of its old versions, which may be four more."""
    versions = [version for version in policy.get("PolicyVersionList", []) if version.get("IsDefaultVersion")]
    return {"Arn": policy["Arn"], "PolicyVersionList": versions}
