"""Secrets stay where they are: canaries in policies, tags, records and parameters are heard from no function.

Every handler of the template is invoked as it should be, with AWS failing in several ways, with messages that nobody
can read and with parameters that nobody can read; then everything that was said is searched (I11). Documents may
stand in the journal alone, compressed, since a rollback needs them.
"""

import gzip
import importlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from infra.build.template import functions_of, handler_of, load_template
from services.auditor.edge import Recorder
from services.auditor.handler import handle_events
from services.scorer.feeds.edge import known_entries
from shared.aws import clients
from shared.observability import logger, metrics, tracer
from tests.builders import (
    ACCOUNT,
    OTHER_ACCOUNT,
    cloudtrail_body,
    domain_body,
    envelope,
    every_event,
    scored,
    sqs_event,
)
from tests.conftest import MAKE_API_CALL, FakeContext
from tests.integration.canary_ears import Ears, canary, ears
from tests.integration.config_stand_in import Config
from tests.integration.remediator_house import MUTATING, POLICY, House
from tests.integration.test_watching import deny, hint

__all__ = ["ears"]  # a fixture

HINTS = Path(__file__).parents[1] / "events" / "hints"
HANDLERS = sorted({".".join(handler_of(load_template(), name)) for name in functions_of(load_template())})
DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [
        *POLICY["Statement"],
        {
            "Sid": canary("sid"),
            "Effect": "Allow",
            "Action": "ec2:*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalTag/key": canary("policy")}},
        },
    ],
}
Events = Callable[[House], list[dict[str, Any]]]


def record(house: House, **changes: Any) -> dict[str, Any]:
    """What CloudTrail writes of a call by the role, with secrets wherever a service may put them."""
    secret = {"value": canary("record"), "nested": [{"password": canary("record")}]}
    issuer = {"type": "Role", "principalId": house.role.identity_id, "arn": house.role.arn, "accountId": ACCOUNT}
    return {
        "eventVersion": "1.10",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"{house.role.identity_id}:build",
            "accountId": ACCOUNT,
            "accessKeyId": canary("key"),
            "sessionContext": {"sessionIssuer": issuer, "attributes": {"note": canary("record")}},
        },
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "iam.amazonaws.com",
        "eventName": "PutRolePolicy",
        "awsRegion": "us-east-1",
        "userAgent": canary("agent"),
        "sourceIPAddress": canary("address"),
        "requestParameters": {"roleName": house.role.name, "policyDocument": canary("record"), **secret},
        "responseElements": secret,
        "additionalEventData": secret,
        "serviceEventDetails": secret,
        "errorMessage": canary("message"),
        "requestID": "r",
        "eventID": "6c5a2d0e-0000-4000-8000-000000000001",
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    } | changes


def put_log(name: str, content: bytes) -> str:
    """Deliver a log file of a trail; the body of the message that tells of it."""
    folder = f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/03/01"
    key = f"{folder}/{ACCOUNT}_CloudTrail_us-east-1_20260301T1200Z_{name}.json.gz"
    clients.s3().put_object(Bucket="trail", Key=key, Body=content)
    told = {"bucket": {"name": "trail"}, "object": {"key": key, "size": len(content)}}
    return json.dumps({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": told}]})


def log_files(house: House) -> list[dict[str, Any]]:
    """A good file; one that is no gzip, one that is no JSON, one whose records are none."""
    good = gzip.compress(json.dumps({"Records": [record(house)]}).encode())
    secret = canary("file")
    bad = [
        secret.encode(),
        gzip.compress(secret.encode()),
        gzip.compress(json.dumps({"Records": [secret, 7]}).encode()),
    ]
    names = (f"{number}" * 16 for number in range(4))
    return [sqs_event(*(put_log(name, content) for name, content in zip(names, [good, *bad], strict=True)))]


def hints_for_the_auditor() -> list[str]:
    """A parameter that somebody sets, an alarm that goes off: as AWS tells it, with secrets in what it repeats."""
    parameter = json.loads((HINTS / "put-parameter.json").read_text(encoding="utf-8"))
    parameter["requestParameters"] |= {"name": "/leastwise/mode", "value": canary("parameter")}
    return [json.dumps(envelope(parameter, detail_type="AWS API Call via CloudTrail", source="aws.ssm"))]


def verdicts(house: House) -> list[dict[str, Any]]:
    """AWS Config's word that the role is non-compliant, beside fields that it may add."""
    detail = {
        "resourceId": house.role.identity_id,
        "resourceType": "AWS::IAM::Role",
        "configRuleName": "leastwise-privilege-creep",
        "newEvaluationResult": {"complianceType": "NON_COMPLIANT", "annotation": canary("annotation")},
    }
    return [sqs_event(json.dumps(envelope(detail, detail_type="Config Rules Compliance Change", source="aws.config")))]


def refusals(house: House) -> list[dict[str, Any]]:
    """A refused call of the role, with secrets beside what is looked at."""
    body = json.loads(hint(house))
    body["detail"] |= {"errorMessage": canary("message"), "requestParameters": {"value": canary("record")}}
    return [sqs_event(json.dumps(body))]


def invocations(house: House) -> list[dict[str, Any]]:
    """AWS Config's item of the role, with its whole configuration, and the scheduled look at all."""
    item = {
        "resourceType": "AWS::IAM::Role",
        "resourceId": house.role.identity_id,
        "ARN": house.role.arn,
        "configurationItemStatus": "OK",
        "configurationItemCaptureTime": "2026-03-01T11:30:00Z",
        "configuration": {"rolePolicyList": [{"policyDocument": canary("policy")}]},
        "tags": {"team": canary("tag")},
    }
    kinds = (
        {"messageType": "ConfigurationItemChangeNotification", "configurationItem": item},
        {"messageType": "ScheduledNotification"},
    )
    when = {"notificationCreationTime": "2026-03-01T11:00:00Z"}
    base = {"resultToken": canary("token"), "accountId": ACCOUNT, "ruleParameters": json.dumps({"x": canary("rule")})}
    return [base | {"invokingEvent": json.dumps(kind | when)} for kind in kinds]


def nothing(house: House) -> list[dict[str, Any]]:
    """A schedule, whose event nobody reads."""
    return [{"detail": canary("schedule")}]


# What each handler is invoked with when all is well. A new handler of the template has to be added here.
EVENTS: dict[str, Events] = {
    "services.auditor.anchoring.handler.handle_schedule": nothing,
    "services.auditor.handler.handle_events": lambda house: [
        sqs_event(domain_body(scored()), *hints_for_the_auditor())
    ],
    "services.auditor.telling.handler.handle_outbox": nothing,
    "services.evaluator.handler.handle_config_rule": invocations,
    "services.evaluator.handler.handle_scores": lambda house: [
        sqs_event(*(domain_body(event) for event in every_event() if event.type_name() == "AccountScored"))
    ],
    "services.remediator.handler.handle_request": lambda house: [
        {"action": "propose", "resource_id": house.role.identity_id, "trigger": "ssm", "by": "ana"}
    ],
    "services.remediator.handler.handle_verdicts": verdicts,
    "services.remediator.reconciling.handler.handle_schedule": nothing,
    "services.remediator.watching.handler.handle_request": lambda house: [
        {"action": "rollback", "plan_id": house.plan_id(), "trigger": "command", "by": "ana"}
    ],
    "services.remediator.watching.handler.handle_restorations": refusals,
    "services.scorer.handler.handle_cloudtrail_events": lambda house: [sqs_event(cloudtrail_body(record(house)))],
    "services.scorer.handler.handle_score_requests": lambda house: [sqs_event(cloudtrail_body(record(house)))],
    "services.scorer.handler.handle_sweep": nothing,
    "services.scorer.handler.handle_trail_logs": log_files,
}


@pytest.fixture
def world(house: House, ears: Ears, monkeypatch: pytest.MonkeyPatch) -> House:
    """The role with secrets in its policy, tags and description, and something to do for everybody."""
    known_entries.cache_clear()
    monkeypatch.setattr(FakeContext, "get_remaining_time_in_millis", lambda _: 300_000)
    monkeypatch.setenv("LEASTWISE_TRAIL_LOG_BUCKET", "trail")
    config = Config()

    def call(client: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        if client.meta.service_model.service_name == "config":
            return config.answer(operation_name, api_params)
        return MAKE_API_CALL(client, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    clients.s3().create_bucket(Bucket="trail")
    iam = clients.iam()
    iam.put_role_policy(RoleName=house.role.name, PolicyName="own", PolicyDocument=json.dumps(DOCUMENT))
    iam.update_role(RoleName=house.role.name, Description=canary("description"))
    iam.tag_role(RoleName=house.role.name, Tags=[{"Key": "team", "Value": canary("tag")}])
    return house


def events_for(handler: str, world: House) -> list[dict[str, Any]]:
    """What a handler is invoked with; the remediator's find a plan that was applied and took what is used since."""
    if "remediator" in handler:
        world.applied_plan()
        deny(world, "lambda:DeleteFunction")
        assert canary("policy") in world.record().model_dump_json()
    return EVENTS[handler](world)


def invoke(world: House, ears: Ears, handler: str, events: list[dict[str, Any]]) -> list[Any]:
    """Invoke a handler by its name with each event; what it answered or raised."""
    module, _, name = handler.rpartition(".")
    function = getattr(importlib.import_module(module), name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEASTWISE_MAY_RESTORE", str("watching" in module).lower())
        return [ears.call(function, event, world.context) for event in events]


def went_wrong(answers: list[Any]) -> bool:
    """Whether anything was raised or sent back to its queue."""
    return any(
        isinstance(one, Exception) or (isinstance(one, dict) and one.get("batchItemFailures")) for one in answers
    )


UNREADABLE = (
    canary("body"),
    json.dumps({"detail": canary("body")}),
    json.dumps(envelope({"value": canary("body")}, detail_type="IdentityScored")),
    json.dumps(
        envelope({"eventName": {"x": canary("body")}, "userIdentity": canary("body")}, detail_type="AWS API Call")
    ),
    domain_body(scored(), account=OTHER_ACCOUNT).replace('"resources"', f'"note": "{canary("body")}", "resources"'),
    json.dumps({"Records": [{"s3": {"bucket": {"name": "trail"}, "object": {"key": canary("body")}}}]}),
)


def unreadable(event: dict[str, Any]) -> list[dict[str, Any]]:
    """The like of an event, with secrets where something else is expected."""
    if "Records" in event:
        return [sqs_event(*UNREADABLE), sqs_event(UNREADABLE[0])]
    if "invokingEvent" in event:
        item = {"messageType": "ConfigurationItemChangeNotification", "configurationItem": {"ARN": canary("body")}}
        return [event | {"invokingEvent": canary("body")}, event | {"invokingEvent": json.dumps(item)}]
    if "action" in event:
        return [{name: canary("body") for name in event}, event | {"by": f"{canary('body')}\n"}]
    return [{"detail-type": "SweepPaused", "source": "leastwise.scorer", "account": ACCOUNT, "detail": canary("body")}]


@pytest.mark.parametrize("handler", HANDLERS)
def test_no_function_tells_a_secret_when_all_is_well_or_messages_or_parameters_cannot_be_read(
    handler: str, world: House, ears: Ears
) -> None:
    events = events_for(handler, world)
    well = invoke(world, ears, handler, events)
    assert not [one for one in well if isinstance(one, Exception)]

    invoke(world, ears, handler, [bad for event in events for bad in unreadable(event)])
    for name in (world.stack.mode_parameter, world.stack.safeguards_parameter):
        clients.ssm().put_parameter(Name=name, Value=canary("parameter"), Type="String", Overwrite=True)
        invoke(world, ears, handler, events)

    assert ears.leaks() == {}


def refused(operation_name: str) -> ClientError:
    """AWS's refusal of a request, which it repeats."""
    value = f"Value '{json.dumps(DOCUMENT)}' at 'policyDocument' failed to satisfy constraint"
    message = f"1 validation error detected: {value}: Member must have length less than or equal to 6144"
    return ClientError({"Error": {"Code": "ValidationError", "Message": message}}, operation_name)


def unavailable(operation_name: str) -> ClientError:
    """AWS's failure, with what it may know about the call."""
    message = f'Internal failure while handling {{"PolicyDocument": "{canary("policy")}"}}'
    return ClientError({"Error": {"Code": "InternalFailure", "Message": message}}, operation_name)


def unexpected(operation_name: str) -> Exception:
    """What no code of ours expects."""
    return RuntimeError(f"{operation_name} is broken")


def everything(service: str, operation: str) -> bool:
    """Nothing answers."""
    return True


def changes_of_iam(service: str, operation: str) -> bool:
    """IAM can be read and not changed."""
    return service == "iam" and operation.startswith(MUTATING)


def reads_of_iam(service: str, operation: str) -> bool:
    """IAM can't be read."""
    return service == "iam" and not operation.startswith(MUTATING)


def tables(service: str, operation: str) -> bool:
    """No table can be read or written."""
    return service == "dynamodb"


def the_rest(service: str, operation: str) -> bool:
    """Only IAM and the tables answer."""
    return service not in {"iam", "dynamodb"}


FAILURES = (
    *((refused, chosen) for chosen in (everything, changes_of_iam, reads_of_iam, tables, the_rest)),
    (unavailable, everything),
    (unexpected, everything),
)


@pytest.mark.parametrize("handler", HANDLERS)
def test_no_function_tells_a_secret_when_a_call_fails(
    handler: str, world: House, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, normal = events_for(handler, world), vars(BaseClient)["_make_api_call"]
    wrong = 0
    for error, chosen in FAILURES:

        def call(client: BaseClient, name: str, params: dict[str, Any]) -> Any:
            service = client.meta.service_model.service_name
            if chosen(service, name):  # noqa: B023 called within this round
                raise error(name)  # noqa: B023
            return normal(client, name, params)

        with monkeypatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", call)
            wrong += went_wrong(invoke(world, ears, handler, events))

    assert wrong
    assert ears.leaks() == {}


def test_every_handler_of_the_template_is_invoked_here() -> None:
    assert sorted(EVENTS) == HANDLERS


def log_a_message(_: Recorder) -> None:
    logger.info("got it", body=canary("body"))


def count_it(_: Recorder) -> None:
    metrics.add_metadata("body", canary("body"))
    metrics.add_metric("Heard", MetricUnit.Count, 1)


def raise_it(_: Recorder) -> None:
    raise KeyError(canary("body"))


def raise_it_in_a_chain(_: Recorder) -> None:
    try:
        raise_it(_)
    except KeyError as error:
        raise ValueError("not found") from error


def trace_it(_: Recorder) -> None:
    with tracer.provider.in_subsegment(name="part") as segment:
        segment.put_metadata(key="event", value={"body": [canary("body")]})


def publish_it(_: Recorder) -> None:
    detail = json.dumps({"x": canary("body")})
    entry = {"EventBusName": "leastwise", "Source": "leastwise.scorer", "DetailType": "IdentityScored"}
    clients.events().put_events(Entries=[{"Detail": detail, **entry}])  # type: ignore[typeddict-item]  # of strings


def print_it(_: Recorder) -> None:
    print(canary("body"))  # noqa: T201 what somebody may leave behind


@pytest.mark.parametrize(
    ("leak", "place"),
    [
        (log_a_message, "log"),
        (count_it, "metrics and standard output"),
        (print_it, "metrics and standard output"),
        (raise_it, "exception"),
        (raise_it_in_a_chain, "exception"),
        (trace_it, "trace"),
        (publish_it, "bus"),
    ],
)
def test_a_function_that_tells_a_secret_is_heard(
    leak: Callable[[Recorder], None], place: str, ears: Ears, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recorder, "tell", leak)
    monkeypatch.setattr(metrics, "namespace", "leastwise")
    ears.call(handle_events, sqs_event(domain_body(scored())), context)

    assert "body" in ears.leaks().get(place, [])
