"""`leastwise propose`: proven plans from local files, for whom they are wanted, and a reason for everybody else."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.plan_body import LINES_SHOWN, show_diff
from cli.planning_options import ScopeName, StrategyName, ToolName
from cli.terminal import console
from infra.build.template import ROOT
from shared.errors import InputError
from shared.iam.catalogue import Catalogue
from shared.iam.compare import compare
from shared.knowledge import load_catalogue
from shared.model.plan import ResourceScope, Strategy
from shared.model.proof import ProofVerdict
from tests.unit.test_account_files import ACCOUNT, put
from tests.unit.test_cli_score import page, who
from tests.unit.test_cli_usage import record
from tests.unit.test_engine_import import SLOW, imported_by

EXAMPLE = ROOT / "tests/data/authorization-details/invictus.json"
TRAIL = ROOT / "infra/local/records/invictus"
WIDE = ["iam:*", "sns:*", "dynamodb:*", "ec2:*Instances"]
FIELDS = (
    "identity id plan_id strategy policies stays drops removes narrows keeps proofs pci_before pci_after "
    "kept_because compliance_after notes patch coverage"
)
CODE_TAG = [{"Key": "aws:cloudformation:stack-name", "Value": "shop"}]
EXEMPT_TAG = [{"Key": "leastwise:exempt", "Value": "true"}]


def allow(*actions: str, **more: Any) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}],
    }


def did(number: int, event: str, time: str = "2026-05-03T09:30:00Z", **more: Any) -> dict[str, Any]:
    """A record of something that the role of `who(number, …)` did."""
    unique_id, arn = f"AROAEXAMPLEROLE0000{number}", f"arn:aws:iam::{ACCOUNT}:role/role-{number}"
    session = {
        "type": "AssumedRole",
        "principalId": f"{unique_id}:job",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/role-{number}/job",
        "accountId": ACCOUNT,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "principalId": unique_id, "arn": arn, "accountId": ACCOUNT}
        },
    }
    fields = {"recipientAccountId": ACCOUNT, "readOnly": ":List" in event, **more}
    return record(time, event, session, f"{number} {event} {time}", **fields)


USED = [did(1, "iam:ListUsers"), did(1, "sns:CreateTopic"), did(2, "ec2:RunInstances"), did(3, "sns:ListTopics")]


def run(folder: Path, details: object, *options: str, records: list[dict[str, Any]] = USED) -> Result:
    files = ["--authorization-details", put(folder, "details.json", details)]
    files += ["--cloudtrail", put(folder, "trail.json", {"Records": records})]
    return CliRunner().invoke(app, ["propose", *files, *options])


def told(result: Result) -> Any:
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return json.loads(result.stdout)


def only(answer: Mapping[str, Any]) -> dict[str, Any]:
    [plan] = answer["plans"]
    assert isinstance(plan, dict)
    return plan


def reasons(answer: Mapping[str, Any]) -> dict[str, str]:
    return {one["identity"].rsplit("/", 1)[-1]: one["reason"] for one in answer["skipped"]}


def test_a_plan_says_what_goes_what_stays_with_which_policy_and_why_that_is_safe(tmp_path: Path) -> None:
    catalogue: Catalogue = load_catalogue()
    answer = told(run(tmp_path, page(who(1, allow(*WIDE))), "--json"))
    plan = only(answer)
    [policy] = plan["policies"]
    granted = {name for name in map(catalogue.name, catalogue.keys) if name.split(":")[0] in {"iam", "sns", "dynamodb"}}
    assert set(plan) == set(FIELDS.split())
    assert plan["identity"] == f"arn:aws:iam::{ACCOUNT}:role/role-1"
    assert {"iam:ListUsers", "sns:CreateTopic"} <= set(plan["keeps"])
    assert {"iam:CreateUser", "iam:AttachRolePolicy"} <= set(plan["removes"])
    assert not set(plan["keeps"]) & set(plan["removes"])
    assert granted <= set(plan["keeps"]) | set(plan["removes"])
    assert (plan["proofs"]["no_new_access"], plan["proofs"]["replay"]) == (True, True)
    assert plan["proofs"]["replayed_uses"] == 2
    assert compare([allow(*WIDE)], [policy["document"]], catalogue).verdict is ProofVerdict.NO_NEW_ACCESS
    assert plan["pci_after"] < 60 <= plan["pci_before"]
    assert (plan["strategy"], plan["compliance_after"], plan["patch"]) == ("boundary", "COMPLIANT", None)
    assert answer["errors"] == []
    kept = plan["kept_because"]
    assert (kept["used"], kept["otherwise"], sum(kept.values())) == (2, 0, len(plan["keeps"]))


def test_what_an_option_keeps_is_counted_apart(tmp_path: Path) -> None:
    details = page(who(1, allow(*WIDE)))
    by_evidence = only(told(run(tmp_path, details, "--json")))["kept_because"]
    by_option = only(told(run(tmp_path, details, "--json", "--always-keep", "iam:CreateUser")))["kept_because"]
    assert by_option == {**by_evidence, "otherwise": 1}
    shown = run(tmp_path, details, "--always-keep", "iam:CreateUser").stdout
    assert "Of those kept: 2 used, " in shown
    assert f", {by_evidence['unobservable']} of which nobody can know, 1 kept for another reason" in shown


def test_the_choices_of_options_are_those_of_the_model() -> None:
    """The command names them itself, so that it starts without the models."""
    assert set(StrategyName.__args__) == {strategy.value for strategy in Strategy}  # type: ignore[attr-defined]
    assert set(ScopeName.__args__) == {scope.value for scope in ResourceScope}  # type: ignore[attr-defined]
    assert set(ToolName.__args__) == {"terraform", "cloudformation"}  # type: ignore[attr-defined]


def test_who_has_no_plan_is_told_with_the_reason(tmp_path: Path) -> None:
    details = page(
        who(1, allow(*WIDE)),
        who(2, allow(*WIDE), Tags=EXEMPT_TAG),
        who(3, allow("sns:List*")),
        who(4, allow("*")),
        who(5, allow("*"), Arn=f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/role-5"),
    )
    answer = told(run(tmp_path, details, "--json"))
    assert [plan["identity"][-6:] for plan in answer["plans"]] == ["role-1"]
    assert reasons(answer) == {
        "role-2": "exempt",
        "role-3": "compliant",
        "role-4": "no_evidence",
        "role-5": "protected",
        "ana": "compliant",
    }
    assert [one["pci"] for one in answer["skipped"]] == sorted((one["pci"] for one in answer["skipped"]), reverse=True)
    assert all(one["message"] for one in answer["skipped"])


def test_who_complies_gets_a_plan_when_named_or_when_all_are_wanted(tmp_path: Path) -> None:
    details, options = page(who(2, allow("ec2:*Instances"))), ("--json", "--threshold", "99.9")
    assert reasons(told(run(tmp_path, details, *options))) == {"role-2": "compliant", "ana": "compliant"}
    for more in (("--identity", "role-2"), ("--all",)):
        answer = told(run(tmp_path, details, *options, *more))
        assert only(answer)["identity"].endswith("role-2"), more
        assert ("ana" in reasons(answer)) is (more == ("--all",))


EXITS: list[tuple[dict[str, Any], tuple[str, ...], int]] = [
    (page(who(1, allow(*WIDE))), (), 0),
    (page(who(4, allow("*"))), (), 1),  # over, and nobody knows what it uses
    (page(who(4, allow("*"))), ("--threshold", "100"), 0),
    (page(who(4, allow("*"), Tags=EXEMPT_TAG)), (), 0),
    (page(who(1, allow(*WIDE)), who(4, allow("*"))), ("--identity", "role-1"), 0),
    (page(who(1, allow(*WIDE))), ("--preserve-reads", "--always-keep", "iam:*"), 1),  # a plan that is not enough
    (page(who(1, allow(*WIDE)), who(2, {"Statement": [{"Effect": "Maybe"}]})), (), 2),
]


@pytest.mark.parametrize(("details", "options", "code"), EXITS)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["people", "json"])
def test_the_exit_code_tells_whether_plans_are_enough_and_all_could_be_read(
    tmp_path: Path, details: object, options: tuple[str, ...], code: int, form: tuple[str, ...]
) -> None:
    assert run(tmp_path, details, *options, *form).exit_code == code


def test_a_plan_that_is_not_enough_is_still_shown(tmp_path: Path) -> None:
    result = run(tmp_path, page(who(1, allow(*WIDE))), "--always-keep", "iam:*", "--json")
    assert only(told(result))["compliance_after"] == "NON_COMPLIANT"
    shown = run(tmp_path, page(who(1, allow(*WIDE))), "--always-keep", "iam:*").stdout
    assert "Still not compliant afterwards" in shown
    assert "More may go with --last-accessed (what IAM last saw) or --strategy replace." in shown
    replaced = run(tmp_path, page(who(1, allow(*WIDE))), "--always-keep", "iam:*", "--strategy", "replace").stdout
    assert "More may go with --last-accessed (what IAM last saw)." in replaced


def test_plans_that_are_not_enough_are_marked_among_many(tmp_path: Path) -> None:
    roles = [who(number, allow("iam:*" if number == 1 else "iam:*Tag*", "iam:List*")) for number in range(1, 6)]
    records = [did(number, "iam:ListUsers") for number in range(1, 6)]
    lines = run(tmp_path, page(*roles), "--all", "--always-keep", "iam:Cr*", records=records).stdout.splitlines()
    marked = [line for line in lines if "! " in line]
    assert ["role/role-1" in line or line.startswith("! still not compliant") for line in marked] == [True, True]


# Warnings of safeguards that would protect nobody, by the safeguards or the options.
IDLE: list[tuple[dict[str, Any], tuple[str, ...], str]] = [
    ({}, ("--always-keep", "s3:PutBucketPolcy", "--always-keep", "s3:Get*"), "misspelt\\?\\): s3:PutBucketPolcy$"),
    ({"always_keep": ["S3:putobject", "iam:Creat?User", "iam:Creat??User"]}, (), r"misspelt\?\): iam:Creat\?\?User$"),
    ({"exemptions": [{"path": p, "owner": "o", "reason": "r"} for p in ("/", "/gone/")]}, (), "nobody .* has: /gone/$"),
    (
        {"peer_groups": [{"name": "p", "members": ["AROAEXAMPLEROLE00001", "AROAEXAMPLEROLE00009"]}]},
        (),
        "members of peer groups who are not listed: AROAEXAMPLEROLE00009$",
    ),
    (
        {"managed_as_code": [{"tag": "Made-By"}, {"tag": "made-by", "values": ["HAND"]}, {"tag": "x"}]},
        (),
        "nobody carries with such a value: x$",
    ),
    ({"managed_as_code": [{"tag": "made-by", "values": ["robot"]}]}, (), "with such a value: made-by$"),
    (
        {"holds": [{"start": "2026-01-01T00:00:00Z", "end": "2026-12-31T00:00:00Z", "reason": "r"}]},
        (),
        "holds were not applied",
    ),
]


@pytest.mark.parametrize(("safeguards", "options", "warning"), IDLE)
def test_what_protects_nobody_is_a_warning(
    tmp_path: Path, safeguards: dict[str, Any], options: tuple[str, ...], warning: str
) -> None:
    details = page(who(1, allow(*WIDE), Tags=[{"Key": "made-by", "Value": "Hand"}]))
    name = put(tmp_path, "safe.json", json.dumps(safeguards))
    warnings = told(run(tmp_path, details, "--json", "--safeguards", name, *options))["warnings"]
    before = told(run(tmp_path, details, "--json"))["warnings"]
    [new] = [one for one in warnings if one not in before]
    assert re.search(warning, new)


def test_who_keeps_too_much_for_want_of_reports_is_a_warning(tmp_path: Path) -> None:
    records = [did(1, "iam:ListUsers")]
    answer = told(run(tmp_path, page(who(1, allow("*"))), "--json", records=records))
    assert reasons(answer)["role-1"] == "too_large"
    assert any("--last-accessed" in one and "role/role-1" in one for one in answer["warnings"])
    answer = told(run(tmp_path, page(who(1, allow(*WIDE))), "--json", records=records))
    assert not any("--last-accessed" in one for one in answer["warnings"])


KEPT: list[tuple[tuple[str, ...], str]] = [
    (("--preserve-reads",), "iam:GetRole"),
    (("--always-keep", "dynamodb:delete*"), "dynamodb:DeleteTable"),
    (("--always-keep", "sns:Publish", "--always-keep", "ec2:St*"), "ec2:StopInstances"),
    (("--peer-group", "role-1,role-2"), "ec2:RunInstances"),
]


@pytest.mark.parametrize(("options", "action"), KEPT)
def test_options_keep_more(tmp_path: Path, options: tuple[str, ...], action: str) -> None:
    details = page(who(1, allow(*WIDE)), who(2, allow(*WIDE)))
    without = only(told(run(tmp_path, details, "--json", "--identity", "role-1")))
    plan = only(told(run(tmp_path, details, "--json", "--identity", "role-1", *options)))
    assert action in without["removes"]
    assert action in plan["keeps"]
    assert set(without["keeps"]) <= set(plan["keeps"])


def test_safeguards_exempt_and_keep_and_name_peers_and_tools(tmp_path: Path) -> None:
    safeguards = {
        "exemptions": [{"arn": f"arn:aws:iam::{ACCOUNT}:role/role-2", "owner": "ops", "reason": "migration"}],
        "always_keep": ["dynamodb:DeleteTable"],
        "managed_as_code": [{"tag": "made-by", "values": ["pulumi", "terraform"]}],
        "peer_groups": [{"name": "jobs", "members": ["AROAEXAMPLEROLE00001", "AROAEXAMPLEROLE00002"]}],
    }
    details = page(who(1, allow(*WIDE), Tags=[{"Key": "made-by", "Value": "Terraform"}]), who(2, allow(*WIDE)))
    answer = told(run(tmp_path, details, "--json", "--safeguards", put(tmp_path, "safe.json", json.dumps(safeguards))))
    plan = only(answer)
    assert {"dynamodb:DeleteTable", "ec2:RunInstances"} <= set(plan["keeps"])
    assert (plan["strategy"], plan["patch"]["tool"]) == ("patch", "terraform")
    assert reasons(answer)["role-2"] == "exempt"
    assert "migration" in next(one["message"] for one in answer["skipped"] if one["identity"].endswith("role-2"))


def test_an_exemption_that_is_over_does_not_count(tmp_path: Path) -> None:
    one = {"path": "/", "owner": "ops", "reason": "r", "until": "2026-05-02"}
    details = page(who(1, allow(*WIDE)))
    name = put(tmp_path, "safe.json", json.dumps({"exemptions": [one]}))
    assert only(told(run(tmp_path, details, "--json", "--safeguards", name, "--as-of", "2026-05-03")))
    assert not told(run(tmp_path, details, "--json", "--safeguards", name, "--as-of", "2026-05-02"))["plans"]


def test_who_is_managed_as_code_gets_a_patch_unless_asked_otherwise(tmp_path: Path) -> None:
    details = page(who(1, allow(*WIDE), Tags=CODE_TAG))
    patch = only(told(run(tmp_path, details, "--json")))
    assert (patch["strategy"], patch["patch"]["tool"]) == ("patch", "cloudformation")
    assert patch["policies"][0]["source"] == "inline p"
    assert patch["patch"]["text"]
    other = only(told(run(tmp_path, details, "--json", "--tool", "terraform")))
    assert other["patch"]["tool"] == "terraform"
    forced = only(told(run(tmp_path, details, "--json", "--strategy", "boundary")))
    assert (forced["strategy"], forced["patch"]) == ("boundary", None)
    assert any("managed by cloudformation" in note for note in forced["notes"])


def test_too_few_observed_days_and_a_young_identity_are_reasons(tmp_path: Path) -> None:
    young = page(who(1, allow(*WIDE), CreateDate="2026-04-30T00:00:00Z"))
    assert only(told(run(tmp_path, young, "--json")))
    assert reasons(told(run(tmp_path, young, "--json", "--grace-days", "14")))["role-1"] == "too_young"
    assert reasons(told(run(tmp_path, young, "--json", "--min-observed-days", "2")))["role-1"] == "too_little_evidence"


def test_thin_evidence_is_a_warning_and_not_a_refusal(tmp_path: Path) -> None:
    records = [*USED, did(1, "iam:ListUsers", "2026-03-01T09:30:00Z")]
    result = run(tmp_path, page(who(1, allow(*WIDE))), "--json", "--as-of", "2026-05-20", records=records)
    plan = only(told(result))
    assert plan["notes"]
    assert "plans rest on 2 observed days" in result.stderr
    assert any("plans rest on 2" in warning for warning in told(result)["warnings"])


def test_the_order_of_pages_and_records_and_the_jobs_do_not_matter(tmp_path: Path) -> None:
    roles = [who(1, allow(*WIDE)), who(2, allow(*WIDE)), who(3, allow("sns:*", "iam:*"))]
    first = run(tmp_path, page(*roles), "--json", "--all")
    other = run(tmp_path, page(*reversed(roles)), "--json", "--all", "--jobs", "2", records=USED[::-1])
    assert len(told(first)["plans"]) == 3
    assert other.stdout == first.stdout


def test_who_cannot_be_read_is_told_and_others_get_their_plans(tmp_path: Path) -> None:
    result = run(tmp_path, page(who(1, allow(*WIDE)), who(2, {"Statement": [{"Effect": "Maybe"}]})), "--json")
    answer = told(result)
    assert only(answer)["identity"].endswith("role-1")
    [error] = answer["errors"]
    assert "role-2: inline p" in error["error"]
    assert error["error"] in result.stderr


BAD: list[tuple[tuple[str, ...], str]] = [
    (("--identity", "role-9"), "no identity is called 'role-9'; perhaps .*role-1"),
    (("--peer-group", "role-1,role-9"), "no identity is called 'role-9'"),
    (("--safeguards", "no-such-file"), "no-such-file: cannot be read"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_a_name_that_means_nobody_is_an_error(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        raise run(tmp_path, page(who(1, allow(*WIDE))), *options).exception or AssertionError


def test_safeguards_that_cannot_be_read_are_named_without_their_content(tmp_path: Path) -> None:
    for content in ('{"canary": 1}', b"\xff canary", '{"always_keep": ["canary!"]}'):
        name = put(tmp_path, "safe.json", content)
        with pytest.raises(InputError, match=r"safe\.json: ") as caught:
            raise run(tmp_path, page(who(1, allow(*WIDE))), "--safeguards", name).exception or AssertionError
        assert "canary!" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        ("--peer-group", "role-1"),
        ("--peer-group", "role-1,role/role-1"),
        ("--always-keep", "everything"),
        ("--strategy", "other"),
        ("--grace-days", "-1"),
        ("--resource-scope", "all"),
    ],
)
def test_a_misspelt_option_is_a_usage_error(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert run(tmp_path, page(who(1, allow(*WIDE))), *options).exit_code == 2


def test_plans_are_written_to_a_new_folder(tmp_path: Path) -> None:
    details = page(who(1, allow(*WIDE)), who(2, allow(*WIDE), Tags=CODE_TAG))
    out = tmp_path / "new" / "plans"
    answer = told(run(tmp_path, details, "--json", "--out", str(out)))
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    boundary, patch = sorted(answer["plans"], key=lambda plan: str(plan["identity"]))
    assert files == {
        f"{ACCOUNT}/role-role-1/plan.json",
        f"{ACCOUNT}/role-role-1/policy-{boundary['policies'][0]['name']}.json",
        f"{ACCOUNT}/role-role-2/plan.json",
        f"{ACCOUNT}/role-role-2/policy-{patch['policies'][0]['name']}.json",
        f"{ACCOUNT}/role-role-2/patch.yaml",
    }
    for plan in answer["plans"]:
        folder = out / ACCOUNT / f"role-{plan['identity'].rsplit('/', 1)[-1]}"
        assert json.loads((folder / "plan.json").read_text()) == plan
        [policy] = plan["policies"]
        assert json.loads((folder / f"policy-{policy['name']}.json").read_text()) == policy["document"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it is not empty; name a new folder"):
        raise run(tmp_path, page(who(1, allow(*WIDE))), "--out", str(tmp_path)).exception or AssertionError
    with pytest.raises(InputError, match=r"details\.json: cannot be written"):
        raise (
            run(tmp_path, page(who(1, allow(*WIDE))), "--out", str(tmp_path / "details.json")).exception
            or AssertionError
        )


def test_people_see_one_plan_with_its_proofs_and_its_diff(tmp_path: Path) -> None:
    lines = run(tmp_path, page(who(1, allow(*WIDE)))).stdout.splitlines()
    assert lines[0] == f"arn:aws:iam::{ACCOUNT}:role/role-1"
    assert lines[2].startswith("PCI ")
    assert any(line.startswith("Proven: nothing new is granted; all 2 recorded uses") for line in lines)
    assert any(line.startswith("escalation") for line in map(str.strip, lines))
    assert any(line.startswith("-") and '"iam:*"' in line for line in lines)
    assert any(line.startswith("+") and '"iam:' in line for line in lines)
    assert "\x1b" not in "".join(lines)
    assert sum(line.startswith("Its own policies stay in force") for line in lines) == 1
    assert "Its own policies stay" not in run(tmp_path, page(who(1, allow(*WIDE))), "--strategy", "replace").stdout


def test_people_see_many_plans_as_rows_unless_they_ask_for_the_diffs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    details = page(*(who(number, allow(*WIDE)) for number in range(1, 6)))
    records = [did(number, "sns:ListTopics") for number in range(1, 6)]
    for columns in (80, 120):
        monkeypatch.setattr("cli.terminal.PIPED_WIDTH", columns)
        lines = run(tmp_path, details, records=records).stdout.splitlines()
        rows = [line for line in lines if "role/role-" in line]
        assert len(rows) == 5
        assert all("boundary" in row and re.search(r" [0-9a-f]{16} *$", row) for row in rows)
        assert all(len(line) <= columns for line in rows)
        assert not any(line.startswith("-") and '"' in line for line in lines)
    assert run(tmp_path, details, "--diff", records=records).stdout.count("--- allowed by inline p") == 5


def test_a_document_cannot_command_the_terminal(tmp_path: Path) -> None:
    statement = {"Sid": "a\u009b31m\u202e", "Condition": {"StringEquals": {"aws:username": "\x1b[2J\u009b31m"}}}
    document = allow("iam:*")
    document["Statement"].append({"Effect": "Allow", "Action": "sns:*", "Resource": "*", **statement})
    result = run(tmp_path, page(who(1, document)), "--identity", "role-1", "--strategy", "replace")
    assert not {"\x1b", "\u009b", "\u202e"} & set(result.stdout)
    assert r"\u009b" in result.stdout or r"\x9b" in result.stdout


def test_a_diff_without_end_is_cut_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show_diff(console(), [f"-{number}" for number in range(LINES_SHOWN + 7)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == LINES_SHOWN + 1
    assert lines[-1].startswith("and 7 more lines")


def test_the_shipped_account_gets_plans_by_real_records() -> None:
    result = CliRunner().invoke(app, ["propose", "--authorization-details", str(EXAMPLE), str(TRAIL), "--json"])
    answer = told(result)
    plans = {plan["identity"].rsplit("/", 1)[-1]: plan for plan in answer["plans"]}
    assert {"benjamin", "bert-jan"} <= set(plans)
    assert plans["stratus-red-team-ec2-enumerate-role"]["strategy"] == "patch"
    assert reasons(answer) == {"AWSServiceRoleForRDS": "protected", "stratus-red-team-leave-org-role": "no_evidence"}
    assert all(plan["proofs"]["no_new_access"] and plan["proofs"]["replay"] for plan in plans.values())
    assert result.exit_code == 1


def test_the_shipped_account_holds_policies_of_aws_by_made_up_attachments() -> None:
    details = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    known = json.loads((ROOT / "infra/local/managed_policies.json").read_text(encoding="utf-8"))
    for policy in details["Policies"]:
        [version] = policy["PolicyVersionList"]
        assert version["Document"] == known[policy["Arn"]]["document"]
        assert version["VersionId"] == known[policy["Arn"]]["default_version_id"]


def test_plans_from_files_need_nothing_of_the_deployed_system() -> None:
    assert imported_by("cli.propose_answer") & SLOW == {"pydantic", "pydantic_core"}


def test_both_pages_tell_the_same_way_to_the_reports() -> None:
    readme, page_of_command = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/cli.md"))
    loop = readme[readme.index("for arn in $(") : readme.index("> accessed.json")]
    assert "generate-service-last-accessed-details" in loop
    assert loop in page_of_command


def test_the_readme_shows_what_the_command_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.terminal.PIPED_WIDTH", 100)
    files = ["--authorization-details", str(EXAMPLE), "--cloudtrail", str(TRAIL)]
    answered = CliRunner().invoke(app, ["propose", *files]).stdout
    lines = "\n".join(line.rstrip() for line in answered.splitlines()).strip("\n")
    assert f"```text\n{lines}\n```" in (ROOT / "README.md").read_text(encoding="utf-8")
