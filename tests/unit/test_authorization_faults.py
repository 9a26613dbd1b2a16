"""Whatever is changed anywhere in authorization details, there is an answer or an InputError, and nobody is lost."""

import copy
import gzip
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InputError
from shared.iam.authorization import identity_details, merge_pages
from shared.iam.grants import effective_grants
from shared.knowledge import load_catalogue

EXAMPLE = Path(__file__).parents[1] / "data" / "authorization-details" / "example.json.gz"
READ_AT = datetime(2023, 3, 9, tzinfo=UTC)
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 1e300, "", "x", "\0", "%", "{", "arn:aws:iam::1:user/x", [], [[]], [None], {}, {"x": 1}, ["x"]]
)
HOLDERS = (("UserDetailList", "UserId"), ("RoleDetailList", "RoleId"))


def small() -> dict[str, Any]:
    """A few identities of the example, with all that they hold: one that is in groups, and roles of each form."""
    whole = json.loads(gzip.decompress(EXAMPLE.read_bytes()))
    users = [user for user in whole["UserDetailList"] if user["GroupList"]][:2]
    users += [user for user in whole["UserDetailList"] if user["AttachedManagedPolicies"]][:2]
    roles = [role for role in whole["RoleDetailList"] if role["RolePolicyList"]][:1]
    roles += [role for role in whole["RoleDetailList"] if role["AttachedManagedPolicies"]][:2]
    roles = [role for role in roles if role["RoleId"].startswith("AROA")]
    users = [user for user in users if user["UserId"].startswith("AIDA")]
    held = json.dumps([users, roles, whole["GroupDetailList"]])
    policies = [policy for policy in whole["Policies"] if policy["Arn"] in held]
    users[0]["PermissionsBoundary"] = {"PermissionsBoundaryArn": policies[0]["Arn"]}
    users[0]["Tags"] = [{"Key": "team", "Value": "core"}]
    groups = whole["GroupDetailList"]
    return {"UserDetailList": users, "RoleDetailList": roles, "GroupDetailList": groups, "Policies": policies}


SMALL = small()


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything below a value."""
    steps = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for step in steps:
        yield (*above, step)
        yield from places(value[step], (*above, step))


PLACES = list(places(SMALL))


@st.composite
def changed(draw: st.DrawFn) -> dict[str, Any]:
    """The details with up to three things dropped, replaced or given twice."""
    details = copy.deepcopy(SMALL)
    for path in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3)):
        *above, step = path
        holder: Any = details
        try:
            for one in above:
                holder = holder[one]
            _change(holder, step, draw)
        except (IndexError, KeyError, TypeError):
            continue  # what was there is gone by another change
    return details


def _change(holder: Any, step: Any, draw: st.DrawFn) -> None:
    kind = draw(st.sampled_from(["drop", "replace", "repeat"]))
    if kind == "drop":
        del holder[step]
    elif kind == "repeat" and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[step]))
    else:
        holder[step] = draw(ODD)


def listed(details: dict[str, Any]) -> int:
    """How many identities are listed, each once."""
    found = []
    for name, key in HOLDERS:
        for place, holder in enumerate(details.get(name, [])):
            told = holder.get(key) if isinstance(holder, dict) else None
            found.append((name, told if isinstance(told, str) and told else place))
    return len(set(found))


def names_of(holder: dict[str, Any]) -> list[str]:
    """What a holder names that the details must have elsewhere: managed policies and groups."""
    return sorted([one["PolicyArn"] for one in holder["AttachedManagedPolicies"]] + holder.get("GroupList", []))


def test_the_example_is_read_whole_but_for_made_up_ids() -> None:
    whole = json.loads(gzip.decompress(EXAMPLE.read_bytes()))
    told: dict[str, InputError] = {}
    details = list(identity_details(whole, read_at=READ_AT, on_error=told.__setitem__))
    assert (len(details), len(told)) == (116, 6)
    assert all("Id: String should match pattern" in str(error) for error in told.values())


@given(changed())
@settings(deadline=None, max_examples=150)
def test_only_input_errors_come_out_and_everybody_listed_is_read_or_told(details: dict[str, Any]) -> None:
    told: dict[str, InputError] = {}
    try:
        merged = merge_pages([details])
        read = list(identity_details(merged, read_at=READ_AT, on_error=told.__setitem__))
    except InputError:
        return
    assert len(read) + len(told) == listed(details)
    for detail in read:
        with suppress(InputError):  # of a document that breaks the grammar
            effective_grants(detail, load_catalogue())


@given(st.sampled_from([one for one in SMALL["UserDetailList"] + SMALL["RoleDetailList"] if names_of(one)]), st.data())
@settings(deadline=None, max_examples=60)
def test_a_holder_of_what_is_dropped_is_told_and_never_read_without_it(
    holder: dict[str, Any], data: st.DataObject
) -> None:
    """Nobody loses a policy silently: whose managed policy, or group, is not in the details is not read."""
    gone = data.draw(st.sampled_from(names_of(holder)))
    details = copy.deepcopy(SMALL)
    details["Policies"] = [one for one in details["Policies"] if one["Arn"] != gone]
    details["GroupDetailList"] = [one for one in details["GroupDetailList"] if one["GroupName"] != gone]
    told: dict[str, InputError] = {}
    read = list(identity_details(details, read_at=READ_AT, on_error=told.__setitem__))
    assert holder["Arn"] not in {detail.ref.arn for detail in read}
    assert gone in str(told[holder.get("UserId") or holder["RoleId"]])
