"""An inventory from a file, in the forms that people have one in.

- a JSON list of ARNs, or ARNs one a line (empty lines and lines that begin with `#` aside);
- what `aws configservice select-resource-config` prints, or its aggregate form: `Results`, JSON texts with `arn`;
- what `aws resourcegroupstaggingapi get-resources` prints: `{"ResourceTagMappingList": [{"ResourceARN": …}]}`.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from shared.errors import InputError
from shared.model.inventory import Inventory, account_of_arn

MAX_ARN_LENGTH = 2_048  # IAM's longest
_ARN = re.compile(r"arn:[a-z0-9-]+:[a-zA-Z0-9-]+:[a-z0-9-]*:(?:\d{12}|aws)?:[^\x00-\x1f\x7f*]+(?::\*)?")
_FORMS = (
    "expected ARNs one a line or as a JSON list, or what `aws configservice select-resource-config` or "
    "`aws resourcegroupstaggingapi get-resources` prints"
)


class _Found(NamedTuple):
    """An ARN and its place in the file."""

    place: str
    arn: Any


def parse_inventory(content: bytes | str, *, account_id: str) -> Inventory:
    """Read the inventory of one account; ARNs of other accounts are left out, rows without an ARN are skipped.

    No form says when its resources were listed, so the answer's `read_at` is None.

    Raises InputError that says where the file holds anything else, and where none of it is the account's: then the
    file is of another account.
    """
    found = list(_read(_decoded(content)))
    named = [_checked(one) for one in found if one.arn is not None]
    if found and not named:
        raise InputError(f"none of the {len(found)} rows of the inventory has an ARN: select `arn`")
    inventory = Inventory(account_id, tuple(named), None, "a file")
    owners = {account_of_arn(arn) for arn in named} - {"", "aws"}
    if owners and account_id not in owners:
        raise InputError(
            f"the inventory is of another account: it names {_some(owners)}, and nothing of account {account_id}"
        )
    return inventory


def resource_arn(text: str) -> str | None:
    """The ARN of one resource, None where a text is none; a log group's loses the `:*` that some answers end it with.

    >>> resource_arn("arn:aws:logs:eu-west-1:111122223333:log-group:/app:*")
    'arn:aws:logs:eu-west-1:111122223333:log-group:/app'
    """
    if len(text) > MAX_ARN_LENGTH or _ARN.fullmatch(text) is None:
        return None
    return text.removesuffix(":*")


def _decoded(content: bytes | str) -> str:
    if isinstance(content, bytes):
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"byte {error.start} of the inventory is no UTF-8: {_FORMS}") from None
    return content.removeprefix("\ufeff")


def _read(text: str) -> Iterator[_Found]:
    if text.lstrip()[:1] not in ("{", "["):
        return _lines(text)
    try:
        read = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise InputError(f"{where} of the inventory: broken JSON ({error.msg})") from None
    except RecursionError:
        raise InputError(f"the inventory is nested too deep: {_FORMS}") from None
    if isinstance(read, list):
        return (_Found(f"$[{place}]", _present(f"$[{place}]", arn)) for place, arn in enumerate(read))
    for name, rows in (("Results", _result), ("ResourceTagMappingList", _tagged)):
        if name in read:
            return (rows(f"$.{name}[{place}]", row) for place, row in enumerate(_list(read[name], f"$.{name}")))
    raise InputError(f"$ of the inventory has neither Results nor ResourceTagMappingList: {_FORMS}")


def _lines(text: str) -> Iterator[_Found]:
    for number, line in enumerate(text.splitlines(), start=1):
        if (arn := line.strip()) and not arn.startswith("#"):
            yield _Found(f"line {number}", arn)


def _present(place: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"{place} of the inventory is no text: {_FORMS}")
    return value


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{place} of the inventory is no list")
    return value


def _result(place: str, row: Any) -> _Found:
    """One row of AWS Config's answer: JSON in a text, or already read by somebody's script."""
    if isinstance(row, str):
        try:
            row = json.loads(row)
        except (ValueError, RecursionError):
            raise InputError(f"{place} of the inventory holds no JSON") from None
    if not isinstance(row, dict):
        raise InputError(f"{place} of the inventory is no object")
    return _Found(f"{place}.arn", row.get("arn"))


def _tagged(place: str, row: Any) -> _Found:
    if not isinstance(row, dict):
        raise InputError(f"{place} of the inventory is no object")
    return _Found(f"{place}.ResourceARN", row.get("ResourceARN"))


def _checked(found: _Found) -> str:
    arn = resource_arn(found.arn) if isinstance(found.arn, str) else None
    if arn is None:
        raise InputError(f"{found.place} of the inventory is no ARN of a resource: {_FORMS}")
    return arn


def _some(owners: set[str]) -> str:
    shown = ", ".join(sorted(owners)[:3])
    return shown if len(owners) <= 3 else f"{shown} and {len(owners) - 3} more"  # noqa: PLR2004 as shown
