"""Holds every resource of the rendered templates to the posture that docs/posture.md promises, new ones among them.

The ids in comments are those of checkov (CKV), of AWS Security Hub (SQS.1) and of cfn-lint's serverless rules (ES).
"""

import json
import re
from typing import Any

import pytest
import yaml

from infra.build.template import ROOT, load_template
from tests.unit.rendered_templates import Statement, as_list, branches, of_type, referred, rendered, statements

Resource = dict[str, Any]

DAY_SECONDS = 86_400
YEAR_DAYS = 365
OUR_KEY = "DataKeyArn"
TLS_ONLY = {"Bool": {"aws:SecureTransport": "false"}}
THE_ACCOUNT = {"Ref": "AWS::AccountId"}
ACCOUNT_ROOT = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}

PARAMETERS = load_template()["Parameters"]
USES = {
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
}
QUEUES = of_type("AWS::SQS::Queue")
FUNCTIONS = of_type("AWS::Lambda::Function")
MAPPINGS = of_type("AWS::Lambda::EventSourceMapping")
RULES = of_type("AWS::Events::Rule")
TABLES = of_type("AWS::DynamoDB::Table")
TOPICS = of_type("AWS::SNS::Topic")
LOG_GROUPS = of_type("AWS::Logs::LogGroup")
KEYS = of_type("AWS::KMS::Key")
ROLES = of_type("AWS::IAM::Role")
STATEMENTS = tuple(statements())

# The outbox: nothing in it is needed once it was told, so it goes with the stack.
GOES_WITH_THE_STACK = {"NotificationsTable"}
# No failed call of these is lost: AWS Config asks again within a day, the SSM document and the command wait for the
# answer. Each has an alarm on its errors.
ANSWERED = {"ConfigRuleFunction", "RemediationRequestFunction", "RestoreRequestFunction"}
# AWS documents no condition key that Lambda sets when it assumes an execution role: one here might lock every function
# out. No other account can misuse this trust, since a role can be passed to a function of its own account only.
TRUSTED_WITHOUT_CONDITION = {"lambda.amazonaws.com"}


def policies_of(queue_or_topic: str, kind: str, targets: str) -> list[str]:
    """Policies that stand on a queue or topic, by logical id."""
    return [
        name
        for name, body in of_type(kind).items()
        if queue_or_topic in {referred(one) for target in body[targets] for one in branches(target)}
    ]


def of_owner(owner: str) -> list[Statement]:
    return [statement for statement in STATEMENTS if statement.owner == owner]


def dead_letters_of(queue: str) -> str:
    return referred(QUEUES[queue]["RedrivePolicy"]["deadLetterTargetArn"])


# ---- queues: SQS.1, SQS.3, sqs-queue-no-public-access, CKV_AWS_27, ES6000


@pytest.mark.parametrize("queue", QUEUES)
def test_every_queue_is_encrypted_by_a_key_that_nobody_can_take_from_it(queue: str) -> None:
    assert QUEUES[queue]["SqsManagedSseEnabled"] is True
    assert "KmsMasterKeyId" not in QUEUES[queue], "EventBridge can't be held to our account by a key's policy"


@pytest.mark.parametrize("queue", QUEUES)
def test_every_queue_refuses_plain_http_and_lets_only_named_services_send(queue: str) -> None:
    (policy,) = policies_of(queue, "AWS::SQS::QueuePolicy", "Queues")
    denies = [statement.body for statement in of_owner(policy) if not statement.allows]
    assert [(deny["Principal"], deny["Action"], deny["Condition"]) for deny in denies] == [("*", "sqs:*", TLS_ONLY)]
    for statement in of_owner(policy):
        if statement.allows:
            assert statement.services, "nobody else, and never everybody"
            assert set(statement.body["Principal"]) == {"Service"}
            assert statement.actions == ["sqs:SendMessage"]
            assert statement.condition_keys & {"aws:SourceArn"}


@pytest.mark.parametrize("queue", QUEUES)
def test_every_queue_has_dead_letters_that_outlive_its_messages_or_is_where_they_end(queue: str) -> None:
    properties = QUEUES[queue]
    ends_here = "RedriveAllowPolicy" in properties
    assert ends_here == ("RedrivePolicy" not in properties)
    if ends_here:
        assert properties["MessageRetentionPeriod"] == 14 * DAY_SECONDS
        sources = {name for name in QUEUES if name != queue and "RedrivePolicy" in QUEUES[name]}
        feeding = {name for name in sources if dead_letters_of(name) == queue}
        expected = "byQueue" if feeding else "denyAll"
        assert properties["RedriveAllowPolicy"]["redrivePermission"] == expected
        assert len(properties["RedriveAllowPolicy"].get("sourceQueueArns", [])) == len(feeding)
    else:
        assert 5 <= properties["RedrivePolicy"]["maxReceiveCount"] <= 6
        kept = QUEUES[dead_letters_of(queue)]["MessageRetentionPeriod"]
        assert properties["MessageRetentionPeriod"] < kept, "a message keeps its age when it moves"


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_every_consumer_has_six_times_its_time_before_a_message_is_seen_again(mapping: str) -> None:
    properties = MAPPINGS[mapping]
    queue, function = QUEUES[referred(properties["EventSourceArn"])], FUNCTIONS[referred(properties["FunctionName"])]
    window = properties.get("MaximumBatchingWindowInSeconds", 0)
    if isinstance(window, dict):
        window = PARAMETERS[window["Ref"]]["MaxValue"]
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"] + window
    assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


# ---- rules and the bus: EventBridge.3, ES4000


@pytest.mark.parametrize("rule", RULES)
def test_every_target_of_a_rule_has_dead_letters_and_says_how_long_it_is_tried(rule: str) -> None:
    for target in RULES[rule]["Targets"]:
        dead_letters = referred(target["DeadLetterConfig"]["Arn"])
        assert 0 < target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= DAY_SECONDS
        assert 0 < target["RetryPolicy"]["MaximumRetryAttempts"] <= 185
        (policy,) = policies_of(dead_letters, "AWS::SQS::QueuePolicy", "Queues")
        (allow,) = (statement.body for statement in of_owner(policy) if statement.allows)
        sources = allow["Condition"]["ArnEquals"]["aws:SourceArn"]
        assert rule in {referred(one) for source in sources for one in branches(source)}


def test_every_bus_has_a_policy_that_only_refuses() -> None:
    for bus in of_type("AWS::Events::EventBus"):
        assert of_owner(bus)
        assert not [statement for statement in of_owner(bus) if statement.allows], "its own account needs none"


# ---- functions: Lambda.1, Lambda.2, CKV_AWS_45, 115, 116, 173, 363, 364, ES1001, ES1005-1007, WS1000, WS1003, WS1004


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_is_traced_bounded_and_keeps_its_variables_under_our_key(function: str) -> None:
    properties = FUNCTIONS[function]
    assert properties["Runtime"] in {"python3.13", "python3.14"}
    assert properties["TracingConfig"] == {"Mode": "Active"}
    assert 0 < properties["Timeout"] <= 900
    assert properties["MemorySize"] >= 512
    assert referred(properties["KmsKeyArn"]) == OUR_KEY
    assert not {name for name in rendered() if rendered()[name]["Type"] == "AWS::Lambda::Url"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_concurrency_of_its_own_that_its_queue_never_exceeds(function: str) -> None:
    condition, reserved, otherwise = FUNCTIONS[function]["ReservedConcurrentExecutions"]["Fn::If"]
    assert (condition, otherwise) == ("ConcurrencyReserved", {"Ref": "AWS::NoValue"})
    assert reserved >= 2
    for mapping in MAPPINGS.values():
        if referred(mapping["FunctionName"]) == function:
            assert 2 <= mapping["ScalingConfig"]["MaximumConcurrency"] <= reserved, "or Lambda burns receive counts"


def test_what_is_reserved_is_what_the_parameter_says_and_can_be_turned_off() -> None:
    parameter = PARAMETERS["ReserveConcurrency"]
    total = sum(properties["ReservedConcurrentExecutions"]["Fn::If"][1] for properties in FUNCTIONS.values())
    unreserved = 100  # what Lambda keeps for everybody else
    assert f"{total} in all" in parameter["Description"]
    assert f"under {total + unreserved}" in parameter["Description"]
    assert parameter["AllowedValues"] == ["true", "false"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_a_place_for_what_fails(function: str) -> None:
    queues = {referred(one["EventSourceArn"]) for one in MAPPINGS.values() if referred(one["FunctionName"]) == function}
    destinations = {
        referred(one["DestinationConfig"]["OnFailure"]["Destination"])
        for one in of_type("AWS::Lambda::EventInvokeConfig").values()
        if referred(one["FunctionName"]) == function
    }
    assert len(queues) + len(destinations) == (function not in ANSWERED)
    assert queues <= {queue for queue in QUEUES if "RedrivePolicy" in QUEUES[queue]}
    assert destinations <= {queue for queue in QUEUES if "RedriveAllowPolicy" in QUEUES[queue]}


def test_every_permission_to_invoke_names_one_service_and_one_source() -> None:
    for name, permission in of_type("AWS::Lambda::Permission").items():
        assert re.fullmatch(r"[a-z]+\.amazonaws\.com", permission["Principal"]), name
        assert permission["Action"] == "lambda:InvokeFunction"
        assert permission.get("SourceAccount") == THE_ACCOUNT or referred(permission["SourceArn"]) in RULES


# ---- tables: DynamoDB.1, .2, .6, CKV_AWS_28, 119


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_encrypted_by_our_key_and_can_be_restored(table: str) -> None:
    properties = TABLES[table]
    sse = properties["SSESpecification"]
    assert (sse["SSEEnabled"], sse["SSEType"], referred(sse["KMSMasterKeyId"])) == (True, "KMS", "DataKey")
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"


@pytest.mark.parametrize("table", TABLES)
def test_every_table_refuses_to_be_deleted_until_the_stack_says_otherwise(table: str) -> None:
    if table in GOES_WITH_THE_STACK:
        assert rendered()[table]["DeletionPolicy"] == "Delete"
        return
    assert TABLES[table]["DeletionProtectionEnabled"] == {"Fn::If": ["Protected", True, False]}
    deleted = [statement for statement in of_owner(table) if "dynamodb:DeleteTable" in statement.actions]
    assert [(one.body["Effect"], one.body["Principal"]) for one in deleted] == [("Deny", "*")]
    assert not [one for one in of_owner(table) if one.allows], "who may is said by roles alone"
    lifted = json.dumps(TABLES[table]["ResourcePolicy"])
    assert '"Fn::If": ["Protected"' in lifted, "or the stack could not be left"
    assert not re.search(r"(Put|Delete)ResourcePolicy|UpdateTable", lifted), "or nobody could lift it"


# ---- topics: CKV_AWS_26, ES7000


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_is_encrypted_by_our_key_and_refuses_plain_http(topic: str) -> None:
    assert referred(TOPICS[topic]["KmsMasterKeyId"]) == OUR_KEY
    (policy,) = policies_of(topic, "AWS::SNS::TopicPolicy", "Topics")
    denies = [statement.body for statement in of_owner(policy) if not statement.allows]
    assert [(deny["Principal"], deny["Action"], deny["Condition"]) for deny in denies] == [
        ("*", "sns:Publish", TLS_ONLY)
    ]
    for statement in of_owner(policy):
        if statement.allows:
            assert statement.services == ["cloudwatch.amazonaws.com"]
            assert statement.body["Condition"] == {"StringEquals": {"aws:SourceAccount": THE_ACCOUNT}}


def test_every_subscription_keeps_what_could_not_be_delivered() -> None:
    for name, subscription in of_type("AWS::SNS::Subscription").items():
        dead_letters = referred(subscription["RedrivePolicy"]["deadLetterTargetArn"])
        (policy,) = policies_of(dead_letters, "AWS::SQS::QueuePolicy", "Queues")
        (allow,) = (statement.body for statement in of_owner(policy) if statement.allows)
        sources = allow["Condition"]["ArnEquals"]["aws:SourceArn"]
        assert referred(subscription["TopicArn"]) in {referred(one) for arn in sources for one in branches(arn)}, name


# ---- logs: CKV_AWS_66, 158


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_logs_into_a_declared_group_under_our_key_for_a_year(function: str) -> None:
    group = LOG_GROUPS[referred(FUNCTIONS[function]["LoggingConfig"]["LogGroup"])]
    assert referred(group["KmsKeyId"]) == OUR_KEY
    assert PARAMETERS[referred(group["RetentionInDays"])]["Default"] >= YEAR_DAYS
    assert group["LogGroupName"]["Fn::Sub"].startswith("/aws/lambda/${AWS::StackName}-"), "which the key's policy names"


def test_no_log_group_is_there_but_those_of_the_functions() -> None:
    assert set(LOG_GROUPS) == {referred(body["LoggingConfig"]["LogGroup"]) for body in FUNCTIONS.values()}


# ---- secrets: SecretsManager.1, .4, CKV_AWS_149


def test_the_stack_holds_no_secret_and_reads_only_the_one_that_it_is_given() -> None:
    assert not [name for name, body in rendered().items() if body["Type"].startswith("AWS::SecretsManager::")]
    reading = [one for one in STATEMENTS if one.allows and any(a.startswith("secretsmanager:") for a in one.actions)]
    for statement in reading:
        if statement.owner != "RemediatorCap":  # a boundary grants nothing
            assert statement.actions == ["secretsmanager:GetSecretValue"]
            assert statement.body["Resource"] == {"Ref": "ProviderSecretArn"}


# ---- keys: CKV_AWS_7, 33


@pytest.mark.parametrize("key", KEYS)
def test_every_key_rotates_where_aws_can_and_outlives_what_it_encrypts(key: str) -> None:
    symmetric = KEYS[key].get("KeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
    assert KEYS[key].get("EnableKeyRotation", False) is symmetric
    assert KEYS[key]["PendingWindowInDays"] == 30
    assert rendered()[key]["DeletionPolicy"] == rendered()[key]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_for_the_account_and_for_services_that_act_in_its_name(key: str) -> None:
    for statement in of_owner(key):
        if statement.services:
            pinned = {"aws:SourceAccount", "aws:SourceArn"}, {"kms:EncryptionContext:aws:logs:arn"}
            assert statement.condition_keys in pinned
            assert "events.amazonaws.com" not in statement.services, "which names no source to AWS KMS"
            assert not [action for action in statement.actions if "*" in action]
        else:
            assert statement.body["Principal"] == ACCOUNT_ROOT, "which leaves it to IAM who may: nobody by itself"


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_role_uses_our_key_only_by_way_of_a_service_or_for_its_own_variables(role: str) -> None:
    attached = {referred(one) for arn in ROLES[role].get("ManagedPolicyArns", []) for one in branches(arn)}
    for statement in STATEMENTS:
        if statement.owner in {role, *attached} and OUR_KEY in json.dumps(statement.body.get("Resource")):
            assert set(statement.actions) <= USES, "and none that manages it"
            assert (
                len(statement.condition_keys & {"kms:ViaService", "kms:EncryptionContext:aws:lambda:FunctionArn"}) == 1
            )


def test_every_role_of_a_function_may_use_our_key() -> None:
    for function, properties in FUNCTIONS.items():
        role = ROLES[referred(properties["Role"])]
        assert {"Ref": "EncryptionPolicy"} in role["ManagedPolicyArns"], function


# ---- roles: IAM.1, IAM.21, CKV_AWS_60-63, 107-111


def test_every_function_has_a_role_of_its_own() -> None:
    roles = [referred(properties["Role"]) for properties in FUNCTIONS.values()]
    assert len(set(roles)) == len(roles)
    assert set(ROLES) - set(roles) == {"AutomationRole"}


def test_no_policy_of_any_kind_allows_an_action_by_pattern() -> None:
    assert len(STATEMENTS) > 100
    patterned = {(one.owner, action) for one in STATEMENTS if one.allows for action in one.actions if "*" in action}
    assert patterned == {(key, "kms:*") for key in KEYS}, "AWS's own way to leave a key to the account's IAM"
    assert not [one.owner for one in STATEMENTS if one.allows and {"NotAction", "NotPrincipal"} & set(one.body)]


@pytest.mark.parametrize("role", sorted(ROLES))
def test_no_role_holds_a_policy_that_aws_manages(role: str) -> None:
    """In no form: checkov doesn't see `!Sub arn:${AWS::Partition}:iam::aws:policy/ReadOnlyAccess`."""
    for arn in ROLES[role].get("ManagedPolicyArns", []):
        for one in branches(arn):
            assert set(one) == {"Ref"}, "no text, no Sub, no Join: only policies of this stack"
            assert rendered()[one["Ref"]]["Type"] == "AWS::IAM::ManagedPolicy"
    assert ROLES[role].get("PermissionsBoundary", {"Ref": "RemediatorCap"}) == {"Ref": "RemediatorCap"}


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_role_is_trusted_by_one_service_for_this_account(role: str) -> None:
    (trust,) = as_list(ROLES[role]["AssumeRolePolicyDocument"]["Statement"])
    assert (trust["Effect"], trust["Action"]) == ("Allow", "sts:AssumeRole")
    assert set(trust["Principal"]) == {"Service"}
    service = trust["Principal"]["Service"]
    if service in TRUSTED_WITHOUT_CONDITION:
        assert "Condition" not in trust
        assert role in {referred(properties["Role"]) for properties in FUNCTIONS.values()}
    else:
        assert trust["Condition"]["StringEquals"]["aws:SourceAccount"] == THE_ACCOUNT


# ---- what the linters are told to leave out, and the page that tells of all this


def test_everything_that_a_linter_leaves_out_has_its_reason_beside_it() -> None:
    for name in (".checkov.yaml", ".cfnlintrc"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        left_out = [number for number, line in enumerate(lines) if re.match(r"\s+- (CKV|[EW]S)\w*\d", line)]
        assert left_out
        for number in left_out:
            assert "#" in lines[number] or lines[number - 1].lstrip().startswith("# "), lines[number]
    skips = [
        skip for body in rendered().values() for skip in body.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]
    assert all(len(skip["comment"]) > 30 for skip in skips)


def test_checkov_looks_into_every_template() -> None:
    config = yaml.safe_load((ROOT / ".checkov.yaml").read_text(encoding="utf-8"))
    assert set(config["file"]) == {
        "template.yaml",
        *(f"infra/sam/{path.name}" for path in (ROOT / "infra/sam").glob("*.yaml")),
    }
    assert ".venv-checkov/bin/checkov --config-file .checkov.yaml" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_page_names_only_tests_that_exist_and_every_one_of_these() -> None:
    text = (ROOT / "docs" / "posture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    here = {name for name in globals() if name.startswith("test_")}
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert {name for name in named if f"def {name}(" not in sources} == set()
    assert here <= named
