"""Reads CloudFormation templates as plain data, for the artefact builder and for the tests that hold the template.

PyYAML refuses CloudFormation's short tags. Here `!Sub text` becomes `{"Fn::Sub": text}`, `!Ref X` `{"Ref": "X"}` and
`!GetAtt A.B` `{"Fn::GetAtt": ["A", "B"]}`: the long forms, as JSON templates write them.
"""

from pathlib import Path
from typing import Any, Literal

import yaml

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML without libyaml: the same, only slower
    from yaml import SafeLoader  # type: ignore[assignment]

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"

_LONG_NAMES = {"!Ref": "Ref", "!Condition": "Condition"}
_FUNCTION_TYPE = "AWS::Serverless::Function"


class TemplateError(Exception):
    """The template lacks what was asked of it."""


class _CloudFormationLoader(SafeLoader):
    """The safe loader, in C where PyYAML has it, that also knows CloudFormation's short tags."""


def _construct_intrinsic(loader: _CloudFormationLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    tag = f"!{suffix}"
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]  # the only kind left
    if tag == "!GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {_LONG_NAMES.get(tag, f"Fn::{suffix}"): value}


_CloudFormationLoader.add_multi_constructor("!", _construct_intrinsic)


def load_template(path: Path = TEMPLATE) -> dict[str, Any]:
    """Parse a template: sections by name, intrinsic functions in their long form."""
    template = yaml.load(path.read_text(encoding="utf-8"), Loader=_CloudFormationLoader)  # noqa: S506 derives SafeLoader
    if not isinstance(template, dict):
        raise TemplateError(f"{path.name} is not a template")
    return template


def resources_of(template: dict[str, Any], resource_type: str) -> dict[str, dict[str, Any]]:
    """Resources of one type, by logical id."""
    return {name: body for name, body in template["Resources"].items() if body["Type"] == resource_type}


def functions_of(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Lambda functions of a template, by logical id."""
    return resources_of(template, _FUNCTION_TYPE)


def handler_of(template: dict[str, Any], function: str) -> tuple[str, str]:
    """Module and name of a function's handler: `("services.scorer.handler", "handle_sweep")`.

    Raises TemplateError where the template has no such function.
    """
    try:
        handler: str = functions_of(template)[function]["Properties"]["Handler"]
    except KeyError:
        raise TemplateError(f"the template has no function {function}") from None
    module, _, name = handler.rpartition(".")
    return module, name


def environment_of(template: dict[str, Any], function: str, scope: Literal["all", "own"] = "all") -> dict[str, Any]:
    """Environment variables of a function: those of Globals, overlaid by its own (only these with scope `own`)."""
    shared = template.get("Globals", {}).get("Function", {}) if scope == "all" else {}
    own = functions_of(template)[function]["Properties"]
    merged: dict[str, Any] = {}
    for source in (shared, own):
        merged |= source.get("Environment", {}).get("Variables", {})
    return merged
