"""`leastwise explain` from local files: what it says, for machines and for people, and what it refuses."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import terminal
from cli.identity_names import named
from cli.main import app
from infra.build.template import ROOT
from shared.errors import InputError
from shared.model.explanation import Explanation
from shared.model.identity import IdentityRef
from tests.unit.test_cli_usage import ACCOUNT, lines, record

ANN, TEAM = "AIDAEXAMPLEEXAMPLE1", "AROAEXAMPLEEXAMPLE1"
ANN_ARN, TEAM_ARN = f"arn:aws:iam::{ACCOUNT}:user/ann", f"arn:aws:iam::{ACCOUNT}:role/team/orders"
OWN_ARN = f"arn:aws:iam::{ACCOUNT}:policy/own"
USER = {"type": "IAMUser", "principalId": ANN, "arn": ANN_ARN, "accountId": ACCOUNT}
RED = "\x1b[31m"


def document(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Resource": "*", **statement} for statement in statements],
    }


DETAILS: dict[str, Any] = {
    "UserDetailList": [
        {
            "UserName": "ann",
            "UserId": ANN,
            "Arn": ANN_ARN,
            "Path": "/",
            "CreateDate": "2026-01-01T00:00:00Z",
            "GroupList": ["devs"],
            "UserPolicyList": [
                {
                    "PolicyName": "reads",
                    "PolicyDocument": document(
                        {"Action": ["iam:ListUsers", "ec2:DescribeVpcs"]},
                        {"Sid": f"{RED}Red", "Action": "iam:CreateUser"},
                    ),
                }
            ],
            "AttachedManagedPolicies": [],
        },
        {
            "UserName": "anna",
            "UserId": "AIDAEXAMPLEEXAMPLE2",
            "Arn": f"arn:aws:iam::{ACCOUNT}:user/anna",
            "Path": "/",
            "CreateDate": "2026-01-01T00:00:00Z",
            "GroupList": [],
            "AttachedManagedPolicies": [],
            "Tags": [{"Key": "leastwise:exempt", "Value": "true"}],
        },
    ],
    "RoleDetailList": [
        {
            "RoleName": "orders",
            "RoleId": TEAM,
            "Arn": TEAM_ARN,
            "Path": "/team/",
            "CreateDate": "2026-01-01T00:00:00Z",
            "AssumeRolePolicyDocument": document(),
            "RolePolicyList": [],
            "AttachedManagedPolicies": [],
            "InstanceProfileList": [],
        }
    ],
    "GroupDetailList": [
        {
            "GroupName": "devs",
            "GroupId": "AGPAEXAMPLEEXAMPLE1",
            "Arn": f"arn:aws:iam::{ACCOUNT}:group/devs",
            "Path": "/",
            "CreateDate": "2026-01-01T00:00:00Z",
            "GroupPolicyList": [],
            "AttachedManagedPolicies": [{"PolicyName": "own", "PolicyArn": OWN_ARN}],
        }
    ],
    "Policies": [
        {
            "PolicyName": "own",
            "Arn": OWN_ARN,
            "PolicyVersionList": [
                {
                    "VersionId": "v1",
                    "IsDefaultVersion": True,
                    "Document": document({"Action": "iam:AttachUserPolicy"}, {"Action": "s3:*"}),
                }
            ],
        }
    ],
}
RECORDS = [
    record("2026-05-03T10:00:00Z", "iam:ListUsers", USER, "4"),
    record("2026-05-05T10:00:00Z", "iam:ListUsers", USER, "5"),
]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Options that name the account's files."""
    (tmp_path / "details.json").write_text(json.dumps(DETAILS))
    (tmp_path / "records.jsonl").write_bytes(lines(*RECORDS))
    return ["--authorization-details", f"{tmp_path}/details.json", "--cloudtrail", f"{tmp_path}/records.jsonl"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["explain", *arguments])


def test_the_json_is_the_documented_shape_and_its_numbers_redo_the_pci(files: list[str]) -> None:
    result = run("ann", *files, "--json")
    told = json.loads(result.stdout)

    assert result.exit_code == 1
    assert Explanation.model_validate(told).model_dump(mode="json") == told
    survival = math.prod(
        1 - max(one["alpha"] * (1 - math.exp(-((one["mass"] / one["kappa"]) ** told["arithmetic"]["gamma"]))),
                one["alpha"] * one["by_path"])
        for one in told["arithmetic"]["classes"]
    )  # fmt: skip
    assert told["pci"] == pytest.approx(100 * (1 - survival), abs=1e-6)
    assert (told["arn"], told["compliance"], told["band"]) == (ANN_ARN, "NON_COMPLIANT", "high")
    assert told["coverage"]["observed_days"] == 2
    worst = told["contributors"][0]
    assert worst["action"] == "iam:AttachUserPolicy"
    assert worst["sources"] == [
        {
            "kind": "group_managed",
            "policy": "own",
            "arn": OWN_ARN,
            "group": "devs",
            "statement": 1,
            "sid": None,
            "resources": ["*"],
            "resources_left_out": 0,
            "conditional": False,
        }
    ]
    assert result.stdout == run("ann", *files, "--json").stdout


def shows(document: object, whole: object) -> bool:
    """Whether a shortened example has nothing that the whole doesn't have: `…` stands for what was left out."""
    if isinstance(document, dict) and isinstance(whole, dict):
        left_out = "…" in document
        told = {key: value for key, value in document.items() if key != "…"}
        return (left_out or told.keys() == whole.keys()) and all(
            key in whole and shows(value, whole[key]) for key, value in told.items()
        )
    if isinstance(document, list) and isinstance(whole, list):
        told_items = document[:-1] if document[-1:] == ["…"] else document
        return (told_items != document or len(document) == len(whole)) and all(map(shows, told_items, whole))
    return document == whole


def test_the_documented_example_is_what_the_command_says_and_every_member_is_named(tmp_path: Path) -> None:
    functions = {"Sid": "Functions", "Action": ["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"]}
    buckets = {"Action": ["s3:CreateBucket", "s3:DeleteBucket"], "Resource": "arn:aws:s3:::releases-*"}
    arn, role_id = f"arn:aws:iam::{ACCOUNT}:role/deployer", "AROAEXAMPLEEXAMPLE2"
    names = {"RoleName": "deployer", "RoleId": role_id, "Arn": arn, "Path": "/"}
    role = {**DETAILS["RoleDetailList"][0], **names, "RolePolicyList": [inline("deploy", functions, buckets)]}
    user = {
        "type": "AssumedRole",
        "principalId": f"{role_id}:job",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/job",
        "accountId": ACCOUNT,
        "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": role_id, "arn": arn, "accountId": ACCOUNT}},
    }
    lists = {"UserDetailList": [], "GroupDetailList": [], "Policies": [], "RoleDetailList": [role]}
    (tmp_path / "account.json").write_text(json.dumps(lists))
    (tmp_path / "logs").write_bytes(lines(record("2026-05-03T10:00:00Z", "s3:CreateBucket", user, "1")))
    section = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8").split("## An explanation\n")[1].split("\n## ")[0]
    (command,) = re.findall(r"```sh\n.*leastwise explain (.*)\n```", section)
    (example,) = re.findall(r"```json\n(.*?)\n```", section, re.DOTALL)
    places = {name: str(tmp_path / name) for name in ("account.json", "logs")}

    told = json.loads(run(*(places.get(word, word) for word in command.split())).stdout)
    assert shows(json.loads(example), told)
    assert all(f'"{name}"' in example or f"`{name}`" in section for name in told)
    assert all(f"`{name}`" in section for name in told["changes"])
    assert all(one["lowers_by"] == round(one["lowers_by"], 6) for one in told["changes"]["ranked"])


@pytest.mark.parametrize("who", ["ann", ANN, ANN_ARN])
def test_an_identity_can_be_named_by_arn_id_or_name(who: str, files: list[str]) -> None:
    assert json.loads(run(who, *files, "--json").stdout)["identity_id"] == ANN


def test_a_session_of_a_role_stands_for_the_role(files: list[str]) -> None:
    result = run(f"arn:aws:sts::{ACCOUNT}:assumed-role/orders/job", *files, "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["arn"] == TEAM_ARN


def test_a_session_of_another_account_is_nobody_here(files: list[str]) -> None:
    result = run("arn:aws:sts::999988887777:assumed-role/orders/job", *files)

    assert isinstance(result.exception, InputError)
    assert f"perhaps {TEAM_ARN}" in str(result.exception)


def with_broken(number: int) -> dict[str, Any]:
    """The account with so many more users whose policies aren't there."""
    policy = {"PolicyName": "gone", "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/gone"}
    more = [
        {
            **DETAILS["UserDetailList"][1],
            "UserName": f"broken{place}",
            "UserId": f"AIDABROKENBROKEN{place}",
            "Arn": f"arn:aws:iam::{ACCOUNT}:user/broken{place}",
            "AttachedManagedPolicies": [policy],
        }
        for place in range(number)
    ]
    return {**DETAILS, "UserDetailList": [*DETAILS["UserDetailList"], *more]}


@pytest.mark.parametrize("who", ["broken1", "AIDABROKENBROKEN1", f"arn:aws:iam::{ACCOUNT}:user/broken1"])
def test_an_identity_that_cannot_be_read_is_not_denied_to_exist(who: str, files: list[str]) -> None:
    Path(files[1]).write_text(json.dumps(with_broken(2)))
    error = run(who, *files).exception

    assert isinstance(error, InputError)
    assert str(error).startswith(f"arn:aws:iam::{ACCOUNT}:user/broken1: ")


def test_others_who_cannot_be_read_are_warnings(files: list[str]) -> None:
    Path(files[1]).write_text(json.dumps(with_broken(7)))
    result = run("orders", *files)

    assert result.exit_code == 0
    told = [line for line in result.stderr.splitlines() if "user/broken" in line]
    assert [f"user/broken{place}: " in line for place, line in enumerate(told)] == [True] * 5
    assert "and 2 more identities can't be read" in result.stderr


@pytest.mark.parametrize(
    ("who", "told"),
    [
        ("an", "no identity is called 'an'; perhaps arn:aws:iam::111122223333:user/ann, "),
        ("order", f"perhaps {TEAM_ARN}"),
        (f"{ANN_ARN}x", f"perhaps {ANN_ARN}"),
        ("zzzzzz", "no identity is called 'zzzzzz' among 3 identities"),
    ],
)
def test_an_unknown_identity_is_refused_with_near_matches(who: str, told: str, files: list[str]) -> None:
    result = run(who, *files)

    assert isinstance(result.exception, InputError)
    assert told in str(result.exception)
    assert not result.stdout


def test_a_name_of_two_identities_is_refused() -> None:
    refs = [
        IdentityRef(account_id=ACCOUNT, identity_id=ANN, arn=ANN_ARN),
        IdentityRef(account_id=ACCOUNT, identity_id=TEAM, arn=f"arn:aws:iam::{ACCOUNT}:role/ann"),
    ]

    with pytest.raises(InputError, match="the name of several"):
        named("ann", refs)
    assert named(TEAM, refs).identity_id == TEAM


@pytest.mark.parametrize(("threshold", "code"), [("100", 0), ("90", 1)])
def test_the_exit_code_tells_whether_it_is_compliant(threshold: str, code: int, files: list[str]) -> None:
    assert run("ann", *files, "--json", "--threshold", threshold).exit_code == code


def test_an_exempt_identity_is_no_finding(files: list[str]) -> None:
    result = run("anna", *files, "--threshold", "0")

    assert result.exit_code == 0
    assert "PCI 0.0, low: exempt:" in result.stdout


def test_people_are_told_the_answer_first_and_then_why(files: list[str]) -> None:
    told = run("ann", *files).stdout
    first = told.splitlines()

    assert first[0] == f"{ANN_ARN} ({ANN})"
    assert first[1].startswith("PCI 9")
    assert "NON_COMPLIANT (threshold 60); confidence low" in first[1]
    assert "Best single change: " in told
    assert "iam:AttachUserPolicy*" in told
    assert "own #1 (group devs)" in told
    assert "PCI = 100 * (1 - product of all (1 - s)) = 100 * (1 - " in told
    assert "Permissions by service" in told
    assert "all of the group" in told


def test_every_terminal_has_the_characters(files: list[str]) -> None:
    told = run("ann", *files).stdout

    assert told.replace("─", "").isascii()  # of a table's lines, which rich replaces where they can't be shown


def test_no_text_of_a_file_is_obeyed_by_the_terminal(files: list[str]) -> None:
    result = run("ann", *files, "--top", "1000")

    assert RED not in result.output
    assert "\\x1b[31mRed" in result.stdout


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("who", ["ann", "anna", "orders"])
def test_every_line_fits_the_terminal(
    who: str, columns: int, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "PIPED_WIDTH", columns)
    told = run(who, *files).stdout

    assert max(map(len, told.splitlines())) <= columns
    assert ("marginal" in told) == (who == "ann")  # no column was left out


@pytest.mark.parametrize("columns", [60, 80])
def test_no_number_is_broken(columns: int, files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "PIPED_WIDTH", columns)
    told, explanation = run("ann", *files).stdout, json.loads(run("ann", *files, "--json").stdout)
    words = set(told.split())

    for term in explanation["arithmetic"]["classes"]:
        assert {f"{term['mass']:.6g}", f"{term['chance']:.6f}", f"{term['survival']:.6f}"} <= words
    for one in explanation["contributors"]:
        assert {f"{one['reach']:.4g}", f"{one['alone']:.1f}", f"{one['marginal']:.2f}"} <= words


def inline(name: str, *statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"PolicyName": name, "PolicyDocument": document(*statements)}


def test_why_a_policy_can_go_and_the_pci_stays_is_told_apart(files: list[str]) -> None:
    policies = [
        inline("first", {"Action": "iam:AttachUserPolicy"}),
        inline("second", {"Action": "iam:PutUserPolicy"}),  # either completes a path
        inline("copy", {"Action": "s3:DeleteBucket"}),
        inline("other-copy", {"Action": "s3:DeleteBucket"}),
        inline("mixed", {"Action": "s3:DeleteBucket"}, {"Effect": "Deny", "Action": "s3:PutBucketPolicy"}),
        inline("writes", {"Action": "s3:PutBucketPolicy"}),
    ]
    user = {**DETAILS["UserDetailList"][0], "GroupList": [], "UserPolicyList": policies}
    Path(files[1]).write_text(json.dumps({**DETAILS, "UserDetailList": [user]}))
    told = run("ann", *files).stdout

    def titles(why: str) -> list[str]:
        (line,) = [line for line in told.replace("\n", " ").split("Alone these ") if why in line]
        return re.findall(r"delete the inline policy ([\w-]+)", line.split(".")[0])

    assert titles("take nothing away, since others grant the same") == ["copy", "other-copy"]
    assert titles("leave the PCI as it is") == ["first", "second"]
    (raised,) = [line for line in told.splitlines() if "These raise the PCI" in line]
    assert "delete the inline policy mixed." in raised


def test_without_records_it_says_that_it_is_an_upper_bound(files: list[str]) -> None:
    result = run("ann", *files[:2])

    assert "what is used is unknown" in result.stdout
    assert "upper bound" in result.stderr


def test_the_age_of_an_inventory_file_is_not_made_up(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "inventory.txt").write_text(f"{ANN_ARN}\n")
    result = run("ann", *files, "--inventory", f"{tmp_path}/inventory.txt")

    assert "of the inventory of unknown age" in " ".join(result.stdout.split())


@pytest.mark.parametrize("option", ["--cloudtrail", "--last-accessed", "--inventory", "--as-of"])
def test_options_of_files_are_refused_where_aws_is_asked(option: str) -> None:
    result = run("ann", option, "2026-05-05")

    assert result.exit_code == 2
    assert "--authorization-details" in result.stderr
