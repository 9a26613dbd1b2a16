"""The secret of an outside provider: read strictly, never shown, and for five minutes at most."""

import json
import ssl
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.errors import DependencyError, ProviderError, ProviderFault
from shared.providers.cloudknox.credentials import CachedCredentials, Credentials, parse_credentials
from tests.builders import ACCOUNT
from tests.unit.provider_stand_in import SECRET


def parse(**changes: Any) -> Credentials:
    fields = {name: value for name, value in (SECRET | changes).items() if value is not ...}
    return parse_credentials(json.dumps(fields), account_id=ACCOUNT)


def a_certificate() -> str:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "own")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_a_good_secret_is_read() -> None:
    found = parse()
    assert found.secret_key.get_secret_value() == "canary-secret"
    assert (found.account_id, found.url, found.trust()) == (ACCOUNT, "https://provider.example", None)


def test_a_secret_shows_nothing_of_itself() -> None:
    found = parse(caCertificate=a_certificate())
    for text in (repr(found), str(found), f"{found.model_dump()}", found.model_dump_json(exclude={"ca_certificate"})):
        assert "canary" not in text
    assert "CERTIFICATE" not in repr(found)


@pytest.mark.parametrize("name", sorted(SECRET))
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(ProviderError, match=f"secret: {name}: Field required$") as caught:
        parse(**{name: ...})
    assert caught.value.fault is ProviderFault.CREDENTIALS


WRONG: list[tuple[str, Any]] = [
    ("serviceId", ""),
    ("serviceId", 7),
    ("apiId", "canary with spaces"),
    ("accessKey", "canary\r\nHost: elsewhere"),
    ("secretKey", "canaryé"),
    ("secretKey", "c" * 4097),
    ("accountId", "canary"),
    ("accountId", 123456789012),
    ("url", "http://canary.example"),
    ("url", "ftp://canary.example"),
    ("url", "https://user:canary@provider.example"),
    ("url", "https://canary@provider.example"),
    ("url", "https://provider.example/?canary=1"),
    ("url", "https://provider.example/#canary"),
    ("url", "https://provider.example/canary"),
    ("url", "https://provider.example:canary"),
    ("url", "https://[canary"),
    ("url", "https://"),
    ("url", ""),
    ("caCertificate", "canary"),
    ("caCertificate", ""),
    ("caCertificate", "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_field_is_named_and_its_value_is_not_shown(name: str, value: Any) -> None:
    with pytest.raises(ProviderError, match=f"the provider's secret: {name}: ") as caught:
        parse(**{name: value})
    assert caught.value.fault is ProviderFault.CREDENTIALS
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("text", ["", "canary", "[]", '"canary"', "null", '{"serviceId": "canary'])
def test_what_is_no_json_object_is_no_secret(text: str) -> None:
    with pytest.raises(ProviderError) as caught:
        parse_credentials(text, account_id=ACCOUNT)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://provider.example", "https://provider.example"),
        ("https://provider.example/", "https://provider.example"),
        ("HTTPS://Provider.Example:8443", "https://provider.example:8443"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("provider.example", "https://provider.example"),
        ("provider.example:8443", "https://provider.example:8443"),
    ],
)
def test_a_url_is_scheme_and_host_alone(url: str, read: str) -> None:
    assert parse(url=url).url == read


def test_an_authority_of_ones_own_is_the_only_one_that_is_trusted() -> None:
    context = parse(caCertificate=a_certificate()).trust()
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.cert_store_stats()["x509"] == 1


class Kept:
    """A secret that can change, and a clock."""

    def __init__(self) -> None:
        self.secret: dict[str, str] | Exception = dict(SECRET)
        self.seconds = 1_000.0
        self.reads = 0
        self.cache = CachedCredentials(self.read, account_id=ACCOUNT, monotonic=lambda: self.seconds)

    def read(self) -> str:
        """Read it as Secrets Manager would."""
        self.reads += 1
        if isinstance(self.secret, Exception):
            raise self.secret
        return json.dumps(self.secret)


@pytest.mark.parametrize(("age", "reads"), [(0.0, 1), (299.9, 1), (300.0, 2), (3_000.0, 2)])
def test_a_secret_is_kept_for_five_minutes_at_most(age: float, reads: int) -> None:
    kept = Kept()
    kept.cache.current()
    kept.seconds += age
    kept.cache.current()
    assert kept.reads == reads


def test_a_rotated_secret_is_there_at_once_where_it_is_asked_for() -> None:
    kept = Kept()
    kept.cache.current()
    kept.secret = SECRET | {"secretKey": "rotated"}
    assert kept.cache.current().secret_key.get_secret_value() == "canary-secret"
    assert kept.cache.renewed().secret_key.get_secret_value() == "rotated"
    assert (kept.cache.current().secret_key.get_secret_value(), kept.reads) == ("rotated", 2)


def test_an_old_secret_is_not_used_where_the_fresh_one_cannot_be_read() -> None:
    kept = Kept()
    kept.cache.current()
    kept.seconds += 301
    kept.secret = DependencyError("GetSecretValue: throttled")
    for _ in range(2):
        with pytest.raises(ProviderError, match="throttled"):
            kept.cache.current()
    kept.secret = dict(SECRET)
    assert kept.cache.current().account_id == ACCOUNT
