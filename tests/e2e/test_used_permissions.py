"""Whether each statement of the roles is needed: by the calls that they made in the tests of this system before.

The local AWS notes each call that a role's policies allowed. A statement is needed when, with it left out, our own
engine refuses one of these calls. The name puts this file after the others; where these don't run it is skipped.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra.local.demonstration.system import System
from infra.local.local_aws import ACCOUNT_ID
from shared.iam.evaluate import Policies, compile_policies
from shared.iam.evaluation.decisions import Outcome
from shared.iam.request import Request, context_of

pytestmark = pytest.mark.e2e
HERE = Path(__file__).parent
JOBS = ("test_deployed_job.py", "test_local_aws.py", "test_telling_and_anchoring.py")  # what uses the same system
OUR_PATH = "/leastwise/"
CALLER = f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{{}}/function"
Document = dict[str, Any]
Call = Mapping[str, Any]

FUNCTION_ROLES = (
    "ConfigRuleRole",
    "EvaluateRole",
    "ReconcileRole",
    "RemediateRole",
    "RemediationRequestRole",
    "RestoreRequestRole",
    "RestoreRole",
    "ScoreRole",
    "SweepRole",
    "TrailLogRole",
    "UsageRole",
)
POLLED = ("EvaluateRole", "RemediateRole", "RestoreRole", "ScoreRole", "TrailLogRole", "UsageRole")
WRITES_LOGS = "the local AWS writes a function's log itself"
POLLS = "the local AWS takes messages off queues itself"
NO_KMS = "the local AWS asks no key before it encrypts"
NO_FAILURE = "no invocation of this function fails for good in these tests"
NO_TRAIL = "the local account has no trail that could be asked"
UNPROVABLE: dict[str, str] = {
    **{f"{role}: logs:CreateLogStream, logs:PutLogEvents": WRITES_LOGS for role in FUNCTION_ROLES},
    **{f"{role}: WriteLog": WRITES_LOGS for role in ("AnchorRole", "AuditRole", "NotifyRole")},
    "TracingPolicy: xray:PutTelemetryRecords, xray:PutTraceSegments": "the local AWS keeps no traces",
    **{f"{role}: sqs:DeleteMessage, sqs:GetQueueAttributes, sqs:ReceiveMessage": POLLS for role in POLLED},
    "AuditRole: WorkOffQueue": POLLS,
    "AutomationRole: kms:Decrypt, kms:GenerateDataKey": NO_KMS,
    "EncryptionPolicy: ReadOwnVariables": NO_KMS,
    "EncryptionPolicy: UseKeyByWayOfServices": NO_KMS,
    **{f"{role}: KeepFailures": NO_FAILURE for role in ("AnchorRole", "NotifyRole")},
    **{f"{role}: sqs:SendMessage": NO_FAILURE for role in ("ReconcileRole", "SweepRole")},
    "OwnPoliciesPolicy: SetAndRemoveOwnBoundaries": "this system replaces policies; the demonstration sets boundaries",
    "ReconcileRole: DeleteOrphans": "no policy of ours is left over in these tests",
    "SweepRole: cloudtrail:GetEventSelectors, cloudtrail:GetTrailStatus": NO_TRAIL,
    "SweepRole: dynamodb:BatchGetItem, dynamodb:PutItem": f"it notes what trails record: {NO_TRAIL}",
}


class Role(NamedTuple):
    """A deployed role: its policies and permissions boundary, by the logical id of what declares each."""

    name: str
    policies: dict[str, Document]
    boundary: dict[str, Document]

    def without(self, policy: str, number: int) -> "Role":
        """The role with one statement of a policy, or of its boundary, left out."""

        def reduced(documents: dict[str, Document]) -> dict[str, Document]:
            reduced = {name: leave_out(one, number) if name == policy else one for name, one in documents.items()}
            return {name: one for name, one in reduced.items() if one["Statement"]}  # IAM knows no empty policy

        return Role(self.name, reduced(self.policies), reduced(self.boundary))

    def refused(self, calls: list[Call]) -> list[Call]:
        """Of these calls, those that the role may not make."""
        case: dict[str, Any] = {"identity_policies": list(self.policies.values())}
        if self.boundary:
            case["permissions_boundaries"] = list(self.boundary.values())
        engine = compile_policies(Policies.parse(case))
        return [call for call in calls if engine.evaluate(asked(self.name, call)).outcome is not Outcome.ALLOW]


def asked(role: str, call: Call) -> Request:
    return Request(CALLER.format(role), call["action"], call["resource"], ACCOUNT_ID, context_of(call["context"]))


def leave_out(document: Document, number: int) -> Document:
    return document | {"Statement": [one for index, one in enumerate(document["Statement"]) if index != number]}


def logical_id(name: str) -> str:
    """`RemediateRole` of `leastwise-RemediateRole-ABC123`, as CloudFormation names what has no name of its own."""
    return name.split("-")[-2]


def deployed_roles(system: System) -> dict[str, Role]:
    """The roles of the stack as IAM holds them, by name."""
    details = system.local.client("iam").get_account_authorization_details()
    managed = {
        one["Arn"]: version["Document"]
        for one in details["Policies"]
        for version in one["PolicyVersionList"]
        if version["IsDefaultVersion"]
    }

    def by_logical_id(arns: list[str]) -> dict[str, Document]:
        return {logical_id(arn.rpartition("/")[2]): managed[arn] for arn in arns}

    roles = {}
    for role in details["RoleDetailList"]:
        if role["Path"] == OUR_PATH:
            own = {logical_id(role["RoleName"]): one["PolicyDocument"] for one in role["RolePolicyList"]}
            attached = by_logical_id([one["PolicyArn"] for one in role["AttachedManagedPolicies"]])
            limit = role.get("PermissionsBoundary")
            boundary = by_logical_id([limit["PermissionsBoundaryArn"]] if limit else [])
            roles[role["RoleName"]] = Role(role["RoleName"], attached | own, boundary)
    return roles


def allows(roles: Mapping[str, Role]) -> Iterator[tuple[str, int, str]]:
    """Every Allow of these roles and their boundaries: policy, position, and a name for it.

    A Deny refuses nothing that a role needs, so leaving it out can't show here: tests/unit/test_blast_radius.py does.
    """
    documents = {name: one for role in roles.values() for name, one in (role.policies | role.boundary).items()}
    for policy, document in sorted(documents.items()):
        for number, statement in enumerate(document["Statement"]):
            if statement["Effect"] == "Allow":
                actions = statement["Action"]
                label = statement.get("Sid") or ", ".join([actions] if isinstance(actions, str) else sorted(actions))
                yield policy, number, f"{policy}: {label}"


def calls_by_role(system: System, roles: Mapping[str, Role]) -> dict[str, list[Call]]:
    calls: dict[str, list[Call]] = {name: [] for name in roles}
    for call in system.local.allowed_calls():
        if call["role"] in calls:
            calls[call["role"]].append(call)
    return calls


@pytest.fixture(scope="module")
def used(system: System, request: pytest.FixtureRequest) -> tuple[dict[str, Role], dict[str, list[Call]]]:
    """The roles, and what they were allowed while the other tests ran."""
    running = {item.path for item in request.session.items}
    if missing := [name for name in JOBS if HERE / name not in running]:
        pytest.skip(f"needs what the functions do in {', '.join(missing)}")
    roles = deployed_roles(system)
    return roles, calls_by_role(system, roles)


def test_our_engine_allows_what_the_local_aws_allowed(used: tuple[dict[str, Role], dict[str, list[Call]]]) -> None:
    roles, calls = used
    assert {name: made for name, role in roles.items() if (made := role.refused(calls[name]))} == {}
    assert sum(map(len, calls.values()))


def test_each_statement_left_out_breaks_something_or_is_listed(
    used: tuple[dict[str, Role], dict[str, list[Call]]],
) -> None:
    roles, calls = used
    idle = {
        label
        for policy, number, label in allows(roles)
        if not any(
            role.without(policy, number).refused(calls[name])
            for name, role in roles.items()
            if policy in role.policies | role.boundary
        )
    }
    assert sorted(idle) == sorted(UNPROVABLE), "left out, these break nothing, or what is listed does"
