"""The stack's templates as AWS CloudFormation gets them: the root as AWS SAM expands it, the others as they are."""

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from infra.build.template import ROOT, load_template
from infra.local.local_aws import SAM_FOLDER

NESTED = sorted((ROOT / "infra" / "sam").glob("*.yaml"))
ARTEFACT = "s3://artefacts/function.zip"
NO_VALUE = {"Ref": "AWS::NoValue"}

Resource = dict[str, Any]


class Statement(NamedTuple):
    """One statement of any policy, the logical id of the resource that it stands in, and that resource's type."""

    owner: str
    kind: str
    body: Resource

    @property
    def allows(self) -> bool:
        """Whether it is an Allow."""
        return bool(self.body["Effect"] == "Allow")

    @property
    def actions(self) -> list[str]:
        """The actions that it names."""
        return [one for action in as_list(self.body["Action"]) for one in branches(action)]

    @property
    def services(self) -> list[str]:
        """Service principals, those that a region is part of as they are written."""
        principal = self.body.get("Principal", {})
        return [str(one) for one in as_list(principal.get("Service", []))] if isinstance(principal, dict) else []

    @property
    def condition_keys(self) -> set[str]:
        """The condition keys that it asks for, whatever the operator."""
        return {key for keys in self.body.get("Condition", {}).values() for key in keys}


@cache
def rendered() -> dict[str, Resource]:
    """Every resource of all templates by its logical id, the nested stacks themselves left out; no id is used twice."""
    root = load_template()
    root["Globals"]["Function"]["CodeUri"] = ARTEFACT
    defaults = {name: body.get("Default", "") for name, body in root["Parameters"].items()}
    templates = [_expanded(root, defaults), *map(load_template, NESTED)]
    every = (item for template in templates for item in template["Resources"].items())
    resources = [(name, body) for name, body in every if body["Type"] != "AWS::CloudFormation::Stack"]
    assert len(dict(resources)) == len(resources)
    return dict(resources)


def _expanded(template: Resource, parameters: Resource) -> Resource:
    """The template without AWS SAM's own types; by another interpreter, since SAM's packages are not in ours."""
    finished = subprocess.run(
        [str(SAM_FOLDER / "python"), str(ROOT / "infra" / "local" / "sam_transform.py")],
        input=json.dumps({"template": template, "parameters": parameters}),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    expanded: Resource = json.loads(finished.stdout)
    return expanded


def of_type(kind: str) -> dict[str, Resource]:
    """Properties of every resource of a type, by logical id; at least one."""
    found = {name: body.get("Properties", {}) for name, body in rendered().items() if body["Type"] == kind}
    assert found, kind
    return dict(sorted(found.items()))


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def branches(value: Any) -> list[Any]:
    """A value, or what an `Fn::If` chooses from, nothing at all left out."""
    if isinstance(value, dict) and "Fn::If" in value:
        return [one for branch in value["Fn::If"][1:] for one in branches(branch)]
    return [] if value == NO_VALUE else [value]


def referred(value: Any) -> str:
    """Logical id that a Ref or GetAtt names; of a nested stack's output its name."""
    if "Ref" in value:
        return str(value["Ref"])
    resource, attribute = value["Fn::GetAtt"]
    return str(attribute).removeprefix("Outputs.") if resource == "Data" else str(resource)


def statements() -> Iterator[Statement]:
    """Every statement of every policy document, wherever in a resource it stands."""
    for owner, body in sorted(rendered().items()):
        for document in _documents(body.get("Properties", {})):
            for entry in as_list(document["Statement"]):
                for statement in branches(entry):
                    yield Statement(owner, body["Type"], statement)


def _documents(value: Any) -> Iterator[Resource]:
    if isinstance(value, list):
        for member in value:
            yield from _documents(member)
    elif isinstance(value, dict):
        if "Statement" in value:
            yield value
            return
        for member in value.values():
            yield from _documents(member)
