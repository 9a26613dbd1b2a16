"""The remediator's handlers on moto: what each mode does to IAM, and how a plan is scored."""

import json
from datetime import UTC, datetime

import pytest

from services.scorer.edge import Scorer
from services.scorer.settings import ScoreSettings
from shared.aws import clients
from shared.aws.account_snapshots import AccountSnapshots
from shared.aws.account_surroundings import memory
from shared.aws.iam import IamReader
from shared.aws.score_table import ScoreTable
from shared.model.inventory import Inventory
from shared.model.plan import Plan, PlanStatus
from shared.model.principals import Principals
from shared.model.score import ReachSource
from tests.builders import ACCOUNT
from tests.integration.remediator_house import USED, House, killed


def test_given_observe_when_a_verdict_comes_then_a_plan_is_proposed_and_nothing_changes(house: House) -> None:
    assert house.verdict() == []

    assert house.told() == ["PlanProposed"]
    assert house.changes == []
    record = house.record()
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
    plan_id = house.plan_id()

    answer = house.ask("approve", plan_id=plan_id)

    assert answer == {"outcome": "APPLIED", "plan_id": plan_id, "reason": "", "detail": ""}
    assert house.changes == ["CreatePolicy", "PutRolePermissionsBoundary"]
    assert house.told()[-1] == "PolicyApplied"


def test_given_approve_when_the_ssm_document_asks_then_it_is_applied(house: House) -> None:
    house.mode("approve")
    assert house.ask("remediate", resource_id=house.role.identity_id)["outcome"] == "APPLIED"
    assert house.boundary == house.own_policies()[0]


def test_given_auto_when_a_verdict_comes_then_the_plan_is_applied_and_every_call_journalled(house: House) -> None:
    house.mode("auto")

    assert house.verdict() == []

    plan_id = house.plan_id()
    assert house.boundary == f"arn:aws:iam::{ACCOUNT}:policy/leastwise/{plan_id}"
    steps = house.journal.steps(plan_id)
    assert [(step["kind"], step["outcome"]) for step in steps] == [("create_policy", "done"), ("put_boundary", "done")]
    assert house.told() == ["PlanProposed", "PolicyApplied"]


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
    return house.record().plan


def test_given_what_a_sweep_stored_when_a_plan_is_made_then_it_gives_the_score_that_the_scorer_stores(
    house: House, around: AccountSnapshots
) -> None:
    now = datetime.now(UTC)
    detail = IamReader(clients.iam()).verified(house.role, now=now)
    Scorer(ScoreSettings.load(), now, lambda: 300.0).score(detail)
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
        broken.setattr(AccountSnapshots, "get", killed)
        assert house.verdict() == ["m0"]
    assert (house.changes, house.told()) == ([], [])

    assert house.verdict() == []
    assert house.boundary
