"""Under which licence each package stands that the project ships or is built with, and whether we take it.

The facts are in licences.json, by `name==version` as the lock files pin them, so that the check needs no environment
and no network. `python -m infra.build.read_licences` writes it.
"""

import functools
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from license_expression import ExpressionError, get_spdx_licensing

from infra.build.template import ROOT

FACTS = Path("infra", "build", "licences.json")
PROJECT = "leastwise"

# Licences that ask for no more than their text to be passed on, or (MPL-2.0) for the source of changed files of theirs.
PERMITTED = frozenset(
    {
        *("0BSD", "Apache-2.0", "Artistic-1.0-Perl", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC"),
        *("MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
    }
)
# Licences that would bind the project's own code, or whoever runs it as a service. LGPL is among them: linking has no
# clear meaning in Python, and nothing needs it.
COPYLEFT = re.compile(r"^(AGPL|GPL|LGPL|SSPL|EUPL|OSL|CC-BY-SA|CC-BY-NC)\b")

# The name by which pip knows a package, and its pinned version.
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[^\s;\\]+)", re.MULTILINE)


class Standing(StrEnum):
    """Whether we take a licence."""

    PERMITTED = "permitted"
    COPYLEFT = "copyleft"
    UNKNOWN = "unknown"


@functools.cache
def judge(expression: str) -> Standing:
    """Whether we take an SPDX expression: of alternatives one is enough, of licences that hold together all count.

    >>> judge("MIT AND PSF-2.0"), judge("GPL-2.0-or-later OR Artistic-1.0-Perl"), judge("MIT AND GPL-2.0-only")
    (<Standing.PERMITTED: 'permitted'>, <Standing.PERMITTED: 'permitted'>, <Standing.COPYLEFT: 'copyleft'>)
    """
    try:
        parsed = _spdx().parse(expression, validate=True)
    except ExpressionError:
        return Standing.UNKNOWN
    return Standing.UNKNOWN if parsed is None else _judge(parsed)


@functools.cache
def _spdx() -> Any:
    """Every licence that SPDX names: reading the list takes a tenth of a second."""
    return get_spdx_licensing()


def _judge(node: Any) -> Standing:
    if node.isliteral:
        name = str(node)
        if name in PERMITTED:
            return Standing.PERMITTED
        return Standing.COPYLEFT if COPYLEFT.match(name) else Standing.UNKNOWN
    standings = {_judge(part) for part in node.args}
    order = [Standing.COPYLEFT, Standing.UNKNOWN, Standing.PERMITTED]  # the worst first
    if node.operator.strip() == "OR":
        order.reverse()
    return next(standing for standing in order if standing in standings)


def normal_name(name: str) -> str:
    """Name of a package as lock files write it: `aws_lambda_powertools` is `aws-lambda-powertools`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def load_facts(root: Path = ROOT) -> dict[str, str]:
    """SPDX expression by `name==version`."""
    facts: dict[str, str] = json.loads((root / FACTS).read_text(encoding="utf-8"))
    return facts


@functools.cache
def pins(root: Path = ROOT) -> Mapping[str, tuple[str, ...]]:
    """Where each pinned package stands, by `name==version`: a purpose of uv.lock, or the file that pins it."""
    places: dict[str, set[str]] = {}
    for pin, place in (*_pins_of_lock(root), *_pins_of_requirements(root)):
        places.setdefault(pin, set()).add(place)
    return {pin: tuple(sorted(places[pin])) for pin in sorted(places)}


def _pins_of_lock(root: Path) -> Iterator[tuple[str, str]]:
    """Pins of uv.lock: of the functions' dependencies, of what the command needs beside them, and of the rest."""
    lock = tomllib.loads((root / "uv.lock").read_text(encoding="utf-8"))["package"]
    own = next(package for package in lock if package["name"] == PROJECT)
    needs = {package["name"]: _needs(package) for package in lock}
    functions = _closure(needs, [one["name"] for one in own["dependencies"]])
    command = _closure(needs, [one["name"] for one in own["optional-dependencies"]["cli"]])
    for package in lock:
        name = package["name"]
        if name != PROJECT:
            place = "functions" if name in functions else "command" if name in command else "development"
            yield f"{name}=={package['version']}", place


def _needs(package: Mapping[str, Any]) -> list[str]:
    wanted = [*package.get("dependencies", ())]
    for extra in package.get("optional-dependencies", {}).values():
        wanted += extra
    return [one["name"] for one in wanted]


def _closure(needs: Mapping[str, list[str]], names: list[str]) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs[name]
    return frozenset(found)


def _pins_of_requirements(root: Path) -> Iterator[tuple[str, str]]:
    """Pins of the environments beside uv.lock: each has its own requirements file."""
    for folder in ("infra", "benchmarks"):
        for path in sorted((root / folder).rglob("*requirements.txt")):
            for match in _PIN.finditer(path.read_text(encoding="utf-8")):
                yield f"{normal_name(match['name'])}=={match['version']}", path.relative_to(root).as_posix()
