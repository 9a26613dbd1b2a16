"""One POST to the provider: verified TLS, bounded in time, size and attempts. The body of an answer is never quoted."""

import functools
import json
import random
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from shared.errors import ProviderError, ProviderFault

MAX_BYTES = 8 * 1024 * 1024
UNAUTHORIZED = 401
_OK = 200
_TOO_MANY = 429
_SERVER_ERRORS = range(500, 600)
_REDIRECTS = range(300, 400)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the provider is waited for, in seconds; `total_seconds` are for one question with all its pages.

    Waits between attempts are random up to a bound that doubles from `base_delay_seconds` on. `reserve_seconds` of the
    function's time are kept for what follows the answer.
    """

    connect_seconds: float = 3.0
    read_seconds: float = 10.0
    total_seconds: float = 60.0
    attempts: int = 4
    base_delay_seconds: float = 0.5
    longest_delay_seconds: float = 8.0
    reserve_seconds: float = 20.0


class UnauthorizedError(ProviderError):
    """The provider doesn't know the token or the credentials (any more)."""


class Deadline:
    """Until when an answer is of use, by the monotonic clock."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left. Raises ProviderError where there are none."""
        left = self._end - self._monotonic()
        if left <= 0:
            raise ProviderError(ProviderFault.UNAVAILABLE, "cloudknox took longer than there was time")
        return left


class Transport:
    """Connections to one provider at `url`; close it after use."""

    def __init__(
        self,
        url: str,
        trust: ssl.SSLContext | None,
        patience: Patience,
        *,
        sleep: Callable[[float], None],
        network: httpx.BaseTransport | None = None,
    ) -> None:
        """Connect later; `trust` None means the public authorities. `network` stands in for sockets in tests."""
        self._patience = patience
        self._sleep = sleep
        self._client = httpx.Client(
            base_url=url,
            verify=trust or ssl_of_public_authorities(),
            follow_redirects=False,
            trust_env=False,  # nothing outside of the secret says where the provider is, or whom to trust
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "leastwise"},
            transport=network,
        )

    def close(self) -> None:
        """End all connections."""
        self._client.close()

    def post(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any], deadline: Deadline) -> bytes:
        """The answer's JSON text, of at most MAX_BYTES; more attempts are made where that may help.

        Raises UnauthorizedError for status 401, else ProviderError.
        """
        content = json.dumps(body).encode()
        for attempt in range(1, self._patience.attempts + 1):
            try:
                return self._once(path, headers, content, deadline)
            except _PassingError as error:
                if attempt == self._patience.attempts:
                    message = f"cloudknox {path}: {error} ({attempt} attempts)"
                    raise ProviderError(ProviderFault.UNAVAILABLE, message) from None
                self._wait(attempt, deadline)
        raise AssertionError("at least one attempt is made")

    def _wait(self, attempt: int, deadline: Deadline) -> None:
        patience = self._patience
        most = min(patience.longest_delay_seconds, patience.base_delay_seconds * 2 ** (attempt - 1))
        self._sleep(min(random.uniform(0, most), deadline.left()))  # noqa: S311 jitter, no secret

    def _once(self, path: str, headers: Mapping[str, str], content: bytes, deadline: Deadline) -> bytes:
        left, patience = deadline.left(), self._patience
        timeout = httpx.Timeout(min(patience.read_seconds, left), connect=min(patience.connect_seconds, left))
        try:
            with self._client.stream("POST", path, headers=headers, content=content, timeout=timeout) as response:
                _check(response, path)
                return _body(response, path, deadline)
        except httpx.TransportError as error:
            # The library's words are not passed on: some repeat the headers, and the token with them.
            if _is_untrusted(error):
                message = f"cloudknox {path}: its certificate can't be verified"
                raise ProviderError(ProviderFault.UNAVAILABLE, message) from None
            raise _PassingError(type(error).__name__) from None
        except httpx.InvalidURL:
            raise ProviderError(ProviderFault.CREDENTIALS, "the provider's secret: url: is not a URL") from None


class _PassingError(Exception):
    """What may be over at the next attempt."""


@functools.cache
def ssl_of_public_authorities() -> ssl.SSLContext:
    """Trust what public authorities vouch for, by the list that comes with httpx, and nothing of the environment."""
    return httpx.create_ssl_context(trust_env=False)


def _check(response: httpx.Response, path: str) -> None:
    status = response.status_code
    if status == UNAUTHORIZED:
        raise UnauthorizedError(ProviderFault.REFUSED, f"cloudknox {path}: status {status}, our credentials or token")
    if status == _TOO_MANY or status in _SERVER_ERRORS:
        raise _PassingError(f"status {status}")
    if status in _REDIRECTS:
        raise ProviderError(ProviderFault.UNUSABLE, f"cloudknox {path}: status {status}, which is not followed")
    if status != _OK:
        raise ProviderError(ProviderFault.REFUSED, f"cloudknox {path}: status {status}")
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise ProviderError(ProviderFault.UNUSABLE, f"cloudknox {path}: the answer is not JSON by its content type")
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise ProviderError(ProviderFault.UNUSABLE, f"cloudknox {path}: the answer is compressed, unasked")


def _body(response: httpx.Response, path: str, deadline: Deadline) -> bytes:
    pieces, size = list[bytes](), 0
    for piece in response.iter_raw():
        size += len(piece)
        if size > MAX_BYTES:
            raise ProviderError(ProviderFault.UNUSABLE, f"cloudknox {path}: the answer is over {MAX_BYTES:,} bytes")
        deadline.left()
        pieces.append(piece)
    return b"".join(pieces)


def _is_untrusted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
