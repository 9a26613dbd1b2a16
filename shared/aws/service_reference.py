"""The site where AWS publishes the service reference: a list of services, and one document for each of them.

Nothing that comes from there is trusted: TLS is verified, redirects and other hosts are refused, and sizes, times and
retries are bounded.
"""

import ipaddress
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar
from urllib.parse import SplitResult, urlsplit

import httpx
import msgspec

from shared.errors import DependencyError, InputError
from shared.iam.service_reference import Listed, ServiceDocument

ENDPOINT = "https://servicereference.us-east-1.amazonaws.com"
LIST = "/v1/service-list.json"
_MIB = 1 << 20
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_T = TypeVar("_T")


class Limits(NamedTuple):
    """How long and how much is waited for and taken. The largest document known (EC2's) has about 1 MB."""

    connect_seconds: float = 10
    read_seconds: float = 20  # without a byte
    total_seconds: float = 90  # for one document
    attempts: int = 4
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 8
    most_bytes: int = 16 * _MIB
    most_services: int = 2_000
    connections: int = 6


LIMITS = Limits()


class Published(NamedTuple):
    """Everything that the site has: documents by service, and when the latest was modified (seconds since 1970)."""

    documents: tuple[ServiceDocument, ...]
    modified: float | None


class ServiceReferenceSite:
    """Reads the service reference. Raises InputError for an endpoint that is not allowed."""

    def __init__(self, endpoint: str = ENDPOINT, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._endpoint = _allowed(endpoint)
        self._stopped = threading.Event()

    def read(self) -> Published:
        """Read the list and every document of it. Raises DependencyError where anything is missing or malformed."""
        self._stopped.clear()
        with self._client() as client:
            listed = self._decoded(client, self._endpoint.geturl().rstrip("/") + LIST, list[Listed])
            self._check(listed)
            documents = self._all(client, listed)
        times = [one.modified for one in listed if one.modified is not None]
        return Published(documents, max(times, default=None))

    def _client(self) -> httpx.Client:
        limits = self._limits
        return httpx.Client(
            timeout=httpx.Timeout(limits.read_seconds, connect=limits.connect_seconds),
            limits=httpx.Limits(max_connections=limits.connections),
            headers={"Accept": "application/json", "User-Agent": "leastwise"},
            follow_redirects=False,
            trust_env=self._endpoint.scheme == "https",  # proxies and certificates as usual, but not for loopback
        )

    def _check(self, listed: Sequence[Listed]) -> None:
        """Refuse a list that names other hosts, a service twice, or more than could be."""
        if not listed or len(listed) > self._limits.most_services:
            raise DependencyError(f"the list of services has {len(listed)} entries")
        if len({one.service for one in listed}) < len(listed):
            raise DependencyError("the list of services names a service twice")
        for one in listed:
            if _origin(one.url) != _origin(self._endpoint.geturl()):
                raise DependencyError(f"the document of {one.service} is not on {self._endpoint.hostname}")

    def _all(self, client: httpx.Client, listed: Sequence[Listed]) -> tuple[ServiceDocument, ...]:
        """Read the documents over a few connections; the first failure stops the others."""
        pool = ThreadPoolExecutor(self._limits.connections)
        try:
            return tuple(pool.map(lambda one: self._document(client, one), listed))
        finally:
            self._stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _document(self, client: httpx.Client, listed: Listed) -> ServiceDocument:
        document = self._decoded(client, listed.url, ServiceDocument)
        if document.name != listed.service:
            raise DependencyError(f"the document of {listed.service} is that of {document.name}")
        return document

    def _decoded(self, client: httpx.Client, url: str, kind: type[_T]) -> _T:
        body = self._get(client, url)
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise DependencyError(f"{url} is not a service reference: {error}") from None

    def _get(self, client: httpx.Client, url: str) -> bytes:
        """Get a body, with more attempts where that may help: full jitter between them, so that they spread."""
        failure = ""
        for attempt in range(self._limits.attempts):
            if attempt:
                self._pause(attempt)
            if self._stopped.is_set():
                break
            try:
                with self._answer(client, url) as response:
                    if response.status_code == httpx.codes.OK:
                        return self._body(response)
                    failure = f"HTTP status {response.status_code}"
                    if response.status_code not in _TRANSIENT:
                        break
            except httpx.TransportError as error:
                failure = f"{type(error).__name__}: {error}"
        raise DependencyError(f"could not read {url}: {failure or 'stopped'}")

    def _pause(self, attempt: int) -> None:
        limits = self._limits
        longest = min(limits.longest_pause_seconds, limits.first_pause_seconds * 2**attempt)
        self._stopped.wait(random.uniform(0, longest))  # noqa: S311 jitter, no secret

    @contextmanager
    def _answer(self, client: httpx.Client, url: str) -> Iterator[httpx.Response]:
        try:
            with client.stream("GET", url) as response:
                yield response
        except (httpx.InvalidURL, httpx.DecodingError) as error:
            raise DependencyError(f"could not read {url}: {error}") from None

    def _body(self, response: httpx.Response) -> bytes:
        """Take a body piece by piece, and no more than is allowed."""
        deadline, pieces, size = time.monotonic() + self._limits.total_seconds, list[bytes](), 0
        for piece in response.iter_bytes():
            size += len(piece)
            pieces.append(piece)
            if size > self._limits.most_bytes:
                raise DependencyError(f"{response.url} is larger than {self._limits.most_bytes:,} bytes")
            if time.monotonic() > deadline or self._stopped.is_set():
                raise DependencyError(f"{response.url} took longer than {self._limits.total_seconds:g} seconds")
        return b"".join(pieces)


def _allowed(endpoint: str) -> SplitResult:
    """An endpoint that may be asked: HTTPS anywhere, plain HTTP on this machine alone."""
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise InputError(f"{endpoint} is not a URL") from None
    if parts.username or parts.query or parts.fragment or not host:
        raise InputError("the endpoint is a URL of scheme and host alone")
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)):
        return parts
    raise InputError("the endpoint must be an https URL")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: str) -> tuple[Any, ...] | None:
    """What makes a URL another server's; None for a URL that is malformed, or that carries a user's name."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    standard = {"http": 80, "https": 443}.get(parts.scheme)
    return None if parts.username is not None else (parts.scheme, parts.hostname, port or standard)
