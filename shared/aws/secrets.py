"""A secret in Secrets Manager, as text. Whoever reads one keeps it out of logs, errors and events."""

from typing import TYPE_CHECKING

from shared.aws.clients import aws_errors
from shared.errors import SettingsError

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient


def read_secret(client: "SecretsManagerClient", secret_arn: str) -> str:
    """The current version of a secret, afresh each time; a version that still waits to be rotated in is never read.

    Raises DependencyError where it cannot be read (NotFoundError, DeniedError), SettingsError where it is no text.
    """
    with aws_errors(f"GetSecretValue {secret_arn}"):
        answer = client.get_secret_value(SecretId=secret_arn)
    text = answer.get("SecretString")
    if text is None:
        raise SettingsError(f"secret {secret_arn}: it is binary, and should be JSON text")
    return text
