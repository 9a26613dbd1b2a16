"""How the commands for a deployed stack ask it, and how they show its answer."""

import json
import shlex
import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from cli.answers import FINDING, printable

if TYPE_CHECKING:
    from shared.aws.deployed_account import DeployedAccount
    from shared.aws.deployment import Deployment


class Place(NamedTuple):
    """Where the system is deployed, as the command's options name it; what they don't name is looked up.

    The stack's name is looked up in the AWS profile, region and profile as the AWS CLI does.
    """

    stack_name: str | None = None
    region: str | None = None
    profile: str | None = None

    @property
    def deployment(self) -> "Deployment":
        """Its functions; only commands that ask them wait for the AWS SDK to load."""
        from shared.aws.deployment import Deployment  # noqa: PLC0415 see above

        return Deployment(self.stack_name, region=self.region, profile=self.profile)

    @property
    def account(self) -> "DeployedAccount":
        """Its tables, and IAM."""
        from shared.aws.deployed_account import DeployedAccount  # noqa: PLC0415 as above

        return DeployedAccount(self.stack_name, region=self.region, profile=self.profile)

    @property
    def options(self) -> str:
        """The options that lead another command to the same place, each after a space, quoted for a shell."""
        named = {"stack-name": self.stack_name, "region": self.region, "profile": self.profile}
        return "".join(f" --{name} {shlex.quote(value)}" for name, value in named.items() if value)


def request(place: Place, function: str, payload: Mapping[str, Any], wanted: Collection[str], *, as_json: bool) -> None:
    """Ask a function for an action and tell how it ended; exit code 1 where the outcome is not a wanted one.

    `function` is the stack's output that names it. The caller is named, so that the journal can tell who wanted it.
    """
    deployment = place.deployment
    answer = deployment.invoke(function, {**payload, "trigger": "command", "by": deployment.caller()})
    detail = f": {answer['detail']}" if answer["detail"] else ""
    named = answer["plan_id"] or payload.get("plan_id")
    show(answer, f"{f'Plan {named}' if named else 'No plan'}: {answer['outcome']}{detail}", as_json=as_json)
    if answer["outcome"] not in wanted and answer["reason"] not in wanted:
        raise typer.Exit(FINDING)


def show(answer: Mapping[str, object], text: str, *, as_json: bool) -> None:
    """Print an answer for machines or for people."""
    sys.stdout.write(f"{json.dumps(answer, sort_keys=True) if as_json else printable(text)}\n")
