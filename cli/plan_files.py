"""Writes plans to files: policies as IAM takes them, and patches as the tool takes them that manages an identity."""

import itertools
import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.errors import InputError

SUFFIXES = {"terraform": "tf", "cloudformation": "yaml"}
LONGEST = 200  # characters of a name: file systems take 255 bytes
_FOREIGN = re.compile(
    r"[^\w+=,.@-]", re.ASCII
)  # what no name of IAM's has (API reference, CreateRole and CreatePolicy)

Json = Mapping[str, Any]


def check_folder(name: str) -> Path:
    """The folder to write to, which is made where it isn't there.

    Raises InputError without a name, and for one that holds something: files of former plans would pass for today's.
    """
    if not name:
        raise InputError("the name of the folder to write to is empty")
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InputError(f"{name}: it is not empty; name a new folder")
        _check_access(folder)
    except (OSError, ValueError) as error:  # a ValueError is a path with a NUL
        raise _refused(name, error) from None
    return folder


def check_file(name: str) -> Path:
    """The file to write, whose folder is made where it isn't there. Raises InputError where it can't be written."""
    path = Path(name)
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_access(path.parent)
    except (OSError, ValueError) as error:
        raise _refused(name, error) from None
    return path


def write_plans(folder: Path, plans: Sequence[Json]) -> int:
    """Write each plan to a folder of its own, `<account>/<user or role>-<name>/`; returns how many files there are.

    `plan.json` is the plan, each other `.json` a policy, `patch.tf` or `patch.yaml` a patch. Names that are not IAM's
    lose what doesn't belong in names of files. Raises InputError.
    """
    written = 0
    taken: set[str] = set()
    for plan in plans:
        _, _, _, _, account_id, resource = plan["identity"].split(":", 5)
        kind, _, path = resource.partition("/")
        place = _free(f"{account_id}/", f"{kind}-{path.rsplit('/', 1)[-1]}", "", taken)
        taken.add(place.lower())
        texts = {"plan.json": json_text(plan)}
        for policy in plan["policies"]:
            name = _free("", f"policy-{policy['name']}", ".json", frozenset(map(str.lower, texts)))
            texts[name] = json_text(policy["document"])
        if plan["patch"] and plan["patch"]["text"]:
            texts[f"patch.{SUFFIXES[plan['patch']['tool']]}"] = plan["patch"]["text"]
        for name, text in texts.items():
            write_whole(folder / place / name, text)
        written += len(texts)
    return written


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there as a whole or not at all, with its folder. Raises InputError."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.unlink(missing_ok=True)
            with part.open("xb") as file:  # never through a link that somebody else put there
                file.write(text.encode("utf-8", "backslashreplace"))  # JSON spells halves of characters so, too
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise _refused(str(path), error) from None


def json_text(value: object) -> str:
    """A value as people read it, a line to each part."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _check_access(folder: Path) -> None:
    """Find out now, rather than when everything is worked out, that nothing can be written to a folder."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(None, "permission denied")


def _free(before: str, stem: str, ending: str, taken: Collection[str]) -> str:
    """A harmless name that isn't taken yet, compared as file systems without case do: `taken` is in lower case."""
    known = before + _FOREIGN.sub("_", stem)[:LONGEST]
    names = itertools.chain([f"{known}{ending}"], (f"{known}-{number}{ending}" for number in itertools.count(2)))
    return next(name for name in names if name.lower() not in taken)


def _refused(name: str, error: Exception) -> InputError:
    return InputError(f"{name}: cannot be written: {getattr(error, 'strerror', None) or error}")
