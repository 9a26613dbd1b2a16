"""A certificate authority of one's own, made when a server starts, and certificates of it, good and bad ones."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ADDRESS = "127.0.0.1"
DAY = timedelta(days=1)


class Identification(StrEnum):
    """What a server shows of itself: one way that is good, and the ways in which it isn't whom it says."""

    VALID = "valid"
    OTHER_AUTHORITY = "another authority"
    EXPIRED = "expired"
    OTHER_HOST = "another host's"
    PLAIN = "no TLS at all"


class Authority:
    """A certificate authority: `pem` is what a client has to trust."""

    def __init__(self, name: str = "leastwise tests") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        builder = self._of(self._name, self._key.public_key(), since=now - DAY, until=now + DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        self.pem = _pem(builder.sign(self._key, hashes.SHA256())).decode()

    def issue(self, identification: Identification = Identification.VALID) -> bytes:
        """A certificate of a server on this machine with its key, as PEM; what is asked to be wrong is wrong."""
        now = datetime.now(UTC)
        until = now - timedelta(hours=1) if identification is Identification.EXPIRED else now + DAY
        names: list[x509.GeneralName] = [x509.IPAddress(ip_address(ADDRESS)), x509.DNSName("localhost")]
        if identification is Identification.OTHER_HOST:
            names = [x509.DNSName("provider.example")]
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cloudknox")])
        builder = self._of(subject, key.public_key(), since=now - 2 * DAY, until=until)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return _pem(builder.sign(self._key, hashes.SHA256())) + private

    def _of(
        self, subject: x509.Name, public: ec.EllipticCurvePublicKey, *, since: datetime, until: datetime
    ) -> x509.CertificateBuilder:
        """A certificate with everything that OpenSSL's strict checks want to see (RFC 5280, 4.2.1)."""
        signer = self._key.public_key()
        return (
            x509.CertificateBuilder(self._name, subject, public, x509.random_serial_number(), since, until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
        )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
