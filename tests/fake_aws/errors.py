"""Errors as boto3's clients raise them."""

from typing import Any

from botocore.exceptions import ClientError

DOCUMENTED_STATUS = {
    "NoSuchEntity": 404,
    "EntityAlreadyExists": 409,
    "DeleteConflict": 409,
    "LimitExceeded": 409,
    "EntityTemporarilyUnmodifiable": 409,
    "ConcurrentModification": 409,
    "AccessDenied": 403,
    "ServiceFailure": 500,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
}


def refused(operation: str, code: str, message: str = "refused by the fake") -> ClientError:
    """The ClientError with AWS's code; statuses as the API references give them, 400 for all others."""
    response: Any = {
        "Error": {"Code": code, "Message": message, "Type": "Sender"},
        "ResponseMetadata": {"HTTPStatusCode": DOCUMENTED_STATUS.get(code, 400), "RequestId": "fake"},
    }
    return ClientError(response, operation)
