"""docs/operations.md held to what it is about: AWS's operations and options, the stack's outputs and parameters."""

import re
import shlex
from collections.abc import Iterator

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import OperationModel

from infra.build.template import ROOT, load_template

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
TEMPLATE = load_template(ROOT / "template.yaml")
GLOBAL = frozenset({"cli-binary-format", "region", "profile", "output", "query"})  # options of the AWS CLI itself
SERVICES = {"s3api": "s3"}
AWS = re.compile(r"(?<![\w-])aws ([a-z0-9-]+) ([a-z-]+)([^|;)`\n]*)")


def commands(text: str) -> list[tuple[str, str, str]]:
    """Service, operation and the rest of each call of the AWS CLI."""
    text = re.sub(r"\$\(output [^)]*\)", "OUTPUT", text)
    return AWS.findall(re.sub(r"\\?\n(?=\s*--)", " ", text))


def problems(service: str, operation: str, rest: str) -> Iterator[str]:
    """What the AWS CLI would refuse of a call; of one in a sentence, without options, only its name is looked at."""
    session = botocore.session.get_session()
    service = SERVICES.get(service, service)
    if service not in session.get_available_services():
        yield f"no service {service}"
        return
    if operation == "wait":
        return
    model = session.get_service_model(service)
    named = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in named:
        yield f"{service} has no {operation}"
        return
    given = re.findall(r"(?<!\S)--([a-z-]+)", rest)
    if given:
        yield from _of_options(model.operation_model(named[operation]), set(given) - GLOBAL)


def _of_options(model: OperationModel, given: set[str]) -> Iterator[str]:
    members = model.input_shape.members if model.input_shape else {}
    flags = {xform_name(name, "-") for name, shape in members.items() if shape.type_name == "boolean"}
    given = {option.removeprefix("no-") if option.removeprefix("no-") in flags else option for option in given}
    known = {xform_name(name, "-") for name in members}
    yield from (f"{model.name} has no --{option}" for option in sorted(given - known))
    required = {xform_name(name, "-") for name in (model.input_shape.required_members if model.input_shape else ())}
    yield from (f"{model.name} needs --{option}" for option in sorted(required - given))


@pytest.mark.parametrize("command", commands(PAGE), ids=lambda command: " ".join(command[:2]))
def test_a_command_of_the_page_is_one_of_the_aws_cli(command: tuple[str, str, str]) -> None:
    assert list(problems(*command)) == []


def test_the_page_has_commands_with_their_options() -> None:
    found = commands(PAGE)
    assert len(found) > 20
    assert {"sqs", "dynamodb", "ssm", "kms", "lambda", "cloudformation"} <= {service for service, _, _ in found}
    move = next(rest for _, operation, rest in found if operation == "restore-table-to-point-in-time")
    assert "--restore-date-time" in move, "lines that go on are read to their end"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("aws sqz list-queues", "no service sqz"),
        ("aws sqs redrive --source-arn x", "sqs has no redrive"),
        ("aws sqs start-message-move-task --arn x", "StartMessageMoveTask has no --arn"),
        ('aws ssm put-parameter --name "$(output X --y)" --overwrite', "PutParameter needs --value"),
        ("aws dynamodb update-table --table-name x \\\n  --no-protection", "UpdateTable has no --no-protection"),
    ],
)
def test_a_command_that_is_not_is_found(text: str, problem: str) -> None:
    [command] = commands(text)
    assert problem in list(problems(*command))


def test_every_output_that_the_page_asks_for_is_one_of_the_stack() -> None:
    asked = set(re.findall(r"\$\(output (\w+)\)", PAGE)) | set(re.findall(r"`(\w+(?:Url|Arn|Name))`", PAGE))
    asked |= {name for line in re.findall(r"for name in ([\w ]+); do", PAGE) for name in line.split()}
    assert len(asked) > 15
    assert asked <= set(TEMPLATE["Outputs"])


def test_every_dead_letter_queue_of_the_stack_is_told_of() -> None:
    queues = {name for name in TEMPLATE["Outputs"] if name.endswith("DeadLetterQueueUrl")}
    assert {name for name in queues if f"`{name}`" not in PAGE} == set()


def test_every_parameter_that_the_page_names_is_one_of_the_stack() -> None:
    prose = re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    named = {
        name for name in re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)*)`", prose) if not name.endswith(("Url", "Name"))
    }
    named -= set(TEMPLATE["Outputs"])
    assert len(named) > 8
    assert named <= set(TEMPLATE["Parameters"])


def test_every_table_that_outlives_the_stack_is_told_of() -> None:
    data = load_template(ROOT / "infra" / "sam" / "data.yaml")["Resources"]
    kept = {name.removesuffix("Table").lower() for name, raw in data.items() if raw.get("DeletionPolicy") == "Retain"}
    tables = {name for name in kept if f"{name.title()}Table" in data}
    assert tables == {"usage", "scores", "journal", "audit"}
    assert all(f"| {name} |" in PAGE for name in tables)


def test_commands_in_shell_blocks_can_be_read_by_a_shell() -> None:
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 10
    for block in blocks:
        shlex.split(block, comments=True)
