"""The local AWS does what the rest of the end-to-end tests rely on. See infra/local/README.md for what it stands in."""

import gzip
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError

from infra.local.demonstration.system import System
from infra.local.local_aws import REPOSITORY, LocalAws, LocalAwsError
from shared.model.usage import IdentityKey
from tests.e2e.conftest import TRAIL_BUCKET

pytestmark = pytest.mark.e2e

Found = TypeVar("Found")

READ_ONLY_ARN = "arn:aws:iam::aws:policy/job-function/TestAuditor"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
FUNCTION = '''
import json, os, urllib.request

def rule(event, context):
    """Answer Config without boto3: an unsigned call is the root user's."""
    invoking = json.loads(event["invokingEvent"])
    if "configurationItem" not in invoking:
        return
    item = invoking["configurationItem"]
    deleted = item["configurationItemStatus"] == "ResourceDeleted"
    verdict = "NON_COMPLIANT" if item["resourceName"].startswith("bad") else "COMPLIANT"
    evaluation = {
        "ComplianceResourceType": item["resourceType"],
        "ComplianceResourceId": item["resourceId"],
        "ComplianceType": "NOT_APPLICABLE" if deleted else verdict,
        "Annotation": event["ruleParameters"],
        "OrderingTimestamp": item["configurationItemCaptureTime"],
    }
    body = {"ResultToken": event["resultToken"], "Evaluations": [evaluation]}
    headers = {
        "X-Amz-Target": "StarlingDoveService.PutEvaluations",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/config/aws4_request",
    }
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], json.dumps(body).encode(), headers)
    urllib.request.urlopen(request).read()

def batch(event, context):
    with open(os.environ["SIZES"], "a") as file:
        file.write(f"{len(event['Records'])} ")

def echo(event, context):
    if event.get("fail"):
        raise ValueError("asked to fail")
    return {"got": event, "key": os.environ["AWS_ACCESS_KEY_ID"][:4]}
'''

SHARING = """
import os.path
import own, same

def handle(event, context):
    return {"value": own.VALUE, "own": os.path.realpath(own.__file__), "same": os.path.realpath(same.__file__)}
"""


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    policies = tmp_path_factory.mktemp("policies") / "managed.json"
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
    record = {"name": "TestAuditor", "path": "/job-function/", "default_version_id": "v7", "document": document}
    policies.write_text(json.dumps({READ_ONLY_ARN: record}))
    with LocalAws.start(managed_policies=policies) as started:
        yield started


@pytest.fixture(scope="module")
def function_role(local: LocalAws) -> str:
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"}, "Action": "sts:*"}]}
    iam = local.client("iam")
    role = iam.create_role(RoleName="functions", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    iam.put_role_policy(RoleName="functions", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    return str(role["Arn"])


@pytest.fixture(scope="module")
def functions(local: LocalAws, function_role: str) -> dict[str, str]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", FUNCTION)
    client, arns = local.client("lambda"), {}
    for name in ("rule", "echo", "batch"):
        function = client.create_function(
            FunctionName=name,
            Role=function_role,
            Runtime="python3.13",
            Handler=f"app.{name}",
            Code={"ZipFile": archive.getvalue()},
            Environment={"Variables": {"SIZES": str(local.folder / "sizes")}},
        )
        arns[name] = str(function["FunctionArn"])
    return arns


@pytest.fixture
def queue(local: LocalAws, request: pytest.FixtureRequest) -> tuple[str, str]:
    """The URL and ARN of a queue of the test's own."""
    sqs = local.client("sqs")
    url = sqs.create_queue(QueueName=request.node.name[:80])["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["QueueArn"]


def wait_for(find: Callable[[], Found], seconds: float = 15.0) -> Found:
    deadline = time.monotonic() + seconds
    while not (found := find()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found, f"not within {seconds} s"
    return found


def bodies(local: LocalAws, url: str) -> list[dict[str, Any]]:
    """Every message a queue has now."""
    sqs, found = local.client("sqs"), []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"]) for message in messages]
    return found


def rule_to(
    local: LocalAws, name: str, target: str, pattern: dict[str, Any], state: str = "ENABLED", **more: Any
) -> None:
    events = local.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern), State=state)
    events.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": target, **more}])


def refusal(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return str(refused.value.response["Error"]["Code"])


def record(name: str, user: str, *, read_only: bool, when: str = "2026-01-02T03:04:05Z") -> dict[str, Any]:
    """A replayed CloudTrail record as a PutEvents entry."""
    arn = f"arn:aws:iam::111122223333:user/{user}"
    detail = {
        "eventVersion": "1.10",
        "eventTime": when,
        "eventSource": "s3.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "readOnly": read_only,
        "managementEvent": True,
        "userIdentity": {"type": "IAMUser", "arn": arn, "userName": user},
    }
    return {"Source": "aws.s3", "DetailType": "AWS API Call via CloudTrail", "Detail": json.dumps(detail), "Time": when}


def test_only_the_rule_state_for_it_delivers_read_only_management_events(
    local: LocalAws, queue: tuple[str, str]
) -> None:
    plain = local.client("sqs").create_queue(QueueName="plain")["QueueUrl"]
    pattern = {"source": ["aws.s3"], "detail": {"userIdentity": {"userName": ["rita"]}}}
    rule_to(local, "all", queue[1], pattern, "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
    rule_to(local, "plain", queue[1].rsplit(":", 1)[0] + ":plain", pattern)
    entries = [record("ListBuckets", "rita", read_only=True), record("CreateBucket", "rita", read_only=False)]
    assert local.client("events").put_events(Entries=entries)["FailedEntryCount"] == 0
    seen = bodies(local, queue[0])
    assert [event["detail"]["eventName"] for event in seen] == ["ListBuckets", "CreateBucket"]
    assert seen[0]["time"] == "2026-01-02T03:04:05Z"
    assert [event["detail"]["eventName"] for event in bodies(local, plain)] == ["CreateBucket"]


def test_put_events_refuses_single_entries(local: LocalAws) -> None:
    local.client("events").create_event_bus(Name="own")
    entries = [
        {"Source": "x", "DetailType": "y", "Detail": "no json"},
        {"Source": "x", "Detail": "{}"},
        {"Source": "aws.s3", "DetailType": "y", "Detail": "{}", "EventBusName": "own"},
        {"Source": "x", "DetailType": "y", "Detail": "{}", "EventBusName": "own"},
    ]
    answer = local.client("events").put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 3
    codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
    assert codes == ["MalformedDetail", "InvalidArgument", "NotAuthorizedForSourceException", None]


def test_what_a_rule_cant_deliver_goes_to_its_dead_letter_queue(local: LocalAws, queue: tuple[str, str]) -> None:
    gone = queue[1].rsplit(":", 1)[0] + ":no-such-queue"
    rule_to(local, "lost", gone, {"source": ["lost"]}, DeadLetterConfig={"Arn": queue[1]})
    local.client("events").put_events(Entries=[{"Source": "lost", "DetailType": "d", "Detail": '{"n": 1}'}])
    message = local.client("sqs").receive_message(QueueUrl=queue[0], MessageAttributeNames=["All"])["Messages"][0]
    assert json.loads(message["Body"])["detail"] == {"n": 1}
    assert message["MessageAttributes"]["TARGET_ARN"]["StringValue"] == gone


def test_iam_calls_become_events_with_their_caller(local: LocalAws, queue: tuple[str, str]) -> None:
    iam = local.client("iam")
    iam.create_user(UserName="carla", Tags=[{"Key": "team", "Value": "a & b"}])
    iam.put_user_policy(UserName="carla", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    key = iam.create_access_key(UserName="carla")["AccessKey"]
    pattern = {"detail": {"eventSource": ["iam.amazonaws.com"], "userIdentity": {"userName": ["carla"]}}}
    rule_to(local, "iam-calls", queue[1], pattern, "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
    carla = local.client("iam", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    assert carla.get_user(UserName="carla")["User"]["Tags"] == [{"Key": "team", "Value": "a & b"}]
    assert refusal(carla.get_user, UserName="nobody") == "NoSuchEntity"
    carla.tag_user(UserName="carla", Tags=[{"Key": "k", "Value": "v"}])
    read, failed, write = (event["detail"] for event in bodies(local, queue[0]))
    assert (read["readOnly"], write["readOnly"]) == (True, False)
    assert failed["errorCode"] == "NoSuchEntityException"
    assert write["requestParameters"] == {"userName": "carla", "tags": [{"key": "k", "value": "v"}]}
    assert write["userIdentity"]["arn"] == "arn:aws:iam::111122223333:user/carla"
    assert write["userIdentity"]["principalId"].startswith("AIDA")


def test_last_accessed_answers_from_the_calls_it_has_seen(local: LocalAws) -> None:
    iam = local.client("iam")
    arn = iam.create_user(UserName="lara")["User"]["Arn"]
    statement = {"Effect": "Allow", "Action": ["s3:*", "sqs:SendMessage"], "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    iam.put_user_policy(UserName="lara", PolicyName="p", PolicyDocument=json.dumps(document))
    newer, older = ("2026-03-01T00:00:00Z", "2026-01-01T00:00:00Z")
    entries = [record("PutObject", "lara", read_only=False, when=when) for when in (newer, older)]
    local.client("events").put_events(Entries=entries)
    job = iam.generate_service_last_accessed_details(Arn=arn, Granularity="ACTION_LEVEL")["JobId"]
    answer = iam.get_service_last_accessed_details(JobId=job)
    assert (answer["JobStatus"], answer["JobType"]) == ("COMPLETED", "ACTION_LEVEL")
    used, unused = answer["ServicesLastAccessed"]
    assert (used["ServiceNamespace"], used["LastAuthenticated"].isoformat()[:10]) == ("s3", "2026-03-01")
    assert used["LastAuthenticatedEntity"] == arn
    assert used["LastAuthenticatedRegion"] == "eu-west-1"
    assert [action["ActionName"] for action in used["TrackedActionsLastAccessed"]] == ["PutObject"]
    assert (unused["ServiceNamespace"], unused["TotalAuthenticatedEntities"]) == ("sqs", 0)
    assert "LastAuthenticated" not in unused
    iam.put_user_policy(UserName="lara", PolicyName="q", PolicyDocument=json.dumps(EVERYTHING))
    job = iam.generate_service_last_accessed_details(Arn=arn)["JobId"]
    answer = iam.get_service_last_accessed_details(JobId=job, MaxItems=20)
    assert answer["IsTruncated"]
    assert len(answer["ServicesLastAccessed"]) == 20
    assert not any("TrackedActionsLastAccessed" in service for service in answer["ServicesLastAccessed"])
    assert refusal(iam.generate_service_last_accessed_details, Arn=arn + "x") == "NoSuchEntity"


def test_account_authorization_details_have_everything_in_pages(local: LocalAws) -> None:
    iam = local.client("iam")
    boundary = iam.create_policy(PolicyName="limit", Path="/p/", PolicyDocument=json.dumps(EVERYTHING))["Policy"]["Arn"]
    iam.create_group(GroupName="team")
    iam.put_group_policy(GroupName="team", PolicyName="g", PolicyDocument=json.dumps(EVERYTHING))
    iam.create_user(UserName="dora", Path="/x/", PermissionsBoundary=boundary, Tags=[{"Key": "k", "Value": "<&>"}])
    iam.add_user_to_group(GroupName="team", UserName="dora")
    iam.attach_user_policy(UserName="dora", PolicyArn=READ_ONLY_ARN)
    whole: dict[str, list[dict[str, Any]]] = {}
    pages = list(iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 2}))
    for page in pages:
        members = [page[name] for name in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")]
        assert sum(map(len, members)) <= 2
        for name, part in zip(("users", "groups", "roles", "policies"), members, strict=True):
            whole.setdefault(name, []).extend(part)
    assert len(pages) > 2
    dora = next(user for user in whole["users"] if user["UserName"] == "dora")
    assert dora["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    assert (dora["GroupList"], dora["Tags"]) == (["team"], [{"Key": "k", "Value": "<&>"}])
    assert dora["AttachedManagedPolicies"] == [{"PolicyName": "TestAuditor", "PolicyArn": READ_ONLY_ARN}]
    policies = {policy["Arn"]: policy for policy in whole["policies"]}
    (version,) = policies[READ_ONLY_ARN]["PolicyVersionList"]
    assert (version["VersionId"], policies[READ_ONLY_ARN]["AttachmentCount"]) == ("v7", 1)
    assert version["Document"]["Statement"][0]["Action"] == "s3:Get*"
    assert policies[boundary]["PermissionsBoundaryUsageCount"] == 1
    assert len({user["Arn"] for user in whole["users"]}) == len(whole["users"])


def test_the_reads_of_single_identities(local: LocalAws, function_role: str) -> None:
    iam = local.client("iam")
    role = iam.get_role(RoleName="functions")["Role"]
    assert role["Arn"] == function_role
    assert role["AssumeRolePolicyDocument"]["Statement"]
    assert iam.list_role_policies(RoleName="functions")["PolicyNames"] == ["all"]
    assert iam.get_role_policy(RoleName="functions", PolicyName="all")["PolicyDocument"] == EVERYTHING
    version = iam.get_policy(PolicyArn=READ_ONLY_ARN)["Policy"]["DefaultVersionId"]
    read = iam.get_policy_version(PolicyArn=READ_ONLY_ARN, VersionId=version)["PolicyVersion"]
    assert read["Document"]["Statement"]
    iam.create_user(UserName="gina")
    for name in ("a", "b", "c"):
        iam.put_user_policy(UserName="gina", PolicyName=name, PolicyDocument=json.dumps(EVERYTHING))
    pages = iam.get_paginator("list_user_policies").paginate(UserName="gina", PaginationConfig={"PageSize": 2})
    assert [page["PolicyNames"] for page in pages] == [["a", "b"], ["c"]]
    assert iam.list_groups_for_user(UserName="gina")["Groups"] == []
    assert iam.get_account_summary()["SummaryMap"]["PolicySizeQuota"] == 6144
    assert refusal(iam.list_users, Marker="forged") == "ValidationError"


def test_iam_refuses_what_aws_refuses(local: LocalAws) -> None:
    iam = local.client("iam")
    policy = json.dumps(EVERYTHING)
    arn = iam.create_policy(PolicyName="jep", PolicyDocument=policy, Tags=[{"Key": "k", "Value": "v"}])["Policy"]["Arn"]
    iam.create_user(UserName="frida")
    iam.put_user_permissions_boundary(UserName="frida", PermissionsBoundary=arn)
    assert refusal(iam.create_policy, PolicyName="jep", Path="/p/", PolicyDocument=policy) == "EntityAlreadyExists"
    assert refusal(iam.create_policy, PolicyName="bad", PolicyDocument="{") == "MalformedPolicyDocument"
    big = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:" + "x" * 6100], "Resource": "*"}]}
    assert refusal(iam.create_policy, PolicyName="big", PolicyDocument=json.dumps(big)) == "LimitExceeded"
    inline = {"UserName": "frida", "PolicyName": "big", "PolicyDocument": json.dumps(big)}
    assert refusal(iam.put_user_policy, **inline) == "LimitExceeded"
    assert refusal(iam.put_user_permissions_boundary, UserName="frida", PermissionsBoundary=arn + "x") == "NoSuchEntity"
    assert refusal(iam.attach_user_policy, UserName="frida", PolicyArn=arn + "x") == "NoSuchEntity"
    assert refusal(iam.delete_policy, PolicyArn=arn) == "DeleteConflict"
    assert iam.get_user(UserName="frida")["User"]["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
        "PermissionsBoundaryArn": arn,
    }
    iam.delete_user_permissions_boundary(UserName="frida")
    assert refusal(iam.delete_user_permissions_boundary, UserName="frida") == "NoSuchEntity"
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy)
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    assert refusal(iam.delete_policy, PolicyArn=arn) == "DeleteConflict"
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy(PolicyArn=arn)


def runbook(*steps: dict[str, Any], **more: Any) -> str:
    parameters = {"Id": {"type": "String"}, "Role": {"type": "String"}}
    document = {"schemaVersion": "0.3", "assumeRole": "{{ Role }}", "parameters": parameters, "mainSteps": list(steps)}
    return json.dumps(document | more)


def execution(local: LocalAws, name: str, content: str, role: str) -> dict[str, Any]:
    ssm = local.client("ssm")
    ssm.create_document(Name=name, Content=content, DocumentType="Automation")
    started = ssm.start_automation_execution(DocumentName=name, Parameters={"Id": ["i-1"], "Role": [role]})

    def finished() -> dict[str, Any] | None:
        found = ssm.get_automation_execution(AutomationExecutionId=started["AutomationExecutionId"])
        running: dict[str, Any] = found["AutomationExecution"]
        return None if running["AutomationExecutionStatus"] == "InProgress" else running

    result = wait_for(finished)
    assert result is not None
    return result


def test_automation_runs_functions_and_apis_with_its_role(
    local: LocalAws, functions: dict[str, str], function_role: str
) -> None:
    invoke = {"FunctionName": functions["echo"], "InputPayload": {"id": "{{ Id }}", "region": "{{ global:REGION }}"}}
    tag = {"Service": "iam", "Api": "TagRole", "RoleName": "functions", "Tags": [{"Key": "fixed", "Value": "{{ Id }}"}]}
    get = {"Service": "iam", "Api": "GetRole", "RoleName": "functions"}
    content = runbook(
        {"name": "call", "action": "aws:invokeLambdaFunction", "inputs": invoke},
        {"name": "tag", "action": "aws:executeAwsApi", "inputs": tag},
        {"name": "pause", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}},
        {
            "name": "read",
            "action": "aws:executeAwsApi",
            "inputs": get,
            "outputs": [{"Name": "Arn", "Selector": "$.Role.Arn", "Type": "String"}],
        },
        outputs=["call.Payload", "read.Arn"],
    )
    result = execution(local, "good", content, function_role)
    assert result["AutomationExecutionStatus"] == "Success", result
    assert [step["StepStatus"] for step in result["StepExecutions"]] == ["Success"] * 4
    payload = json.loads(result["Outputs"]["call.Payload"][0])
    assert payload == {"got": {"id": "i-1", "region": "us-east-1"}, "key": "ASIA"}
    assert result["Outputs"]["read.Arn"] == [function_role]


def test_calls_with_a_role_name_the_role(local: LocalAws, function_role: str, queue: tuple[str, str]) -> None:
    pattern = {"detail": {"eventSource": ["iam.amazonaws.com"], "userIdentity": {"type": ["AssumedRole"]}}}
    rule_to(local, "role-calls", queue[1], pattern)
    tag = {"Service": "iam", "Api": "TagRole", "RoleName": "functions", "Tags": [{"Key": "k", "Value": "v"}]}
    execution(local, "role", runbook({"name": "s", "action": "aws:executeAwsApi", "inputs": tag}), function_role)
    (event,) = bodies(local, queue[0])
    identity = event["detail"]["userIdentity"]
    issuer = identity["sessionContext"]["sessionIssuer"]
    assert (issuer["arn"], issuer["userName"]) == (function_role, "functions")
    assert issuer["principalId"].startswith("AROA")
    assert identity["principalId"] == issuer["principalId"] + ":Automation"
    used = local.client("iam").get_role(RoleName="functions")["Role"]["RoleLastUsed"]
    assert used["Region"] == "us-east-1"


def test_functions_share_the_packages_that_are_the_same_and_no_others(local: LocalAws, function_role: str) -> None:
    client, answers = local.client("lambda"), {}
    for name, own in (("first", 1), ("second", 2)):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("app.py", SHARING)
            file.writestr("same/__init__.py", "")
            file.writestr("own/__init__.py", f"VALUE = {own}")  # of one name and one length in both
        code = {"ZipFile": archive.getvalue()}
        client.create_function(
            FunctionName=name, Role=function_role, Runtime="python3.13", Handler="app.handle", Code=code
        )
        answers[name] = json.load(client.invoke(FunctionName=name)["Payload"])
    first, second = answers["first"], answers["second"]
    assert (first["value"], second["value"]) == (1, 2)
    assert first["same"] == second["same"]
    assert first["own"] != second["own"]


def test_batches_have_the_size_and_the_window_that_was_asked_for(
    local: LocalAws, functions: dict[str, str], queue: tuple[str, str]
) -> None:
    local.client("lambda").create_event_source_mapping(
        EventSourceArn=queue[1], FunctionName=functions["batch"], BatchSize=25, MaximumBatchingWindowInSeconds=1
    )
    for start in range(0, 30, 10):
        entries = [{"Id": str(number), "MessageBody": "m"} for number in range(start, start + 10)]
        local.client("sqs").send_message_batch(QueueUrl=queue[0], Entries=entries)
    sizes = local.folder / "sizes"
    wait_for(lambda: sizes.is_file() and sum(map(int, sizes.read_text().split())) == 30)
    assert sizes.read_text().split() == ["25", "5"]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"action": "aws:invokeLambdaFunction", "inputs": {"Payload": '{"fail": true}'}}, "asked to fail"),
        (
            {"action": "aws:executeAwsApi", "inputs": {"Service": "iam", "Api": "GetUser", "UserName": "no"}},
            "NoSuchEntity",
        ),
        ({"action": "aws:approve", "inputs": {}}, "needs Approvers"),
        ({"action": "aws:branch", "inputs": {"Choices": [{"Not": {}}]}}, "not supported"),
        ({"action": "aws:pause", "inputs": {}}, "not supported"),
        ({"action": "aws:sleep", "inputs": {"Duration": "PT1S"}, "precondition": {}}, "not supported"),
        ({"action": "aws:sleep", "inputs": {"Duration": "{{ Nothing }}"}}, "Nothing"),
    ],
)
def test_a_failing_or_unsupported_step_fails_the_execution(
    local: LocalAws, functions: dict[str, str], function_role: str, step: dict[str, Any], message: str
) -> None:
    if step["action"] == "aws:invokeLambdaFunction":
        step = step | {"inputs": step["inputs"] | {"FunctionName": functions["echo"]}}
    result = execution(local, f"bad-{time.monotonic_ns()}", runbook({"name": "s", **step}), function_role)
    assert result["AutomationExecutionStatus"] == "Failed"
    assert message in result["FailureMessage"]
    assert result["StepExecutions"][-1]["StepStatus"] == "Failed"


ROOT = "arn:aws:iam::111122223333:root"


def asking(local: LocalAws, role: str, *, approver: str, topic: str) -> str:
    """Start a runbook that asks before it tags the role with the decision; returns the execution's id."""
    choice = {"NextStep": "ask", "Variable": "{{ Id }}", "StringEquals": "asked"}
    ask = {"Approvers": [approver], "NotificationArn": topic, "Message": "may {{ Id }} go on?"}
    tag = {"Service": "iam", "Api": "TagRole", "RoleName": "functions", "Tags": [{"Key": "let", "Value": "{{ Id }}"}]}
    content = runbook(
        {"name": "choose", "action": "aws:branch", "inputs": {"Choices": [choice], "Default": "act"}},
        {"name": "ask", "action": "aws:approve", "inputs": ask, "onFailure": "Abort", "timeoutSeconds": 60},
        {"name": "act", "action": "aws:executeAwsApi", "inputs": tag, "isEnd": True},
    )
    ssm, name = local.client("ssm"), f"asking-{time.monotonic_ns()}"
    ssm.create_document(Name=name, Content=content, DocumentType="Automation")
    started = ssm.start_automation_execution(DocumentName=name, Parameters={"Id": ["asked"], "Role": [role]})
    return str(started["AutomationExecutionId"])


def status_of(local: LocalAws, execution_id: str) -> str:
    found = local.client("ssm").get_automation_execution(AutomationExecutionId=execution_id)["AutomationExecution"]
    return str(found["AutomationExecutionStatus"])


def test_an_approval_step_waits_for_one_of_its_approvers(
    local: LocalAws, function_role: str, queue: tuple[str, str]
) -> None:
    ssm, iam = local.client("ssm"), local.client("iam")
    topic = local.client("sns").create_topic(Name="Automation-approvals")["TopicArn"]
    let = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue[1]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [let]})
    local.client("sqs").set_queue_attributes(QueueUrl=queue[0], Attributes={"Policy": policy})
    local.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue[1])
    tags = {tag["Key"] for tag in iam.list_role_tags(RoleName="functions")["Tags"]}
    approved, rejected, foreign = (
        asking(local, function_role, approver=who, topic=topic) for who in (ROOT, ROOT, f"{ROOT[:-4]}user/nobody")
    )
    for execution_id in (approved, rejected, foreign):
        wait_for(lambda one=execution_id: status_of(local, one) == "Waiting")  # type: ignore[misc]
    told: list[dict[str, Any]] = []

    def all_told() -> bool:
        told.extend(bodies(local, queue[0]))
        return len(told) == 3

    wait_for(all_told)
    assert {message["Message"] for message in told} == {"may asked go on?"}
    code = refusal(ssm.send_automation_signal, AutomationExecutionId=foreign, SignalType="Approve")
    assert code == "InvalidAutomationSignalException"
    ssm.send_automation_signal(AutomationExecutionId=rejected, SignalType="Reject")
    wait_for(lambda: status_of(local, rejected) == "Failed")
    assert tags == {tag["Key"] for tag in iam.list_role_tags(RoleName="functions")["Tags"]}
    ssm.send_automation_signal(AutomationExecutionId=approved, SignalType="Approve")
    wait_for(lambda: status_of(local, approved) == "Success")
    assert {"Key": "let", "Value": "asked"} in iam.list_role_tags(RoleName="functions")["Tags"]
    again = refusal(ssm.send_automation_signal, AutomationExecutionId=approved, SignalType="Approve")
    assert again == "InvalidAutomationSignalException"
    assert status_of(local, foreign) == "Waiting"
    to_nowhere = asking(local, function_role, approver=ROOT, topic=topic.replace("Automation", "other"))
    wait_for(lambda: status_of(local, to_nowhere) == "Failed")


def test_automation_refuses_a_role_it_cant_assume_and_wrong_parameters(local: LocalAws) -> None:
    content = runbook({"name": "s", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}})
    result = execution(local, "no-role", content, "arn:aws:iam::111122223333:role/none")
    assert "unable to be assumed" in result["FailureMessage"]
    ssm = local.client("ssm")
    wrong = {"DocumentName": "no-role", "Parameters": {"Id": ["i"]}}
    assert refusal(ssm.start_automation_execution, **wrong) == "InvalidAutomationExecutionParametersException"
    assert refusal(ssm.describe_document, Name="none") == "InvalidDocument"
    assert ssm.describe_document(Name="no-role")["Document"]["SchemaVersion"] == "0.3"


def test_a_config_rule_follows_changes_and_its_verdicts_are_remediated(
    local: LocalAws, functions: dict[str, str], function_role: str, queue: tuple[str, str]
) -> None:
    config, iam = local.client("config"), local.client("iam")
    rule = {
        "ConfigRuleName": "pci",
        "InputParameters": '{"threshold": "70"}',
        "Scope": {"ComplianceResourceTypes": ["AWS::IAM::User"]},
        "Source": {
            "Owner": "CUSTOM_LAMBDA",
            "SourceIdentifier": functions["rule"],
            "SourceDetails": [{"EventSource": "aws.config", "MessageType": "ConfigurationItemChangeNotification"}],
        },
    }
    assert refusal(config.put_config_rule, ConfigRule=rule) == "InsufficientPermissionsException"
    local.client("lambda").add_permission(
        FunctionName="rule", StatementId="c", Action="lambda:InvokeFunction", Principal="config.amazonaws.com"
    )
    config.put_config_rule(ConfigRule=rule)
    step = {"FunctionName": functions["echo"], "InputPayload": {"id": "{{ Id }}"}}
    content = runbook({"name": "fix", "action": "aws:invokeLambdaFunction", "inputs": step})
    local.client("ssm").create_document(Name="fix", Content=content, DocumentType="Automation")
    remediation = {
        "ConfigRuleName": "pci",
        "TargetType": "SSM_DOCUMENT",
        "TargetId": "fix",
        "Automatic": True,
        "MaximumAutomaticAttempts": 1,
        "RetryAttemptSeconds": 60,
        "Parameters": {
            "Id": {"ResourceValue": {"Value": "RESOURCE_ID"}},
            "Role": {"StaticValue": {"Values": [function_role]}},
        },
    }
    config.put_remediation_configurations(RemediationConfigurations=[remediation])
    rule_to(local, "config-events", queue[1], {"source": ["aws.config"]})

    user_id = iam.create_user(UserName="bad-user")["User"]["UserId"]
    only_bad = {"ConfigRuleName": "pci", "ComplianceTypes": ["NON_COMPLIANT"]}
    (result,) = wait_for(lambda: config.get_compliance_details_by_config_rule(**only_bad)["EvaluationResults"])
    assert result["EvaluationResultIdentifier"]["EvaluationResultQualifier"] == {
        "ConfigRuleName": "pci",
        "ResourceType": "AWS::IAM::User",
        "ResourceId": user_id,
    }
    assert result["Annotation"] == '{"threshold": "70"}'
    (compliance,) = config.describe_compliance_by_config_rule(ConfigRuleNames=["pci"])["ComplianceByConfigRules"]
    assert compliance["Compliance"]["ComplianceType"] == "NON_COMPLIANT"

    def remediated() -> list[dict[str, Any]]:
        statuses = config.describe_remediation_execution_status(ConfigRuleName="pci")["RemediationExecutionStatuses"]
        return [status for status in statuses if status["State"] == "SUCCEEDED"]

    (status,) = wait_for(remediated)
    assert status["ResourceKey"] == {"resourceType": "AWS::IAM::User", "resourceId": user_id}

    events = bodies(local, queue[0])
    item = next(
        e["detail"]["configurationItem"] for e in events if e["detail-type"] == "Config Configuration Item Change"
    )
    assert (item["resourceId"], item["configurationItemStatus"]) == (user_id, "ResourceDiscovered")
    changes = [e["detail"] for e in events if e["detail-type"] == "Config Rules Compliance Change"]
    change = next(detail for detail in changes if detail["resourceId"] == user_id)
    assert change["newEvaluationResult"]["complianceType"] == "NON_COMPLIANT"
    assert (change["configRuleName"], change["oldEvaluationResult"]) == ("pci", None)

    iam.create_user(UserName="good-user")
    pages = config.get_paginator("get_compliance_details_by_config_rule")

    def several() -> list[dict[str, Any]]:
        paged = list(pages.paginate(ConfigRuleName="pci", PaginationConfig={"PageSize": 1}))
        return [dict(page) for page in paged] if len(paged) > 1 else []

    paged = wait_for(several)
    assert all(len(page["EvaluationResults"]) == 1 for page in paged)

    iam.delete_user(UserName="bad-user")
    wait_for(lambda: not config.get_compliance_details_by_config_rule(**only_bad)["EvaluationResults"])
    by_resource = {"ResourceType": "AWS::IAM::User", "ResourceId": user_id}
    assert config.get_compliance_details_by_resource(**by_resource)["EvaluationResults"] == []
    config.start_config_rules_evaluation(ConfigRuleNames=["pci"])


def test_put_evaluations_is_checked(local: LocalAws) -> None:
    config = local.client("config")
    good = {
        "ComplianceResourceType": "AWS::IAM::User",
        "ComplianceResourceId": "AIDA",
        "ComplianceType": "COMPLIANT",
        "OrderingTimestamp": 0,
    }
    assert refusal(config.put_evaluations, ResultToken="forged", Evaluations=[good]) == "InvalidResultTokenException"
    assert config.put_evaluations(ResultToken="x", Evaluations=[good], TestMode=True)["FailedEvaluations"] == []
    long = good | {"Annotation": "x" * 257}
    for evaluations in ([good] * 101, [long], [good | {"ComplianceType": "FINE"}]):
        code = refusal(config.put_evaluations, ResultToken="x", Evaluations=evaluations, TestMode=True)
        assert code == "ValidationException"


def test_permissions_are_enforced_on_request() -> None:
    with LocalAws.start(enforce_permissions=True) as local:
        iam = local.client("iam")
        iam.create_user(UserName="ann")
        key = iam.create_access_key(UserName="ann")["AccessKey"]
        ann = local.client("iam", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
        assert refusal(ann.list_users) == "AccessDenied"
        allow = {"Effect": "Allow", "Action": "iam:TagUser", "Resource": "arn:aws:iam::*:user/team/*"}
        deny = allow | {"Effect": "Deny", "Condition": {"StringEquals": {"iam:ResourceTag/exempt": "true"}}}
        put: dict[str, Any] = {"Effect": "Allow", "Action": "events:PutEvents", "Resource": "*"}
        put["Condition"] = {"StringEquals": {"events:source": "own"}}
        document = {"Version": "2012-10-17", "Statement": [allow, deny, put]}
        iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=json.dumps(document))
        iam.create_user(UserName="free", Path="/team/")
        iam.create_user(UserName="exempt", Path="/team/", Tags=[{"Key": "exempt", "Value": "true"}])
        iam.create_user(UserName="other")
        tags = [{"Key": "k", "Value": "v"}]
        ann.tag_user(UserName="free", Tags=tags)
        assert refusal(ann.tag_user, UserName="exempt", Tags=tags) == "AccessDenied"
        assert refusal(ann.tag_user, UserName="other", Tags=tags) == "AccessDenied"
        events = local.client("events", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
        entry = {"Source": "own", "DetailType": "d", "Detail": "{}"}
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
        assert refusal(events.put_events, Entries=[entry | {"Source": "foreign"}]) == "AccessDeniedException"


def test_what_replaces_policies_is_checked_by_policy_by_group_and_by_boundary() -> None:
    with LocalAws.start(enforce_permissions=True) as local:
        iam = local.client("iam")
        own = iam.create_policy(PolicyName="own", Path="/o/", PolicyDocument=json.dumps(EVERYTHING))["Policy"]["Arn"]
        other = iam.create_policy(PolicyName="other", PolicyDocument=json.dumps(EVERYTHING))["Policy"]["Arn"]
        for group in ("open", "closed"):
            iam.create_group(GroupName=group, Path=f"/{group}/")
        iam.create_user(UserName="carl")
        iam.create_user(UserName="dora", PermissionsBoundary=own)
        users, path = "arn:aws:iam::111122223333:user/*", "arn:aws:iam::111122223333:policy/o/*"
        attach = {"Effect": "Allow", "Action": "iam:AttachUserPolicy", "Resource": users}
        own_only = {"ArnLike": {"iam:PolicyARN": path}}
        join = {"Effect": "Allow", "Action": "iam:AddUserToGroup", "Resource": "arn:aws:iam::*:group/open/*"}
        document = {"Version": "2012-10-17", "Statement": [attach | {"Condition": own_only}, join]}
        iam.put_user_policy(UserName="carl", PolicyName="p", PolicyDocument=json.dumps(document))
        keys = iam.create_access_key(UserName="carl")["AccessKey"]
        carl = local.client("iam", access_key=keys["AccessKeyId"], secret_key=keys["SecretAccessKey"])

        carl.attach_user_policy(UserName="dora", PolicyArn=own)
        assert refusal(carl.attach_user_policy, UserName="dora", PolicyArn=other) == "AccessDenied"
        carl.add_user_to_group(UserName="dora", GroupName="open")
        assert refusal(carl.add_user_to_group, UserName="dora", GroupName="closed") == "AccessDenied"

        limit = {"Effect": "Allow", "Action": "iam:AddUserToGroup", "Resource": "*"}
        cap = iam.create_policy(
            PolicyName="cap", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [limit]})
        )["Policy"]["Arn"]
        iam.put_user_permissions_boundary(UserName="carl", PermissionsBoundary=cap)
        assert refusal(carl.attach_user_policy, UserName="dora", PolicyArn=own) == "AccessDenied"


def test_refused_calls_are_recorded_with_their_caller_and_their_code() -> None:
    with LocalAws.start(enforce_permissions=True) as local:
        sqs, iam = local.client("sqs"), local.client("iam")
        url = sqs.create_queue(QueueName="refused")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        pattern = {"detail": {"errorCode": [{"prefix": {"equals-ignore-case": "client.unauthorized"}}, "AccessDenied"]}}
        rule_to(local, "refused", arn, pattern, "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
        user_id = iam.create_user(UserName="rita")["User"]["UserId"]
        keys = iam.create_access_key(UserName="rita")["AccessKey"]
        rita = {"access_key": keys["AccessKeyId"], "secret_key": keys["SecretAccessKey"]}
        assert refusal(local.client("ec2", **rita).describe_instances) == "UnauthorizedOperation"
        assert refusal(local.client("iam", **rita).list_users) == "AccessDenied"
        assert refusal(local.client("sqs", **rita).list_queues) == "AccessDenied"
        found = [event["detail"] for event in bodies(local, url)]
    codes = [(one["eventName"], one["errorCode"]) for one in found]
    assert codes == [("DescribeInstances", "Client.UnauthorizedOperation"), ("ListUsers", "AccessDenied")]
    assert {one["userIdentity"]["principalId"] for one in found} == {user_id}
    assert "not authorized to perform: ec2:DescribeInstances" in found[0]["errorMessage"]
    assert found[0]["readOnly"] is True


def test_documents_come_back_as_they_were_put(local: LocalAws) -> None:
    text = json.dumps(EVERYTHING, indent=4) + " "
    iam = local.client("iam")
    arn = iam.create_policy(PolicyName="verbatim", PolicyDocument=text)["Policy"]["Arn"]
    raw: list[bytes] = []
    iam.meta.events.register(
        "after-call.iam.GetPolicyVersion", lambda http_response, **_: raw.append(http_response.content)
    )
    iam.get_policy_version(PolicyArn=arn, VersionId="v1")
    quoted = raw[0].decode().partition("<Document>")[2].partition("</Document>")[0]
    assert unquote(quoted) == text


def log_file(account_id: str, name: str, operation: str, at: datetime) -> tuple[str, bytes]:
    """Key and content of a log file with one call made at `at`, as a trail delivers it."""
    detail = json.loads(record(operation, "tess", read_only=True)["Detail"])
    detail["userIdentity"] |= {"principalId": "AIDATRAILTESTUSER001", "accountId": account_id}
    detail |= {"eventType": "AwsApiCall", "recipientAccountId": account_id, "eventTime": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    folder = f"AWSLogs/{account_id}/CloudTrail/eu-west-1/{at:%Y/%m/%d}"
    key = f"{folder}/{account_id}_CloudTrail_eu-west-1_{at:%Y%m%dT%H%MZ}_{name:x<16}.json.gz"
    return key, gzip.compress(json.dumps({"Records": [detail]}).encode())


def test_log_files_in_the_trails_bucket_become_usage_through_the_deployed_feed(system: System) -> None:
    # given a bucket that notifies the stack's queue itself, and then by EventBridge
    s3, who = system.local.client("s3"), IdentityKey(system.account_id, "AIDATRAILTESTUSER001")
    s3.create_bucket(Bucket=TRAIL_BUCKET)
    to_queue = {"QueueArn": system.outputs["TrailLogQueueArn"], "Events": ["s3:ObjectCreated:*"]}
    ways: list[dict[str, Any]] = [{"QueueConfigurations": [to_queue]}, {"EventBridgeConfiguration": {}}]
    now = datetime.now(UTC)  # not of long ago: the account is shared, and a gap in its trail would stop every plan
    since = now - timedelta(days=30)
    seen: set[str] = set()
    for number, (way, operation) in enumerate(zip(ways, ("GetBucketPolicy", "GetBucketAcl"), strict=True)):
        s3.put_bucket_notification_configuration(Bucket=TRAIL_BUCKET, NotificationConfiguration=way)
        key, content = log_file(system.account_id, f"file{number}", operation, now)

        # when a log file, and a file that the function's role may not read, appear in it
        s3.put_object(Bucket=TRAIL_BUCKET, Key=key, Body=content)
        s3.put_object(Bucket=TRAIL_BUCKET, Key=key.replace("CloudTrail/", "CloudTrail-Digest/"), Body=content)

        # then the use is in the ledger, by the feed's name
        seen.add(f"s3:{operation.lower()}")
        wait_for(lambda: seen <= set(system.ledger.read(who, since=since).entries), seconds=30.0)
    coverage = system.ledger.read_coverage(system.account_id, since=since)
    day = coverage.seen[now.date()]
    assert "trail" in day.feeds
    assert "eu-west-1" in day.regions  # that only the log files named
    assert system.settle(["TrailLogQueue"])
    assert bodies(system.local, system.outputs["TrailLogDeadLetterQueueUrl"]) == []


def port_is_open(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def processes_of(folder: str) -> list[str]:
    """The processes whose environment or command names a folder: the emulator and its Lambda workers."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:
            continue
        if folder.encode() in text:
            found.append(process.name)
    return found


def test_stop_leaves_nothing_behind() -> None:
    local = LocalAws.start()
    assert port_is_open(local.endpoint_url)
    assert processes_of(str(local.folder))
    local.stop()
    local.stop()
    assert not port_is_open(local.endpoint_url)
    assert not local.folder.exists()
    assert processes_of(str(local.folder)) == []


STARTER = """
import io, sys, time, zipfile
from infra.local.local_aws import LocalAws
local = LocalAws.start()
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as file:
    file.writestr("app.py", "def handle(event, context): return 1")
client = local.client("lambda")
client.create_function(FunctionName="f", Role=f"arn:aws:iam::{local.account_id}:role/r", Runtime="python3.13",
                       Handler="app.handle", Code={"ZipFile": archive.getvalue()})
client.invoke(FunctionName="f")
print(local.folder, local.endpoint_url, flush=True)
time.sleep(60)
"""


def test_nothing_is_left_when_the_parent_is_killed() -> None:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        [sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        folder, url = parent.stdout.readline().split()
        assert len(processes_of(folder)) >= 2
        parent.send_signal(signal.SIGKILL)
    wait_for(lambda: not Path(folder).exists() and not processes_of(folder) and not port_is_open(url))


def test_a_missing_environment_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LocalAwsError, match="make setup"):
        LocalAws.start(interpreter=tmp_path / "python")


def test_a_failing_start_shows_the_log_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    without_ministack = Path(sys.executable)
    with pytest.raises(LocalAwsError, match="found none"):
        LocalAws.start(interpreter=without_ministack, log_file=tmp_path / "log")
    assert list(temporary.iterdir()) == []
