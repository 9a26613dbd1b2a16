"""Setting the mode, for a person's command: no function of the stack may."""

from typing import TYPE_CHECKING

from shared.aws.clients import aws_errors
from shared.model.plan import Mode

if TYPE_CHECKING:
    from types_boto3_ssm import SSMClient


def set_mode(client: "SSMClient", parameter: str, mode: Mode) -> None:
    """Set the mode that the next message, and the next call of a change under way, will find.

    Raises DeniedError or DependencyError where it could not be set.
    """
    with aws_errors(f"PutParameter {parameter}"):
        client.put_parameter(Name=parameter, Value=mode.value, Type="String", Overwrite=True)
