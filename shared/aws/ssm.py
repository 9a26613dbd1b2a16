"""Parameters in Systems Manager: how far the remediator may go (its kill switch), and a team's safeguards."""

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from shared.aws.clients import aws_errors
from shared.errors import SettingsError
from shared.model.plan import Mode

if TYPE_CHECKING:
    from types_boto3_ssm import SSMClient


class ParameterVersion(NamedTuple):
    """What a parameter held from one time on."""

    value: str
    version: int
    made_at: datetime


def read_mode(client: "SSMClient", parameter: str) -> Mode:
    """Read the mode, afresh each time: a kill switch that is cached is no kill switch.

    Raises DependencyError when it cannot be read and SettingsError when it is no mode; callers then change nothing.
    """
    value = read_text(client, parameter)
    try:
        return Mode(value)
    except ValueError:
        modes = ", ".join(Mode)
        raise SettingsError(f"parameter {parameter}: what it holds is not one of {modes}") from None


def read_text(client: "SSMClient", parameter: str) -> str:
    """A parameter's value, afresh each time. Raises DependencyError where it cannot be read."""
    with aws_errors(f"GetParameter {parameter}"):
        return client.get_parameter(Name=parameter)["Parameter"].get("Value", "")


def read_version(client: "SSMClient", parameter: str, version: int | None = None) -> ParameterVersion:
    """One version of a parameter, the newest by default.

    Raises NotFoundError where there is none such, also one of so long ago that it was let go, and DependencyError where
    it cannot be read.
    """
    name = parameter if version is None else f"{parameter}:{version}"
    with aws_errors(f"GetParameter {name}"):
        found = client.get_parameter(Name=name)["Parameter"]
    return ParameterVersion(found.get("Value", ""), found.get("Version", 0), found["LastModifiedDate"])
