"""Access Analyzer's adapter: what is asked of it, to the last page, and that no answer ever passes for a yes."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from shared.aws.access_analyzer import Analyzer, AnalyzerAnswer, AnalyzerFinding, NewAccess
from shared.errors import DeniedError, DependencyError, InputError

OLD: dict[str, Any] = {
    "Statement": [{"Sid": "A", "Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::${x}"}]
}
OTHER: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": {"Sid": "A", "Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::${aws:username}"},
}
NEW: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::x"}],
}


@pytest.fixture
def stub() -> Iterator[Stubber]:
    with Stubber(boto3.client("accessanalyzer")) as stub:
        yield stub
        stub.assert_no_pending_responses()


def text(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))


def check(stub: Stubber, old: Sequence[Any], new: Sequence[Any]) -> AnalyzerAnswer:
    client: Any = stub.client
    return Analyzer(client).check(old, new)


def finding(kind: str, code: str = "CODE") -> dict[str, Any]:
    return {
        "findingType": kind,
        "issueCode": code,
        "findingDetails": "what is wrong",
        "learnMoreLink": "https://docs.aws.amazon.com/",
        "locations": [],
    }


def validated(stub: Stubber, document: Any, *kinds: str) -> None:
    request = {"policyType": "IDENTITY_POLICY", "policyDocument": text(document), "maxResults": 1000}
    stub.add_response("validate_policy", {"findings": [finding(kind) for kind in kinds]}, request)


def compared(stub: Stubber, **answer: Any) -> None:
    stub.add_response("check_no_new_access", answer)


def test_every_new_document_is_validated_and_all_are_compared_as_one(stub: Stubber) -> None:
    # given two new documents, and old ones of both versions of the language with the same statement ids
    validated(stub, NEW)
    validated(stub, OTHER)
    old = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::${$}{x}"},
            {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::${aws:username}"},
        ],
    }
    new = {"Version": "2012-10-17", "Statement": [*NEW["Statement"], old["Statement"][1]]}
    request = {
        "policyType": "IDENTITY_POLICY",
        "existingPolicyDocument": text(old),
        "newPolicyDocument": text(new),
    }
    stub.add_response("check_no_new_access", {"result": "PASS", "message": "no new access"}, request)
    # when they are checked, then what was plain text in the old version is not taken for a variable
    answer = check(stub, [OLD, OTHER], [NEW, OTHER])
    assert (answer.holds, answer.findings, answer.refusal) == (True, (), "")


def test_an_identity_that_had_nothing_is_compared_with_a_policy_that_allows_nothing(stub: Stubber) -> None:
    validated(stub, NEW)
    nothing = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    request = {
        "policyType": "IDENTITY_POLICY",
        "existingPolicyDocument": text(nothing),
        "newPolicyDocument": text(NEW),
    }
    reasons = [{"description": "New access in the statement with index: 0.", "statementIndex": 0}]
    stub.add_response("check_no_new_access", {"result": "FAIL", "reasons": reasons}, request)
    answer = check(stub, [], [NEW])
    assert (answer.holds, answer.new_access) == (False, NewAccess.FAIL)
    assert answer.refusal.endswith("New access in the statement with index: 0. (statement 0)")


def test_findings_are_read_to_the_last_page_and_an_error_refuses(stub: Stubber) -> None:
    request = {"policyType": "IDENTITY_POLICY", "policyDocument": text(NEW), "maxResults": 1000}
    pages = [([finding("SUGGESTION")], "b"), ([], "c"), ([finding("ERROR", "INVALID_ACTION")], None)]
    token = None
    for findings, following in pages:
        answer = {"findings": findings} | ({"nextToken": following} if following else {})
        stub.add_response("validate_policy", answer, request | ({"nextToken": token} if token else {}))
        token = following
    compared(stub, result="PASS")
    found = check(stub, [OLD], [NEW])
    assert [one.kind for one in found.findings] == ["SUGGESTION", "ERROR"]
    assert found.errors == (AnalyzerFinding("ERROR", "INVALID_ACTION", "what is wrong", 0),)
    assert not found.holds
    assert found.refusal == "Access Analyzer finds errors: INVALID_ACTION: what is wrong"


@pytest.mark.parametrize("kind", ["WARNING", "SECURITY_WARNING", "SUGGESTION"])
def test_other_findings_are_told_and_do_not_refuse(stub: Stubber, kind: str) -> None:
    validated(stub, NEW, kind)
    compared(stub, result="PASS")
    found = check(stub, [OLD], [NEW])
    assert (found.holds, [one.kind for one in found.findings]) == (True, [kind])


@pytest.mark.parametrize("code", ["InvalidParameterException", "UnprocessableEntityException", "ValidationException"])
def test_documents_that_aws_cannot_compare_are_not_tried_again_and_do_not_pass(stub: Stubber, code: str) -> None:
    validated(stub, NEW)
    stub.add_client_error("check_no_new_access", code, "too complex")
    answer = check(stub, [OLD], [NEW])
    assert (answer.holds, answer.new_access, answer.reasons) == (False, NewAccess.UNDECIDED, (f"{code}: too complex",))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", DependencyError),
        ("InternalServerException", DependencyError),
        ("AccessDeniedException", DeniedError),
    ],
)
@pytest.mark.parametrize("operation", ["validate_policy", "check_no_new_access"])
def test_a_call_that_fails_is_no_answer(stub: Stubber, operation: str, code: str, error: type[Exception]) -> None:
    if operation == "check_no_new_access":
        validated(stub, NEW)
    stub.add_client_error(operation, code)
    with pytest.raises(error, match=code):
        check(stub, [OLD], [NEW])


@pytest.mark.parametrize("answer", [{}, {"message": "hm"}])
def test_an_answer_without_a_result_is_none(stub: Stubber, answer: dict[str, Any]) -> None:
    validated(stub, NEW)
    compared(stub, **answer)
    with pytest.raises(DependencyError, match="neither PASS nor FAIL"):
        check(stub, [OLD], [NEW])


def test_pages_that_go_round_in_a_circle_are_an_error(stub: Stubber) -> None:
    for _ in range(2):
        stub.add_response("validate_policy", {"findings": [], "nextToken": "again"})
    with pytest.raises(DependencyError, match="without an end"):
        check(stub, [OLD], [NEW])


def test_a_document_that_aws_cannot_read_is_an_error_of_ours(stub: Stubber) -> None:
    stub.add_client_error("validate_policy", "ValidationException", "not JSON")
    with pytest.raises(InputError, match="not JSON"):
        check(stub, [OLD], [NEW])
