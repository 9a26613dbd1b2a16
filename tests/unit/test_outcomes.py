"""What error codes and messages say about authorization."""

import pytest

from services.scorer.usage.outcome import Outcome, denied_action_of, outcome_of

SOURCE = "s3.amazonaws.com"


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (None, Outcome.PASSED),
        ("", Outcome.PASSED),
        ("AccessDenied", Outcome.DENIED),
        ("AccessDeniedException", Outcome.DENIED),
        ("Client.UnauthorizedOperation", Outcome.DENIED),
        ("UnauthorizedOperation", Outcome.DENIED),
        ("AuthorizationErrorException", Outcome.DENIED),
        ("AuthorizationError", Outcome.DENIED),
        ("NotAuthorized", Outcome.DENIED),
        ("NotAuthorizedException", Outcome.DENIED),
        ("UnauthorizedException", Outcome.DENIED),
        ("ForbiddenException", Outcome.DENIED),
        ("AccessDeniedFault", Outcome.DENIED),
        ("ThrottlingException", Outcome.UNSURE),
        ("Client.RequestLimitExceeded", Outcome.UNSURE),
        ("TooManyRequestsException", Outcome.UNSURE),
        ("Server.InternalError", Outcome.UNSURE),
        ("ServiceUnavailableException", Outcome.UNSURE),
        ("ExpiredTokenException", Outcome.UNSURE),
        ("InvalidClientTokenId", Outcome.UNSURE),
        ("KMSAccessDeniedException", Outcome.UNSURE),
        ("AccessDeniedForDependencyException", Outcome.UNSURE),
        ("NoSuchBucketPolicy", Outcome.PASSED),
        ("Client.InvalidVpcID.NotFound", Outcome.PASSED),
        ("ResourceNotFoundException", Outcome.PASSED),
        ("Client.DryRunOperation", Outcome.PASSED),
        ("LimitExceededException", Outcome.PASSED),
    ],
)
def test_an_error_code_is_judged(code: str | None, outcome: Outcome) -> None:
    assert outcome_of(code, SOURCE) is outcome


def test_given_an_end_users_wrong_password_then_the_caller_was_not_surely_refused() -> None:
    assert outcome_of("NotAuthorizedException", "cognito-idp.amazonaws.com") is Outcome.UNSURE


@pytest.mark.parametrize(
    ("message", "action"),
    [
        ("User: x is not authorized to perform: iam:PassRole on resource: y because no", "iam:PassRole"),
        ("You are not authorized to perform this operation.", None),
        ("not authorized to perform: Bad Words", None),
        (" " * 3_000 + "not authorized to perform: s3:GetObject", None),
        ("", None),
        (None, None),
    ],
)
def test_a_message_may_name_the_action_that_was_refused(message: str | None, action: str | None) -> None:
    assert denied_action_of(message) == action
