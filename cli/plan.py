"""`leastwise plan`: one plan of the deployed system, read, decided on, taken back.

What a command needs is imported when it runs, so that others start fast.
"""

import re
import sys
from typing import Annotated

import typer

from cli.asking import Place, request
from cli.stack_options import PROFILE, REGION, STACK

plan = typer.Typer(no_args_is_help=True, help="Read plans of the deployed system, approve them, take them back.")

TAKES, GIVES = "RemediationRequestFunctionName", "RestoreRequestFunctionName"  # outputs of the stack
ACTION = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9]+")


def plan_id_of(text: str) -> str:
    """Check the form of a plan's id before anything is asked of AWS."""
    if not re.fullmatch("[0-9a-f]{16}", text):
        raise typer.BadParameter(
            "a plan's id has 16 hexadecimal digits, as `leastwise plans` and notifications have it"
        )
    return text


def action_of(text: str) -> str:
    """Check the form of an action's name."""
    if not ACTION.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no action such as s3:GetObject")
    return text


PLAN_ID = typer.Argument(
    metavar="PLAN_ID", help="Id of a plan, as `leastwise plans` and notifications name it.", parser=plan_id_of
)
WHO = typer.Argument(metavar="ARN|ID|NAME", help="The user or role: ARN, unique id or name.", show_default=False)
JSON = typer.Option("--json", help="JSON on standard output.")
POLICY = typer.Option("--policy", help="Only the policy documents, one a line.")
TERRAFORM = typer.Option("--terraform", help="Only the change, as text for Terraform.")
CLOUDFORMATION = typer.Option("--cloudformation", help="Only the change, as text for CloudFormation.")
ACTIONS = typer.Option(
    "--action", help="An action to give back; may be repeated.", parser=action_of, show_default=False
)


@plan.command()
def propose(
    who: Annotated[str, WHO],
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Have a plan made for one identity, without applying it."""
    from cli.deployed_account import id_of  # noqa: PLC0415 see above

    place = Place(stack_name, region, profile)
    payload = {"action": "propose", "resource_id": id_of(who, place.account)}
    request(place, TAKES, payload, {"PROPOSED"}, as_json=as_json)


@plan.command()
def show(
    plan_id: Annotated[str, PLAN_ID],
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    *,
    policy: Annotated[bool, POLICY] = False,
    terraform: Annotated[bool, TERRAFORM] = False,
    cloudformation: Annotated[bool, CLOUDFORMATION] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Show a plan: its state, who wanted it, what was proven, its steps, and what it changes in policies."""
    from cli.plan_show import Form, text_of  # noqa: PLC0415 see above

    asked = {
        Form.POLICY: policy,
        Form.TERRAFORM: terraform,
        Form.CLOUDFORMATION: cloudformation,
        Form.JSON: as_json,
    }
    forms = [form for form, is_asked in asked.items() if is_asked]
    if len(forms) > 1:
        raise typer.BadParameter("only one form can be asked for", param_hint=f"--{forms[1]}")
    place = Place(stack_name, region, profile)
    if forms:
        sys.stdout.write(text_of(place, plan_id, forms[0]))
    else:
        from cli.plan_tables import show_record  # noqa: PLC0415 only people need tables

        show_record(place, plan_id)


@plan.command()
def approve(
    plan_id: Annotated[str, PLAN_ID],
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Apply a proposed plan, if the identity and its usage still are as the plan knew them."""
    payload = {"action": "approve", "plan_id": plan_id}
    request(Place(stack_name, region, profile), TAKES, payload, {"APPLIED"}, as_json=as_json)


@plan.command(name="apply")
def apply_plan(
    plan_id: Annotated[str, PLAN_ID],
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Apply a plan that was approved, or go on with one that was interrupted."""
    payload = {"action": "apply", "plan_id": plan_id}
    request(Place(stack_name, region, profile), TAKES, payload, {"APPLIED"}, as_json=as_json)


@plan.command()
def reject(
    plan_id: Annotated[str, PLAN_ID],
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Turn a proposed plan down; the identity is then left alone until a person asks for it again."""
    payload = {"action": "reject", "plan_id": plan_id}
    request(Place(stack_name, region, profile), TAKES, payload, {"rejected"}, as_json=as_json)


@plan.command()
def rollback(
    plan_id: Annotated[str, PLAN_ID],
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Take an applied plan back; the identity is then left alone until a person asks for it again."""
    payload = {"action": "rollback", "plan_id": plan_id}
    request(Place(stack_name, region, profile), GIVES, payload, {"ROLLED_BACK"}, as_json=as_json)


@plan.command()
def restore(
    plan_id: Annotated[str, PLAN_ID],
    action: Annotated[list[str], ACTIONS],
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Give single actions back that an applied plan took away, and leave the rest of it in force."""
    payload = {"action": "restore", "plan_id": plan_id, "actions": action}
    request(Place(stack_name, region, profile), GIVES, payload, {"APPLIED"}, as_json=as_json)
