"""Writes plans to files: policies as IAM takes them, and patches as the tool takes them that manages an identity."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.errors import InputError

SUFFIXES = {"terraform": "tf", "cloudformation": "yaml"}

Json = Mapping[str, Any]


def check_folder(name: str) -> Path:
    """The folder to write to, which is made where it isn't there.

    Raises InputError for one that holds something: files of former plans would pass for those of today's.
    """
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InputError(f"{name}: it is not empty; name a new folder")
    except (OSError, ValueError) as error:  # a ValueError is a path with a NUL
        raise _refused(name, error) from None
    return folder


def write_plans(folder: Path, plans: Sequence[Json]) -> int:
    """Write each plan to a folder of its own, `<account>/<user or role>-<name>/`; returns how many files there are.

    `plan.json` is the plan, each other `.json` a policy, `patch.tf` or `patch.yaml` a patch. Raises InputError.
    """
    written = 0
    for plan in plans:
        _, _, _, _, account_id, resource = plan["identity"].split(":", 5)
        kind, _, path = resource.partition("/")
        own = folder / account_id / f"{kind}-{path.rsplit('/', 1)[-1]}"
        texts = {"plan.json": _text(plan)}
        for policy in plan["policies"]:
            texts[_free(f"policy-{policy['name']}", texts)] = _text(policy["document"])
        if plan["patch"] and plan["patch"]["text"]:
            texts[f"patch.{SUFFIXES[plan['patch']['tool']]}"] = plan["patch"]["text"]
        for name, text in texts.items():
            try:
                own.mkdir(parents=True, exist_ok=True)
                (own / name).write_text(text, encoding="utf-8")
            except (OSError, ValueError) as error:
                raise _refused(str(own / name), error) from None
        written += len(texts)
    return written


def _free(stem: str, taken: Mapping[str, str]) -> str:
    """A name that no other policy of the plan has, compared as file systems without case do."""
    lower = {name.lower() for name in taken}
    names = [f"{stem}.json", *(f"{stem}-{number}.json" for number in range(2, len(taken) + 2))]
    return next(name for name in names if name.lower() not in lower)


def _text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _refused(name: str, error: Exception) -> InputError:
    return InputError(f"{name}: cannot be written: {getattr(error, 'strerror', None) or error}")
