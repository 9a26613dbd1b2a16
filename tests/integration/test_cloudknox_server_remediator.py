"""The remediator's handler with an outside provider, whole: whatever the provider answers, only what is proven changes.

The role may read IAM and do anything to queues and functions, has used two actions, and is non-compliant in mode `auto`
without notice: any plan would be applied at once.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.aws import clients
from shared.aws.score_table import ScoreTable
from shared.model.plan import PlanStatus
from shared.model.score import Provider as Who
from shared.model.score import StoredScore
from shared.providers.choice import forget_secrets
from tests.builders import ACCOUNT, OTHER_ACCOUNT, a_score
from tests.cloudknox.certificates import Identification
from tests.cloudknox.misbehaviours import ELSEWHERE, Misbehaviour
from tests.cloudknox.server import Provider, running
from tests.cloudknox.tenant import Endpoint, Tenant
from tests.conftest import LogLines
from tests.integration.chosen_provider import FAILING, choose, keep_secret, lose_secret, wait_for
from tests.integration.remediator_house import USED, House

AUTHENTICATE, POLICY = Endpoint.AUTHENTICATE, Endpoint.POLICY


def allow(*actions: str, resource: str = "*", effect: str = "Allow") -> dict[str, Any]:
    """A policy of one statement."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": [*actions], "Resource": resource}]}


HELD = allow("iam:Get*", "sqs:*", "lambda:*")
GOOD = allow(*USED, "sqs:ListQueues")

NO_BASIS: list[tuple[Misbehaviour, str, str]] = [  # answers in the right form: the code that is told, a word of the why
    (Misbehaviour.EMPTY, "no_proposal", "no policy"),
    (Misbehaviour.EVERYTHING, "not_proven", "may not"),
    (Misbehaviour.CREATE_ROLE, "not_proven", "iam:CreateRole"),
    (Misbehaviour.WRONG_ACCOUNT, "not_proven", "lacks recorded uses"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    with running(Tenant(ACCOUNT)) as server:
        yield server


@pytest.fixture
def provider(house: House, server: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """The chosen provider, which scored the role 90 and proposes a policy that can be proven."""
    server.behave()
    server.asked.clear()
    server.tenant.policies = {house.role.arn: [GOOD]}
    choose(server.secret(), monkeypatch)
    clients.iam().put_role_policy(RoleName=house.role.name, PolicyName="own", PolicyDocument=json.dumps(HELD))
    house.calls.clear()
    score(house)
    house.mode("auto")
    yield server
    forget_secrets()


def score(house: House, **changes: Any) -> None:
    """Store the role's score, by the provider unless it says otherwise."""
    table = ScoreTable(house.stack.table(house.stack.scores_table))
    known = table.get(ACCOUNT, house.role.identity_id)
    one = a_score(90.0, identity=house.role, scored_at=house.now(), **({"provider": Who.CLOUDKNOX} | changes))
    table.put(StoredScore(one, known.version if known else 0))


def in_iam() -> dict[str, Any]:
    """All users, groups, roles and own policies, documents included."""
    answer = clients.iam().get_account_authorization_details(
        Filter=["User", "Group", "Role", "LocalManagedPolicy"], MaxItems=1000
    )
    assert not answer["IsTruncated"]
    return {kind: found for kind, found in answer.items() if kind != "ResponseMetadata"}


def assert_nothing_comes_of_a_verdict(house: House, log: LogLines, what: object, *, code: str, why: str) -> None:
    """IAM is as it was, nobody tries to change it, no plan waits, and it is told why."""
    before = in_iam()

    assert house.verdict() == [], what

    (skipped,) = house.stack.told("RemediationSkipped")
    assert skipped["code"] == code, what
    assert why in skipped["message"], what
    assert "canary" not in skipped["message"] + log.text, what
    assert (in_iam(), house.changes) == (before, []), what
    assert house.journal.current(house.role) is None, what


@pytest.mark.parametrize("endpoint", [AUTHENTICATE, POLICY])
def test_given_no_answer_of_use_when_verdicts_come_then_nothing_changes_and_it_is_told_why(
    house: House, provider: Provider, log: LogLines, monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint
) -> None:
    for misbehaviour in FAILING:
        wait_for(misbehaviour, monkeypatch)
        provider.misbehave(endpoint, misbehaviour)
        assert_nothing_comes_of_a_verdict(house, log, misbehaviour, code="provider_failed", why="cloudknox")

    assert len(provider.asked_for(endpoint)) >= len(FAILING)
    assert ELSEWHERE not in {asked.path for asked in provider.asked}


def test_given_an_answer_without_a_basis_when_verdicts_come_then_nothing_changes_and_it_is_told_why(
    house: House, provider: Provider, log: LogLines
) -> None:
    for misbehaviour, code, why in NO_BASIS:
        provider.misbehave(POLICY, misbehaviour)
        assert_nothing_comes_of_a_verdict(house, log, misbehaviour, code=code, why=why)


BAD_POLICIES: list[tuple[str, list[dict[str, Any]], str]] = [
    ("one use is missing", [allow(USED[0])], "lacks recorded uses"),
    ("a service that it doesn't hold", [allow(*USED, "s3:GetObject")], "may not"),
    ("one good, one beyond", [GOOD, allow("iam:CreateRole")], "may not"),
    ("all but one", [{**GOOD, "Statement": {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}}], "may not"),
    ("nothing but a Deny", [allow("*", effect="Deny")], "lacks recorded uses"),
    ("another resource", [allow(*USED, resource="arn:aws:sqs:us-east-1:1:q")], "cloudknox's policy"),
    ("no grammar", [allow("*", effect="Perhaps")], "none that IAM would accept"),
    ("no policy", [{"hello": "canary"}], "none that IAM would accept"),
]


def test_given_a_policy_that_cannot_be_proven_when_verdicts_come_then_nothing_changes(
    house: House, provider: Provider, log: LogLines
) -> None:
    for what, policies, why in BAD_POLICIES:
        provider.tenant.policies = {house.role.arn: policies}
        assert_nothing_comes_of_a_verdict(house, log, what, code="not_proven", why=why)


def test_given_a_server_that_is_not_who_it_says_when_verdicts_come_then_nothing_changes(
    house: House, provider: Provider, log: LogLines
) -> None:
    for identification in [one for one in Identification if one is not Identification.VALID]:
        with running(Tenant(ACCOUNT, policies={house.role.arn: [GOOD]}), identification) as stranger:
            keep_secret(stranger.secret())
            assert_nothing_comes_of_a_verdict(house, log, identification, code="provider_failed", why="unavailable")
        assert stranger.asked == [], identification


BAD_SECRETS: list[tuple[str, dict[str, str]]] = [
    ("another account", {"accountId": OTHER_ACCOUNT}),
    ("no TLS", {"url": "http://127.0.0.1"}),
    ("no key", {"secretKey": ""}),
]


def test_given_a_secret_that_does_not_fit_when_verdicts_come_then_nothing_is_asked_or_changed(
    house: House, provider: Provider, log: LogLines
) -> None:
    for what, changes in BAD_SECRETS:
        keep_secret(provider.secret(**changes))
        assert_nothing_comes_of_a_verdict(house, log, what, code="provider_failed", why="credentials")
    lose_secret()
    assert_nothing_comes_of_a_verdict(house, log, "no secret", code="provider_failed", why="credentials")

    assert provider.asked == []


UNSCORED: list[tuple[str, dict[str, Any]]] = [
    ("not in the provider's list", {"provider": Who.NATIVE, "exempt": "cloudknox lists no score of it"}),
    ("scored before the provider was chosen", {"provider": Who.NATIVE}),
]


@pytest.mark.parametrize("changes", [pytest.param(changes, id=what) for what, changes in UNSCORED])
def test_given_no_score_by_the_provider_when_a_verdict_comes_then_nothing_is_asked_or_changed(
    house: House, provider: Provider, log: LogLines, changes: dict[str, Any]
) -> None:
    score(house, **changes)

    assert_nothing_comes_of_a_verdict(house, log, changes, code="unscored", why="cloudknox")

    assert provider.asked == []


# ---- the other way: what is proven is applied


def test_given_a_good_proposal_when_a_verdict_comes_then_it_is_proven_and_applied(
    house: House, provider: Provider
) -> None:
    assert house.verdict() == []

    record = house.record()
    assert record.status is PlanStatus.APPLIED
    assert record.plan.proofs.hold
    assert {*USED, "sqs:ListQueues"} <= set(record.plan.keeps)
    assert "sqs:DeleteQueue" in record.plan.removes
    assert house.boundary == house.own_policies()[0]
    assert house.changes == ["CreatePolicy", "PutRolePermissionsBoundary"]
    assert house.told() == ["PlanProposed", "PolicyApplied"]
    (asked,) = provider.asked_for(POLICY)
    assert asked.body["identityIds"] == [house.role.arn]


def test_given_a_provider_that_recovers_when_the_verdict_comes_again_then_it_is_applied(
    house: House, provider: Provider
) -> None:
    provider.misbehave(POLICY, Misbehaviour.HTML)
    house.verdict()
    assert (house.skipped(), house.boundary) == (["provider_failed"], None)

    provider.behave()
    house.verdict()

    assert house.boundary


def test_given_an_applied_plan_when_the_provider_fails_or_goes_wild_then_it_stays_as_it_is(
    house: House, provider: Provider
) -> None:
    house.applied_plan()
    score(house)
    before = in_iam()

    for misbehaviour in (Misbehaviour.EVERYTHING, Misbehaviour.EMPTY, Misbehaviour.SERVER_ERROR):
        provider.misbehave(POLICY, misbehaviour)
        assert house.ask("remediate", resource_id=house.role.identity_id)["outcome"] == "SKIPPED"

    assert (in_iam(), house.changes) == (before, [])
