"""The remediator's handlers on moto: what each mode does to IAM, what is told, and who is never touched."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.remediator import edge
from services.remediator.handler import handle_request, handle_verdicts
from services.remediator.saga import Saga
from services.remediator.steps import removal_step
from services.scorer.edge import Scorer
from services.scorer.settings import ScoreSettings
from shared.aws import clients
from shared.aws.account_snapshots import AccountSnapshots
from shared.aws.account_surroundings import memory
from shared.aws.iam import IamReader
from shared.aws.journal import Current, Journal
from shared.aws.last_accessed import LastAccessedReader
from shared.aws.score_table import ScoreTable
from shared.aws.usage_ledger import UsageLedger
from shared.errors import ConflictError, DependencyError, InputError
from shared.events import IdentityEvaluated
from shared.knowledge import load_catalogue
from shared.model.identity import IdentityRef
from shared.model.inventory import Inventory
from shared.model.last_accessed import LastAccess, LastAccessed
from shared.model.plan import Compliance, Plan, PlanStatus, ReasonCode
from shared.model.principals import Principals
from shared.model.resources import ANY_RESOURCE
from shared.model.score import ReachSource, StoredScore
from shared.model.usage import Coverage, Evidence, IdentityKey, Span, Usage, UsageEntry
from shared.observability import metrics
from tests.builders import ACCOUNT, a_score, domain_body, envelope, failed, scored, sqs_event
from tests.conftest import Stack

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["iam:*", "sqs:*", "lambda:*"], "Resource": "*"}],
}
TRUST = {"Version": "2012-10-17", "Statement": []}
USED = ("iam:GetUser", "lambda:ListFunctions")
MUTATING = ("Create", "Put", "Delete", "Attach", "Detach", "Update", "Add", "Remove", "Set", "Tag", "Untag")


@dataclass
class House:
    """The account on moto with one role, and every call that was made to IAM."""

    stack: Stack
    context: LambdaContext
    role: IdentityRef
    calls: list[str] = field(default_factory=list)

    @property
    def changes(self) -> list[str]:
        """Calls that change IAM, in order."""
        return [call for call in self.calls if call.startswith(MUTATING)]

    @property
    def journal(self) -> Journal:
        """The journal."""
        return Journal(self.stack.table(self.stack.journal_table))

    @property
    def boundary(self) -> str | None:
        """ARN of the role's permissions boundary."""
        found = clients.iam().get_role(RoleName=self.role.name)["Role"]
        return found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")

    def own_policies(self) -> list[str]:
        """ARNs of the policies under our path."""
        return [one["Arn"] for one in clients.iam().list_policies(Scope="Local", PathPrefix="/leastwise/")["Policies"]]

    def mode(self, value: str) -> None:
        """Set the mode parameter."""
        clients.ssm().put_parameter(Name=self.stack.mode_parameter, Value=value, Type="String", Overwrite=True)

    def score(self, pci: float = 90.0, *, age: timedelta = timedelta(0), present: bool = True) -> None:
        """Store the role's current score."""
        table = ScoreTable(self.stack.table(self.stack.scores_table))
        known = table.get(ACCOUNT, self.role.identity_id)
        score = a_score(pci, identity=self.role, scored_at=datetime.now(UTC) - age)
        table.put(StoredScore(score, known.version if known else 0, present=present))

    def use(self, *actions: str, at: datetime | None = None) -> None:
        """Note uses in the ledger, seen now."""
        now = at or datetime.now(UTC)
        entries = {
            name.lower(): UsageEntry(name, {Evidence.OBSERVED: Span(now, now)}, ANY_RESOURCE) for name in actions
        }
        ledger = UsageLedger(self.stack.table(self.stack.usage_table))
        ledger.merge({IdentityKey(ACCOUNT, self.role.identity_id): Usage(self.role.identity_id, entries)})
        days = [(now - timedelta(days=back)).date() for back in range(2)]
        ledger.merge_coverage(ACCOUNT, Coverage.of(days, regions=["us-east-1"], feeds=["eventbridge"]))

    def verdict(self, compliance: str = "NON_COMPLIANT", **changes: Any) -> list[str]:
        """Deliver AWS Config's compliance change; returns the messages that go back."""
        detail = {
            "resourceId": self.role.identity_id,
            "resourceType": "AWS::IAM::Role",
            "configRuleName": "leastwise-privilege-creep",
            "newEvaluationResult": {"complianceType": compliance},
        } | changes
        kind = "Config Rules Compliance Change"
        return self.deliver(json.dumps(envelope(detail, detail_type=kind, source="aws.config")))

    def deliver(self, body: str) -> list[str]:
        """Deliver one message; returns the messages that go back, also where every one does."""
        return failed(handle_verdicts(sqs_event(body, GOOD), self.context))

    def ask(self, action: str, **what: str) -> dict[str, str]:
        """Ask as the SSM document or the command does."""
        return dict(handle_request({"action": action, "trigger": "ssm", **what}, self.context))

    def told(self) -> list[str]:
        """Types of the events since the last look."""
        return [event["detail-type"] for event in self.stack.published()]

    def skipped(self) -> list[str]:
        """Codes of the skips told since the last look."""
        return [detail["code"] for detail in self.stack.told("RemediationSkipped")]

    def applied_plan(self) -> str:
        """Have a plan applied; its id."""
        self.mode("auto")
        self.verdict()
        current = self.journal.current(self.role)
        assert current
        assert self.boundary
        self.told()
        self.calls.clear()
        return current.plan_id


# a message beside the one in question, about which there is nothing to do: a batch fails in part, never as a whole
GOOD = json.dumps(
    envelope(
        {"resourceType": "AWS::S3::Bucket", "resourceId": "b", "newEvaluationResult": {"complianceType": "COMPLIANT"}},
        detail_type="Config Rules Compliance Change",
    )
)


@pytest.fixture
def house(aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch) -> House:
    """The role `deployer`, who holds much and uses little, non-compliant; the mode is observe."""
    for name, value in {"STRATEGY": "boundary", "PROVIDER": "native", "MIN_OBSERVED_DAYS": "2"}.items():
        monkeypatch.setenv(f"LEASTWISE_{name}", value)
    monkeypatch.setenv("LEASTWISE_PLAN_TTL_HOURS", "24")
    monkeypatch.setattr(metrics, "namespace", "leastwise")
    monkeypatch.setenv("LEASTWISE_DWELL_SECONDS", "0")
    monkeypatch.setattr("services.remediator.edge.time.sleep", lambda seconds: None)
    never = dict.fromkeys(load_catalogue().services, LastAccess())
    told = LastAccessed(never, {}, datetime.now(UTC))
    monkeypatch.setattr(LastAccessedReader, "read", lambda self, arn: told)
    iam = clients.iam()
    iam.create_role(RoleName="deployer", Path="/team/", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName="deployer", PolicyName="own", PolicyDocument=json.dumps(POLICY))
    found = iam.get_role(RoleName="deployer")["Role"]
    house = House(aws, context, IdentityRef(account_id=ACCOUNT, identity_id=found["RoleId"], arn=found["Arn"]))
    house.use(*USED, at=datetime.now(UTC) - timedelta(seconds=1))
    house.score()
    monkeypatch.setattr(IamReader, "verified", aged(IamReader.verified))
    iam.meta.events.register("before-call.iam.*", lambda model, **_: house.calls.append(model.name))
    return house


def aged(read: Any) -> Any:
    """Read identities as if they were created a year ago, which moto can't pretend."""

    def verified(self: IamReader, ref: IdentityRef, *, now: datetime) -> Any:
        detail = read(self, ref, now=now)
        return detail.model_copy(update={"created_at": now - timedelta(days=365)})

    return verified


# ---- modes


def test_given_observe_when_a_verdict_comes_then_a_plan_is_proposed_and_nothing_changes(house: House) -> None:
    assert house.verdict() == []

    assert house.told() == ["PlanProposed"]
    assert house.changes == []
    current = house.journal.current(house.role)
    assert current
    record = house.journal.get(current.plan_id)
    assert record
    assert record.status is PlanStatus.PROPOSED
    assert record.plan.proofs.hold
    assert set(record.plan.keeps) >= set(USED)


def test_given_observe_when_a_person_asks_then_it_is_proposed_only(house: House) -> None:
    assert house.ask("remediate", resource_id=house.role.identity_id)["outcome"] == "PROPOSED"
    assert house.changes == []


def test_given_approve_when_a_verdict_comes_then_the_plan_waits_until_a_person_approves_it(house: House) -> None:
    house.mode("approve")
    house.verdict()
    assert (house.told(), house.changes) == (["PlanProposed"], [])
    current = house.journal.current(house.role)
    assert current

    answer = house.ask("approve", plan_id=current.plan_id)

    assert answer == {"outcome": "APPLIED", "plan_id": current.plan_id, "reason": "", "detail": ""}
    assert house.changes == ["CreatePolicy", "PutRolePermissionsBoundary"]
    assert house.told()[-1] == "PolicyApplied"


def test_given_approve_when_the_ssm_document_asks_then_it_is_applied(house: House) -> None:
    house.mode("approve")
    assert house.ask("remediate", resource_id=house.role.identity_id)["outcome"] == "APPLIED"
    assert house.boundary == house.own_policies()[0]


def test_given_auto_when_a_verdict_comes_then_the_plan_is_applied_and_every_call_journalled(house: House) -> None:
    house.mode("auto")

    assert house.verdict() == []

    current = house.journal.current(house.role)
    assert current
    assert house.boundary == f"arn:aws:iam::{ACCOUNT}:policy/leastwise/{current.plan_id}"
    steps = house.journal.steps(current.plan_id)
    assert [(step["kind"], step["outcome"]) for step in steps] == [("create_policy", "done"), ("put_boundary", "done")]
    assert house.told() == ["PlanProposed", "PolicyApplied"]


def test_given_a_changed_role_when_an_old_plan_is_approved_then_the_new_plan_waits(house: House) -> None:
    house.mode("approve")
    house.verdict()
    current = house.journal.current(house.role)
    assert current
    clients.iam().put_role_policy(RoleName="deployer", PolicyName="more", PolicyDocument=json.dumps(POLICY))
    house.calls.clear()

    answer = house.ask("approve", plan_id=current.plan_id)

    assert answer["outcome"] == "PROPOSED"
    assert answer["plan_id"] != current.plan_id
    assert house.changes == []


def test_given_an_expired_plan_when_it_is_approved_then_nothing_changes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.mode("approve")
    house.verdict()
    current = house.journal.current(house.role)
    assert current
    monkeypatch.setattr(edge, "utc_now", lambda: datetime.now(UTC) + timedelta(hours=25))

    assert house.ask("approve", plan_id=current.plan_id)["reason"] == ReasonCode.EXPIRED
    assert house.changes == []


# ---- the scores of a plan


AROUND: dict[str, Inventory | Principals] = {
    "inventory": Inventory(ACCOUNT, tuple(f"arn:aws:s3:::bucket-{number}" for number in range(10)), datetime.now(UTC)),
    "principals": Principals(account_id=ACCOUNT),
}


@pytest.fixture
def around(house: House, monkeypatch: pytest.MonkeyPatch) -> AccountSnapshots:
    """The role holds one of the account's ten buckets, too; a sweep stored these, and that there is nobody else."""
    one = {"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::bucket-1", "arn:aws:s3:::bucket-1/*"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [one]})
    clients.iam().put_role_policy(RoleName="deployer", PolicyName="more", PolicyDocument=document)
    house.calls.clear()
    monkeypatch.setenv("LEASTWISE_INVENTORY_SOURCE", "config")
    snapshots = AccountSnapshots(house.stack.table(house.stack.scores_table))
    for name, content in AROUND.items():
        snapshots.put(ACCOUNT, name, content.to_json(), at=datetime.now(UTC))
    return snapshots


def proposed(house: House) -> Plan:
    """The plan that the current verdict leads to."""
    assert house.verdict() == []
    current = house.journal.current(house.role)
    assert current
    record = house.journal.get(current.plan_id)
    assert record
    return record.plan


def test_given_what_a_sweep_stored_when_a_plan_is_made_then_it_gives_the_score_that_the_scorer_stores(
    house: House, around: AccountSnapshots
) -> None:
    now = datetime.now(UTC)
    detail = IamReader(clients.iam()).verified(house.role, now=now)
    Scorer(ScoreSettings.load(), now).score(detail)
    stored = ScoreTable(house.stack.table(house.stack.scores_table)).get(ACCOUNT, house.role.identity_id)
    assert stored
    memory.cache_clear()  # the remediator is another function

    plan = proposed(house)

    assert plan.pci_before == stored.score.pci
    assert (plan.coverage.principals, plan.coverage.reach) == (True, ReachSource.INVENTORY)


def test_given_no_word_of_the_account_when_a_plan_is_made_then_its_score_is_another(
    house: House, around: AccountSnapshots, capsys: pytest.CaptureFixture[str]
) -> None:
    known = proposed(house)
    memory.cache_clear()
    for name in AROUND:
        around.put(ACCOUNT, name, b"{}", at=datetime.now(UTC))

    unknown = proposed(house)

    assert unknown.plan_id == known.plan_id
    assert unknown.pci_before != known.pci_before
    assert (unknown.coverage.principals, unknown.coverage.reach) == (False, ReachSource.PATTERN)
    assert '"SnapshotsUnread":[1.0,1.0]' in capsys.readouterr().out


def test_given_no_answer_about_the_account_when_a_verdict_comes_then_it_goes_back(
    house: House, around: AccountSnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.mode("auto")
    with monkeypatch.context() as broken:
        broken.setattr(AccountSnapshots, "get", fails)
        assert house.verdict() == ["m0"]
    assert (house.changes, house.told()) == ([], [])

    assert house.verdict() == []
    assert house.boundary


# ---- duplicates, and what is half done


def test_given_a_duplicate_when_it_is_delivered_again_then_there_is_one_effect(house: House) -> None:
    house.mode("auto")
    house.verdict()
    first = {event["detail"]["event_id"] for event in house.stack.published()}

    house.verdict()
    house.verdict()

    assert house.changes == ["CreatePolicy", "PutRolePermissionsBoundary"]
    again = house.stack.published()
    assert {event["detail-type"] for event in again} == {"PolicyApplied"}
    assert {event["detail"]["event_id"] for event in again} <= first, "told again, it is the same event"


def test_given_another_delivery_at_work_when_a_duplicate_comes_then_it_goes_back(house: House) -> None:
    house.mode("auto")
    house.journal.claim(house.role, "another", now=datetime.now(UTC), lease=timedelta(minutes=5))

    assert house.verdict() == ["m0"]
    assert house.changes == []

    house.journal.claim(house.role, "another", now=datetime.now(UTC), lease=timedelta(seconds=-1))
    assert house.verdict() == []
    assert house.boundary


def test_given_another_delivery_at_work_when_it_ends_soon_then_a_verdict_waits_for_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.mode("auto")
    token = house.journal.claim(house.role, "another", now=datetime.now(UTC), lease=timedelta(minutes=5))
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            house.journal.release(house.role, token, now=datetime.now(UTC))

    monkeypatch.setattr("services.remediator.edge.time.sleep", sleep)
    monkeypatch.setattr(type(house.context), "get_remaining_time_in_millis", staticmethod(lambda: 290_000))

    assert house.verdict() == []
    assert house.boundary


def test_given_another_delivery_at_work_when_it_never_ends_then_the_verdict_goes_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.mode("auto")
    house.journal.claim(house.role, "another", now=datetime.now(UTC), lease=timedelta(minutes=5))
    monkeypatch.setattr(type(house.context), "get_remaining_time_in_millis", staticmethod(lambda: 290_000))

    assert house.verdict() == ["m0"]
    assert house.changes == []


@pytest.mark.parametrize("compliance", ["COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE"])
def test_given_a_crash_after_the_boundary_was_set_when_the_role_is_compliant_by_now_then_the_plan_is_finished(
    house: House, monkeypatch: pytest.MonkeyPatch, compliance: str
) -> None:
    house.mode("auto")
    with monkeypatch.context() as broken:
        broken.setattr(Saga, "_verify", fails)
        assert house.verdict() == ["m0"]
    assert house.boundary
    house.told()
    house.score(5.0)

    house.verdict(compliance)

    assert house.told() == ["PolicyApplied"]
    assert house.changes == ["CreatePolicy", "PutRolePermissionsBoundary"]


def test_given_a_plan_that_is_just_being_applied_when_the_role_becomes_compliant_then_its_worker_is_left_to_finish(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.mode("auto")
    back: list[list[str]] = []

    def hear_of_it(*_: object) -> None:
        if not back:
            back.append(house.verdict("COMPLIANT", note="while the first delivery verifies"))

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Saga, "_verify", hear_of_it)
        assert house.verdict() == []

    assert back == [[]], "the message about it does not go back"
    assert house.changes == ["CreatePolicy", "PutRolePermissionsBoundary"]


def test_given_an_interrupted_plan_when_a_removed_action_was_used_since_then_it_is_taken_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.mode("auto")
    with monkeypatch.context() as broken:
        broken.setattr(Saga, "_verify", fails)
        house.verdict()
    house.use("sqs:CreateQueue", at=datetime.now(UTC) + timedelta(seconds=1))

    house.verdict()

    assert (house.boundary, house.own_policies()) == (None, [])
    assert house.skipped() == ["drift"]


def fails(*_: object) -> None:
    raise DependencyError("the function was killed")


def test_given_an_interrupted_plan_when_the_role_is_exempt_by_now_then_nothing_more_is_called(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.mode("auto")
    with monkeypatch.context() as broken:
        broken.setattr(Saga, "_verify", fails)
        house.verdict()
    clients.iam().tag_role(RoleName="deployer", Tags=[{"Key": "leastwise:exempt", "Value": "true"}])
    house.calls.clear()

    house.verdict("COMPLIANT")
    house.verdict()

    assert house.changes == []
    assert house.skipped() == ["exempt", "exempt"]


# ---- what is refused


@pytest.mark.parametrize(
    ("tag", "path", "code"),
    [
        ({"Key": "leastwise:exempt", "Value": "true"}, "/team/", "exempt"),
        ({"Key": "leastwise:exempt", "Value": "ture"}, "/team/", "exempt"),
        ({"Key": "aws:cloudformation:stack-name", "Value": "leastwise"}, "/team/", "protected"),
        (None, "/breakglass/", "protected"),
        (None, "/leastwise/", "protected"),
    ],
)
def test_given_a_protected_or_exempt_role_when_the_mode_is_auto_then_nothing_is_called(
    house: House, monkeypatch: pytest.MonkeyPatch, tag: dict[str, str] | None, path: str, code: str
) -> None:
    house.mode("auto")
    read = IamReader.verified

    def verified(self: IamReader, ref: IdentityRef, *, now: datetime) -> Any:
        detail = read(self, ref, now=now)
        arn = detail.ref.arn.replace("/team/", path)
        tags = {tag["Key"]: tag["Value"]} if tag else {}
        return detail.model_copy(update={"tags": tags, "ref": detail.ref.model_copy(update={"arn": arn})})

    monkeypatch.setattr(IamReader, "verified", verified)

    assert house.verdict() == []
    assert house.ask("remediate", resource_id=house.role.identity_id)["reason"] == code

    assert house.changes == []
    assert house.skipped() == [code, code]


@pytest.mark.parametrize("action", ["verdict", "remediate", "rollback"])
def test_given_the_kill_switch_when_anything_asks_then_nothing_changes(house: House, action: str) -> None:
    plan_id = house.applied_plan()
    house.score()
    house.mode("off")

    if action == "verdict":
        house.verdict()
    elif action == "remediate":
        house.ask("remediate", resource_id=house.role.identity_id)
    else:
        house.ask("rollback", plan_id=plan_id)

    assert house.changes == []
    assert house.skipped() == ["kill_switch"]


@pytest.mark.parametrize("unreadable", ["missing", "no mode"])
def test_given_an_unreadable_mode_when_a_verdict_comes_then_nothing_changes(house: House, unreadable: str) -> None:
    if unreadable == "missing":
        clients.ssm().delete_parameter(Name=house.stack.mode_parameter)
    else:
        house.mode("full-speed")

    assert house.verdict() == ["m0"]
    assert (house.changes, house.told()) == ([], [])


@pytest.mark.parametrize(
    ("pci", "age", "code"), [(90.0, timedelta(hours=49), "stale_score"), (59.0, timedelta(0), "compliant")]
)
def test_given_a_stale_or_low_score_when_a_verdict_comes_then_it_is_skipped(
    house: House, pci: float, age: timedelta, code: str
) -> None:
    house.mode("auto")
    house.score(pci, age=age)

    assert house.verdict() == []
    assert (house.changes, house.skipped()) == ([], [code])


def test_given_nobody_by_that_id_when_a_verdict_comes_then_the_message_is_refused(house: House) -> None:
    house.mode("auto")
    assert house.verdict(resourceId="AROAUNKNOWN00000000001") == ["m0"]
    with pytest.raises(InputError):
        house.ask("remediate", resource_id="AROAUNKNOWN00000000001")
    assert house.changes == []


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        json.dumps(envelope({}, detail_type="Config Rules Compliance Change")),
        json.dumps(envelope({"resourceId": "x"}, detail_type="Somebody Else's Event")),
        domain_body(scored()),
        json.dumps(envelope({}, detail_type="Config Rules Compliance Change", account="999999999999")),
    ],
)
def test_given_a_foreign_event_when_it_is_delivered_then_it_is_refused_alone_and_changes_nothing(
    house: House, body: str
) -> None:
    house.mode("auto")
    assert house.deliver(body) == ["m0"]
    assert (house.changes, house.told()) == ([], [])


def test_given_a_verdict_about_another_kind_of_resource_when_it_comes_then_it_is_no_business_of_ours(
    house: House,
) -> None:
    house.mode("auto")
    assert house.verdict(resourceType="AWS::S3::Bucket", resourceId="a-bucket") == []
    assert (house.changes, house.told()) == ([], [])


def test_given_no_last_accessed_information_when_a_verdict_comes_then_it_goes_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.mode("auto")
    monkeypatch.setattr(LastAccessedReader, "read", fails)
    assert house.verdict() == ["m0"]
    assert house.changes == []


def test_given_the_hours_budget_is_spent_when_a_verdict_comes_then_the_plan_waits_but_a_person_may(
    house: House,
) -> None:
    house.mode("auto")
    now = datetime.now(UTC)
    while house.journal.spend(ACCOUNT, now=now, limit=edge.MAX_CHANGES_PER_HOUR):
        pass

    house.verdict()
    assert (house.changes, house.told()) == ([], ["PlanProposed"])

    assert house.ask("remediate", resource_id=house.role.identity_id)["outcome"] == "APPLIED"
    assert house.journal.spend(ACCOUNT, now=now + timedelta(hours=1), limit=1), "the next hour has its own"


def test_given_a_standing_verdict_when_every_sweep_repeats_it_then_its_skip_is_told_once_a_day(house: House) -> None:
    house.score(50.0)
    midday = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for at in (midday, midday + timedelta(hours=6), midday + timedelta(days=1)):
        house.deliver(domain_body(standing(house.role, at)))
    assert len({detail["event_id"] for detail in house.stack.told("RemediationSkipped")}) == 2


def standing(role: IdentityRef, at: datetime) -> IdentityEvaluated:
    return IdentityEvaluated.about(
        role,
        at.isoformat(),
        occurred_at=at,
        compliance=Compliance.NON_COMPLIANT,
        pci=90.0,
        threshold=60.0,
        annotation="",
        repeated=True,
    )


# ---- taking back, and who wins


def test_given_an_applied_plan_when_a_person_takes_it_back_then_all_is_as_before_and_stays_so(house: House) -> None:
    plan_id = house.applied_plan()

    answer = house.ask("rollback", plan_id=plan_id)

    assert (answer["outcome"], answer["reason"]) == ("ROLLED_BACK", "requested")
    assert (house.boundary, house.own_policies()) == (None, [])
    assert house.told() == ["PolicyRolledBack"]
    house.calls.clear()
    house.score()
    house.verdict()
    assert (house.changes, house.boundary) == ([], None)
    assert house.skipped() == ["parked"]


def test_given_a_crash_before_it_was_noted_when_a_rolled_back_role_is_judged_again_then_it_is_left_alone_and_told(
    house: House,
) -> None:
    plan_id = house.applied_plan()
    house.ask("rollback", plan_id=plan_id)
    (before,) = house.stack.told("PolicyRolledBack")
    house.journal.set_current(house.role, Current(plan_id, ""), now=datetime.now(UTC))
    house.score()

    house.verdict()

    events = house.stack.published()
    assert [event["detail-type"] for event in events] == ["PolicyRolledBack", "RemediationSkipped"]
    assert events[0]["detail"]["event_id"] == before["event_id"]
    assert house.boundary is None


def test_given_a_rolled_back_plan_when_a_person_asks_again_then_it_is_applied_and_told_anew(house: House) -> None:
    house.mode("auto")
    house.verdict()
    (first,) = house.stack.told("PolicyApplied")
    house.ask("rollback", plan_id=first["plan_id"])
    house.score()
    house.told()

    answer = house.ask("remediate", resource_id=house.role.identity_id)

    assert answer["outcome"] == "APPLIED"
    (second,) = house.stack.told("PolicyApplied")
    assert second["plan_id"] == first["plan_id"]
    assert second["event_id"] != first["event_id"], "or the audit trail would miss it"


@pytest.mark.parametrize("plan_id", ["0123456789abcdef", "proposed"])
def test_given_nothing_to_take_back_when_a_person_asks_then_nothing_changes(house: House, plan_id: str) -> None:
    house.mode("approve")
    house.verdict()
    current = house.journal.current(house.role)
    assert current
    if plan_id == "proposed":
        assert house.ask("rollback", plan_id=current.plan_id)["reason"] == ReasonCode.DUPLICATE
    else:
        with pytest.raises(InputError):
            house.ask("rollback", plan_id=plan_id)
    assert house.changes == []


def test_given_observe_when_a_person_takes_a_plan_back_then_it_is_taken_back(house: House) -> None:
    plan_id = house.applied_plan()
    house.mode("observe")
    assert house.ask("rollback", plan_id=plan_id)["outcome"] == "ROLLED_BACK"
    assert house.boundary is None


def test_given_an_applied_boundary_when_somebody_takes_it_off_then_they_win_and_our_policy_is_collected(
    house: House,
) -> None:
    plan_id = house.applied_plan()
    clients.iam().delete_role_permissions_boundary(RoleName="deployer")
    house.calls.clear()
    house.score()

    house.verdict()
    house.verdict()

    assert house.changes == ["DeletePolicy"]
    assert (house.boundary, house.own_policies()) == (None, [])
    assert house.skipped() == ["drift", "drift", "parked"], "the second time as the same event"
    record = house.journal.get(plan_id)
    assert record
    assert record.status is PlanStatus.SKIPPED


def test_given_a_deleted_role_when_the_verdict_ends_then_our_policy_is_collected(house: House) -> None:
    house.applied_plan()
    iam = clients.iam()
    iam.delete_role_policy(RoleName="deployer", PolicyName="own")
    iam.delete_role_permissions_boundary(RoleName="deployer")
    iam.delete_role(RoleName="deployer")
    house.score(present=False)

    house.verdict("NOT_APPLICABLE")

    assert house.own_policies() == []
    assert house.skipped() == ["gone"]


def test_given_a_second_plan_when_it_is_taken_back_then_the_first_one_holds_again_and_cannot_go_first(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = house.applied_plan()
    later = datetime.now(UTC) + timedelta(days=95)
    monkeypatch.setattr(edge, "utc_now", lambda: later)
    house.use(USED[0], at=later)  # the other use is too long ago by now
    house.score(age=-timedelta(days=95))
    house.verdict()
    second = house.journal.current(house.role)
    assert second
    assert second.plan_id != first
    assert house.boundary == f"arn:aws:iam::{ACCOUNT}:policy/leastwise/{second.plan_id}"
    assert len(house.own_policies()) == 2, "the rollback needs the former one"

    assert house.ask("rollback", plan_id=first)["reason"] == ReasonCode.LOCKED
    assert house.ask("rollback", plan_id=second.plan_id)["outcome"] == "ROLLED_BACK"

    assert house.boundary == f"arn:aws:iam::{ACCOUNT}:policy/leastwise/{first}"
    assert house.ask("rollback", plan_id=first)["outcome"] == "ROLLED_BACK"
    assert house.boundary is None
    assert house.own_policies() == []


def test_given_a_boundary_of_others_when_the_mode_is_auto_then_it_is_left(house: House) -> None:
    house.mode("auto")
    iam = clients.iam()
    arn = iam.create_policy(PolicyName="limits", PolicyDocument=json.dumps(POLICY))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="deployer", PermissionsBoundary=arn)
    house.calls.clear()

    house.verdict()

    assert (house.changes, house.boundary) == ([], arn)
    assert house.skipped() == ["foreign_boundary"]


# ---- the lock


def test_given_a_lock_when_another_takes_it_over_then_the_first_owner_can_write_no_intent(house: House) -> None:
    plan_id = house.applied_plan()
    record = house.journal.get(plan_id)
    assert record
    now = datetime.now(UTC)
    late = house.journal.claim(house.role, "first", now=now, lease=timedelta(minutes=1))
    house.journal.claim(house.role, "second", now=now + timedelta(minutes=2), lease=timedelta(minutes=1))

    with pytest.raises(ConflictError):
        house.journal.intend(record.plan, 109, removal_step(record.plan), token=late, now=now)
