"""What somebody can do who may write to the tables: what is derived anew can't be forged, and what can't be is said."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from shared.aws import clients
from shared.model.plan import PlannedPolicy
from tests.integration.remediator_house import USED, House

EVERYTHING: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def forge(house: House, **changes: Any) -> None:
    """Write the latest plan into the journal with these fields of its plan replaced."""
    record = house.record()
    house.journal.save(record.model_copy(update={"plan": record.plan.model_copy(update=changes)}))


@pytest.mark.parametrize("strategy", ["boundary", "replace"])
def test_a_waiting_plan_that_was_forged_in_the_journal_is_derived_anew_and_never_applied_as_it_stands(
    house: House, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    monkeypatch.setenv("LEASTWISE_STRATEGY", strategy)
    house.mode("approve")
    house.verdict()
    policies: tuple[PlannedPolicy, ...] = house.record().plan.policies
    assert policies
    forge(house, policies=tuple(one.model_copy(update={"document": EVERYTHING}) for one in policies))

    house.ask("approve", plan_id=house.plan_id())
    house.ask("apply", plan_id=house.plan_id())

    documents = [json.dumps(own_document(arn)) for arn in house.own_policies()]
    assert documents
    assert not [text for text in documents if '"Action": "*"' in text or '"iam:*"' in text]


def own_document(arn: str) -> Any:
    """The document of a managed policy that is in force."""
    version = clients.iam().get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return clients.iam().get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


def test_a_forged_score_leads_to_a_plan_that_keeps_every_use_and_grants_nothing_new(house: House) -> None:
    house.mode("auto")
    house.score(100.0)
    house.verdict()

    statements = own_document(str(house.boundary))["Statement"]
    allowed = [name for one in statements if one["Effect"] == "Allow" for name in one["Action"]]
    assert [name for name in USED if not any(fnmatchcase(name, pattern) for pattern in allowed)] == []
    assert {name.split(":")[0] for name in allowed} <= {"iam", "sqs", "lambda"}
    assert "iam:*" not in allowed
