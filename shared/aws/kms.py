"""A key of KMS that signs the anchors of the audit trail."""

import base64
import binascii
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from shared.aws.clients import aws_errors
from shared.model.anchor import Signature

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient
    from types_boto3_kms.literals import SigningAlgorithmSpecType

ALGORITHM: "Final[SigningAlgorithmSpecType]" = "ECDSA_SHA_256"  # for a key of the kind ECC_NIST_P256

MAX_BYTES = 6_144  # of a signature (API limit)


class AnchorKey:
    """One key. Who verifies names it by what the stack says, never by what a signature says of itself."""

    def __init__(self, client: "KMSClient", key_id: str) -> None:
        self._client = client
        self._key_id = key_id

    def sign(self, digest: str) -> Signature:
        """Sign a SHA-256 digest (hex)."""
        with aws_errors("Sign"):
            answer = self._client.sign(
                KeyId=self._key_id, Message=bytes.fromhex(digest), MessageType="DIGEST", SigningAlgorithm=ALGORITHM
            )
        value = base64.b64encode(answer["Signature"]).decode()
        return Signature(key=answer["KeyId"], algorithm=ALGORITHM, value=value)

    def verify(self, digest: str, signature: Signature) -> bool:
        """Whether this key made the signature of a SHA-256 digest (hex)."""
        try:
            value = base64.b64decode(signature.value, validate=True)
        except binascii.Error:
            return False
        if not 0 < len(value) <= MAX_BYTES:
            return False
        with aws_errors("Verify"):
            try:
                answer = self._client.verify(
                    KeyId=self._key_id,
                    Message=bytes.fromhex(digest),
                    MessageType="DIGEST",
                    Signature=value,
                    SigningAlgorithm=ALGORITHM,
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == "KMSInvalidSignatureException":
                    return False
                raise
        return answer["SignatureValid"]
