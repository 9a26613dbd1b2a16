"""Who holds a policy of ours, by IAM itself: users, roles and groups, to the last page."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from shared.aws.iam import IamReader, ListedKind
from shared.model.plan import POLICY_PATH

LISTS: Mapping[ListedKind, str] = {"User": "UserDetailList", "Role": "RoleDetailList", "Group": "GroupDetailList"}


class Holder(NamedTuple):
    """A user, role or group, and the policies below our path that it has: attached, or as its permissions boundary."""

    arn: str
    policies: tuple[str, ...]


def holders(reader: IamReader) -> Iterator[Holder]:
    """Everybody in the account, with what they hold of ours. Raises DependencyError where a page can't be read."""
    for page in reader.pages(tuple(LISTS)):
        for name in LISTS.values():
            for raw in page.content.get(name, []):
                yield Holder(raw["Arn"], tuple(filter(_is_ours, _policies_of(raw))))


def _policies_of(raw: Mapping[str, Any]) -> Iterator[str]:
    for attached in raw.get("AttachedManagedPolicies", []):
        yield attached["PolicyArn"]
    yield raw.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")


def _is_ours(arn: str) -> bool:
    return f":policy{POLICY_PATH}" in arn
