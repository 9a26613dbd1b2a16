"""Holds template.yaml and its nested templates to the events table, the safety contract and the functions' settings."""

import importlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from infra.build.template import ROOT, environment_of, functions_of, handler_of, load_template, resources_of
from services.scorer.usage.outcome import Outcome, outcome_of
from shared.aws.journal import BY_STATUS
from shared.events import (
    EVENT_TYPES,
    ROUTES,
    AlarmChanged,
    ControlChanged,
    DomainEvent,
    IdentityEvaluated,
    PlanDue,
    RestorationDue,
    Service,
    SweepPaused,
)
from shared.settings import PREFIX, Settings

Resource = dict[str, Any]

TEMPLATE = load_template()
DATA = load_template(ROOT / "infra" / "sam" / "data.yaml")
RESOURCES: dict[str, Resource] = TEMPLATE["Resources"]
FUNCTIONS = functions_of(TEMPLATE)
RULES = resources_of(TEMPLATE, "AWS::Events::Rule")
QUEUES = resources_of(TEMPLATE, "AWS::SQS::Queue")
TABLES = resources_of(DATA, "AWS::DynamoDB::Table")
CAP = "RemediatorCap"
WORK_QUEUES = sorted(name for name in QUEUES if not name.endswith("DeadLetterQueue"))
DEAD_LETTER_QUEUES = sorted(set(QUEUES) - set(WORK_QUEUES))

DAY_SECONDS = 86_400
ALL_EVENTS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
TLS_ONLY = {"Bool": {"aws:SecureTransport": "false"}}
# The optional parts of the stack, by the condition that each has.
OPTIONAL = ("ConfigEnabled", "TrailLogsRead", "StrategyReplaces", "DocumentAsks")
# Made inside the auditor, of what AWS tells: whoever may put events on the bus must not be able to make them up.
MADE_BY_THE_AUDITOR: set[type[DomainEvent]] = {AlarmChanged, ControlChanged}
# The one table of which nothing is needed once it was told.
PASSING = "NotificationsTable"
COMBINED = {"DocumentAsksByEmail": ("DocumentAsks", "HasEmail")}
DATA_KEY = {"Fn::GetAtt": ["Data", "Outputs.DataKeyArn"]}
BUCKET_OWNER = {"Fn::If": ["TrailLogBucketIsOurs", {"Ref": "AWS::AccountId"}, {"Ref": "TrailLogBucketAccountId"}]}

# The rules of our bus for each service, and the queue that each fills.
CONSUMERS = {
    Service.SCORER: {"ScorerEventsRule": "ScoreQueue"},
    Service.EVALUATOR: {"EvaluatorEventsRule": "EvaluatorQueue"},
    Service.REMEDIATOR: {
        "RemediatorEventsRule": "RemediationQueue",
        "PlanDueRule": "RemediationQueue",
        "RestorationDueRule": "RestoreQueue",
    },
    Service.AUDITOR: {"AuditorEventsRule": "AuditQueue"},
}
# Codes by which a caller is refused, without what services put before and behind.
REFUSALS = (
    "AccessDenied",
    "Authorization",
    "Forbidden",
    "InsufficientPrivileges",
    "NotAuthorized",
    "Unauthorized",
    "UnauthorizedAccess",
    "UnauthorizedOperation",
)
REMEDIATOR_RULES: dict[str, type[DomainEvent]] = {
    "RemediatorEventsRule": IdentityEvaluated,
    "PlanDueRule": PlanDue,
    "RestorationDueRule": RestorationDue,
}
# The functions of a schedule, and the rules that may start each.
SCHEDULED = {
    "SweepFunction": ("SweepRule", "SweepPausedRule"),
    "ReconcileFunction": ("ReconcileRule",),
    "NotifyFunction": ("NotifyRule",),
    "AnchorFunction": ("AnchorRule",),
}

# Settings class of each function: module and name. Its fields are the function's LEASTWISE_ variables, exactly.
SETTINGS: dict[str, tuple[str, str]] = {
    "UsageFunction": ("services.scorer.settings", "UsageSettings"),
    "TrailLogFunction": ("services.scorer.settings", "TrailLogSettings"),
    "ScoreFunction": ("services.scorer.settings", "ScoreSettings"),
    "SweepFunction": ("services.scorer.settings", "SweepSettings"),
    "ConfigRuleFunction": ("services.evaluator.settings", "VerdictSettings"),
    "EvaluateFunction": ("services.evaluator.settings", "EvaluateSettings"),
    "RemediateFunction": ("services.remediator.settings", "RemediationSettings"),
    "RemediationRequestFunction": ("services.remediator.settings", "RemediationSettings"),
    "RestoreFunction": ("services.remediator.settings", "RemediationSettings"),
    "RestoreRequestFunction": ("services.remediator.settings", "RemediationSettings"),
    "ReconcileFunction": ("services.remediator.settings", "RemediationSettings"),
    "AuditFunction": ("services.auditor.settings", "AuditSettings"),
    "NotifyFunction": ("services.auditor.settings", "NotifySettings"),
    "AnchorFunction": ("services.auditor.settings", "AnchorSettings"),
}
CHANGING = {"RemediateFunction", "RemediationRequestFunction", "RestoreFunction", "RestoreRequestFunction"}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def attribute(resource: str, name: str = "Arn") -> Resource:
    return {"Fn::GetAtt": [resource, name]}


def referred(value: Any) -> str:
    """Logical id that a Ref or GetAtt names."""
    reference = value.get("Ref") or value["Fn::GetAtt"][0]
    assert isinstance(reference, str)
    return reference


def unconditional(values: list[Any]) -> list[Any]:
    """List entries with each `!If [condition, value, NoValue]` replaced by its value."""
    return [value["Fn::If"][1] if "Fn::If" in value else value for value in values]


def statements_of(document: Resource) -> list[Resource]:
    return unconditional(document["Statement"])


def role_statements(role: str) -> list[Resource]:
    """Every statement in force for a role: its own and those of the stack's managed policies attached to it."""
    properties = RESOURCES[role]["Properties"]
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    documents += [
        RESOURCES[referred(arn)]["Properties"]["PolicyDocument"]
        for arn in unconditional(properties.get("ManagedPolicyArns", []))
    ]
    return [statement for document in documents for statement in statements_of(document)]


def function_statements(function: str) -> list[Resource]:
    return role_statements(referred(FUNCTIONS[function]["Properties"]["Role"]))


def allowed_actions(function: str) -> set[str]:
    return {a for s in function_statements(function) if s["Effect"] == "Allow" for a in as_list(s["Action"])}


def all_policy_documents() -> Iterator[tuple[str, Resource]]:
    for name, resource in RESOURCES.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            yield name, properties["PolicyDocument"]
        for policy in properties.get("Policies", []) if resource["Type"] == "AWS::IAM::Role" else []:
            yield name, policy["PolicyDocument"]


def queue_event_of(function: str) -> Resource | None:
    events = FUNCTIONS[function]["Properties"].get("Events", {})
    return next((event["Properties"] for event in events.values() if event["Type"] == "SQS"), None)


def consumer_of(queue: str) -> str:
    owners = [name for name in FUNCTIONS if (event := queue_event_of(name)) and referred(event["Queue"]) == queue]
    assert len(owners) == 1, f"{queue} must have exactly one consumer"
    return owners[0]


def service_of(function: str) -> Service:
    return Service(handler_of(TEMPLATE, function)[0].split(".")[1])


def rules_into(queue: str) -> set[str]:
    return {name for name, rule in RULES.items() for t in rule["Properties"]["Targets"] if referred(t["Arn"]) == queue}


# ---- events


@pytest.mark.parametrize("service", CONSUMERS, ids=str)
def test_given_the_routes_when_a_service_consumes_then_its_rules_match_exactly_those_events(service: Service) -> None:
    consumed = {event for event, route in ROUTES.items() if service in route.consumers}
    consumed -= MADE_BY_THE_AUDITOR
    if service is Service.SCORER:
        consumed.remove(SweepPaused)  # goes to the sweep itself, held by a test of its own
    rules = CONSUMERS[service]
    patterns = {rule: RULES[rule]["Properties"]["EventPattern"] for rule in rules}
    types = [event for pattern in patterns.values() for event in pattern["detail-type"]]

    assert sorted(types) == sorted(event.type_name() for event in consumed)
    for rule, queue in rules.items():
        events = {event for event in consumed if event.type_name() in patterns[rule]["detail-type"]}
        producers = {producer.source for event in events for producer in ROUTES[event].producers}
        assert sorted(patterns[rule]["source"]) == sorted(producers)
        assert [referred(target["Arn"]) for target in RULES[rule]["Properties"]["Targets"]] == [queue]
        assert service_of(consumer_of(queue)) is service


def test_given_the_remediators_events_when_they_come_then_each_goes_to_the_function_with_that_duty() -> None:
    for rule, event in REMEDIATOR_RULES.items():
        assert RULES[rule]["Properties"]["EventPattern"]["detail-type"] == [event.type_name()]
    assert consumer_of("RemediationQueue") == "RemediateFunction"
    assert consumer_of("RestoreQueue") == "RestoreFunction"


def test_given_our_bus_when_its_rules_are_listed_then_there_are_those_of_the_consumers_and_no_other() -> None:
    on_our_bus = {name for name, rule in RULES.items() if "EventBusName" in rule["Properties"]}
    assert on_our_bus == {rule for rules in CONSUMERS.values() for rule in rules} | {"SweepPausedRule"}
    assert all(RULES[rule]["Properties"]["EventBusName"] == {"Ref": "EventBus"} for rule in on_our_bus)


def test_given_a_sweep_that_paused_when_it_says_so_then_the_sweep_goes_on_and_nobody_else_may_ask() -> None:
    pattern = RULES["SweepPausedRule"]["Properties"]["EventPattern"]
    assert ROUTES[SweepPaused].producers == {Service.SCORER}
    assert (pattern["source"], pattern["detail-type"]) == (["leastwise.scorer"], ["SweepPaused"])


@pytest.mark.parametrize("function", SCHEDULED)
def test_given_a_scheduled_function_when_it_is_due_then_only_its_rules_may_start_it_and_failures_are_kept(
    function: str,
) -> None:
    permissions = resources_of(TEMPLATE, "AWS::Lambda::Permission")
    for rule in SCHEDULED[function]:
        assert [referred(target["Arn"]) for target in RULES[rule]["Properties"]["Targets"]] == [function]
        permission = permissions[f"{rule}Permission"]["Properties"]
        assert permission["FunctionName"] == {"Ref": function}
        assert (permission["Principal"], permission["SourceArn"]) == ("events.amazonaws.com", attribute(rule))
    dead_letters = f"{function.removesuffix('Function')}DeadLetterQueue"
    kept = FUNCTIONS[function]["Properties"]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
    assert kept == {"Type": "SQS", "Destination": attribute(dead_letters)}
    assert {"sqs:SendMessage"} <= allowed_actions(function)


def test_given_an_inventory_when_it_is_read_then_by_the_sweep_and_by_the_one_call_that_its_source_needs() -> None:
    reads = {"config:SelectResourceConfig", "config:SelectAggregateResourceConfig"}
    assert {name for name in FUNCTIONS if allowed_actions(name) & reads} == {"SweepFunction"}
    conditional = {
        statement["Fn::If"][1]["Action"]: statement["Fn::If"][0]
        for policy in RESOURCES["SweepRole"]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "Fn::If" in statement and statement["Fn::If"][1]["Action"] in list(reads)
    }
    assert conditional == {
        "config:SelectResourceConfig": "InventoryOfAccount",
        "config:SelectAggregateResourceConfig": "InventoryOfAggregator",
    }


def test_given_the_auditor_when_events_are_published_then_it_hears_every_type_that_is_not_its_own_making() -> None:
    heard = set(RULES["AuditorEventsRule"]["Properties"]["EventPattern"]["detail-type"])
    assert heard == set(EVENT_TYPES) - {event.type_name() for event in MADE_BY_THE_AUDITOR}


def test_given_the_routes_when_a_function_may_publish_then_only_as_its_own_service_which_is_a_producer() -> None:
    producers = {producer for route in ROUTES.values() for producer in route.producers} - {Service.COMMAND}
    publishing = set()
    for function in FUNCTIONS:
        for statement in function_statements(function):
            if statement["Effect"] == "Allow" and "events:PutEvents" in as_list(statement["Action"]):
                assert statement["Resource"] == attribute("EventBus")
                assert statement["Condition"] == {"StringEquals": {"events:source": service_of(function).source}}
                publishing.add(service_of(function))
    assert publishing == producers


@pytest.mark.parametrize("rule", sorted(RULES))
def test_given_a_rule_when_it_matches_then_source_and_account_are_pinned_and_undelivered_events_are_kept(
    rule: str,
) -> None:
    properties = RULES[rule]["Properties"]
    if "EventPattern" in properties:
        account = BUCKET_OWNER if rule == "TrailLogsRule" else {"Ref": "AWS::AccountId"}
        assert properties["EventPattern"]["account"] == [account]
        assert properties["EventPattern"]["source"]
        assert properties["EventPattern"]["detail-type"]
    for target in properties["Targets"]:
        assert target["DeadLetterConfig"] == {"Arn": attribute("RuleDeadLetterQueue")}
        assert set(target["RetryPolicy"]) == {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"}


def test_given_rule_states_when_cloudtrail_delivers_then_reads_reach_the_ledger_and_no_rule_is_off() -> None:
    states = {name: rule["Properties"]["State"] for name, rule in RULES.items()}
    with_reads = {name for name, state in states.items() if state == ALL_EVENTS}
    assert with_reads == {"ManagementEventsRule", "IamChangesRule", "RefusedCallsRule"}
    assert {state for name, state in states.items() if name not in with_reads} == {"ENABLED"}
    assert all("EventBusName" not in RULES[name]["Properties"] for name in with_reads)


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("form", ["{}", "Client.{}", "{}Exception", "{}Error", "Client.{}Fault"])
def test_given_a_refused_call_when_it_is_logged_then_the_watch_hears_of_it(code: str, form: str) -> None:
    (prefixes,) = RULES["RefusedCallsRule"]["Properties"]["EventPattern"]["detail"].values()
    ours = [prefix["prefix"]["equals-ignore-case"].lower() for prefix in prefixes]
    assert outcome_of(form.format(code), "s3.amazonaws.com") is Outcome.DENIED
    assert form.format(code).lower().startswith(tuple(ours))
    assert not "ThrottlingException".lower().startswith(tuple(ours))


def test_given_failed_iam_calls_when_they_are_logged_then_they_are_no_change() -> None:
    detail = RULES["IamChangesRule"]["Properties"]["EventPattern"]["detail"]
    assert detail["errorCode"] == [{"exists": False}]
    assert detail["eventSource"] == ["iam.amazonaws.com"]
    prefixes = [entry["prefix"] for entry in detail["eventName"]]
    assert not [prefix for prefix in prefixes if re.match("Get|List|Generate|Simulate", prefix)]


# ---- queues


@pytest.mark.parametrize("queue", WORK_QUEUES)
def test_given_a_work_queue_when_messages_fail_then_they_outlive_it_in_its_own_dead_letter_queue(queue: str) -> None:
    properties = QUEUES[queue]["Properties"]
    dead_letters = f"{queue.removesuffix('Queue')}DeadLetterQueue"
    assert properties["RedrivePolicy"] == {"deadLetterTargetArn": attribute(dead_letters), "maxReceiveCount": 5}
    assert properties["MessageRetentionPeriod"] == 4 * DAY_SECONDS
    assert QUEUES[dead_letters]["Properties"]["MessageRetentionPeriod"] == 14 * DAY_SECONDS

    allowed = QUEUES[dead_letters]["Properties"]["RedriveAllowPolicy"]
    name = properties["QueueName"]["Fn::Sub"]
    assert allowed["redrivePermission"] == "byQueue"
    (source,) = allowed["sourceQueueArns"]
    assert source["Fn::Sub"].endswith(f":{name}")


@pytest.mark.parametrize("queue", WORK_QUEUES)
def test_given_a_consumer_when_it_works_at_its_slowest_then_its_messages_stay_invisible(queue: str) -> None:
    function = consumer_of(queue)
    event = queue_event_of(function)
    assert event is not None
    window = event.get("MaximumBatchingWindowInSeconds", 0)
    if isinstance(window, dict):
        window = TEMPLATE["Parameters"][window["Ref"]]["MaxValue"]
    timeout = FUNCTIONS[function]["Properties"]["Timeout"]
    assert QUEUES[queue]["Properties"]["VisibilityTimeout"] >= 6 * timeout + window
    assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert 2 <= event["ScalingConfig"]["MaximumConcurrency"] <= 5
    assert {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"} <= allowed_actions(function)


@pytest.mark.parametrize("queue", sorted(QUEUES))
def test_given_a_queue_when_someone_speaks_to_it_then_only_over_tls_and_only_its_own_rules_may_send(queue: str) -> None:
    policies = [
        resource["Properties"]["PolicyDocument"]
        for resource in resources_of(TEMPLATE, "AWS::SQS::QueuePolicy").values()
        if {"Ref": queue} in unconditional(resource["Properties"]["Queues"])
    ]
    assert len(policies) == 1, "a second policy would replace the first"
    statements = statements_of(policies[0])
    denies = [statement for statement in statements if statement["Effect"] == "Deny"]
    assert [(deny["Principal"], deny["Action"], deny["Condition"]) for deny in denies] == [("*", "sqs:*", TLS_ONLY)]

    senders: set[str] = set()
    for statement in statements:
        if statement["Effect"] == "Allow":
            assert statement["Action"] == "sqs:SendMessage"
            if queue == "TrailLogQueue" and statement["Principal"] != {"Service": "events.amazonaws.com"}:
                continue  # held by the next test
            if queue == "TopicDeadLetterQueue":
                continue  # held by the one after that
            assert statement["Principal"] == {"Service": "events.amazonaws.com"}
            assert set(statement["Condition"]) == {"ArnEquals"}
            senders |= {referred(arn) for arn in unconditional(statement["Condition"]["ArnEquals"]["aws:SourceArn"])}
    assert senders == (set(RULES) if queue == "RuleDeadLetterQueue" else rules_into(queue))


def test_given_the_queue_of_log_files_when_s3_or_sns_sends_then_only_for_one_bucket_of_one_owner_or_one_topic() -> None:
    document = RESOURCES["TrailLogQueuePolicy"]["Properties"]["PolicyDocument"]
    allows = [statement for statement in statements_of(document) if statement["Effect"] == "Allow"]
    conditions = {statement["Principal"]["Service"]: statement["Condition"] for statement in allows}
    assert len(allows) == len(conditions), "a second statement for a sender may be wider"
    bucket = {"Fn::Sub": "arn:${AWS::Partition}:s3:::${TrailLogBucketName}"}
    assert conditions["s3.amazonaws.com"] == {
        "ArnEquals": {"aws:SourceArn": bucket},
        "StringEquals": {"aws:SourceAccount": BUCKET_OWNER},
    }
    assert conditions["sns.amazonaws.com"] == {"ArnEquals": {"aws:SourceArn": {"Ref": "TrailLogTopicArn"}}}
    assert set(conditions) == {"events.amazonaws.com", "s3.amazonaws.com", "sns.amazonaws.com"}


def test_given_a_message_to_people_when_sns_cannot_deliver_it_then_it_is_kept_and_nobody_else_may_send_there() -> None:
    document = RESOURCES["TopicDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]
    (allow,) = (statement for statement in statements_of(document) if statement["Effect"] == "Allow")
    assert (allow["Principal"], allow["Action"]) == ({"Service": "sns.amazonaws.com"}, "sqs:SendMessage")
    assert set(allow["Condition"]) == {"ArnEquals"}
    senders = {referred(arn) for arn in unconditional(allow["Condition"]["ArnEquals"]["aws:SourceArn"])}
    assert senders == set(resources_of(TEMPLATE, "AWS::SNS::Topic"))


# ---- permissions


@pytest.mark.parametrize(("owner", "document"), list(all_policy_documents()))
def test_given_a_policy_when_it_allows_then_actions_are_named_and_stars_are_unavoidable(
    owner: str, document: Resource
) -> None:
    for statement in statements_of(document):
        assert "NotAction" not in statement
        assert not [action for action in as_list(statement["Action"]) if "*" in action], owner
        if statement["Effect"] == "Allow" and statement["Resource"] == "*" and owner != CAP:
            assert set(as_list(statement["Action"])) <= {
                "cloudtrail:DescribeTrails",
                "config:PutEvaluations",
                "config:SelectResourceConfig",
                "access-analyzer:CheckNoNewAccess",
                "access-analyzer:ValidatePolicy",
                "iam:GetAccountAuthorizationDetails",
                "iam:GetAccountSummary",
                "iam:GetServiceLastAccessedDetails",
                "iam:ListPolicies",
                "xray:PutTelemetryRecords",
                "xray:PutTraceSegments",
            }, "these know no narrower resource; others do"


def test_given_the_roles_when_they_are_listed_then_each_function_has_its_own_under_the_protected_path() -> None:
    roles = resources_of(TEMPLATE, "AWS::IAM::Role")
    used = [referred(function["Properties"]["Role"]) for function in FUNCTIONS.values()]
    assert len(set(used)) == len(used)
    assert set(used) | {"AutomationRole"} == set(roles)
    assert all(role["Properties"]["Path"] == "/leastwise/" for role in roles.values())
    assert "arn:aws:iam::aws:policy" not in json.dumps(RESOURCES)
    assert not re.search(r"(Administrator|ReadOnly|FullAccess|PowerUser)", json.dumps(RESOURCES))
    attached = [
        arn for role in roles.values() for arn in unconditional(role["Properties"].get("ManagedPolicyArns", []))
    ]
    assert {RESOURCES[referred(arn)]["Type"] for arn in attached} == {"AWS::IAM::ManagedPolicy"}


def test_given_our_managed_policies_when_the_remediator_deletes_under_its_path_then_they_are_outside() -> None:
    for policy in resources_of(TEMPLATE, "AWS::IAM::ManagedPolicy").values():
        assert not {"Path", "ManagedPolicyName"} & set(policy["Properties"])


def test_given_iam_when_functions_may_write_to_it_then_only_the_remediators_under_its_cap() -> None:
    """What exactly they may do, tests/unit/test_blast_radius.py tells."""
    writers = {
        name for name in FUNCTIONS if any(re.match(r"iam:(?!Get|List|Generate)", a) for a in allowed_actions(name))
    }
    assert writers == CHANGING | {"ReconcileFunction"}
    capped = {
        name
        for name, function in FUNCTIONS.items()
        if "PermissionsBoundary" in RESOURCES[referred(function["Properties"]["Role"])]["Properties"]
    }
    assert capped == {name for name in FUNCTIONS if service_of(name) is Service.REMEDIATOR}
    granted = [name for name, role in resources_of(TEMPLATE, "AWS::IAM::Role").items() if CAP in managed_of(role)]
    assert granted == [], "it is a boundary, not a grant"


def managed_of(role: Resource) -> set[str]:
    return {referred(arn) for arn in unconditional(role["Properties"].get("ManagedPolicyArns", []))}


def test_given_what_was_taken_when_it_is_given_back_then_by_the_two_functions_that_take_nothing() -> None:
    may_restore = {name for name in FUNCTIONS if environment_of(TEMPLATE, name).get("LEASTWISE_MAY_RESTORE") == "true"}
    assert may_restore == {"RestoreFunction", "RestoreRequestFunction"}
    duties = {name: managed_of(RESOURCES[referred(FUNCTIONS[name]["Properties"]["Role"])]) for name in CHANGING}
    for name, policies in duties.items():
        gives = {"GiveBackPolicy", "PutBackPolicy"} <= policies
        takes = {"TakeAwayPolicy", "ReplacePolicy"} <= policies
        assert (gives, takes) == (name in may_restore, name not in may_restore)
    assert {RESOURCES[name]["Condition"] for name in ("ReplacePolicy", "PutBackPolicy")} == {"StrategyReplaces"}


def test_given_the_log_files_when_functions_read_buckets_then_one_does_and_only_log_files_of_the_trail() -> None:
    asking = {"ScoreFunction", "SweepFunction", "RemediateFunction", "RemediationRequestFunction"}
    readers = {
        name
        for name in FUNCTIONS
        for statement in function_statements(name)
        if statement["Resource"] != DATA_KEY
        and any(a.startswith(("s3:", "kms:")) for a in as_list(statement["Action"]))
    }
    assert readers - asking == {"TrailLogFunction", "AnchorFunction"}, (
        "what the second may do, test_blast_radius_auditor.py tells"
    )
    assert not [name for name in asking if any(a.startswith("s3:") for a in allowed_actions(name))]
    own = [s for s in function_statements("TrailLogFunction") if s["Resource"] != DATA_KEY]
    statements = {tuple(as_list(s["Action"])): s for s in own}
    files = statements[("s3:GetObject", "s3:GetObjectVersion")]
    bucket = "arn:${AWS::Partition}:s3:::${TrailLogBucketName}"
    assert [arn["Fn::Sub"] for arn in files["Resource"]] == [
        f"{bucket}/AWSLogs/*/CloudTrail/*",
        f"{bucket}/*/AWSLogs/*/CloudTrail/*",
    ]
    decrypt = statements[("kms:Decrypt",)]
    assert decrypt["Resource"] == {"Ref": "TrailLogKmsKeyArn"}
    assert set(decrypt["Condition"]["StringEquals"]) == {"kms:ViaService"}


def test_given_the_audit_trail_when_functions_write_to_it_then_only_the_auditor_and_only_by_adding() -> None:
    holders = {name: actions_on(name, "AuditTableArn") for name in FUNCTIONS if actions_on(name, "AuditTableArn")}
    reads = {"dynamodb:GetItem", "dynamodb:Query"}
    assert holders == {"AuditFunction": reads | {"dynamodb:PutItem"}, "AnchorFunction": {"dynamodb:Query"}}
    denied = {a for s in function_statements("AuditFunction") if s["Effect"] == "Deny" for a in s["Action"]}
    assert {"dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"} <= denied


def test_given_the_tables_when_functions_hold_them_then_only_the_outbox_ever_loses_items() -> None:
    adding = {f"dynamodb:{call}" for call in ("BatchGetItem", "GetItem", "PutItem", "Query")}
    outbox = f"{PASSING}Arn"
    for function in FUNCTIONS:
        on_tables = {action for action in allowed_actions(function) if action.startswith("dynamodb:")}
        assert on_tables - adding <= actions_on(function, outbox)
    tellers = {name for name in FUNCTIONS if actions_on(name, outbox)}
    assert tellers == {"AuditFunction", "NotifyFunction"}


def actions_on(function: str, attribute_name: str) -> set[str]:
    """What a function may do to the resource of the nested stack that this output names."""
    return {
        action
        for statement in function_statements(function)
        if statement["Effect"] == "Allow" and f"Outputs.{attribute_name}" in json.dumps(statement["Resource"])
        for action in as_list(statement["Action"])
    }


def test_given_the_ssm_document_when_it_runs_then_its_role_can_only_ask_the_remediator_and_the_approvers() -> None:
    allowed = [(s["Action"], s["Resource"]) for s in role_statements("AutomationRole")]
    mode = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${ModeParameter}"
    assert allowed == [
        ("lambda:InvokeFunction", attribute("RemediationRequestFunction")),
        ("ssm:GetParameter", {"Fn::Sub": mode}),
        ("sns:Publish", {"Ref": "ApprovalTopic"}),
        (["kms:Decrypt", "kms:GenerateDataKey"], DATA_KEY),
    ]
    own = RESOURCES["AutomationRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert [statement.get("Fn::If", [""])[0] for statement in own] == ["", *["DocumentAsks"] * 3]
    trust = RESOURCES["AutomationRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert [s["Principal"] for s in trust] == [{"Service": "ssm.amazonaws.com"}]
    assert trust[0]["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


def document_steps() -> tuple[list[Resource], list[Resource]]:
    """Steps of the SSM document with approvers, and without."""
    condition, asking, plain = RESOURCES["RemediationDocument"]["Properties"]["Content"]["mainSteps"]["Fn::If"]
    assert condition == "DocumentAsks"
    return asking, plain


def test_given_no_approvers_when_the_document_runs_then_its_one_step_remediates() -> None:
    asking, (step,) = document_steps()
    assert step["onFailure"] == "Abort"
    assert step["timeoutSeconds"] <= 300, "the most that this action allows"
    assert step["inputs"]["InputPayload"] == {
        "action": "remediate",
        "resource_id": "{{ ResourceId }}",
        "trigger": "ssm",
    }
    assert asking[-1] == step


def test_given_approvers_when_the_mode_is_approve_then_nothing_is_remediated_before_they_said_yes() -> None:
    steps = {step["name"]: step for step in document_steps()[0]}
    assert list(steps) == ["ReadMode", "Choose", "Propose", "Approve", "Remediate"]
    assert not any({"nextStep", "isEnd"} & set(steps[name]) for name in ("Propose", "Approve")), "no way round"
    choice = steps["Choose"]["inputs"]
    assert choice["Choices"] == [{"NextStep": "Propose", "Variable": "{{ ReadMode.Mode }}", "StringEquals": "approve"}]
    assert choice["Default"] == "Remediate"
    assert steps["ReadMode"]["inputs"]["Name"] == {"Ref": "ModeParameter"}
    assert steps["Propose"]["inputs"]["InputPayload"]["action"] == "propose"
    approval = steps["Approve"]
    assert approval["onFailure"] == "Abort"
    assert approval["inputs"]["Approvers"] == {"Fn::Split": [",", {"Ref": "RemediationApprovers"}]}
    assert "{{ ResourceId }}" in approval["inputs"]["Message"]
    topic = RESOURCES["ApprovalTopic"]["Properties"]["TopicName"]["Fn::Sub"]
    assert topic.startswith("Automation"), "Systems Manager asks through no other topic"


def test_given_services_that_invoke_when_they_are_permitted_then_each_is_pinned_to_us() -> None:
    for permission in resources_of(TEMPLATE, "AWS::Lambda::Permission").values():
        properties = permission["Properties"]
        assert (
            properties.get("SourceAccount") == {"Ref": "AWS::AccountId"} or referred(properties["SourceArn"]) in RULES
        )


# ---- functions


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_given_a_function_when_it_is_deployed_then_it_is_built_traced_and_its_log_is_its_own(function: str) -> None:
    body = FUNCTIONS[function]
    properties = TEMPLATE["Globals"]["Function"] | body["Properties"]
    assert body["Metadata"] == {"BuildMethod": "makefile"}
    assert properties["Runtime"] == "python3.13"
    assert properties["Architectures"] == [{"Ref": "Architecture"}]
    assert properties["Tracing"] == "Active"
    assert properties["MemorySize"] >= 512
    assert 0 < properties["Timeout"] <= 900
    group = referred(properties["LoggingConfig"]["LogGroup"])
    assert RESOURCES[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    logs = [s for s in function_statements(function) if any(a.startswith("logs:") for a in as_list(s["Action"]))]
    assert [statement["Resource"] for statement in logs] == [attribute(group)]
    assert environment_of(TEMPLATE, function)["POWERTOOLS_SERVICE_NAME"] == service_of(function).value


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_given_settings_when_a_function_starts_then_its_variables_are_exactly_their_fields(function: str) -> None:
    module, name = SETTINGS[function]
    settings = getattr(importlib.import_module(module), name)
    assert issubclass(settings, Settings)
    variables = {name for name in environment_of(TEMPLATE, function) if name.startswith(PREFIX)}
    assert variables == {f"{PREFIX}{field.upper()}" for field in settings.model_fields}


# ---- data, AWS Config, parameters


@pytest.mark.parametrize("table", sorted(TABLES))
def test_given_a_table_when_the_stack_goes_then_its_data_stays_but_for_the_outbox(table: str) -> None:
    body = TABLES[table]
    kept = table != PASSING
    assert body["DeletionPolicy"] == body["UpdateReplacePolicy"] == ("Retain" if kept else "Delete")
    properties = body["Properties"]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["DeletionProtectionEnabled"] == ({"Fn::If": ["Protected", True, False]} if kept else False)
    assert [key["AttributeName"] for key in properties["KeySchema"]] == ["pk", "sk"]


def test_given_the_retention_when_the_window_is_as_long_as_allowed_then_nothing_in_it_was_forgotten() -> None:
    parameters = TEMPLATE["Parameters"]
    assert parameters["LedgerRetentionDays"]["MinValue"] > parameters["WindowDays"]["MaxValue"]
    assert TABLES["UsageTable"]["Properties"]["TimeToLiveSpecification"]["Enabled"] is True
    expiring = {name for name in TABLES if "TimeToLiveSpecification" in TABLES[name]["Properties"]}
    assert expiring == {"UsageTable", "ScoresTable", PASSING}, "the audit trail and the journal are for good"


def test_given_the_journal_when_plans_are_looked_for_then_its_index_finds_them_by_status_and_time() -> None:
    name, *keys = BY_STATUS
    (index,) = TABLES["JournalTable"]["Properties"]["GlobalSecondaryIndexes"]
    assert (index["IndexName"], [key["AttributeName"] for key in index["KeySchema"]]) == (name, keys)
    readers = {one for one in FUNCTIONS if f"/index/{name}" in json.dumps(function_statements(one))}
    assert readers == {one for one in FUNCTIONS if service_of(one) is Service.REMEDIATOR}


@pytest.mark.parametrize("condition", OPTIONAL)
def test_given_an_optional_part_when_it_is_off_then_nothing_refers_to_it(condition: str) -> None:
    conditional = {name for name, body in RESOURCES.items() if body.get("Condition") == condition}
    assert conditional
    assert not conditional & references_without_condition(condition)


def test_given_no_trail_logs_when_the_stack_is_deployed_then_nothing_of_them_exists() -> None:
    of_trail_logs = {name for name in RESOURCES if name.startswith("TrailLog")}
    assert of_trail_logs == {name for name, body in RESOURCES.items() if body.get("Condition") == "TrailLogsRead"}
    assert TEMPLATE["Parameters"]["TrailLogBucketName"]["Default"] == ""


def test_given_no_aws_config_when_the_stack_is_deployed_then_nothing_of_it_exists() -> None:
    conditional = {name for name, body in RESOURCES.items() if body.get("Condition") == "ConfigEnabled"}
    config_types = {name for name, body in RESOURCES.items() if body["Type"].startswith("AWS::Config::")}
    of_config = {
        name for name, r in RULES.items() if r["Properties"].get("EventPattern", {}).get("source") == ["aws.config"]
    }
    assert config_types | of_config <= conditional
    assert "ConfigRuleFunction" in conditional


def references_without_condition(condition: str) -> set[str]:
    """Logical ids referred to where a condition doesn't hold."""
    found: set[str] = set()
    holding = {condition, *(name for name, parts in COMBINED.items() if condition in parts)}

    def visit(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                visit(item)
        elif isinstance(value, dict):
            if value.get("Fn::If", [None])[0] == condition:
                visit(value["Fn::If"][2])
            elif value.get("Condition") in list(holding):
                return
            elif "Ref" in value:
                found.add(value["Ref"])
            elif "Fn::GetAtt" in value:
                found.add(value["Fn::GetAtt"][0])
            else:
                for item in value.values():
                    visit(item)

    visit(RESOURCES)
    visit(TEMPLATE["Outputs"])
    return found


def test_given_verdicts_when_aws_config_is_on_then_each_reaches_the_remediator_once() -> None:
    detail = RULES["RemediatorEventsRule"]["Properties"]["EventPattern"]["detail"]
    assert detail == {"Fn::If": ["ConfigEnabled", {"repeated": [True]}, {"Ref": "AWS::NoValue"}]}
    compliance = RULES["ComplianceChangeRule"]["Properties"]["EventPattern"]["detail"]
    assert compliance == {"configRuleName": [{"Ref": "ConfigRule"}]}


def test_given_the_config_rule_when_an_identity_changes_or_a_day_passes_then_it_is_asked() -> None:
    rule = RESOURCES["ConfigRule"]["Properties"]
    assert rule["Scope"] == {"ComplianceResourceTypes": ["AWS::IAM::User", "AWS::IAM::Role"]}
    assert {detail["MessageType"] for detail in rule["Source"]["SourceDetails"]} == {
        "ConfigurationItemChangeNotification",
        "OversizedConfigurationItemChangeNotification",
        "ScheduledNotification",
    }
    assert rule["InputParameters"] == {"threshold": {"Fn::Sub": "${Threshold}"}}
    assert RESOURCES["RemediationConfiguration"]["Properties"]["Automatic"] is False


@pytest.mark.parametrize("function", ["ConfigRuleFunction", "EvaluateFunction"])
def test_given_a_verdict_when_either_function_learns_it_first_then_it_may_store_and_tell_it(function: str) -> None:
    allowed = {(a, json.dumps(s["Resource"])) for s in function_statements(function) for a in as_list(s["Action"])}
    scores, queue = json.dumps(attribute("Data", "Outputs.ScoresTableArn")), json.dumps(attribute("EvaluatorQueue"))
    assert {
        ("dynamodb:PutItem", scores),
        ("sqs:SendMessage", queue),
        ("events:PutEvents", json.dumps(attribute("EventBus"))),
    } <= allowed
    asks = {"ConfigRuleFunction": "config:PutEvaluations", "EvaluateFunction": "config:StartConfigRulesEvaluation"}
    of_config = {action for action in allowed_actions(function) if action.startswith("config:")}
    assert of_config == {asks[function]}


def test_given_a_fresh_stack_when_nobody_chose_a_mode_then_it_only_observes() -> None:
    mode = TEMPLATE["Parameters"]["Mode"]
    assert mode["Default"] == "observe"
    assert all(
        re.match(RESOURCES["ModeParameter"]["Properties"]["AllowedPattern"], value) for value in mode["AllowedValues"]
    )


def test_given_the_parameters_when_a_person_deploys_then_each_is_explained_bounded_and_grouped() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])
    for name, parameter in TEMPLATE["Parameters"].items():
        assert parameter["Description"], name
        assert parameter["ConstraintDescription"], name
        assert {"AllowedValues", "AllowedPattern", "MinValue"} & set(parameter), name
