"""Options of the commands that ask the deployed system: which stack, where, and as whom."""

import typer

STACK = typer.Option(
    "--stack-name",
    help="Name of the deployed stack (default: `leastwise_stack_name` of the AWS profile, else leastwise).",
    envvar="LEASTWISE_STACK_NAME",
    show_default=False,
)
REGION = typer.Option(
    "--region",
    help="AWS region of the stack (default: as the AWS CLI finds it).",
    envvar="AWS_REGION",
    show_default=False,
)
PROFILE = typer.Option("--profile", help="AWS profile (default: as the AWS CLI finds it).", show_default=False)
