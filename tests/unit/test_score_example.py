"""A real account full of escalation paths: everyone has a score, and the order is one that can be defended."""

import gzip
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from infra.build.template import ROOT

DATA = Path(__file__).parents[1] / "data" / "authorization-details"
EXAMPLE = DATA / "example.json.gz"
RECORDS = ROOT / "infra" / "local" / "records" / "invictus"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"

# The paths that the account's makers named its identities after, by what pathfinding.cloud calls them.
COMPLETED = {
    "role/privesc1-CreateNewPolicyVersion-role": "iam-001",
    "role/privesc9-AttachRolePolicy-role": "iam-009",
    "role/privesc12-PutRolePolicy-role": "iam-005",
    "user/privesc4-CreateAccessKey-user": "iam-002",
    "user/privesc5-CreateLoginProfile-user": "iam-004",
    "user/privesc7-AttachUserPolicy-user": "iam-008",
    "user/privesc8-AttachGroupPolicy-user": "iam-010",
    "user/privesc10-PutUserPolicy-user": "iam-007",
    "user/privesc13-AddUserToGroup-user": "iam-013",
    "user/privesc14-UpdatingAssumeRolePolicy-user": "iam-012",
    "user/privesc3-CreateEC2WithExistingInstanceProfile-user": "ec2-001",
    "user/privesc15-PassExistingRoleToNewLambdaThenInvoke-user": "lambda-001",
    "user/privesc20-PassExistingRoleToCloudFormation-user": "cloudformation-001",
    "user/fn1-privesc3-partial-user": "ec2-001",
    "user/fn2-exploitableResourceConstraint-user": "iam-001",
}


@pytest.fixture(scope="module")
def result() -> Result:
    details = ["--authorization-details", str(EXAMPLE), "--cloudtrail", str(RECORDS)]
    return CliRunner().invoke(app, ["score", "--json", *details])


@pytest.fixture(scope="module")
def answer(result: Result) -> dict[str, Any]:
    assert isinstance(result.exception, SystemExit), result.exception
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


@pytest.fixture(scope="module")
def scores(answer: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["arn"].split(":", 5)[5]: one for one in answer["identities"]}


def test_everyone_has_a_score_worst_first(result: Result, answer: Mapping[str, Any], scores: Mapping[str, Any]) -> None:
    assert result.exit_code == 1
    assert answer["errors"] == []
    assert sum(name.startswith("user/") for name in scores) == 44
    assert sum(name.startswith("role/") for name in scores) == 78
    order = [(-one["pci"], one["arn"]) for one in answer["identities"]]
    assert order == sorted(order)


def test_the_records_are_of_another_account_and_that_is_said(result: Result, answer: Mapping[str, Any]) -> None:
    for account_id in ("012345678901", "200611803367"):
        assert f"no record is of account {account_id}" in result.stderr
    assert {one["coverage"]["observed_days"] for one in answer["identities"]} == {0}
    assert {one["used"] for one in answer["identities"]} == {0}
    assert answer["as_of_source"] == "authorization_details"


def test_administrators_are_at_the_top_and_who_holds_nothing_at_the_bottom(scores: Mapping[str, Any]) -> None:
    details = json.loads(gzip.decompress(EXAMPLE.read_bytes()))
    attached = {
        one["Arn"].split(":", 5)[5]: {policy["PolicyArn"] for policy in one["AttachedManagedPolicies"]}
        for one in details["UserDetailList"] + details["RoleDetailList"]
    }
    administrators = {name for name, policies in attached.items() if ADMINISTRATOR in policies}
    assert len(administrators) == 5
    assert all(round(scores[name]["pci"]) == 100 for name in administrators)
    for one in scores.values():
        assert (one["pci"] == 0) is (one["granted"] == 0)


@pytest.mark.parametrize("name", COMPLETED)
def test_a_path_that_somebody_was_made_for_is_found_and_is_high(scores: Mapping[str, Any], name: str) -> None:
    assert COMPLETED[name] in {one["path"] for one in scores[name]["contributions"]}
    assert (scores[name]["band"], scores[name]["compliance"]) == ("high", "NON_COMPLIANT")


def test_what_cannot_be_exploited_is_below_what_can(scores: Mapping[str, Any]) -> None:
    """The makers' own false positives (fp: a Deny, a resource or a condition prevents it) and false negatives (fn)."""
    for kind in ("user", "role"):
        exploitable = [scores[f"{kind}/{name}-{kind}"]["pci"] for name in (
            "fn1-privesc3-partial", "fn2-exploitableResourceConstraint", "fn4-exploitableNotAction"
        )]  # fmt: skip
        denied = [
            scores[f"{kind}/{name}-{kind}"]["pci"]
            for name in ("fp1-allow-and-deny", "fp2-allow-and-deny-multiple-policies")
        ]
        limited = scores[f"{kind}/fp4-nonExploitableResourceConstraint-{kind}"]["pci"]
        assert denied == [0, 0]
        assert 0 < limited < 34
        assert min(exploitable) > 67


def test_aws_own_roles_are_exempt_and_nobody_else(scores: Mapping[str, Any]) -> None:
    exempt = {name for name, one in scores.items() if one["compliance"] == "NOT_APPLICABLE"}
    assert exempt == {name for name in scores if name.startswith(("role/aws-service-role/", "role/aws-reserved/"))}
    assert len(exempt) == 10


def test_the_same_policies_have_the_same_score(scores: Mapping[str, Any]) -> None:
    regional = [one["pci"] for name, one in scores.items() if "EnableCRecording-1clff" in name]
    assert len(regional) == 16
    assert len(set(regional)) == 1


def test_a_score_can_be_redone_from_its_contributions(scores: Mapping[str, Any]) -> None:
    for one in scores.values():
        chances: dict[str, float] = {}
        for contribution in one["contributions"]:
            chances[contribution["risk"]] = max(chances.get(contribution["risk"], 0), contribution["chance"])
        redone = 100 * (1 - math.prod(1 - chance for chance in chances.values()))
        assert one["pci"] == pytest.approx(redone, abs=1e-6)


def test_the_account_is_unmodified_and_names_its_source() -> None:
    source = (DATA / "SOURCE.md").read_text(encoding="utf-8")
    assert hashlib.sha256(gzip.decompress(EXAMPLE.read_bytes())).hexdigest() in source
    assert EXAMPLE.read_bytes()[4:8] == bytes(4)
    assert all(word in source for word in ("origin:", "commit:", "licence: BSD-3-Clause", "changes: none"))
    assert "Salesforce.com" in (DATA / "LICENSE").read_text(encoding="utf-8")
