"""An outside provider as a stack has it: its secret in Secrets Manager on moto, and the settings that choose it."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from shared.aws import clients
from shared.providers.choice import forget_secrets
from shared.providers.cloudknox.client import Patience
from tests.cloudknox.misbehaviours import Misbehaviour

SECRET = "cloudknox"  # noqa: S105 its name
PATIENCE = Patience(  # enough for a machine that is busy with other tests
    connect_seconds=10.0,
    read_seconds=10.0,
    total_seconds=30.0,
    attempts=2,
    base_delay_seconds=0.0,
    reserve_seconds=0.0,
)
HURRIED = {  # where the waiting is the point
    Misbehaviour.SLOW: replace(PATIENCE, read_seconds=0.3),
    Misbehaviour.TRICKLING: replace(PATIENCE, total_seconds=0.8),
}

# What goes wrong at any endpoint: no answer, or none that can be used.
FAILING = (
    Misbehaviour.SERVER_ERROR,
    Misbehaviour.THROTTLED,
    Misbehaviour.NO_ANSWER,
    Misbehaviour.SLOW,
    Misbehaviour.TRICKLING,
    Misbehaviour.HTML,
    Misbehaviour.HTML_AS_JSON,
    Misbehaviour.OTHER_CONTENT_TYPE,
    Misbehaviour.CUT_OFF,
    Misbehaviour.OVERSIZED,
    Misbehaviour.REDIRECT,
    Misbehaviour.EXPIRED_TOKEN,
    Misbehaviour.ERROR_CODE,
    Misbehaviour.OTHER_SHAPE,
)


def choose(secret: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the secret, and point the settings to it."""
    forget_secrets()
    found = clients.secretsmanager().create_secret(Name=SECRET, SecretString=json.dumps(secret))
    monkeypatch.setenv("LEASTWISE_PROVIDER", "cloudknox")
    monkeypatch.setenv("LEASTWISE_PROVIDER_SECRET_ARN", found["ARN"])
    wait_for(None, monkeypatch)


def wait_for(misbehaviour: Misbehaviour | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be as patient as a test can be that expects this."""
    patience = HURRIED.get(misbehaviour, PATIENCE) if misbehaviour else PATIENCE
    monkeypatch.setattr("shared.providers.cloudknox.client.DEFAULT_PATIENCE", patience)


def keep_secret(secret: Mapping[str, str]) -> None:
    """Put another secret in its place, which every function reads afresh."""
    clients.secretsmanager().put_secret_value(SecretId=SECRET, SecretString=json.dumps(secret))
    forget_secrets()


def lose_secret() -> None:
    """Delete the secret."""
    clients.secretsmanager().delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    forget_secrets()
