"""`leastwise explain` of the deployed system: IAM now, the ledger, what sweeps stored, and the stored score."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from cli.main import app
from shared.aws import clients
from shared.aws.account_snapshots import AccountSnapshots
from shared.aws.iam import IamReader, NamedIdentity
from shared.aws.score_table import ScoreTable
from shared.aws.usage_ledger import UsageLedger
from shared.errors import DeniedError, InputError, NotFoundError
from shared.knowledge import load_catalogue, load_risk
from shared.model.identity import IdentityRef, IdentityType
from shared.model.inventory import Inventory
from shared.model.principals import Principals
from shared.model.score import StoredScore
from shared.model.usage import Coverage, Evidence, IdentityKey, Span, Usage, UsageEntry
from shared.pci.score import ScoreParameters, Surroundings, score_identity
from tests.builders import ACCOUNT
from tests.conftest import REGION, Stack
from tests.integration.stack_stand_in import Stacks

RISKY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["iam:ListUsers", "iam:CreateUser", "iam:AttachUserPolicy"], "Resource": "*"}
    ],
}
NOW = datetime.now(UTC)
PARAMETERS = {"WindowDays": "30", "Threshold": "50", "InventorySource": "config"}
OPTIONS = ("--stack-name", "leastwise", "--region", REGION)


@pytest.fixture(autouse=True)
def stacks(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    """The deployed stack."""
    found = Stacks()
    found.deploy(aws, **PARAMETERS)
    monkeypatch.setattr(BaseClient, "_make_api_call", found.caller())
    return found


def make_user(name: str, policy: Mapping[str, Any] = RISKY) -> IdentityRef:
    user = clients.iam().create_user(UserName=name)["User"]
    clients.iam().put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    return IdentityRef(account_id=ACCOUNT, identity_id=user["UserId"], arn=user["Arn"])


def note_use(aws: Stack, ref: IdentityRef, action: str) -> None:
    entry = UsageEntry(action, {Evidence.OBSERVED: Span(NOW - timedelta(days=2), NOW - timedelta(days=1))})
    ledger = UsageLedger(aws.table(aws.usage_table))
    ledger.merge({IdentityKey(ACCOUNT, ref.identity_id): Usage(ref.identity_id, {action.lower(): entry})})
    ledger.merge_coverage(ACCOUNT, Coverage.of([(NOW - timedelta(days=1)).date()], regions=[REGION], feeds=["trail"]))


def store_score(aws: Stack, ref: IdentityRef, *, at: datetime = NOW, around: Surroundings | None = None) -> None:
    detail = IamReader(clients.iam()).identity(NamedIdentity(IdentityType.USER, ref.name), now=at)
    usage = UsageLedger(aws.table(aws.usage_table)).read(
        IdentityKey(ACCOUNT, ref.identity_id), since=at - timedelta(days=30)
    )
    score = score_identity(
        detail,
        usage,
        load_catalogue(),
        load_risk(),
        ScoreParameters(),
        now=at,
        window_days=30,
        surroundings=around or Surroundings(),
    )
    ScoreTable(aws.table(aws.scores_table)).put(StoredScore(score))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["explain", *arguments, *OPTIONS])


def told(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code in {0, 1}, result.exception
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def test_given_a_stored_score_when_nothing_changed_then_both_say_the_same(aws: Stack) -> None:
    ana = make_user("ana")
    note_use(aws, ana, "iam:ListUsers")
    store_score(aws, ana)
    explanation = told("ana")

    assert (explanation["arn"], explanation["granted"], explanation["used"]) == (ana.arn, 3, 1)
    assert (explanation["threshold"], explanation["coverage"]["window_days"]) == (50, 30)
    assert explanation["compliance"] == "NON_COMPLIANT"
    assert explanation["stored"]["same"] is True
    assert explanation["stored"]["differences"] == []
    assert "says the same" in run("ana").stdout


def test_given_a_policy_changed_since_when_explained_then_the_stored_score_differs_and_it_says_how(aws: Stack) -> None:
    ana = make_user("ana")
    store_score(aws, ana, at=NOW - timedelta(days=3))
    clients.iam().delete_user_policy(UserName="ana", PolicyName="own")
    result = run("ana")

    assert result.exit_code == 0
    assert "differs: granted: 3 then, 0 now" in result.stdout
    assert "do the sweeps run?" in result.stderr
    assert told("ana", "--threshold", "1")["pci"] == 0


def test_given_what_sweeps_stored_when_explained_then_reach_and_paths_are_looked_up(aws: Stack) -> None:
    make_user("ana")
    inventory = Inventory(ACCOUNT, tuple(f"arn:aws:iam::{ACCOUNT}:user/u{number}" for number in range(5)), NOW)
    snapshots = AccountSnapshots(aws.table(aws.scores_table))
    snapshots.put(ACCOUNT, "inventory", inventory.to_json(), at=NOW)
    snapshots.put(ACCOUNT, "principals", Principals(account_id=ACCOUNT).to_json(), at=NOW - timedelta(days=5))
    explanation = told("ana")

    assert explanation["coverage"]["principals"] is True
    assert explanation["reach"]["source"] == "inventory"
    assert explanation["reach"]["resources_in_account"] == 5
    assert "the account's principals are of " in run("ana").stderr


def test_given_no_inventory_by_parameter_when_explained_then_a_stored_one_is_left_alone(
    aws: Stack, stacks: Stacks
) -> None:
    make_user("ana")
    inventory = Inventory(ACCOUNT, (f"arn:aws:iam::{ACCOUNT}:user/one",), NOW)
    AccountSnapshots(aws.table(aws.scores_table)).put(ACCOUNT, "inventory", inventory.to_json(), at=NOW)
    stacks.deploy(aws, "plain", **{**PARAMETERS, "InventorySource": "none"})
    result = CliRunner().invoke(app, ["explain", "ana", "--stack-name", "plain", "--region", REGION, "--json"])

    assert json.loads(result.stdout)["reach"]["source"] == "pattern"


def test_given_nothing_stored_when_explained_then_it_says_so(aws: Stack) -> None:
    make_user("ana")
    result = run("ana")

    assert result.exit_code == 1
    assert "no score of it is stored yet" in result.stderr
    assert "no sweep has stored the account's principals yet" in result.stderr
    assert "upper bound" in result.stdout


def test_given_a_snapshot_of_another_version_when_explained_then_it_counts_as_unknown(aws: Stack) -> None:
    make_user("ana")
    AccountSnapshots(aws.table(aws.scores_table)).put(ACCOUNT, "inventory", b"{}", at=NOW)

    assert "inventory are of another version" in run("ana").stderr


def test_given_arn_id_name_or_session_when_explained_then_the_same_identity_is_meant(aws: Stack) -> None:
    ana = make_user("ana")
    store_score(aws, ana)
    role = clients.iam().create_role(RoleName="jobs", AssumeRolePolicyDocument="{}")["Role"]

    assert {told(who)["identity_id"] for who in ("ana", ana.arn, ana.identity_id)} == {ana.identity_id}
    assert told(f"arn:aws:sts::{ACCOUNT}:assumed-role/jobs/one")["identity_id"] == role["RoleId"]


def test_given_a_session_of_another_account_when_explained_then_it_is_no_role_of_this_one(aws: Stack) -> None:
    clients.iam().create_role(RoleName="jobs", AssumeRolePolicyDocument="{}")
    error = run("arn:aws:sts::999988887777:assumed-role/jobs/one").exception

    assert isinstance(error, InputError)
    assert "no identity is called" in str(error)


def test_given_an_id_without_a_score_when_explained_then_it_says_to_ask_by_name(aws: Stack) -> None:
    ana = make_user("ana")
    error = run(ana.identity_id).exception

    assert isinstance(error, InputError)
    assert f"no score of the id {ana.identity_id} is stored" in str(error)
    assert "ask by the name" in str(error)


@pytest.mark.parametrize("who", ["an", "arn:aws:iam::123456789012:user/other/ana", "zoe", "no such/"])
def test_given_an_unknown_identity_when_explained_then_it_is_refused_with_near_matches(who: str, aws: Stack) -> None:
    ana = make_user("ana")
    store_score(aws, ana)
    result = run(who)

    assert isinstance(result.exception, InputError)
    assert "no identity is called" in str(result.exception)
    assert (ana.arn in str(result.exception)) == ("an" in who[-4:])


def test_given_a_deleted_identity_when_explained_then_its_stored_score_is_no_answer(aws: Stack) -> None:
    ana = make_user("ana")
    store_score(aws, ana)
    clients.iam().delete_user_policy(UserName="ana", PolicyName="own")
    clients.iam().delete_user(UserName="ana")
    result = run("ana")

    assert isinstance(result.exception, InputError)
    assert "does not exist any more" in str(result.exception)


def test_given_another_stack_when_explained_then_it_is_refused(aws: Stack, stacks: Stacks) -> None:
    stacks.deploy(aws, "other")
    result = CliRunner().invoke(app, ["explain", "ana", "--stack-name", "other", "--region", REGION])

    assert isinstance(result.exception, NotFoundError)
    assert "is it leastwise" in str(result.exception)


def test_given_a_refused_call_when_explained_then_it_is_an_error_of_a_dependency(
    stacks: Stacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user("ana")

    def refused(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        if operation_name == "GetUser":
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation_name)
        return stacks.answer(self, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", refused)
    assert isinstance(run("ana").exception, DeniedError)


def test_given_another_window_when_explained_then_the_ledger_is_read_that_far(aws: Stack) -> None:
    ana = make_user("ana")
    note_use(aws, ana, "iam:ListUsers")

    assert told("ana", "--window-days", "1")["coverage"]["window_days"] == 1
    assert told("ana", "--window-days", "60")["used"] == 1
