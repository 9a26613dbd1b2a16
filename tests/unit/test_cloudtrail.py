"""What is read of CloudTrail records: their fields, their caller, their outcome, and the uses they prove."""

import gzip
import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scorer.caller import Caller, CallerKind, resolve_identity
from services.scorer.cloudtrail import parse_record
from services.scorer.outcome import Outcome, outcome_of
from services.scorer.usage import Folded, IdentityKey, Skipped, SkipReason, fold, uses_of
from shared.errors import InputError
from shared.model.usage import MAX_RESOURCES, Evidence, UsageEntry
from shared.reference import load_operations
from tests.unit.cloudtrail_records import ACCOUNT, INVICTUS, ROLE_SESSION, STRATUS, USER, corpus, detail, record

ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/service/worker"
OTHER_ACCOUNT = "444455556666"


def uses(**changes: Any) -> dict[str, UsageEntry]:
    found = uses_of(record(**changes), load_operations())
    assert not isinstance(found, Skipped), found
    return {entry.action: entry for entry in found}


def kinds(entry: UsageEntry) -> set[Evidence]:
    return set(entry.spans)


def folded(*details: Mapping[str, Any]) -> Folded:
    return fold([parse_record(one) for one in details], load_operations(), feed="test")


# Parsing


def test_given_a_record_then_the_fields_that_are_read_are_there() -> None:
    parsed = record(
        eventTime="2026-03-01T23:30:00-02:00", resources=[{"ARN": "arn:aws:s3:::b", "type": "AWS::S3::Bucket"}]
    )
    assert parsed.event_time == datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
    assert (parsed.region, parsed.account_id, parsed.event_name) == ("eu-west-1", ACCOUNT, "GetBucketPolicy")
    assert parsed.resource_arns == {"arn:aws:s3:::b"}
    assert hash(parsed) == hash(parsed)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"eventTime": None}, "eventTime: missing"),
        ({"eventTime": "yesterday"}, "eventTime: not a time"),
        ({"eventTime": "2026-03-01T12:00:00"}, "eventTime: no time zone"),
        ({"eventTime": "0001-01-01T00:00:00+14:00"}, "eventTime: not a time"),
        ({"eventTime": 1_772_366_400}, "eventTime: not a string"),
        ({"eventName": None}, "eventName: missing"),
        ({"eventName": ["GetObject"]}, "eventName: not a string"),
        ({"eventSource": "x" * 3_000}, "eventSource: longer than 2048 characters"),
        ({"awsRegion": ""}, "awsRegion: missing"),
        ({"recipientAccountId": "12"}, "recipientAccountId: not an account id"),
        ({"userIdentity": None}, "userIdentity: missing"),
        ({"userIdentity": "root"}, "userIdentity: not an object"),
        ({"userIdentity": {**USER, "arn": 7}}, "userIdentity.arn: not a string"),
        ({"userIdentity": {**USER, "sessionContext": []}}, "userIdentity.sessionContext: not an object"),
        (
            {"userIdentity": {**USER, "sessionContext": {"sessionIssuer": {"principalId": {}}}}},
            "userIdentity.sessionContext.sessionIssuer.principalId: not a string",
        ),
        ({"resources": {"ARN": "x"}}, "resources: not a list"),
        ({"resources": [{"ARN": "arn:aws:s3:::a"}, "b"]}, "resources[1]: not an object"),
        ({"resources": [{"ARN": 1}]}, "resources[0].ARN: not a string"),
        ({"requestParameters": {"n": list(range(60_000))}}, "requestParameters: deeper than 64 or more than 50000"),
    ],
)
def test_given_a_malformed_record_then_the_error_names_the_field(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError) as raised:
        record(**changes)
    assert str(raised.value).startswith(named)


def test_given_parameters_nested_without_end_then_the_record_is_refused_and_the_stack_holds() -> None:
    nested: dict[str, Any] = {}
    for _ in range(5_000):
        nested = {"more": nested}
    with pytest.raises(InputError, match="requestParameters"):
        record(requestParameters=nested)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*detail(), "resources", "errorCode", "errorMessage", "additionalEventData"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=30),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
            max_leaves=12,
        ),
    )
)
def test_given_any_json_in_any_field_then_it_is_read_or_refused_as_input(changes: dict[str, Any]) -> None:
    try:
        parsed = parse_record({**detail(), **changes})
    except InputError:
        return
    assert fold([parsed], load_operations(), feed="test").records == 1


def test_given_an_insight_without_caller_and_source_then_it_is_read_and_skipped() -> None:
    insight = detail(
        eventType="AwsCloudTrailInsight",
        eventCategory="Insight",
        eventSource=None,
        eventName=None,
        userIdentity=None,
        managementEvent=False,
    )
    result = folded(insight)
    assert result.skipped == {SkipReason.NOT_AN_API_CALL: 1}
    assert not result.coverage[ACCOUNT].data_events


# Callers


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (USER, Caller(CallerKind.IAM_IDENTITY, "AIDAEXAMPLEUSER00001", USER["arn"], ACCOUNT)),
        (
            {k: v for k, v in USER.items() if k != "arn"},
            Caller(CallerKind.IAM_IDENTITY, "AIDAEXAMPLEUSER00001", None, ACCOUNT),
        ),
        (
            {**USER, "invokedBy": "cloudformation.amazonaws.com"},
            Caller(CallerKind.IAM_IDENTITY, "AIDAEXAMPLEUSER00001", USER["arn"], ACCOUNT),
        ),
        (
            ROLE_SESSION,
            Caller(
                CallerKind.IAM_IDENTITY, "AROAEXAMPLEROLE00001", f"arn:aws:iam::{ACCOUNT}:role/ci/deployer", ACCOUNT
            ),
        ),
        (
            {**ROLE_SESSION, "sessionContext": {}},
            Caller(CallerKind.IAM_IDENTITY, "AROAEXAMPLEROLE00001", None, ACCOUNT),
        ),
        (
            {"type": "AssumedRole", "principalId": "AROAEXAMPLEROLE00001:x"},
            Caller(CallerKind.IAM_IDENTITY, "AROAEXAMPLEROLE00001", None, ACCOUNT),
        ),
        ({**ROLE_SESSION, "accountId": OTHER_ACCOUNT}, Caller(CallerKind.OTHER_ACCOUNT, None, None, OTHER_ACCOUNT)),
        ({**USER, "accountId": OTHER_ACCOUNT}, Caller(CallerKind.OTHER_ACCOUNT, None, None, OTHER_ACCOUNT)),
        (
            {"type": "AWSAccount", "principalId": "AROAEXAMPLEROLE00001:x", "accountId": OTHER_ACCOUNT},
            Caller(CallerKind.OTHER_ACCOUNT, None, None, OTHER_ACCOUNT),
        ),
        (
            {"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"},
            Caller(CallerKind.OTHER_ACCOUNT, None, None, None),
        ),
        (
            {"type": "Root", "principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT},
            Caller(CallerKind.ROOT, None, None, ACCOUNT),
        ),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, Caller(CallerKind.AWS_SERVICE, None, None, None)),
        ({"accountId": ACCOUNT, "invokedBy": "rds.amazonaws.com"}, Caller(CallerKind.AWS_SERVICE, None, None, ACCOUNT)),
        (
            {
                "type": "FederatedUser",
                "principalId": f"{ACCOUNT}:guest",
                "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/guest",
                "accountId": ACCOUNT,
                "sessionContext": {"sessionIssuer": {**USER, "type": "IAMUser"}},
            },
            Caller(CallerKind.FEDERATED, "AIDAEXAMPLEUSER00001", USER["arn"], ACCOUNT),
        ),
        (
            {"type": "SAMLUser", "principalId": "x:ana", "userName": "ana"},
            Caller(CallerKind.FEDERATED, None, None, None),
        ),
        ({"type": "WebIdentityUser", "principalId": "x:aud:sub"}, Caller(CallerKind.FEDERATED, None, None, None)),
        (
            {"type": "IdentityCenterUser", "accountId": ACCOUNT, "onBehalfOf": {"userId": "u"}},
            Caller(CallerKind.IDENTITY_CENTER, None, None, ACCOUNT),
        ),
        ({"type": "Unknown", "principalId": "Anonymous"}, Caller(CallerKind.UNKNOWN, None, None, None)),
        ({"accountId": ACCOUNT}, Caller(CallerKind.UNKNOWN, None, None, ACCOUNT)),
        ({"type": "SomethingNew", "accountId": ACCOUNT}, Caller(CallerKind.UNKNOWN, None, None, ACCOUNT)),
        ({"type": "IAMUser", "principalId": "AROAEXAMPLEROLE00001"}, Caller(CallerKind.UNKNOWN, None, None, None)),
        ({"type": "AssumedRole", "principalId": "not-an-id"}, Caller(CallerKind.UNKNOWN, None, None, None)),
    ],
)
def test_each_shape_of_user_identity_resolves(identity: dict[str, Any], expected: Caller) -> None:
    assert resolve_identity(record(userIdentity=identity)) == expected


def test_given_a_service_linked_role_then_it_is_an_identity_too() -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS"
    issuer = {"type": "Role", "principalId": "AROAEXAMPLERDS000001", "arn": arn, "accountId": ACCOUNT}
    session = {**ROLE_SESSION, "sessionContext": {"sessionIssuer": issuer}, "invokedBy": "rds.amazonaws.com"}
    assert resolve_identity(record(userIdentity=session)) == Caller(
        CallerKind.IAM_IDENTITY, "AROAEXAMPLERDS000001", arn, ACCOUNT
    )


def test_callers_without_a_ledger_are_counted_and_add_no_usage() -> None:
    result = folded(
        detail(userIdentity={"type": "Root", "accountId": ACCOUNT}),
        detail(userIdentity={"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}),
        detail(userIdentity={**USER, "accountId": OTHER_ACCOUNT}),
        detail(userIdentity={"type": "SAMLUser"}),
        detail(userIdentity={"type": "IdentityCenterUser"}),
        detail(userIdentity={"type": "Unknown"}),
    )
    assert result.usages == {}
    assert result.skipped == {
        SkipReason.ROOT: 1,
        SkipReason.AWS_SERVICE: 1,
        SkipReason.OTHER_ACCOUNT: 1,
        SkipReason.FEDERATED: 1,
        SkipReason.IDENTITY_CENTER: 1,
        SkipReason.UNKNOWN_CALLER: 1,
    }
    assert sum(result.callers.values()) == result.records == 6


# Outcomes


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (None, Outcome.PASSED),
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
    assert outcome_of(record(errorCode=code)) is outcome


def test_given_an_end_users_wrong_password_then_the_caller_was_not_surely_refused() -> None:
    signed_in = record(
        eventSource="cognito-idp.amazonaws.com", eventName="AdminInitiateAuth", errorCode="NotAuthorizedException"
    )
    assert outcome_of(signed_in) is Outcome.UNSURE


# Uses


def test_given_an_allowed_call_then_its_action_is_observed_with_resources_region_and_time() -> None:
    found = uses(resources=[{"ARN": "arn:aws:s3:::b"}, {"ARNPrefix": "arn:aws:s3:::b/x"}, {"ARN": "b"}])
    assert list(found) == ["s3:GetBucketPolicy"]
    entry = found["s3:GetBucketPolicy"]
    assert kinds(entry) == {Evidence.OBSERVED}
    assert entry.resources == frozenset({"arn:aws:s3:::b"})
    assert entry.regions == {"eu-west-1"}
    span = entry.spans[Evidence.OBSERVED]
    assert span.first == span.last == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_given_a_use_that_names_no_resource_then_no_later_use_can_narrow_it() -> None:
    named = detail(resources=[{"ARN": "arn:aws:s3:::b"}])
    [usage] = folded(named, detail()).usages.values()
    assert usage.entries["s3:getbucketpolicy"].resources is None
    [usage] = folded(named, named).usages.values()
    assert usage.entries["s3:getbucketpolicy"].resources == frozenset({"arn:aws:s3:::b"})


def test_given_more_resources_than_the_ledger_keeps_then_they_are_many() -> None:
    arns = [{"ARN": f"arn:aws:s3:::b{n}"} for n in range(MAX_RESOURCES + 1)]
    assert uses(resources=arns)["s3:GetBucketPolicy"].resources is None
    assert uses(resources=arns[1:])["s3:GetBucketPolicy"].resources == frozenset(arn["ARN"] for arn in arns[1:])


def test_given_other_actions_of_the_operation_then_they_are_only_possible() -> None:
    found = uses(eventName="CreateBucket", resources=[{"ARN": "arn:aws:s3:::b"}])
    assert kinds(found["s3:CreateBucket"]) == {Evidence.OBSERVED}
    assert kinds(found["s3:PutBucketAcl"]) == {Evidence.POSSIBLE}
    assert found["s3:PutBucketAcl"].resources is None


def test_given_a_refused_call_then_nothing_but_the_wish_is_kept() -> None:
    found = uses(
        eventName="CreateBucket",
        errorCode="AccessDenied",
        errorMessage="Access Denied",
        resources=[{"ARN": "arn:aws:s3:::b"}],
        requestParameters={"roleArn": ROLE_ARN},
    )
    assert {action: kinds(entry) for action, entry in found.items()} == {"s3:CreateBucket": {Evidence.DENIED}}
    assert found["s3:CreateBucket"].resources == found["s3:CreateBucket"].regions == frozenset()


def test_given_a_refusal_that_names_another_action_then_both_are_denied() -> None:
    message = f"User: {USER['arn']} is not authorized to perform: iam:PassRole on resource: {ROLE_ARN} because no"
    found = uses(
        eventSource="ec2.amazonaws.com",
        eventName="RunInstances",
        errorCode="Client.UnauthorizedOperation",
        errorMessage=message,
    )
    assert {action: kinds(entry) for action, entry in found.items()} == {
        "ec2:RunInstances": {Evidence.DENIED},
        "iam:PassRole": {Evidence.DENIED},
    }


def test_given_a_refusal_that_names_no_known_action_then_it_is_not_believed() -> None:
    found = uses(errorCode="AccessDenied", errorMessage="not authorized to perform: evil:Everything")
    assert list(found) == ["s3:GetBucketPolicy"]


def test_given_a_throttled_call_then_it_is_neither_use_nor_denial() -> None:
    found = uses(
        eventSource="iam.amazonaws.com",
        eventName="AddRoleToInstanceProfile",
        errorCode="Throttling",
        requestParameters={"roleName": "worker"},
    )
    assert {action: kinds(entry) for action, entry in found.items()} == {
        "iam:AddRoleToInstanceProfile": {Evidence.POSSIBLE},
        "iam:PassRole": {Evidence.POSSIBLE},
    }


def test_given_another_error_then_authorization_was_passed() -> None:
    assert kinds(uses(errorCode="NoSuchBucketPolicy")["s3:GetBucketPolicy"]) == {Evidence.OBSERVED}


@pytest.mark.parametrize(
    ("parameters", "kind", "resources"),
    [
        ({"role": ROLE_ARN}, Evidence.INFERRED, {ROLE_ARN}),
        ({"a": [{"b": [ROLE_ARN]}], "role": ROLE_ARN.replace(ACCOUNT, OTHER_ACCOUNT)}, Evidence.INFERRED, ...),
        ({"role": ROLE_ARN, "vpcRoleName": "worker"}, Evidence.INFERRED, None),
        ({"iamInstanceProfile": {"name": "worker"}}, Evidence.INFERRED, None),
        ({"functionName": "f", "description": f"uses {ROLE_ARN}"}, Evidence.POSSIBLE, None),
        ({"rolesEnabled": True, "role": ""}, Evidence.POSSIBLE, None),
        (None, Evidence.POSSIBLE, None),
    ],
)
def test_pass_role_is_inferred_where_the_request_names_a_role(
    parameters: dict[str, Any] | None, kind: Evidence, resources: Any
) -> None:
    found = uses(eventSource="lambda.amazonaws.com", eventName="CreateFunction20150331", requestParameters=parameters)[
        "iam:PassRole"
    ]
    expected = {ROLE_ARN, ROLE_ARN.replace(ACCOUNT, OTHER_ACCOUNT)} if resources is ... else resources
    assert (kinds(found), found.resources) == ({kind}, expected)


def test_given_an_operation_that_passes_no_role_then_a_role_in_its_parameters_infers_nothing() -> None:
    found = uses(eventSource="sts.amazonaws.com", eventName="AssumeRole", requestParameters={"roleArn": ROLE_ARN})
    assert "iam:PassRole" not in found
    assert kinds(found["sts:AssumeRole"]) == {Evidence.OBSERVED}


def test_given_application_auto_scaling_then_its_actions_are_not_taken_for_ec2s() -> None:
    call = {"eventSource": "autoscaling.amazonaws.com", "eventName": "PutScalingPolicy"}
    assert "autoscaling:PutScalingPolicy" in uses(**call)
    assert "application-autoscaling:PutScalingPolicy" in uses(
        **call, additionalEventData={"service": "application-autoscaling"}
    )


@pytest.mark.parametrize(
    ("event_type", "reason"),
    [
        ("AwsServiceEvent", SkipReason.SERVICE_EVENT),
        ("AwsConsoleSignIn", SkipReason.CONSOLE_SIGN_IN),
        ("AwsConsoleAction", SkipReason.NOT_AN_API_CALL),
        ("AwsVpceEvent", SkipReason.NOT_AN_API_CALL),
    ],
)
def test_what_is_no_api_call_is_skipped(event_type: str, reason: SkipReason) -> None:
    assert uses_of(record(eventType=event_type), load_operations()) == Skipped(reason)
    assert folded(detail(eventType=event_type)).skipped == {reason: 1}


def test_given_no_event_type_as_in_the_oldest_records_then_it_is_an_api_call() -> None:
    assert folded(detail(eventType=None)).skipped == {}


# Folding


def test_coverage_is_the_accounts_and_counts_every_record() -> None:
    result = folded(
        detail(),
        detail(eventTime="2026-03-02T00:30:00+02:00", awsRegion="us-east-1", eventType="AwsServiceEvent"),
        detail(eventTime="2026-03-04T12:00:00Z", recipientAccountId=OTHER_ACCOUNT, eventCategory="Data"),
    )
    own, other = result.coverage[ACCOUNT], result.coverage[OTHER_ACCOUNT]
    assert own.days == {date(2026, 3, 1)}
    assert own.regions == {"eu-west-1", "us-east-1"}
    assert own.feeds == {"test"}
    assert not own.data_events
    assert not other.data_events, "one data event does not say that all are recorded"
    assert other.days == {date(2026, 3, 4)}
    assert all(usage.coverage.days == frozenset() for usage in result.usages.values())


@pytest.mark.parametrize(
    ("changes", "data_event"),
    [
        ({"eventCategory": "Data", "managementEvent": False}, True),
        ({"eventCategory": None, "managementEvent": False}, True),
        ({"eventCategory": "NetworkActivity", "managementEvent": False}, False),
        ({"eventCategory": None, "managementEvent": None}, False),
    ],
)
def test_data_events_are_recognised(changes: dict[str, Any], data_event: bool) -> None:  # noqa: FBT001 expected value
    assert record(**changes).data_event is data_event


def test_given_a_renamed_user_then_the_latest_arn_counts_whatever_the_order() -> None:
    renamed = {**USER, "arn": f"arn:aws:iam::{ACCOUNT}:user/anna"}
    before, after = detail(), detail(userIdentity=renamed, eventTime="2026-03-05T00:00:00Z")
    key = IdentityKey(ACCOUNT, USER["principalId"])
    assert folded(before, after).arns == folded(after, before).arns == {key: renamed["arn"]}


# Real records


@pytest.mark.parametrize(
    ("folder", "records", "identities", "skipped", "evidence"),
    [
        (
            INVICTUS,
            2_900,
            11,
            {"aws_service": 34, "service_event": 42, "console_sign_in": 3},
            {"observed": 279, "possible": 36, "denied": 6, "inferred": 1},
        ),
        (
            STRATUS,
            310,
            39,
            {"console_sign_in": 1},
            {"observed": 60, "possible": 27, "denied": 6, "inferred": 1},
        ),
    ],
    ids=["invictus", "stratus"],
)
def test_every_real_record_is_mapped_or_skipped_with_a_reason(
    folder: Path, records: int, identities: int, skipped: dict[str, int], evidence: dict[str, int]
) -> None:
    result = folded(*corpus(folder))
    spans = Counter(
        kind.value for usage in result.usages.values() for entry in usage.entries.values() for kind in entry.spans
    )
    assert result.records == records
    assert result.skipped == skipped
    assert spans == evidence
    assert len(result.usages) == len(result.arns) == identities
    assert set(result.callers) <= {CallerKind.IAM_IDENTITY, CallerKind.AWS_SERVICE, CallerKind.FEDERATED}
    assert SkipReason.UNKNOWN_OPERATION not in result.skipped, "a call that the reference lacks is a use all the same"


@pytest.mark.parametrize(
    ("source", "name", "action"),
    [
        ("ec2.amazonaws.com", "BrandNewOperation", "ec2:BrandNewOperation"),
        ("monitoring.amazonaws.com", "BrandNewOperation", "cloudwatch:BrandNewOperation"),
        ("brandnew.amazonaws.com", "DoThings", "brandnew:DoThings"),
    ],
)
def test_a_call_that_the_reference_lacks_uses_the_action_of_its_name(source: str, name: str, action: str) -> None:
    (entry,) = uses(eventSource=source, eventName=name).values()
    assert (entry.action, set(entry.spans)) == (action, {Evidence.OBSERVED})


def test_a_call_whose_name_can_be_no_action_is_skipped_with_the_reason() -> None:
    odd = record(eventSource="ec2.amazonaws.com", eventName="Brand New/Operation")
    assert uses_of(odd, load_operations()) == Skipped(SkipReason.UNKNOWN_OPERATION)


def test_real_records_the_federated_session_uses_its_users_permissions() -> None:
    federated = [one for one in corpus(STRATUS) if one["userIdentity"].get("type") == "FederatedUser"]
    result = folded(*federated)
    [(key, usage)] = result.usages.items()
    assert result.callers == {CallerKind.FEDERATED: 1}
    assert key.identity_id.startswith("AIDA")
    assert len(usage.entries) == 1


def test_real_records_are_unmodified_and_small_and_name_their_source() -> None:
    for folder, count in ((INVICTUS, 55), (STRATUS, 35)):
        files = list(folder.glob("*.json.gz"))
        assert len(files) == count
        assert sum(file.stat().st_size for file in files) < 500_000
        content = b"".join(gzip.decompress(file.read_bytes()) for file in sorted(files))
        assert {file.read_bytes()[4:8] for file in files} == {bytes(4)}, "mtime of gzip is 0, so that builds repeat"
        source = (folder / "SOURCE.md").read_text()
        assert all(word in source for word in ("origin:", "commit:", "licence:", "changes: none"))
        assert hashlib.sha256(content).hexdigest() in source
