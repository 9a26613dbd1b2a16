"""A provider without sockets: answers by a list of responses, and remembers what it was asked."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from shared.providers.cloudknox.client import CloudKnox, Patience
from shared.providers.cloudknox.credentials import CachedCredentials
from tests.builders import ACCOUNT

NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
SECRET = {
    "serviceId": "canary-service",
    "apiId": "canary-api",
    "accessKey": "canary-access",
    "secretKey": "canary-secret",
    "accountId": ACCOUNT,
    "url": "https://provider.example",
}
AUTHENTICATE = "/api/v2/service-account/authenticate"
USAGE = "/api/v2/identity/usage"
POLICY = "/api/v2/role-policy/new"
PATIENCE = Patience(attempts=3, reserve_seconds=20.0)

Answering = Callable[[httpx.Request], httpx.Response]


def answer(document: Any, status: int = 200) -> httpx.Response:
    """A JSON answer."""
    return httpx.Response(status, json=document)


def unread(made: httpx.Response) -> httpx.Response:
    """The same answer as it comes from a socket: nobody has read its body yet."""
    headers = {name: value for name, value in made.headers.items() if name != "content-length"}
    return httpx.Response(made.status_code, headers=headers, stream=httpx.ByteStream(made.content))


def listed(**scores: float) -> dict[str, Any]:
    """A page of scores."""
    return {"data": [{"name": name, "pciScore": {"privilegeCreepIndex": pci}} for name, pci in scores.items()]}


@dataclass
class StandIn:
    """The provider: `responses` by path, in order, the last one for good; a callable or an exception may stand there.

    Tokens are given by default. `secrets` are what Secrets Manager holds, in order, the last one for good.
    """

    responses: dict[str, list[Any]] = field(default_factory=dict)
    secrets: list[Any] = field(default_factory=lambda: [json.dumps(SECRET)])
    asked: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    read: int = 0
    seconds: float = 0.0

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.asked.append(request)
        given = self.responses.get(request.url.path)
        if given is None and request.url.path == AUTHENTICATE:
            return unread(answer({"accessToken": f"canary-token-{len(self.to(AUTHENTICATE))}"}))
        assert given, f"nobody expected {request.url}"
        response = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(response, Exception):
            raise response
        made: httpx.Response = response(request) if callable(response) else response
        return unread(made) if made.is_closed else made

    def to(self, path: str) -> list[httpx.Request]:
        """The requests for one path."""
        return [request for request in self.asked if request.url.path == path]

    def read_secret(self) -> str:
        """What Secrets Manager answers."""
        self.read += 1
        found = self.secrets.pop(0) if len(self.secrets) > 1 else self.secrets[0]
        if isinstance(found, Exception):
            raise found
        return str(found)

    def client(self, *, remaining: float = 300.0, **patience: float) -> CloudKnox:
        """A client whose sleep takes no time, but counts."""
        credentials = CachedCredentials(self.read_secret, account_id=ACCOUNT, monotonic=lambda: self.seconds)
        return CloudKnox(
            credentials,
            account_id=ACCOUNT,
            remaining_seconds=lambda: remaining,
            patience=Patience(**{"attempts": 3, **patience}),  # type: ignore[arg-type]
            sleep=self.sleep,
            clock=lambda: NOW,
            monotonic=lambda: self.seconds,
            network=httpx.MockTransport(self.handle),
        )

    def sleep(self, seconds: float) -> None:
        """Take no time, but note it."""
        self.slept.append(seconds)
        self.seconds += seconds
