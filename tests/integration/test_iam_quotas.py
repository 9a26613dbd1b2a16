"""IAM's quotas on moto, and an answer that lacks one."""

import boto3
import pytest
from botocore.stub import Stubber

from shared.aws import clients
from shared.aws.iam_quotas import IamQuotas, read_quotas
from shared.errors import DeniedError, DependencyError
from tests.conftest import Stack
from tests.integration.test_own_policies import create

SUMMARY = {
    "PoliciesQuota": 5000,
    "Policies": 4999,
    "AttachedPoliciesPerUserQuota": 20,
    "AttachedPoliciesPerRoleQuota": 15,
    "PolicySizeQuota": 6144,
    "UsersQuota": 5000,
}


def test_what_is_used_is_counted(aws: Stack) -> None:
    create("a", path="/leastwise/")
    create("b", path="/")
    assert read_quotas(clients.iam()) == IamQuotas(1500, 2, 10, 10, 6144)


def test_quotas_that_were_raised_are_the_ones_that_count() -> None:
    client = boto3.client("iam")
    with Stubber(client) as stub:
        stub.add_response("get_account_summary", {"SummaryMap": SUMMARY})
        assert read_quotas(client) == IamQuotas(5000, 4999, 20, 15, 6144)


@pytest.mark.parametrize("missing", sorted(SUMMARY.keys() - {"UsersQuota"}))
def test_a_quota_that_is_not_told_is_not_guessed(missing: str) -> None:
    client = boto3.client("iam")
    summary = {key: value for key, value in SUMMARY.items() if key != missing}
    with Stubber(client) as stub:
        stub.add_response("get_account_summary", {"SummaryMap": summary})
        with pytest.raises(DependencyError, match=missing):
            read_quotas(client)


def test_a_refused_call_is_told_as_such() -> None:
    client = boto3.client("iam")
    with Stubber(client) as stub:
        stub.add_client_error("get_account_summary", "AccessDenied")
        with pytest.raises(DeniedError, match="GetAccountSummary"):
            read_quotas(client)
