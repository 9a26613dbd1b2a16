"""A token, and what is asked with it: where the provider doesn't know it any more, once anew with the fresh secret."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import httpx

from shared.providers.cloudknox.credentials import CachedCredentials, Credentials
from shared.providers.cloudknox.shapes import Token, read_shape
from shared.providers.cloudknox.transport import Deadline, Patience, Transport, UnauthorizedError

AUTHENTICATE = "/api/v2/service-account/authenticate"


class Session:
    """One question to the provider, with as many requests as it takes."""

    def __init__(
        self,
        credentials: CachedCredentials,
        deadline: Deadline,
        patience: Patience,
        *,
        sleep: Callable[[float], None],
        clock: Callable[[], datetime],
        network: httpx.BaseTransport | None = None,
    ) -> None:
        """Ask nothing yet."""
        self._cache = credentials
        self._deadline = deadline
        self._patience = patience
        self._sleep = sleep
        self._clock = clock
        self._network = network
        self._is_renewed = False
        self._transport: Transport | None = None
        self._signed: Mapping[str, str] | None = None

    def close(self) -> None:
        """End all connections, and forget the token."""
        self._signed = None
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def ask(self, path: str, body: Mapping[str, Any]) -> bytes:
        """The answer's JSON text. Raises ProviderError, REFUSED where a new token doesn't help either."""
        while True:
            try:
                signed = self._signed or self._sign_in()
                return self._post(path, signed, body)
            except UnauthorizedError:
                if self._is_renewed:
                    raise
                self._is_renewed = True
                self.close()

    def _sign_in(self) -> Mapping[str, str]:
        """Get a token; the headers that go with it."""
        credentials = self._cache.renewed() if self._is_renewed else self._cache.current()
        self._transport = Transport(
            credentials.url, credentials.trust(), self._patience, sleep=self._sleep, network=self._network
        )
        service_account = {"X-CloudKnox-Service-Account-Id": credentials.service_id.get_secret_value()}
        answer = self._post(AUTHENTICATE, service_account, _signature(credentials))
        token = read_shape(answer, Token, what=AUTHENTICATE)
        self._signed = service_account | {
            "X-CloudKnox-Access-Token": token.access_token.get_secret_value(),
            "X-CloudKnox-API-Id": (token.api_id or credentials.api_id).get_secret_value(),
        }
        return self._signed

    def _post(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> bytes:
        if self._transport is None:
            raise AssertionError("signed in, but not connected")
        millis = str(int(self._clock().timestamp() * 1000))
        sent = {**headers, "X-CloudKnox-Timestamp-Millis": millis, "Content-Type": "application/json"}
        return self._transport.post(path, sent, body, self._deadline)


def _signature(credentials: Credentials) -> Mapping[str, str]:
    return {
        "serviceAccountId": credentials.service_id.get_secret_value(),
        "accessKey": credentials.access_key.get_secret_value(),
        "secretKey": credentials.secret_key.get_secret_value(),
    }
