"""botocore clients that call this emulator from the inside, as an AWS service calls another one."""

import functools
import os
from typing import Any

import botocore.session
from botocore.config import Config
from ministack.core.responses import get_account_id, get_region

from infra.local.emulator.caller import open_role_session


def endpoint_url() -> str:
    """Where this emulator listens."""
    return f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"


def account_client(service: str) -> Any:
    """A client with the current account's own credentials, for calls that AWS makes as itself."""
    return _client(service, get_region(), get_account_id(), "local", None)


def role_client(service: str, role_arn: str, session_name: str) -> Any:
    """A client with a fresh session of a role."""
    credentials = open_role_session(role_arn, session_name, get_account_id())
    return _client(
        service,
        get_region(),
        credentials["aws_access_key_id"],
        credentials["aws_secret_access_key"],
        credentials["aws_session_token"],
    )


@functools.lru_cache(maxsize=64)
def _client(service: str, region: str, access_key: str, secret_key: str, token: str | None) -> Any:
    return botocore.session.get_session().create_client(
        service,
        region_name=region,
        endpoint_url=endpoint_url(),
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=910, connect_timeout=5),
    )
