"""Options of the commands that ask the deployed system: which stack, where, and as whom."""

import typer

STACK = typer.Option("--stack-name", help="Name of the deployed stack.", envvar="LEASTWISE_STACK_NAME")
REGION = typer.Option("--region", help="AWS region of the stack (default: as the AWS CLI finds it).")
PROFILE = typer.Option("--profile", help="AWS profile (default: as the AWS CLI finds it).")
