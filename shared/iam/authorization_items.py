"""Items of the lists of GetAccountAuthorizationDetails, each once: what tells them apart, and whose they are."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.errors import InputError
from shared.iam.authorization_shapes import GroupDetail, ManagedPolicyDetail, RoleDetail, Shape, UserDetail
from shared.model.inventory import account_of_arn

LISTS = ("UserDetailList", "RoleDetailList", "GroupDetailList", "Policies")

_ACCOUNT = re.compile(r"[0-9]{12}")
_LISTED: Mapping[type[Shape], tuple[str, str]] = {  # the list of each shape, and the field that tells its items apart
    UserDetail: ("UserDetailList", "UserId"),
    RoleDetail: ("RoleDetailList", "RoleId"),
    GroupDetail: ("GroupDetailList", "GroupName"),
    ManagedPolicyDetail: ("Policies", "Arn"),
}


class Raw(NamedTuple):
    """An item of one of the lists, unread, with its place in all pages and its unique id, ARN or `group_name`.

    The name is the place itself where the item has none; `twice` if it is listed again and differently.
    """

    place: str
    value: Any
    name: str
    twice: bool = False


def listed(page: Mapping[str, Any], name: str) -> list[Any]:
    """One list of a page, empty where the page leaves it out. Raises InputError for a list that is none."""
    found = page.get(name, [])
    if not isinstance(found, list):
        raise InputError(f"{name}: not a list")
    return found


def items_of(details: Mapping[str, Any], shape: type[Shape]) -> list[Raw]:
    """The items of a shape's list, each once; one that is listed again and is read otherwise is marked."""
    name, field = _LISTED[shape]
    found: dict[str, Raw] = {}
    for number, value in enumerate(listed(details, name)):
        place = f"{name}[{number}]"
        item = Raw(place, value, _name_of(value, field) or place)
        known = found.setdefault(item.name, item)
        if not _read_alike(known.value, value, shape):
            found[item.name] = known._replace(twice=True)
    return list(found.values())


def check_once(raw: Raw) -> None:
    """Raise InputError for an item that is listed twice and differently."""
    if raw.twice:
        raise InputError(f"{raw.place}: {raw.name} is listed twice and differently")


def group_name(account_id: str, name: str) -> str:
    """What tells a group apart: its name within its account, which may be unknown (empty)."""
    return f"{account_id}/{name}"


def account_of(item: object) -> str:
    """The account that an item is of, empty where its ARN tells none, as that of AWS's own policies doesn't."""
    arn = item.get("Arn") if isinstance(item, Mapping) else None
    account_id = account_of_arn(arn) if isinstance(arn, str) else ""
    return account_id if _ACCOUNT.fullmatch(account_id) else ""


def _name_of(value: Any, field: str) -> str | None:
    told = value.get(field) if isinstance(value, Mapping) else None
    if not isinstance(told, str) or not told:
        return None
    return group_name(account_of(value), told) if field == "GroupName" else told


def _read_alike(one: Any, other: Any, shape: type[Shape]) -> bool:
    """Whether two items say the same as far as it is read; how often a policy is attached, say, is not."""
    if one == other:
        return True
    try:
        return shape.read(one, "") == shape.read(other, "")
    except InputError:
        return False
