"""What it means for the caller that AWS, or the SDK on the way to it, refused a call: one line, and a kind of error.

Codes: the service references' "Common errors"; what the SDK raises is listed in botocore's `exceptions` module. AWS
repeats the request in some messages about signatures and tokens, with the token, so that these are never passed on.
Where it repeats a value or a document that it refused, that is left out.
"""

import re
from collections.abc import Mapping
from typing import Any

from botocore import exceptions as sdk
from botocore.exceptions import BotoCoreError, ClientError

from shared.errors import CallerError, ConflictError, DeniedError, DependencyError, InputError, NotFoundError

NOT_FOUND = frozenset(
    {
        "NoSuchBucket",
        "NoSuchEntity",
        "NoSuchEntityException",
        "NoSuchKey",
        "NoSuchVersion",
        "ParameterNotFound",
        "ParameterVersionNotFound",
        "ResourceNotFoundException",
    }
)
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})
CONFLICT = frozenset(
    {
        "ConcurrentModification",
        "ConcurrentModificationException",
        "ConditionalCheckFailedException",
        "ConditionalRequestConflict",
        "EntityAlreadyExists",
        "EntityTemporarilyUnmodifiable",
        "PreconditionFailed",
        "TransactionCanceledException",
        "TransactionConflictException",
    }
)
NEVER = frozenset(
    {
        "InvalidParameter",
        "MalformedPolicyDocument",
        "ParameterValueInvalid",
        "UnmodifiableEntity",
        "ValidationError",
        "ValidationException",
    }
)
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
UNKNOWN_KEYS = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
SKEWED = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})
THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)

RENEW = "sign in again as for the AWS CLI (`aws sso login`, new temporary keys), or name another --profile"
SIGN_IN = "sign in as for the AWS CLI (`aws configure`, `aws sso login`), or name a profile with --profile"
CLOCK = "this computer's clock is wrong: set it by a time server"
SLOW = "wait a minute, then do the same again"
REACH = "is the region right (--region, AWS_REGION), and does the network reach AWS?"

_CLOCK_WORDS = re.compile(r"signature (?:expired|not yet current)", re.IGNORECASE)
_ACTION = re.compile(r"not authorized to perform:? ([a-z0-9-]{1,64}:[A-Za-z0-9*]{1,128})")
_SECRET = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}|[A-Za-z0-9/+=_-]{120,}")
_REPEATED = re.compile(r"(?<=Value )'.*'(?= at ')|\{.*\}|\{.*$")  # a value that was refused, or a document
_LONGEST = 400  # characters of a message from AWS

# The caller's own setup, by what the SDK raises; the first that fits counts.
_SETUP: tuple[tuple[tuple[type[BotoCoreError], ...], str], ...] = (
    ((sdk.NoCredentialsError,), f"no AWS credentials were found: {SIGN_IN}"),
    ((sdk.PartialCredentialsError,), f"half of the AWS credentials are missing: {SIGN_IN}"),
    (
        (
            sdk.SSOError,
            sdk.TokenRetrievalError,
            sdk.CredentialRetrievalError,
            sdk.LoginError,
            sdk.RefreshWithMFAUnsupportedError,
        ),
        f"the AWS credentials could not be renewed: {RENEW}",
    ),
    ((sdk.NoRegionError,), "no AWS region is set: name one with --region or AWS_REGION, or set it in the profile"),
    ((sdk.InvalidRegionError,), "this is no name of an AWS region: name one such as eu-central-1 with --region"),
    (
        (sdk.ConfigParseError, sdk.ConfigNotFound, sdk.InvalidConfigError),
        "the AWS configuration can't be read: mend it",
    ),
)
_UNREACHED = (sdk.ConnectionError, sdk.HTTPClientError)


def of_answer(call: str, error: ClientError) -> DependencyError | InputError:
    """What AWS's own answer means; `call` names what was tried."""
    details = error.response.get("Error", {})
    code, told = details.get("Code", "Unknown"), details.get("Message", "")
    if about_caller := _about_caller(code, told):
        return CallerError(f"{call}: {code}: {about_caller}")
    if code in THROTTLED:
        return DependencyError(f"{call}: {code}: AWS gets too many requests of this account: {SLOW}")
    message = f"{call}: {code}: {_without_secrets(told)}"
    if code in DENIED:
        action = _ACTION.search(told)
        return DeniedError(message, action=action[1] if action else "")
    if _is_invalid_alone(error):
        return InputError(message)
    kinds = ((NOT_FOUND, NotFoundError), (CONFLICT, ConflictError), (NEVER, InputError))
    return next((kind(message) for codes, kind in kinds if code in codes), DependencyError(message))


def _is_invalid_alone(error: ClientError) -> bool:
    """Whether a transaction was cancelled for no reason but items that DynamoDB never takes: one that is too large."""
    response: Mapping[str, Any] = error.response
    codes = {reason.get("Code") for reason in response.get("CancellationReasons", ())}
    return codes - {"None"} == {"ValidationError"}


def _about_caller(code: str, told: str) -> str:
    """What is wrong with the caller's credentials or clock; "" where it isn't that."""
    if code in SKEWED or (code in UNKNOWN_KEYS and _CLOCK_WORDS.search(told)):
        return CLOCK
    if code in EXPIRED:
        return f"the AWS credentials have expired: {RENEW}"
    return f"AWS does not know these credentials in this region: {RENEW}" if code in UNKNOWN_KEYS else ""


def of_sdk(call: str, error: BotoCoreError) -> DependencyError:
    """What it means that the SDK got no answer."""
    if isinstance(error, sdk.ProfileNotFound):
        hint = "`aws configure list-profiles` tells which there are; name one with --profile or AWS_PROFILE"
        return CallerError(f"{str(error).rstrip('.')}: {hint}")
    for kinds, meaning in _SETUP:
        if isinstance(error, kinds):
            return CallerError(f"{call}: {meaning}")
    if isinstance(error, _UNREACHED):
        endpoint = error.kwargs.get("endpoint_url")
        place = f" of {endpoint}" if isinstance(endpoint, str) else ""
        return DependencyError(f"{call}: no answer{place} ({type(error).__name__}): {REACH}")
    return DependencyError(f"{call}: {type(error).__name__}")


def _without_secrets(text: str) -> str:
    """AWS's words, without what they repeat of the request, key ids, and whatever is as long as a token."""
    told = _SECRET.sub("(left out)", _REPEATED.sub("(left out)", " ".join(text.split())))
    return told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…"
