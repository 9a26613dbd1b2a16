"""The tables of the documentation that repeat what the code says: one function a table, Markdown lines out. Pure."""

import importlib
import inspect
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import typer
from annotated_types import Ge, Gt, Le, MinLen

from cli.main import app
from infra.build.template import environment_of, functions_of, handler_of
from shared.events import ROUTES, DomainEvent, Service
from shared.settings import PREFIX, Settings

Template = Mapping[str, Any]
Lines = list[str]
ENVELOPE = frozenset({"version", "event_id", "occurred_at", "account_id", "identity"})


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Lines:
    """A Markdown table; a bar within a cell is escaped."""
    body = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in body]


def events() -> Lines:
    """Every event of the bus: what it tells, who sends it, who acts on it, what it carries of its own."""
    rows = [
        [
            f"`{event.type_name()}`",
            sentence(event),
            ", ".join(sorted(route.producers)),
            ", ".join(sorted(route.consumers - {Service.AUDITOR})) or "nobody",
            ", ".join(f"`{name}`" for name in event.model_fields if name not in ENVELOPE),
        ]
        for event, route in ROUTES.items()
    ]
    return table(["event", "tells", "sent by", "acted on by", "fields of its own"], rows)


def functions(template: Template) -> Lines:
    """Every Lambda function: where it enters the code, what starts it, and its limits."""
    defaults = template["Globals"]["Function"]
    rows = []
    for name, body in functions_of(dict(template)).items():
        module, handler = handler_of(dict(template), name)
        properties = defaults | body["Properties"]
        queue = next((event["Properties"] for event in properties.get("Events", {}).values()), None)
        started_by = f"`{_referred(queue['Queue'])}`, {queue['BatchSize']} at a time" if queue else _starter(name)
        service = module.split(".")[1]
        limits = f"{properties['Timeout']} s, {properties['MemorySize']} MB"
        rows.append([f"`{name}`", f"{service}: `{handler}`", started_by, limits])
    return table(["function", "handler", "started by", "limits"], rows)


def parameters(template: Template) -> Lines:
    """Every parameter of the template, in the groups in which the AWS console shows them."""
    lines: Lines = []
    for group in template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]:
        rows = []
        for name in group["Parameters"]:
            parameter = template["Parameters"][name]
            default = str(parameter["Default"])
            shown = f"`{default}`" if default else "empty"
            rows.append([f"`{name}`", shown, _allowed(parameter), parameter["Description"]])
        lines += ["", f"### {group['Label']['default']}", "", *table(["parameter", "default", "allowed", "what"], rows)]
    return lines[1:]


def settings(template: Template) -> Lines:
    """Every environment variable of every function, what it must be, and where its value comes from."""
    lines: Lines = []
    for kind, names in _settings_of_functions(template).items():
        environment = environment_of(dict(template), names[0])
        rows = [
            [f"`{variable}`", _constraint(kind, field), _origin(environment[variable])]
            for field in kind.model_fields
            if (variable := f"{PREFIX}{field.upper()}")
        ]
        readers = ", ".join(f"`{name}`" for name in names)
        where = kind.__module__.replace(".", "/") + ".py"
        lines += ["", f"### {readers}", "", f"`{kind.__name__}` in `{where}`: {_lower_first(sentence(kind))}", ""]
        lines += table(["variable", "must be", "value in template.yaml"], rows)
    return lines[1:]


def commands() -> Lines:
    """Every command with its arguments and options, as `--help` tells them."""
    lines: Lines = []
    for path, command in walk(typer.main.get_command(app)):
        if getattr(command, "commands", None):
            continue
        lines += ["", f"### `leastwise {' '.join(path)}`", "", command.help or "", ""]
        rows = [[_usage(parameter), str(getattr(parameter, "help", "") or "")] for parameter in command.params]
        lines += table(["argument or option", "what"], rows)
    return lines[1:]


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below `command` with the words that call it, itself first."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, (*path, name))


def sentence(kind: type[DomainEvent | Settings]) -> str:
    """First paragraph of a class's docstring, on one line."""
    return " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())


def _settings_of_functions(template: Template) -> dict[type[Settings], list[str]]:
    """Settings class -> functions: the class of the function's service whose fields are the function's variables."""
    found: dict[type[Settings], list[str]] = {}
    for function in functions_of(dict(template)):
        variables = {name for name in environment_of(dict(template), function) if name.startswith(PREFIX)}
        service = handler_of(dict(template), function)[0].split(".")[1]
        for kind in _classes(importlib.import_module(f"services.{service}.settings")):
            if {f"{PREFIX}{field.upper()}" for field in kind.model_fields} == variables:
                found.setdefault(kind, []).append(function)
    return found


def _classes(module: ModuleType) -> list[type[Settings]]:
    return [kind for kind in vars(module).values() if inspect.isclass(kind) and issubclass(kind, Settings)]


def _constraint(kind: type[Settings], field: str) -> str:
    info = kind.model_fields[field]
    words = []
    for limit in info.metadata:
        match limit:
            case Ge(ge=value):
                words.append(f"at least {value}")
            case Gt(gt=value):
                words.append(f"more than {value}")
            case Le(le=value):
                words.append(f"at most {value}")
            case MinLen():
                words.append("not empty")
            case _ if getattr(limit, "pattern", None):
                words.append(f"`{limit.pattern}`")
    choices = getattr(info.annotation, "__args__", ()) or getattr(info.annotation, "__members__", {}).values()
    plain = {int: "a whole number", float: "a number", str: "text"}.get(info.annotation, "")  # type: ignore[arg-type]
    named = " or ".join(f"`{getattr(choice, 'value', choice)}`" for choice in choices) or plain
    return ", ".join([named, *words])


def _origin(value: Any) -> str:
    """`!Ref Threshold` as `Threshold`, `!GetAtt Data.Outputs.X` as `Data.Outputs.X`, a literal as it is."""
    if not isinstance(value, Mapping):
        return f"`{value}`"
    if "Fn::If" in value:
        condition, yes, no = value["Fn::If"]
        return f"{_origin(yes)} if `{condition}`, else " + (_origin(no) if no else "empty")
    return f"`{_referred(value)}`"


def _referred(value: Mapping[str, Any]) -> str:
    """What a Ref, GetAtt or Sub names; the attribute Arn goes without saying."""
    if "Ref" in value:
        return str(value["Ref"])
    if "Fn::GetAtt" in value:
        return ".".join(value["Fn::GetAtt"]).removesuffix(".Arn")
    return str(value.get("Fn::Sub", json.dumps(value)))


def _starter(function: str) -> str:
    return {
        "SweepFunction": "`SweepRule` (schedule), `SweepPausedRule`, or `leastwise sweep`",
        "ConfigRuleFunction": "AWS Config, for `ConfigRule`",
        "RemediationRequestFunction": "`RemediationDocument` (SSM), or `leastwise plan`",
        "RestoreRequestFunction": "`leastwise plan`",
        "ReconcileFunction": "`ReconcileRule` (schedule)",
        "NotifyFunction": "`NotifyRule` (schedule)",
        "AnchorFunction": "`AnchorRule` (schedule)",
    }[function]


def _allowed(parameter: Mapping[str, Any]) -> str:
    values = [str(value) for value in parameter.get("AllowedValues", ())]
    if values and len(values) <= 4:  # noqa: PLR2004 longer lists are told by the constraint's own words
        return ", ".join(f"`{value}`" for value in values)
    return str(parameter["ConstraintDescription"])


def _usage(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    default = "" if parameter.default in {None, False} else f", by default `{parameter.default}`"
    variable = f", or `{parameter.envvar}`" if parameter.envvar else ""
    return f"`{'`, `'.join(parameter.opts)}`{variable}{default}"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
