"""Authorization details in local files: pages as the AWS CLI prints them, or as IAM's API answers them.

A file holds one page or several, one after the other or in an array, as text in any encoding of JSON, and may be
compressed by gzip. What would leave somebody out is an InputError that says where: a file that ends too early, a
listing that goes on, a key twice in one object.
"""

import base64
import gzip
import hashlib
import json
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cli.inputs import STANDARD_INPUT, shown
from shared.errors import InputError
from shared.iam.authorization_items import LISTS, account_of
from shared.model.unique_ids import ROLE_ID_PREFIX, USER_ID_PREFIX

MAKE = "aws iam get-account-authorization-details"
GZIP = b"\x1f\x8b"

_BLANKS = re.compile(r"[ \t\r\n]*")
_ID = re.compile(r"A(?:IDA|ROA)[A-Z0-9]{4,}")
HOLDERS = (("UserDetailList", "UserId", USER_ID_PREFIX), ("RoleDetailList", "RoleId", ROLE_ID_PREFIX))

Page = dict[str, Any]


class Listing(NamedTuple):
    """All pages of one listing, and the unique ids that stand in for ids that are not IAM's."""

    pages: tuple[Page, ...]
    stand_ins: frozenset[str]


def read_listing(names: Iterable[str]) -> Listing:
    """Read the pages of all these files (`-` is standard input).

    Raises InputError, which names the file, for one that can't be read, is not JSON or holds something else, and where
    IAM said that the listing of an account goes on and no file has its last page.
    """
    stand_ins: set[str] = set()
    pages = [_with_ids(page, stand_ins) for name in names for page in _pages_of(name)]
    _check_last_pages(pages)
    return Listing(tuple(pages), frozenset(stand_ins))


def read_bytes(name: str) -> bytes:
    """Whole content of a file or of standard input, decompressed; raises InputError where that can't be had."""
    try:
        content = sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes()
    except (OSError, ValueError) as error:  # a ValueError is a path with a NUL
        raise InputError(f"{shown(name)}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not content.startswith(GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"{shown(name)}: not whole gzip: {error}") from None


def _pages_of(name: str) -> Iterator[Page]:
    try:
        for place, value in _values(_text(read_bytes(name))):
            yield _checked(value, place)
    except InputError as error:
        told = str(error)
        raise InputError(told if told.startswith(f"{shown(name)}: ") else f"{shown(name)}: {told}") from None


def _text(content: bytes) -> str:
    """Text in the encoding that a JSON file tells by its first bytes; some shells redirect as UTF-16."""
    try:
        return content.decode(json.detect_encoding(content)).lstrip("\ufeff")
    except UnicodeDecodeError as error:
        raise InputError(f"not {error.encoding.upper()}: {error.reason} at byte {error.start + 1}") from None


def _values(text: str) -> Iterator[tuple[str, Any]]:
    """Every JSON value of a text with its place, those in an array one by one."""
    end = _blank(text, 0)
    if end == len(text):
        raise InputError("the file is empty")
    while end < len(text):
        place = f"line {text.count(chr(10), 0, end) + 1}"
        try:
            value, end = _DECODER.raw_decode(text, end)
        except json.JSONDecodeError as error:
            raise InputError(f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from None
        except RecursionError:
            raise InputError(f"{place}: nested too deeply") from None
        except ValueError:
            raise InputError(f"{place}: not JSON: a number is too long") from None
        if not isinstance(value, list):
            yield place, value
        elif not value:
            raise InputError(f"{place}: an empty array")
        else:
            yield from ((f"$[{number}]", one) for number, one in enumerate(value))
        end = _blank(text, end)


def _blank(text: str, start: int) -> int:
    """Where the blanks end that begin at `start`."""
    blanks = _BLANKS.match(text, start)
    return blanks.end() if blanks else start


def _checked(value: object, place: str) -> Page:
    if not isinstance(value, dict):
        raise InputError(f"{place}: not an object as `{MAKE}` prints it")
    if not any(name in value for name in LISTS):
        raise InputError(f"{place}: none of {', '.join(LISTS)}: not the output of `{MAKE}`")
    for name in LISTS:
        if not isinstance(value.get(name, []), list):
            raise InputError(f"{place}: {name}: not a list")
    return value


def _check_last_pages(pages: Sequence[Page]) -> None:
    """Raise InputError for a listing that goes on. A last page may name no account, as one of AWS's policies alone."""
    last: dict[str, bool] = {}  # by account: whether its last page is there
    without_account: list[Page] = []
    for page in pages:
        accounts = {account_of(item) for name in LISTS for item in page.get(name, [])} - {""}
        for account_id in accounts:
            last[account_id] = last.get(account_id, False) or not _goes_on(page)
        if not accounts and page not in without_account:
            without_account.append(page)
    ends = sum(not _goes_on(page) for page in without_account)
    open_accounts = sorted(account_id for account_id, ended in last.items() if not ended)
    if len(open_accounts) > ends or (not last and without_account and not ends):
        field = next("IsTruncated" if "IsTruncated" in page else "NextToken" for page in pages if _goes_on(page))
        of = f" of account {', '.join(open_accounts)}" if open_accounts else ""
        raise InputError(f"{field}: the listing{of} goes on and its last page is not there; make it by `{MAKE}`")


def _goes_on(page: Mapping[str, Any]) -> bool:
    """Whether IAM, or a limit that was given to the AWS CLI, says that there is more."""
    return page.get("IsTruncated") not in (None, False, "false") or bool(page.get("NextToken"))


def _with_ids(page: Page, stand_ins: set[str]) -> Page:
    """The same page; who has a made-up unique id, as in files for tests, gets one that no record can name."""
    changed = dict(page)
    for name, field, prefix in HOLDERS:
        if name not in page:
            continue
        holders = list(page[name])
        for place, holder in enumerate(holders):
            if not isinstance(holder, dict):
                continue
            given, arn = holder.get(field), holder.get("Arn")
            if isinstance(given, str) and isinstance(arn, str) and not _ID.fullmatch(given):
                stand_in = prefix + _digest(f"{given} {arn}")
                stand_ins.add(stand_in)
                holders[place] = {**holder, field: stand_in}
        changed[name] = holders
    return changed


def _digest(text: str) -> str:
    """Sixteen letters and digits; IAM's own ids have seventeen, so that they never meet."""
    return base64.b32encode(hashlib.sha256(text.encode("utf-8", "backslashreplace")).digest()).decode("ascii")[:16]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InputError("a key is given twice in one object: which one counts would be a guess")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)
