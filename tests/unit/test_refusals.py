"""Every way in which AWS or the SDK refuses a call is one line with a hint, and the right exit code."""

import traceback

import pytest
from botocore import exceptions as sdk
from botocore.exceptions import BotoCoreError, ClientError

from cli.failures import code_of
from shared.aws.clients import aws_errors
from shared.aws.clients import code_of as code_of_aws
from shared.errors import (
    CallerError,
    ConflictError,
    DeniedError,
    DependencyError,
    InputError,
    LeastwiseError,
    NotFoundError,
)

CALL = "DescribeStacks leastwise"
CALLER = "arn:aws:sts::123456789012:assumed-role/reader/eve"
NOT_ALLOWED = (
    f"User: {CALLER} is not authorized to perform: sqs:GetQueueAttributes on resource: "
    "arn:aws:sqs:us-east-1:123456789012:q because no identity-based policy allows the sqs:GetQueueAttributes action"
)
TOKEN = "IQoJb3JpZ2luX2VjEAAaCXVzLWVhc3QtMSJHMEUCIQ" * 5  # in form a session token
KEY_ID = "ASIA" + "Z" * 16
SIGNATURE = "The request signature we calculated does not match the signature you provided."
HEADER = f"not a valid key=value pair in Authorization header: 'AWS4-HMAC-SHA256 Credential={KEY_ID}/20260301'"

# What was answered or raised; the error; the exit code; words of the hint.
ANSWERS: list[tuple[str, str, type[LeastwiseError], int, str]] = [
    ("ExpiredToken", "The security token included in the request is expired", CallerError, 2, "aws sso login"),
    ("ExpiredTokenException", "expired", CallerError, 2, "have expired"),
    ("InvalidClientTokenId", "The security token included in the request is invalid.", CallerError, 2, "not know"),
    ("UnrecognizedClientException", "The security token is invalid.", CallerError, 2, "not know these credentials"),
    ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist", CallerError, 2, "--profile"),
    ("SignatureDoesNotMatch", SIGNATURE, CallerError, 2, "not know these credentials"),
    ("SignatureDoesNotMatch", "Signature expired: 20260301T is now earlier than 20260302T", CallerError, 2, "clock"),
    ("InvalidSignatureException", "Signature not yet current: 20260302T", CallerError, 2, "clock"),
    ("RequestTimeTooSkewed", "The difference is too large.", CallerError, 2, "clock"),
    ("IncompleteSignature", HEADER, CallerError, 2, "credentials"),
    ("AccessDenied", NOT_ALLOWED, DeniedError, 3, f"{CALLER} is not authorized to perform: sqs:GetQueueAttributes"),
    ("AccessDeniedException", "no", DeniedError, 3, "AccessDeniedException"),
    ("ThrottlingException", "Rate exceeded", DependencyError, 3, "wait a minute"),
    ("RequestLimitExceeded", "Request limit exceeded.", DependencyError, 3, "wait a minute"),
    ("ProvisionedThroughputExceededException", "throughput", DependencyError, 3, "too many requests"),
    ("ResourceNotFoundException", "Requested resource not found", NotFoundError, 3, "not found"),
    ("ConditionalCheckFailedException", "The conditional request failed", ConflictError, 3, "failed"),
    ("ValidationError", "1 validation error detected", InputError, 2, "validation"),
    ("InvalidParameter", "Invalid parameter: Message too long", InputError, 2, "too long"),
    ("ParameterValueInvalid", "The message attribute 'type' is empty", InputError, 2, "'type' is empty"),
    ("ParameterVersionNotFound", "Systems Manager could not find version 3", NotFoundError, 3, "version 3"),
    ("InternalFailure", "oops", DependencyError, 3, "InternalFailure: oops"),
]
RAISED: list[tuple[BotoCoreError, type[LeastwiseError], int, str]] = [
    (sdk.NoCredentialsError(), CallerError, 2, "no AWS credentials were found"),
    (sdk.PartialCredentialsError(provider="env", cred_var="aws_secret_access_key"), CallerError, 2, "half"),
    (sdk.CredentialRetrievalError(provider="process", error_msg=TOKEN), CallerError, 2, "aws sso login"),
    (sdk.TokenRetrievalError(provider="sso", error_msg="expired"), CallerError, 2, "aws sso login"),
    (sdk.UnauthorizedSSOTokenError(), CallerError, 2, "aws sso login"),
    (sdk.SSOTokenLoadError(error_msg="no cache"), CallerError, 2, "aws sso login"),
    (sdk.LoginRefreshRequired(), CallerError, 2, "--profile"),
    (sdk.ProfileNotFound(profile="prod"), CallerError, 2, "(prod) could not be found: `aws configure list-profiles`"),
    (sdk.NoRegionError(), CallerError, 2, "--region or AWS_REGION"),
    (sdk.InvalidRegionError(region_name="a b"), CallerError, 2, "eu-central-1"),
    (sdk.ConfigParseError(path="~/.aws/config"), CallerError, 2, "can't be read"),
    (sdk.EndpointConnectionError(endpoint_url="https://sqs.x.amazonaws.com/"), DependencyError, 3, "sqs.x.amazonaws"),
    (sdk.ConnectTimeoutError(endpoint_url="https://sqs.x.amazonaws.com/"), DependencyError, 3, "is the region right"),
    (sdk.ReadTimeoutError(endpoint_url="https://sqs.x.amazonaws.com/"), DependencyError, 3, "ReadTimeoutError"),
    (sdk.SSLError(endpoint_url="https://sqs.x.amazonaws.com/", error=OSError("bad")), DependencyError, 3, "network"),
    (sdk.ProxyConnectionError(proxy_url="http://user:secret@proxy"), DependencyError, 3, "network"),
    (sdk.ParamValidationError(report=TOKEN), DependencyError, 3, "ParamValidationError"),
]


def translated(error: Exception) -> LeastwiseError:
    with pytest.raises(LeastwiseError) as caught, aws_errors(CALL):
        raise error
    return caught.value


def answer(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")


@pytest.mark.parametrize(("code", "message", "kind", "exit_code", "words"), ANSWERS)
def test_an_answer_of_aws_is_a_line_with_a_hint(
    code: str, message: str, kind: type[LeastwiseError], exit_code: int, words: str
) -> None:
    error = translated(answer(code, message))
    assert type(error) is kind
    assert code_of(error) == exit_code
    assert words in str(error)
    assert str(error).startswith(f"{CALL}: {code}: ")
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [
        (["ValidationError"], InputError),
        (["None", "ValidationError", "None"], InputError),
        (["ConditionalCheckFailed", "ValidationError"], ConflictError),
        (["ConditionalCheckFailed", "None"], ConflictError),
        (["TransactionConflict"], ConflictError),
        (["None"], ConflictError),
        ([], ConflictError),
    ],
)
def test_a_transaction_that_can_never_be_done_is_no_conflict(reasons: list[str], kind: type[LeastwiseError]) -> None:
    error = answer("TransactionCanceledException", f"cancelled [{', '.join(reasons)}]")
    error.response["CancellationReasons"] = [{"Code": code} for code in reasons]
    assert type(translated(error)) is kind


@pytest.mark.parametrize(("raised", "kind", "exit_code", "words"), RAISED, ids=lambda one: type(one).__name__)
def test_what_the_sdk_raises_is_a_line_with_a_hint(
    raised: BotoCoreError, kind: type[LeastwiseError], exit_code: int, words: str
) -> None:
    error = translated(raised)
    assert type(error) is kind
    assert code_of(error) == exit_code
    assert words in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "error",
    [
        *(answer(code, f"{HEADER}\nx-amz-security-token:{TOKEN}") for code in sorted({code for code, *_ in ANSWERS})),
        *(raised for raised, *_ in RAISED),
    ],
    ids=lambda error: error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__,
)
def test_no_key_and_no_token_is_shown(error: Exception) -> None:
    told = translated(error)
    shown = str(told) + "".join(traceback.format_exception(told))
    assert KEY_ID not in shown
    assert TOKEN not in shown
    assert "secret@" not in shown


POLICY = '{"Statement": [{"Sid": "hunter2", "Condition": {"StringEquals": {"aws:PrincipalTag/key": "hunter2"}}}]}'
REPEATED = {
    f"1 validation error detected: Value '{POLICY}' at 'policyDocument' failed to satisfy constraint: too long": (
        "1 validation error detected: Value (left out) at 'policyDocument' failed to satisfy constraint: too long"
    ),
    "2 validation errors detected: Value 'hunter2' at 'a' failed; Value 'x' at 'b' failed": (
        "2 validation errors detected: Value (left out) at 'b' failed"
    ),
    "Value 'it's hunter2' at 'tags.1.member.value' failed": "Value (left out) at 'tags.1.member.value' failed",
    f"Syntax error in {POLICY} at position 7": "Syntax error in (left out) at position 7",
    f"Syntax error in {POLICY[:60]}": "Syntax error in (left out)",
    f"Syntax error in\n{POLICY.replace(' ', chr(10))}": "Syntax error in (left out)",
    "The policy p does not exist.": "The policy p does not exist.",
}


@pytest.mark.parametrize(("message", "told"), REPEATED.items())
def test_what_aws_repeats_of_a_request_is_left_out_also_of_the_traceback(message: str, told: str) -> None:
    error = translated(answer("ValidationError", message))

    assert str(error) == f"{CALL}: ValidationError: {told}"
    assert "hunter2" not in "".join(traceback.format_exception(error))


def test_the_code_of_aws_is_known_behind_an_error_and_where_there_is_none() -> None:
    assert code_of_aws(translated(answer("DeleteConflict", "it is attached"))) == "DeleteConflict"
    assert code_of_aws(translated(sdk.NoRegionError())) == ""
    assert code_of_aws(DependencyError("by ourselves")) == ""


def test_a_refusal_names_the_permission_that_is_missing() -> None:
    error = translated(answer("AccessDenied", NOT_ALLOWED))
    assert isinstance(error, DeniedError)
    assert error.action == "sqs:GetQueueAttributes"


def test_a_function_tries_again_what_its_own_credentials_refused() -> None:
    assert isinstance(translated(answer("ExpiredTokenException", "expired")), DependencyError)
