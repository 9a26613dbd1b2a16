"""What AWS Config is answered: by fresh scores, without them, about the absent, and about items that say too little."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.evaluator.answers import Answer, Yardstick, answer_on_absent, check_type, identity_of
from services.evaluator.invocation import ConfigurationItem, Invocation, parse_invocation
from shared.errors import InputError
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance
from shared.model.score import StoredScore
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW, OTHER_ACCOUNT, a_score, a_verdict

COMPLIANT, NON_COMPLIANT, NOT_APPLICABLE = Compliance.COMPLIANT, Compliance.NON_COMPLIANT, Compliance.NOT_APPLICABLE
YARDSTICK = Yardstick(threshold=60, max_age_hours=48, now=NOW)
SSO = IdentityRef(
    account_id=ACCOUNT,
    identity_id="AROAEXAMPLESSO000001",
    arn=f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admins_0123456789abcdef",
)
STALE = a_score(scored_at=NOW - timedelta(hours=49))


def an_item(**changes: Any) -> ConfigurationItem:
    fields = {
        "resourceType": "AWS::IAM::User",
        "resourceId": ANA.identity_id,
        "ARN": ANA.arn,
        "configurationItemStatus": "OK",
    }
    return ConfigurationItem.model_validate(fields | changes)


def an_invocation(item: dict[str, Any]) -> Invocation:
    content = json.dumps({"messageType": "ConfigurationItemChangeNotification", "configurationItem": item})
    return parse_invocation({"invokingEvent": content, "resultToken": "token", "accountId": ACCOUNT}, now=NOW)


def said(answer: Answer) -> tuple[str, str, Compliance] | None:
    statement = answer.statement
    return (statement.resource_type, statement.resource_id, statement.compliance) if statement else None


@pytest.mark.parametrize(("pci", "compliance"), [(59.999, COMPLIANT), (60.0, NON_COMPLIANT), (87.25, NON_COMPLIANT)])
def test_a_fresh_score_is_judged_and_the_judgement_goes_with_the_answer(pci: float, compliance: Compliance) -> None:
    answer = YARDSTICK.answer_on(ANA, StoredScore(a_score(pci)), None)
    assert said(answer) == ("AWS::IAM::User", ANA.identity_id, compliance)
    assert answer.judgement is not None
    assert answer.judgement.verdict.compliance is compliance
    assert answer.unscored is None


def test_the_verdict_that_stands_is_honoured() -> None:
    answer = YARDSTICK.answer_on(ANA, StoredScore(a_score(59)), a_verdict(NON_COMPLIANT))
    assert said(answer) == ("AWS::IAM::User", ANA.identity_id, NON_COMPLIANT)


@pytest.mark.parametrize(
    "stored", [None, StoredScore(STALE), StoredScore(a_score(), present=False), StoredScore(STALE, present=False)]
)
def test_without_a_fresh_score_nothing_is_said_and_one_is_missed(stored: StoredScore | None) -> None:
    assert YARDSTICK.answer_on(ANA, stored, a_verdict()) == Answer(unscored=ANA)


def test_who_is_aws_own_needs_no_score_not_to_be_judged() -> None:
    answer = YARDSTICK.answer_on(SSO, None, None)
    assert said(answer) == ("AWS::IAM::Role", SSO.identity_id, NOT_APPLICABLE)
    assert (answer.judgement, answer.unscored) == (None, None)
    assert answer.statement is not None
    assert answer.statement.annotation.startswith("Not judged: arn:aws:iam::")


def test_what_was_said_of_the_gone_is_taken_back_once() -> None:
    first = YARDSTICK.answer_on_the_gone(a_verdict())
    assert said(first) == ("AWS::IAM::User", ANA.identity_id, NOT_APPLICABLE)
    assert first.judgement is not None
    assert YARDSTICK.answer_on_the_gone(first.judgement.verdict) == Answer()


def test_on_schedule_everyone_is_answered_once() -> None:
    sso = StoredScore(a_score(identity=SSO, exempt="it is AWS's"))
    answers = list(
        YARDSTICK.answer_on_all(
            [
                (StoredScore(a_score()), None),
                (replace(sso, version=3), None),
                (None, a_verdict(identity=DEPLOYER)),
                (StoredScore(STALE.model_copy(update={"identity": DEPLOYER})), None),
            ]
        )
    )
    assert [said(answer) for answer in answers] == [
        ("AWS::IAM::User", ANA.identity_id, NON_COMPLIANT),
        ("AWS::IAM::Role", SSO.identity_id, NOT_APPLICABLE),
        ("AWS::IAM::Role", DEPLOYER.identity_id, NOT_APPLICABLE),
        None,
    ]
    assert [answer.unscored for answer in answers] == [None, None, None, DEPLOYER]


def test_an_item_that_left_is_answered_by_what_it_says_alone() -> None:
    raw = {"resourceType": "AWS::IAM::Role", "resourceId": "AROAX", "configurationItemStatus": "ResourceDeleted"}
    invocation = an_invocation(raw)
    assert invocation.item is not None
    answer = answer_on_absent(invocation, invocation.item)
    assert answer.statement is not None
    assert tuple(answer.statement) == ("AWS::IAM::Role", "AROAX", NOT_APPLICABLE, "Deleted")


def test_a_summary_without_arn_is_known_by_its_id() -> None:
    assert identity_of(an_item(ARN=None), StoredScore(a_score()), account_id=ACCOUNT) == ANA


def test_an_identity_that_was_renamed_is_called_by_its_new_name() -> None:
    renamed = f"arn:aws:iam::{ACCOUNT}:user/hanna"
    assert identity_of(an_item(ARN=renamed), StoredScore(a_score()), account_id=ACCOUNT).arn == renamed


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"ARN": None}, "has no ARN, and nobody of its id was scored"),
        ({"ARN": "canary"}, "no usable resourceId or ARN"),
        ({"resourceId": "canary"}, "no usable resourceId or ARN"),
        ({"ARN": DEPLOYER.arn, "resourceId": DEPLOYER.identity_id}, "another kind's id"),
        ({"resourceType": "AWS::IAM::Role"}, "another kind's id"),
        ({"ARN": ANA.arn.replace(ACCOUNT, OTHER_ACCOUNT)}, "another account's ARN"),
    ],
)
def test_an_item_that_says_too_little_or_contradicts_itself_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        identity_of(an_item(**changes), None, account_id=ACCOUNT)
    assert "canary" not in str(caught.value)


def test_a_summary_without_arn_whose_id_is_another_kinds_is_refused() -> None:
    with pytest.raises(InputError, match="another kind's id"):
        identity_of(an_item(ARN=None, resourceType="AWS::IAM::Role"), StoredScore(a_score()), account_id=ACCOUNT)


@pytest.mark.parametrize("kind", ["AWS::IAM::Group", "AWS::IAM::Policy", "AWS::EC2::Instance"])
def test_other_resources_are_refused(kind: str) -> None:
    with pytest.raises(InputError, match=f"sent a {kind}"):
        check_type(an_item(resourceType=kind))
