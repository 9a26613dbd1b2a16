"""A provider on this machine: a real HTTPS server that speaks the shapes of CloudKnox's REST API v2.

It checks what a client sends, remembers it (`asked`), and misbehaves where it is told to. The tests and the
demonstration share it.
"""

import json
import ssl
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.cloudknox.certificates import ADDRESS, Authority, Identification
from tests.cloudknox.misbehaviours import Misbehaviour, change_of
from tests.cloudknox.tenant import Answer, Asked, Endpoint, Tenant

CHUNK_BYTES = 64 * 1024
IDLE_SECONDS = 30.0  # for a client that connects and says nothing


class Provider(ThreadingHTTPServer):
    """Serves one tenant on a free port; use `running` to have one that is up."""

    daemon_threads = True

    def __init__(self, tenant: Tenant, authority: Authority, identification: Identification) -> None:
        super().__init__((ADDRESS, 0), Handler)
        self.tenant = tenant
        self.authority = authority
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self._planned: dict[Endpoint, deque[Misbehaviour]] = {endpoint: deque() for endpoint in Endpoint}
        self._standing: dict[Endpoint, Misbehaviour] = {}
        if identification is not Identification.PLAIN:
            issuer = Authority("stranger") if identification is Identification.OTHER_AUTHORITY else authority
            context = _context(issuer.issue(identification))
            # The handshake is left to the thread of the connection: one that fails doesn't hold up the others.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def url(self) -> str:
        """Where the provider is."""
        return f"https://{ADDRESS}:{self.server_port}"

    def secret(self, **changes: str) -> dict[str, str]:
        """What a client needs, as it's kept in Secrets Manager."""
        account = self.tenant.service_account
        return {
            "serviceId": account.service_id,
            "apiId": account.api_id,
            "accessKey": account.access_key,
            "secretKey": account.secret_key,
            "accountId": self.tenant.account_id,
            "url": self.url,
            "caCertificate": self.authority.pem,
        } | changes

    def misbehave(self, endpoint: Endpoint, misbehaviour: Misbehaviour, *, times: int | None = None) -> None:
        """Answer badly for so many times, or from now on."""
        if times is None:
            self._standing[endpoint] = misbehaviour
        else:
            self._planned[endpoint].extend([misbehaviour] * times)

    def behave(self) -> None:
        """Answer well again."""
        self._standing.clear()
        for planned in self._planned.values():
            planned.clear()

    def asked_for(self, endpoint: Endpoint) -> list[Asked]:
        """The requests to one endpoint, in order."""
        return [asked for asked in self.asked if asked.path == endpoint]

    def answer(self, asked: Asked) -> Answer:
        """Answer a request, or misbehave as it was told."""
        self.asked.append(asked)
        right = self.tenant.answer(asked)
        if asked.path not in self._planned:
            return right
        endpoint = Endpoint(asked.path)
        planned = self._planned[endpoint]
        wrong = planned.popleft() if planned else self._standing.get(endpoint)
        return change_of(wrong)(asked, right) if wrong else right

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that ends a connection has its reasons."""


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True  # or each answer waits for the client's acknowledgement of its headers
    server: Provider

    def do_POST(self) -> None:
        """Answer a request."""
        text = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        self.give(self.server.answer(Asked(self.path, headers, body)))

    def do_GET(self) -> None:
        """Remember that somebody asked: nothing is there to be got, and a client that follows a redirect comes here."""
        self.give(self.server.answer(Asked(self.path, {}, None)))

    def give(self, answer: Answer) -> None:
        """Send an answer, as slow or as incomplete as it is to be."""
        if answer.silent_seconds and self.server.closing.wait(answer.silent_seconds):
            answer = Answer(hangs_up=True)
        self.close_connection = answer.hangs_up or answer.length is not None
        if answer.hangs_up:
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        step = 1 if answer.seconds_per_byte else CHUNK_BYTES
        for start in range(0, len(answer.body), step):
            self.wfile.write(answer.body[start : start + step])
            if answer.seconds_per_byte and self.server.closing.wait(answer.seconds_per_byte):
                return

    def log_message(self, *_: object) -> None:
        """Say nothing on standard error."""


@contextmanager
def running(tenant: Tenant, identification: Identification = Identification.VALID) -> Iterator[Provider]:
    """A provider that is up until the block ends."""
    provider = Provider(tenant, Authority(), identification)
    thread = threading.Thread(target=provider.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        provider.closing.set()
        provider.shutdown()
        thread.join()
        provider.server_close()


def _context(certificate: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:  # OpenSSL reads a certificate and its key from a file only
        file = Path(folder) / "server.pem"
        file.write_bytes(certificate)
        context.load_cert_chain(file)
    return context
