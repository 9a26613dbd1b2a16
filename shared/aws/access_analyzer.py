"""AWS's own checks of a plan's policies, by IAM Access Analyzer: that each is valid, and that they grant nothing new.

Gates beside our own proofs, where a parameter switches them on; AWS charges for each check for new access.

Source: IAM Access Analyzer API reference, ValidatePolicy and CheckNoNewAccess; IAM user guide, "Access Analyzer policy
check reference" and "Validate policies with custom policy checks".
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from shared.aws.clients import AnalyzerClient, aws_errors
from shared.errors import DependencyError
from shared.iam.policy import VERSION, parse_document

IDENTITY_POLICY = "IDENTITY_POLICY"
PAGE_ITEMS = 1000
NOTHING: Mapping[str, str] = {"Effect": "Deny", "Action": "*", "Resource": "*"}  # a document may not be empty
ERROR = "ERROR"  # of the four types of findings the one that makes a policy invalid
# What AWS answers to documents that it can't compare: asking again would bring the same answer.
_NOT_COMPARED = frozenset({"InvalidParameterException", "UnprocessableEntityException", "ValidationException"})


class NewAccess(StrEnum):
    """What CheckNoNewAccess says; UNDECIDED where AWS could not compare, which counts as no."""

    PASS = "PASS"  # noqa: S105 AWS's word for yes
    FAIL = "FAIL"
    UNDECIDED = "UNDECIDED"


class AnalyzerFinding(NamedTuple):
    """What ValidatePolicy says of one document: `kind` is ERROR, SECURITY_WARNING, WARNING or SUGGESTION."""

    kind: str
    code: str
    detail: str
    document: int  # place among the new documents, from 0


class AnalyzerAnswer(NamedTuple):
    """Both checks' answers; `reasons` say why there is new access, or why nobody could tell."""

    findings: tuple[AnalyzerFinding, ...]
    new_access: NewAccess
    reasons: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[AnalyzerFinding, ...]:
        """The findings for which a policy must not be used."""
        return tuple(finding for finding in self.findings if finding.kind == ERROR)

    @property
    def holds(self) -> bool:
        """Whether the plan may go on."""
        return self.new_access is NewAccess.PASS and not self.errors

    @property
    def refusal(self) -> str:
        """Why it may not, in a sentence; empty where it may."""
        if self.errors:
            return "Access Analyzer finds errors: " + "; ".join(f"{one.code}: {one.detail}" for one in self.errors[:3])
        if self.new_access is NewAccess.PASS:
            return ""
        return f"Access Analyzer says {self.new_access} to no new access: " + "; ".join(self.reasons[:3])


class Analyzer:
    """Asks Access Analyzer about the documents before and after."""

    def __init__(self, client: AnalyzerClient) -> None:
        self._client = client

    def check(self, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> AnalyzerAnswer:
        """Check each new document by itself, and all of them together against all old ones together.

        Permissions boundaries are not known to it: give it only what is attached, or what bounds. Raises DeniedError
        when AWS refuses the call, DependencyError when it throttles, fails, or gives no whole answer.
        """
        findings = tuple(found for place, document in enumerate(new) for found in self._findings(place, document))
        new_access, reasons = self._compared(_joined(old), _joined(new))
        return AnalyzerAnswer(findings, new_access, reasons)

    def _findings(self, place: int, document: Mapping[str, Any]) -> Iterator[AnalyzerFinding]:
        request = {"policyType": IDENTITY_POLICY, "policyDocument": _text(document), "maxResults": PAGE_ITEMS}
        tokens: set[str] = set()
        while True:
            with aws_errors("ValidatePolicy"):
                answer = self._client.validate_policy(**request)
            try:
                for raw in answer["findings"]:
                    yield AnalyzerFinding(raw["findingType"], raw["issueCode"], raw["findingDetails"], place)
            except KeyError as error:
                raise DependencyError(f"ValidatePolicy: the answer has no {error}") from error
            token = answer.get("nextToken")
            if not token:
                return
            if token in tokens:
                raise DependencyError("ValidatePolicy: the findings go on without an end")
            tokens.add(token)
            request["nextToken"] = token

    def _compared(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[NewAccess, tuple[str, ...]]:
        with aws_errors("CheckNoNewAccess"):
            try:
                answer = self._client.check_no_new_access(
                    policyType=IDENTITY_POLICY, existingPolicyDocument=_text(old), newPolicyDocument=_text(new)
                )
            except ClientError as error:
                details = error.response.get("Error", {})
                if details.get("Code") not in _NOT_COMPARED:
                    raise
                return NewAccess.UNDECIDED, (f"{details.get('Code')}: {details.get('Message', '')[:200]}",)
        reasons = tuple(_reason(raw) for raw in answer.get("reasons", ()))
        try:
            return NewAccess(answer["result"]), reasons or ((answer["message"],) if answer.get("message") else ())
        except (KeyError, ValueError) as error:
            raise DependencyError("CheckNoNewAccess: the answer is neither PASS nor FAIL") from error


def _reason(raw: Mapping[str, Any]) -> str:
    where = f" (statement {raw['statementIndex']})" if "statementIndex" in raw else ""
    return f"{raw.get('description', 'no description')}{where}"


def _joined(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Documents of any version as one: their statements without names, which would have to differ."""
    statements = [statement.render() for document in documents for statement in parse_document(document)]
    return {"Version": VERSION, "Statement": statements or [dict(NOTHING)]}


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
