"""Whether AWS let a call pass, as far as a CloudTrail record proves it. Pure."""

import re
from enum import StrEnum

MAX_MESSAGE = 2_048  # characters of an error message that are searched
DENIED_ACTION = re.compile(r"not authorized to perform: ([a-z0-9-]{1,64}:[A-Za-z0-9]{1,128})")


class Outcome(StrEnum):
    """What a record proves about authorization."""

    PASSED = "passed"
    DENIED = "denied"
    UNSURE = "unsure"  # failed where authorization may not have been asked yet, or somebody else was refused


# Codes by which AWS services refuse a caller, without "Client." before and "Exception", "Error" or "Fault" behind.
# Source: the "Common Errors" pages of the services' API references, and the codes of the EC2, SNS and QuickSight APIs.
_DENIED_CODES = frozenset(
    {"accessdenied", "authorization", "forbidden", "insufficientprivileges", "notauthorized", "unauthorized"}
    | {"unauthorizedaccess", "unauthorizedoperation"}
)
# A refusal that is not, or not surely, of the caller's own request: KMSAccessDenied tells of a key's policy.
_DENIED_WORDS = ("accessdenied", "forbidden", "notauthorized", "unauthorized")
# Services whose NotAuthorizedException means that an end user's password was wrong.
_END_USER_SOURCES = frozenset({"cognito-idp.amazonaws.com", "cognito-identity.amazonaws.com"})
# Failures that may strike before authorization: throttling, credentials, signatures, and AWS's own.
_UNSURE_CODES = frozenset(
    {"throttling", "throttled", "requestthrottled", "requestlimitexceeded", "toomanyrequests", "slowdown"}
    | {"bandwidthlimitexceeded", "ec2throttled", "limitexceededrate", "provisionedthroughputexceeded"}
    | {"authfailure", "expiredtoken", "incompletesignature", "invalidaccesskeyid", "invalidclienttokenid"}
    | {"invalidsignature", "invalidtoken", "missingauthenticationtoken", "optinrequired", "requestexpired"}
    | {"requesttimetooskewed", "signaturedoesnotmatch", "subscriptionrequired", "unrecognizedclient"}
    | {"internal", "internalfailure", "internalserver", "internalservice", "requesttimeout", "serviceunavailable"}
    | {"unavailable"}
    | {"malformedhttprequest", "requestaborted", "requestentitytoolarge", "unknownoperation"}
)


def outcome_of(error_code: str | None, event_source: str) -> Outcome:
    """Judge authorization by the error code: no code, and every code that isn't listed, passed it."""
    if not error_code:
        return Outcome.PASSED
    code = error_code.rpartition(".")[2].lower()
    for suffix in ("exception", "error", "fault"):
        code = code.removesuffix(suffix)
    if code in _DENIED_CODES:
        end_user = code == "notauthorized" and event_source in _END_USER_SOURCES
        return Outcome.UNSURE if end_user else Outcome.DENIED
    unsure = code in _UNSURE_CODES or any(word in code for word in _DENIED_WORDS)
    return Outcome.UNSURE if unsure else Outcome.PASSED


def denied_action_of(error_message: str | None) -> str | None:
    """Action that an error message says was refused, which need not be the operation's own."""
    match = DENIED_ACTION.search(error_message[:MAX_MESSAGE]) if error_message else None
    return match.group(1) if match else None
