"""What requests and verdicts lead to, what ends a plan, and what is told of it."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.remediator.changing.fingerprint import fingerprint, take_snapshot
from services.remediator.core import (
    counts_as_failed,
    expired_event,
    newly_used,
    outcome_event,
    parking,
    parse_request,
    proposed_event,
    restoration_due,
    skipped_event,
)
from services.remediator.history import (
    History,
    carried_plans,
    history_of,
    is_applied,
    reversion_of,
    taken_off,
    undone,
)
from services.remediator.verdicts import verdict_of
from shared.envelope import Envelope
from shared.errors import InputError
from shared.events import IdentityEvaluated, PlanDue
from shared.model.identity import IdentityDetail, Policy
from shared.model.plan import Compliance, Mode, PlanRecord, PlanStatus, Reason, ReasonCode, Snapshot, Strategy
from shared.model.sources import PolicyKind, PolicySource
from shared.model.usage import Evidence, Span, Usage, UsageEntry
from shared.protection import Exempted
from tests.builders import ANA, NOW, envelope, scored
from tests.unit.remediation_fakes import FOREIGN, START, Lab, World, allow, own_arn, proposed

WHO = "AIDAEXAMPLEUSER00001"
PLAN_ID = "0123456789abcdef"


def plan_record(status: PlanStatus = PlanStatus.PROPOSED, **changes: Any) -> PlanRecord:
    return Lab().record().model_copy(update={"status": status, **changes})


# ---- requests


@pytest.mark.parametrize(
    "event",
    [
        {"action": "propose", "resource_id": WHO},
        {"action": "remediate", "resource_id": WHO},
        {"action": "remediate", "resource_id": "AROAEXAMPLEROLE00001", "trigger": "ssm"},
        {"action": "approve", "plan_id": PLAN_ID},
        {"action": "approve", "plan_id": PLAN_ID, "by": "arn:aws:iam::123456789012:user/Zoë"},
        {"action": "apply", "plan_id": PLAN_ID, "trigger": "command"},
        {"action": "reject", "plan_id": PLAN_ID, "by": ""},
    ],
)
def test_a_request_names_what_its_action_needs(event: dict[str, object]) -> None:
    assert parse_request(event).action == event["action"]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"action": "remediate"},
        {"action": "remediate", "resource_id": "alice"},
        {"action": "remediate", "resource_id": WHO, "plan_id": PLAN_ID},
        {"action": "remediate", "plan_id": PLAN_ID},
        {"action": "propose", "plan_id": PLAN_ID},
        {"action": "approve", "resource_id": WHO},
        {"action": "apply", "resource_id": WHO},
        {"action": "reject", "plan_id": "../../etc"},
        {"action": "delete", "plan_id": PLAN_ID},
        {"action": ["approve"], "plan_id": PLAN_ID},
        {"action": "approve", "plan_id": PLAN_ID, "mode": "auto"},
        {"action": "approve", "plan_id": PLAN_ID, "trigger": "x\n"},
        {"action": "approve", "plan_id": PLAN_ID, "by": "ana\n{}"},
        {"action": "approve", "plan_id": PLAN_ID, "by": "\x1b[31mana"},
        {"action": "approve", "plan_id": PLAN_ID, "by": "a" * 201},
    ],
)
def test_any_other_request_is_refused(event: dict[str, object]) -> None:
    with pytest.raises(InputError):
        parse_request(event)


@pytest.mark.parametrize("action", ["rollback", "restore"])
def test_who_wants_something_back_is_told_whom_to_ask(action: str) -> None:
    with pytest.raises(InputError, match="RestoreRequestFunction"):
        parse_request({"action": action, "plan_id": PLAN_ID})


# ---- how plans end


def test_applied_is_only_who_carries_the_boundary_of_an_applied_plan() -> None:
    lab = Lab()
    record = lab.record()
    applied = record.model_copy(update={"status": PlanStatus.APPLIED})
    bare = lab.world.detail(START)
    lab.world.managed[own_arn(record)] = allow("s3:GetObject")
    lab.world.boundary = own_arn(record)
    carrying = lab.world.detail(START)

    assert is_applied(applied, carrying)
    assert not is_applied(applied, bare)
    assert not is_applied(record, carrying)
    assert not is_applied(None, carrying)


@pytest.mark.parametrize("status", PlanStatus)
def test_who_was_rolled_back_is_parked_even_if_no_note_was_left(status: PlanStatus) -> None:
    reason = Reason(code=ReasonCode.REQUESTED, message="a person asked")
    parked = parking("", plan_record(status, reason=reason))

    assert bool(parked) is (status in {PlanStatus.ROLLED_BACK, PlanStatus.QUARANTINED})
    assert parking("by hand", None) == "by hand"


@pytest.mark.parametrize(
    ("code", "parks"), [(ReasonCode.REJECTED, True), (ReasonCode.FLAPPING, True), (ReasonCode.DRIFT, False)]
)
def test_who_was_skipped_is_parked_where_somebody_does_not_want_the_plan(code: ReasonCode, *, parks: bool) -> None:
    record = plan_record(PlanStatus.SKIPPED, reason=Reason(code=code, message="so it is"))
    assert bool(parking("", record)) is parks


@pytest.mark.parametrize(
    ("status", "code", "counts"),
    [
        (PlanStatus.ROLLED_BACK, ReasonCode.VERIFICATION_FAILED, True),
        (PlanStatus.ROLLED_BACK, ReasonCode.REQUESTED, False),
        (PlanStatus.ROLLED_BACK, ReasonCode.REGRET, False),
        (PlanStatus.QUARANTINED, ReasonCode.DRIFT, True),
        (PlanStatus.ROLLING_BACK, ReasonCode.VERIFICATION_FAILED, False),
        (PlanStatus.SKIPPED, ReasonCode.DRIFT, False),
    ],
)
def test_a_change_counts_as_failed_where_nobody_but_we_ended_it(
    status: PlanStatus, code: ReasonCode, *, counts: bool
) -> None:
    assert counts_as_failed(plan_record(status, reason=Reason(code=code, message=""))) is counts


def test_what_was_used_after_the_plan_was_made_is_noticed() -> None:
    plan = plan_record().plan

    def usage(last: datetime, kind: Evidence = Evidence.OBSERVED) -> Usage:
        return Usage(WHO, {"iam:passrole": UsageEntry("iam:PassRole", {kind: Span(last, last)})})

    assert newly_used(plan, usage(START + timedelta(hours=1))) == ("iam:PassRole",)
    assert newly_used(plan, usage(START - timedelta(hours=1))) == ()
    assert newly_used(plan, usage(START + timedelta(hours=1), Evidence.DENIED)) == ()


@pytest.mark.parametrize(
    ("status", "event"),
    [
        (PlanStatus.APPLIED, "PolicyApplied"),
        (PlanStatus.SKIPPED, "RemediationSkipped"),
        (PlanStatus.ROLLED_BACK, "PolicyRolledBack"),
        (PlanStatus.QUARANTINED, "RemediationFailed"),
    ],
)
def test_an_ending_is_told_as_one_event_and_the_next_ending_of_the_plan_as_another(
    status: PlanStatus, event: str
) -> None:
    record = plan_record(status, reason=Reason(code=ReasonCode.DRIFT, message="changed"))
    told, again = outcome_event(record), outcome_event(record.model_copy(update={"trigger": "other"}))
    later = outcome_event(record.model_copy(update={"version": record.version + 3}))

    assert told.type_name() == event
    assert told.event_id == again.event_id
    assert told.event_id != later.event_id, "applied again after a rollback is news"


def test_a_proposal_is_told_once_whenever_it_is_derived_again_but_anew_where_something_else_becomes_of_it() -> None:
    plan = plan_record().plan
    later = plan.model_copy(update={"created_at": START + timedelta(days=1), "expires_at": START + timedelta(days=2)})
    told = proposed_event(plan, Mode.AUTO, applies_from=NOW)
    assert told.event_id == proposed_event(later, Mode.AUTO, applies_from=NOW).event_id
    others = [
        proposed_event(plan, Mode.AUTO),
        proposed_event(plan, Mode.OBSERVE),
        proposed_event(plan, Mode.AUTO, applies_from=NOW + timedelta(days=1)),
    ]
    assert len({told.event_id, *(other.event_id for other in others)}) == 4


def test_what_is_handed_over_says_why() -> None:
    reason = Reason(code=ReasonCode.VERIFICATION_FAILED, message="it did not show")
    record = plan_record(PlanStatus.ROLLING_BACK, reason=reason)
    told = restoration_due(record, reason, now=record.updated_at)
    assert (told.plan_id, told.code, told.message) == (record.plan.plan_id, reason.code, reason.message)
    later = record.model_copy(update={"version": record.version + 1})
    again = restoration_due(later, reason, now=record.updated_at)
    assert told.event_id != again.event_id


def test_the_end_of_an_exemption_is_told_once_it_is_over() -> None:
    last = NOW.date() - timedelta(days=2)
    over = Exempted("carries a tag", "ana" * 100, "migration", last)
    told = expired_event(ANA, over, now=NOW)
    assert told
    assert (told.expired_on, len(told.owner), told.reason) == (last, 200, "migration")
    assert told.acts_from.date() == last + timedelta(days=8)
    again = expired_event(ANA, over, now=NOW + timedelta(days=1))
    assert again
    assert again.event_id == told.event_id
    assert expired_event(ANA, over._replace(until=NOW.date()), now=NOW) is None
    assert expired_event(ANA, over._replace(until=None), now=NOW) is None


def test_a_skip_is_told_once_a_cause() -> None:
    reason = Reason(code=ReasonCode.EXEMPT, message="tag")
    told = skipped_event(ANA, reason, cause="e1", now=NOW)
    assert told.event_id == skipped_event(ANA, reason, cause="e1", now=NOW + timedelta(hours=1)).event_id
    assert told.event_id != skipped_event(ANA, reason, cause="e2", now=NOW).event_id


# ---- what a rollback leads back to


def stacked() -> tuple[World, dict[str, PlanRecord]]:
    """A user with a plan `b…` that was applied on top of a plan `a…`."""
    world = World()
    records = {}
    for letter in "ab":
        record = proposed(world.detail(START), plan_id=letter * 16)
        records[record.plan.plan_id] = record.model_copy(update={"status": PlanStatus.APPLIED})
        world.managed[own_arn(record)] = record.plan.policies[0].document
        world.boundary = own_arn(record)
    return world, records


def test_a_history_leads_from_the_latest_plan_to_the_first() -> None:
    world, records = stacked()
    known = history_of("b" * 16, "", records.get)

    assert [record.plan.plan_id for record in known.applied] == ["b" * 16, "a" * 16]
    assert not known.is_under_way
    records["a" * 16] = records["a" * 16].model_copy(update={"status": PlanStatus.ROLLING_BACK})
    records["b" * 16] = records["b" * 16].model_copy(update={"status": PlanStatus.ROLLED_BACK})
    assert history_of("b" * 16, "", records.get).under_way == (records["a" * 16],), "under another one as well"
    assert carried_plans(world.detail(START)) == ("b" * 16,)
    assert history_of("", "", records.get) == history_of("c" * 16, "", records.get) == History()


@pytest.mark.parametrize(
    ("carried", "status", "lost"),
    [
        ("b", PlanStatus.APPLIED, ""),
        ("a", PlanStatus.APPLIED, "b"),
        ("", PlanStatus.APPLIED, "ba"),
        ("foreign", PlanStatus.APPLIED, "ba"),
        ("a", PlanStatus.ROLLED_BACK, ""),
        ("", PlanStatus.ROLLED_BACK, "a"),
        ("a", PlanStatus.PROPOSED, ""),
        ("b", PlanStatus.QUARANTINED, ""),
    ],
)
def test_what_somebody_took_off_is_what_the_identity_should_carry_or_go_back_to(
    carried: str, status: PlanStatus, lost: str
) -> None:
    world, records = stacked()
    records["b" * 16] = records["b" * 16].model_copy(update={"status": status})
    arns = {record.plan.plan_id[0]: own_arn(record) for record in records.values()}
    world.boundary = (arns | {"foreign": FOREIGN, "": None})[carried]

    found = taken_off(history_of("b" * 16, "", records.get), world.detail(START))

    assert "".join(record.plan.plan_id[0] for record in found) == lost


def test_who_put_a_replaced_policy_back_or_took_a_new_one_off_undid_the_plan() -> None:
    lab = Lab()
    record = lab.record(Strategy.REPLACE).model_copy(update={"status": PlanStatus.APPLIED})
    before = lab.world.detail(START)
    source = PolicySource(PolicyKind.MANAGED, own_arn(record).rsplit("/", 1)[-1], own_arn(record))
    ours = Policy(source=source, document=allow("s3:GetObject"))
    after = before.model_copy(update={"policies": (ours,)})
    stranger = Policy(source=PolicySource(PolicyKind.INLINE, "a stranger"), document=allow("s3:GetObject"))

    def undid(*policies: Policy) -> bool:
        return undone(record, after.model_copy(update={"policies": policies}))

    assert is_applied(record, after)
    assert not undid(ours, stranger), "what is given beside it undoes nothing"
    assert undid()
    assert undid(stranger)
    assert undid(ours, before.policies[0])
    assert not undone(record.model_copy(update={"status": PlanStatus.PROPOSED}), before)
    assert not undone(None, before)


def test_each_application_of_a_plan_can_be_undone_once() -> None:
    record = plan_record(PlanStatus.APPLIED, applied_at=START)
    again = record.model_copy(update={"applied_at": START + timedelta(seconds=1)})
    later = record.model_copy(update={"updated_at": START + timedelta(days=1)})
    assert reversion_of(record) == reversion_of(later) != reversion_of(again)


# ---- verdicts


def compliance_change(**changes: Any) -> Envelope:
    """As AWS Config sends it (developer guide, "Monitoring AWS Config with Amazon EventBridge")."""
    result = {
        "evaluationResultIdentifier": {
            "evaluationResultQualifier": {
                "configRuleName": "leastwise-privilege-creep",
                "resourceType": "AWS::IAM::User",
                "resourceId": WHO,
            },
            "orderingTimestamp": "2026-03-01T11:59:00.000Z",
        },
        "complianceType": "NON_COMPLIANT",
        "resultRecordedTime": "2026-03-01T11:59:30.000Z",
        "configRuleInvokedTime": "2026-03-01T11:59:20.000Z",
        "annotation": "PCI 87 (high): 212 of 230 permissions unused",
    }
    detail = {
        "resourceId": WHO,
        "awsRegion": "us-east-1",
        "awsAccountId": ANA.account_id,
        "configRuleName": "leastwise-privilege-creep",
        "recordVersion": "1.0",
        "configRuleARN": f"arn:aws:config:us-east-1:{ANA.account_id}:config-rule/config-rule-abcdef",
        "messageType": "ComplianceChangeNotification",
        "newEvaluationResult": result,
        "notificationCreationTime": "2026-03-01T12:00:00.000Z",
        "resourceType": "AWS::IAM::User",
    }
    kind = "Config Rules Compliance Change"
    return Envelope.model_validate(envelope(detail | changes, detail_type=kind, source="aws.config"))


@pytest.mark.parametrize(
    ("given", "heard"),
    [
        ("NON_COMPLIANT", Compliance.NON_COMPLIANT),
        ("COMPLIANT", Compliance.COMPLIANT),
        ("NOT_APPLICABLE", Compliance.NOT_APPLICABLE),
        ("INSUFFICIENT_DATA", None),
    ],
)
def test_a_compliance_change_is_heard(given: str, heard: Compliance | None) -> None:
    verdict = verdict_of(compliance_change(newEvaluationResult={"complianceType": given}))
    assert verdict
    assert verdict[:2] == (WHO, heard)
    assert (verdict.cause, verdict.trigger) == ("6a7e8feb-b491-4cf7-a9f1-bf3703467718", "config")


def test_a_full_compliance_change_with_an_old_result_is_heard() -> None:
    verdict = verdict_of(compliance_change(oldEvaluationResult={"complianceType": "COMPLIANT"}))
    assert verdict
    assert verdict.compliance is Compliance.NON_COMPLIANT


def test_another_kind_of_resource_is_no_business_of_ours() -> None:
    assert verdict_of(compliance_change(resourceType="AWS::S3::Bucket", resourceId="a-bucket")) is None


@pytest.mark.parametrize(
    "changes",
    [{"resourceId": "alice"}, {"resourceId": None}, {"newEvaluationResult": None}, {"newEvaluationResult": {}}],
)
def test_a_malformed_compliance_change_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        verdict_of(compliance_change(**changes))


def evaluated(*, repeated: bool, at: datetime = NOW, key: str = "k") -> Envelope:
    event = IdentityEvaluated.about(
        ANA,
        key,
        occurred_at=at,
        compliance=Compliance.NON_COMPLIANT,
        pci=87.0,
        threshold=60.0,
        annotation="",
        repeated=repeated,
    )
    return Envelope.model_validate(envelope(event.model_dump(mode="json"), detail_type=event.type_name()))


def test_a_standing_verdict_gives_a_cause_a_day_and_a_new_one_its_own() -> None:
    first, later = (evaluated(repeated=True, at=NOW + timedelta(hours=h), key=str(h)) for h in (0, 6))
    next_day = evaluated(repeated=True, at=NOW + timedelta(days=1), key="d")
    causes = [verdict.cause for one in (first, later, next_day) if (verdict := verdict_of(one))]
    assert causes == ["standing/2026-03-01", "standing/2026-03-01", "standing/2026-03-02"]
    new = verdict_of(evaluated(repeated=False))
    assert new
    assert new.trigger == "evaluation"


@pytest.mark.parametrize(
    ("why", "heard"),
    [
        ("interrupted", (None, "interrupted", True, "")),
        ("notice_over", (Compliance.NON_COMPLIANT, "notice", False, f"notice/{NOW:%Y-%m-%d}")),
    ],
)
def test_a_plan_that_is_due_is_heard(why: str, heard: tuple[Compliance | None, str, bool, str]) -> None:
    *how, cause = heard
    event = PlanDue.about(ANA, "k", occurred_at=NOW, plan_id=PLAN_ID, strategy=Strategy.BOUNDARY, why=why)
    verdict = verdict_of(Envelope.model_validate(envelope(event.model_dump(mode="json"), detail_type="PlanDue")))
    assert verdict
    assert [verdict.compliance, verdict.trigger, verdict.look] == how
    assert (verdict.identity_id, verdict.cause) == (ANA.identity_id, cause or event.event_id)


def test_another_event_of_ours_is_no_verdict() -> None:
    event = scored()
    with pytest.raises(InputError):
        verdict_of(Envelope.model_validate(envelope(event.model_dump(mode="json"), detail_type=event.type_name())))


# ---- fingerprints


def detail_with(*policies: Policy, boundary: Policy | None = None) -> IdentityDetail:
    return IdentityDetail(ref=ANA, created_at=START, read_at=START, policies=policies, boundary=boundary)


def one_policy(name: str, *actions: str) -> Policy:
    return Policy(
        source=PolicySource(PolicyKind.MANAGED, name, f"arn:aws:iam::aws:policy/{name}"), document=allow(*actions)
    )


def backwards(value: Any) -> Any:
    """The same JSON with the keys of every object in another order."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value


def test_a_fingerprint_depends_on_no_order_that_aws_lists_in() -> None:
    policies = [one_policy(f"p{number}", f"s3:Get{number}") for number in range(6)]
    first = fingerprint(detail_with(*policies, boundary=one_policy("b", "s3:*")))
    order = random.Random(7)  # noqa: S311 a shuffle, not a secret
    for _ in range(20):
        order.shuffle(policies)
        turned = [policy.model_copy(update={"document": backwards(policy.document)}) for policy in policies]
        assert json.dumps(turned[0].document) != json.dumps(policies[0].document)
        boundary = one_policy("b", "s3:*")
        assert fingerprint(detail_with(*turned, boundary=boundary)) == first


@pytest.mark.parametrize(
    "changed",
    [
        detail_with(one_policy("a", "s3:*")),
        detail_with(one_policy("a", "s3:Get*"), one_policy("b", "s3:*")),
        detail_with(one_policy("c", "s3:Get*")),
        detail_with(one_policy("a", "s3:Get*"), boundary=one_policy("a", "s3:Get*")),
        detail_with(),
        detail_with(one_policy("a", "s3:Get*")).model_copy(
            update={"ref": ANA.model_copy(update={"identity_id": "AIDAEXAMPLEUSER00002"})}
        ),
    ],
)
def test_a_fingerprint_tells_every_change_of_permissions_or_person(changed: IdentityDetail) -> None:
    assert fingerprint(changed) != fingerprint(detail_with(one_policy("a", "s3:Get*")))


def test_a_fingerprint_and_snapshot_survive_the_journal() -> None:
    detail = detail_with(one_policy("a", "s3:Get*"), boundary=one_policy("b", "s3:*"))
    snapshot = take_snapshot(detail)
    stored = Snapshot.model_validate_json(snapshot.model_dump_json())
    later = detail.model_copy(update={"read_at": datetime(2027, 1, 1, tzinfo=UTC), "tags": {"a": "b"}})

    assert stored.fingerprint == fingerprint(later)
    assert stored.boundary_arn == "arn:aws:iam::aws:policy/b"
    assert stored.policies == take_snapshot(later).policies
