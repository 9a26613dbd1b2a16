"""What CloudKnox's REST API asks of a caller: one secret of six fields, never shown, kept for five minutes at most."""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from shared.errors import LeastwiseError, ProviderError, ProviderFault
from shared.validation import describe

MAX_AGE_SECONDS = 300.0
MAX_FIELD = 4096


class Credentials(BaseModel):
    """The secret's fields; `ca_certificate` (PEM) is the one authority to trust where the provider has its own."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True, strict=True
    )

    service_id: SecretStr
    api_id: SecretStr
    access_key: SecretStr
    secret_key: SecretStr
    account_id: str = Field(pattern=r"^\d{12}$")
    url: str = Field(max_length=MAX_FIELD)
    ca_certificate: str | None = Field(default=None, repr=False)

    @field_validator("service_id", "api_id", "access_key", "secret_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr) -> SecretStr:
        if len(value) > MAX_FIELD or not fits_a_header(value.get_secret_value()):
            raise ValueError("should be printable ASCII without spaces, and not empty")
        return value

    @field_validator("url")
    @classmethod
    def _is_https(cls, value: str) -> str:
        """Scheme and host alone; a bare host, as older secrets have it, is asked by HTTPS too."""
        try:
            parts = urlsplit(value if "://" in value else f"https://{value}")
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError("is not a URL") from None
        if parts.scheme != "https":
            raise ValueError("should be an https URL")
        if not host or "@" in parts.netloc or parts.query or parts.fragment or parts.path.strip("/"):
            raise ValueError("should be scheme and host alone: no credentials, path or query")
        shown = f"[{host}]" if ":" in host else host
        return f"https://{shown}:{port}" if port else f"https://{shown}"

    @field_validator("ca_certificate")
    @classmethod
    def _is_a_certificate(cls, value: str | None) -> str | None:
        if value is not None:
            _trusting(value)
        return value

    def trust(self) -> ssl.SSLContext | None:
        """What verifies the provider's certificate; None for the public authorities."""
        return None if self.ca_certificate is None else _trusting(self.ca_certificate)


def fits_a_header(text: str) -> bool:
    """Whether a text can go into a header as it is: printable ASCII without spaces."""
    return bool(text) and all("!" <= character <= "~" for character in text)


def parse_credentials(text: str, *, account_id: str) -> Credentials:
    """Read the secret's JSON. Raises ProviderError that names what is missing or wrong, and shows no value of it."""
    try:
        credentials = Credentials.model_validate_json(text)
    except ValidationError as error:
        raise ProviderError(ProviderFault.CREDENTIALS, f"the provider's secret: {describe(error)}") from None
    if credentials.account_id != account_id:
        message = f"the provider's secret is for another account than {account_id}"
        raise ProviderError(ProviderFault.CREDENTIALS, message)
    return credentials


@dataclass(frozen=True, slots=True)
class _Read:
    credentials: Credentials
    at: float  # by the monotonic clock


class CachedCredentials:
    """The credentials of one account, read from where the secret is kept when they are first wanted or too old."""

    def __init__(
        self, read: Callable[[], str], *, account_id: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._account_id = account_id
        self._monotonic = monotonic
        self._known: _Read | None = None

    def current(self) -> Credentials:
        """The credentials, at most five minutes old. Raises ProviderError where they can't be read or used."""
        known = self._known
        if known is None or self._monotonic() - known.at >= MAX_AGE_SECONDS:
            return self.renewed()
        return known.credentials

    def renewed(self) -> Credentials:
        """The credentials as they are kept now: somebody may have rotated them. Raises ProviderError."""
        self._known = None  # what can't be read any more isn't used any more
        at = self._monotonic()
        try:
            text = self._read()
        except LeastwiseError as error:
            raise ProviderError(ProviderFault.CREDENTIALS, f"the provider's secret: {error}") from error
        credentials = parse_credentials(text, account_id=self._account_id)
        self._known = _Read(credentials, at)
        return credentials


def _trusting(pem: str) -> ssl.SSLContext:
    """Trust one authority and no other. Raises ValueError where it is no certificate."""
    try:
        if pem.strip():  # of nothing Python would make the machine's own authorities
            return ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError):
        pass
    raise ValueError("should be a certificate in PEM form")
