"""`leastwise score`: everyone's score from local files, the same for every way of giving them, and nothing hidden."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from cli.account_options import judged_moment
from cli.main import app
from cli.score_tables import show_scores
from shared.errors import InputError
from shared.knowledge import load_risk
from shared.model.identity import IdentityRef
from shared.model.score import Score
from tests.unit.test_account_files import ACCOUNT, ANA, PAGE, POLICY, put, used
from tests.unit.test_authorization import attached, inline, managed, role, user
from tests.unit.test_cli_usage import Terminal

ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
LIST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:ListTopics", "Resource": "*"}]}
DELETE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:DeleteUser", "Resource": "*"}]}
BROKEN = {"Version": "2012-10-17", "Statement": [{"Effect": "Maybe", "Action": "*", "Resource": "*"}]}
RECORDS = [used("2026-05-01T12:00:00Z"), used("2026-05-03T09:30:00Z")]
COUNTS = ("granted", "used", "unused", "unobservable")


def who(number: int, document: object, **more: Any) -> dict[str, Any]:
    name = f"role-{number}"
    fields = {"RoleId": f"AROAEXAMPLEROLE0000{number}", "RoleName": name, "CreateDate": "2024-01-02T00:00:00Z"}
    fields["Arn"] = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    return role(**{**fields, "RolePolicyList": [inline("p", document)], **more})


def page(*roles: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    ana = user(UserPolicyList=[inline("p", LIST)])
    return {"UserDetailList": [ana], "RoleDetailList": list(roles), "GroupDetailList": [], "Policies": [], **more}


def run(folder: Path, details: object, *options: str, records: list[dict[str, Any]] | None = RECORDS) -> Result:
    arguments = ["score", "--authorization-details", put(folder, "details.json", details)]
    if records is not None:
        arguments += ["--cloudtrail", put(folder, "trail.json", {"Records": records})]
    return CliRunner().invoke(app, [*arguments, *options])


def told(result: Result) -> Any:
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return json.loads(result.stdout)


def test_the_answer_says_everything_that_a_score_is_made_of(tmp_path: Path) -> None:
    answer = told(run(tmp_path, page(who(1, ADMIN)), "--json"))
    assert answer["account"] == answer["accounts"][0]
    assert answer["account"]["id"] == ACCOUNT
    assert (answer["as_of"], answer["as_of_source"]) == ("2026-05-03T09:30:00Z", "records")
    admin, ana = answer["identities"]
    assert admin["arn"].endswith("role/role-1")
    assert (admin["band"], admin["compliance"], admin["exempt"]) == ("high", "NON_COMPLIANT", None)
    assert admin["granted"] == admin["used"] + admin["unused"] + admin["unobservable"]
    assert {one["risk"] for one in admin["contributions"]} >= {"escalation", "data_access", "write"}
    assert admin["coverage"]["observed_days"] == 2
    assert admin["coverage"]["principals"] is True
    assert [ana[name] for name in COUNTS] == [1, 1, 0, 0]
    assert (ana["id"], ana["pci"], ana["band"], ana["compliance"]) == (ANA.identity_id, 0.0, "low", "COMPLIANT")
    assert answer["account"]["pci"] == pytest.approx((admin["pci"] ** 2 / 2) ** 0.5, abs=1e-5)
    assert answer["errors"] == []


def test_the_fields_of_an_identity_are_those_of_a_score() -> None:
    """A field that a score gains is told, or left out on purpose."""
    left_out = {"identity", "model_version", "catalogue_version", "scored_at"}
    left_out |= {"provider"}  # files are scored by nobody else
    named = {"arn", "id", "band", "compliance"}
    fields = "arn id pci band compliance exempt granted used unused unobservable reach resources contributions coverage"
    assert set(fields.split()) == (set(Score.model_fields) - left_out) | named
    assert set(IdentityRef.model_fields) == {"account_id", "identity_id", "arn"}


@given(order=st.permutations(range(4)), swapped=st.booleans(), jobs=st.sampled_from(["1", "2"]))
@settings(deadline=None, max_examples=6)
def test_the_order_of_files_pages_and_records_and_the_jobs_do_not_matter(
    *, order: list[int], swapped: bool, jobs: str
) -> None:
    with TemporaryDirectory() as name:
        folder, roles = Path(name), [who(n, document) for n, document in enumerate([ADMIN, LIST, ADMIN, DELETE])]
        trails = [put(folder, f"trail-{n}.json", {"Records": [one]}) for n, one in enumerate(RECORDS)]
        whole = ["--authorization-details", put(folder, "whole.json", page(*roles)), "--cloudtrail", *trails]
        expected = CliRunner().invoke(app, ["score", "--json", *whole])
        shuffled = [roles[place] for place in order]
        parts = [page(*shuffled[:2]), {"RoleDetailList": shuffled[2:]}]
        named = [["--authorization-details", put(folder, f"{n}.json", part)] for n, part in enumerate(parts)]
        options = [*named[swapped], *named[not swapped], "--jobs", jobs]
        again = CliRunner().invoke(app, ["score", "--json", *options, "--cloudtrail", *reversed(trails)])
    assert len(told(expected)["identities"]) == 5
    assert again.stdout == expected.stdout


def test_identities_are_listed_worst_first_and_then_by_name(tmp_path: Path) -> None:
    answer = told(run(tmp_path, page(who(3, ADMIN), who(1, ADMIN), who(2, LIST)), "--json"))
    assert [one["arn"].rsplit("/", 1)[-1] for one in answer["identities"]] == ["role-1", "role-3", "role-2", "ana"]


EXITS: list[tuple[dict[str, Any], tuple[str, ...], int]] = [
    (page(), (), 0),
    (page(who(1, ADMIN)), (), 1),
    (page(who(1, ADMIN)), ("--threshold", "100"), 0),
    (page(who(1, DELETE)), ("--threshold", "0.01"), 1),
    (page(who(1, ADMIN, Tags=[{"Key": "leastwise:exempt", "Value": "true"}])), (), 0),
    (page(who(1, ADMIN)), ("--identity", "ana"), 0),
    (page(who(1, BROKEN)), (), 2),
    (page(who(1, BROKEN), who(2, ADMIN)), (), 2),
]


@pytest.mark.parametrize(("details", "options", "code"), EXITS)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["people", "json"])
def test_the_exit_code_tells_a_finding_or_what_cannot_be_read(
    tmp_path: Path, details: object, options: tuple[str, ...], code: int, form: tuple[str, ...]
) -> None:
    assert run(tmp_path, details, *options, *form).exit_code == code


def test_exempt_identities_are_marked_and_left_out_of_the_account(tmp_path: Path) -> None:
    exempt = who(1, ADMIN, Tags=[{"Key": "leastwise:exempt", "Value": "true"}])
    answer = told(run(tmp_path, page(exempt), "--json"))
    assert answer["identities"][0]["compliance"] == "NOT_APPLICABLE"
    assert "leastwise:exempt" in answer["identities"][0]["exempt"]
    assert (answer["account"]["pci"], answer["account"]["identities"], answer["account"]["excluded"]) == (0.0, 1, 1)


def test_who_cannot_be_read_is_told_and_the_others_are_scored(tmp_path: Path) -> None:
    held = who(3, LIST, AttachedManagedPolicies=attached(POLICY))
    result = run(tmp_path, page(who(1, BROKEN), who(2, ADMIN), held), "--json")
    answer = told(result)
    assert [one["id"][-1] for one in answer["identities"]] == ["2", "1"]
    assert [error["id"][-1] for error in answer["errors"]] == ["1", "3"]
    assert f"arn:aws:iam::{ACCOUNT}:role/role-1: inline p: $.Statement[0].Effect" in answer["errors"][0]["error"]
    assert f"the default version of {POLICY} is not in" in answer["errors"][1]["error"]
    assert all(error["error"] in result.stderr for error in answer["errors"])
    assert "Not in these figures: 2 that could not be scored" in run(tmp_path, page(who(1, BROKEN), held)).stdout


def test_a_wildcard_of_an_unknown_service_is_told(tmp_path: Path) -> None:
    result = run(tmp_path, page(who(1, {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["newservice:*", "s3:GetObject"], "Resource": "*"}]})), "--json")  # fmt: skip
    message = "wildcards in which the catalogue of actions knows none add nothing to a score: newservice:*"
    assert message in told(result)["warnings"]
    assert message in result.stderr


def test_only_the_named_are_listed_and_the_account_stays_whole(tmp_path: Path) -> None:
    details = page(who(1, ADMIN), who(2, LIST))
    whole = told(run(tmp_path, details, "--json"))
    answer = told(run(tmp_path, details, "--json", "--identity", "role-2", "--identity", ANA.arn))
    assert [one["arn"] for one in answer["identities"]] == [whole["identities"][1]["arn"], ANA.arn]
    assert answer["account"] == whole["account"]


def test_an_identity_is_found_by_what_the_table_calls_it(tmp_path: Path) -> None:
    result = run(tmp_path, page(who(1, LIST), who(2, LIST)), "--identity", "role/role-2", "--json")
    assert [one["arn"] for one in told(result)["identities"]] == [f"arn:aws:iam::{ACCOUNT}:role/role-2"]
    with pytest.raises(InputError, match=r"no identity is called 'user/role-2'"):
        raise run(tmp_path, page(who(2, LIST)), "--identity", "user/role-2").exception or AssertionError


def test_an_unknown_name_is_an_error_with_near_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no identity is called 'role-9'; perhaps .*role-1"):
        raise run(tmp_path, page(who(1, LIST)), "--identity", "role-9").exception or AssertionError


def test_a_name_of_somebody_who_cannot_be_read_is_answered_by_the_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"role/role-1: inline p: .*Effect"):
        raise run(tmp_path, page(who(1, BROKEN)), "--identity", "role-1").exception or AssertionError


def test_without_records_scores_are_upper_bounds_and_said_to_be(tmp_path: Path) -> None:
    result = run(tmp_path, page(), "--json", records=None)
    [ana] = told(result)["identities"]
    assert [ana[name] for name in COUNTS] == [1, 0, 1, 0]
    assert ana["pci"] > 0
    assert ana["coverage"]["observed_days"] == 0
    assert "every score is an upper bound" in result.stderr
    assert any("upper bound" in warning for warning in told(result)["warnings"])


def test_a_use_before_the_window_or_after_the_time_does_not_count(tmp_path: Path) -> None:
    for options in (("--as-of", "2026-04-30"), ("--as-of", "2026-09-01", "--window-days", "30")):
        [ana] = told(run(tmp_path, page(), "--json", *options))["identities"]
        assert ana["used"] == 0, options
    [ana] = told(run(tmp_path, page(), "--json", "--as-of", "2026-05-01"))["identities"]
    assert (ana["used"], ana["coverage"]["observed_days"]) == (1, 1)


def test_a_day_is_judged_by_its_last_moment() -> None:
    assert str(judged_moment("2026-05-31")) == "2026-05-31 23:59:59.999999+00:00"
    assert str(judged_moment("2026-05-31T00:00:00+02:00")) == "2026-05-30 22:00:00+00:00"
    assert judged_moment(None) is None


def test_last_accessed_information_and_an_inventory_count(tmp_path: Path) -> None:
    service = {"ServiceNamespace": "sns", "ServiceName": "SNS", "TotalAuthenticatedEntities": 0}
    report = {"JobStatus": "COMPLETED", "JobCreationDate": "2026-05-03T10:00:00Z", "ServicesLastAccessed": [service]}
    reports = put(tmp_path, "last.json", {f"arn:aws:iam::{ACCOUNT}:role/role-1": report})
    inventory = put(tmp_path, "inventory.txt", f"arn:aws:sns:eu-west-1:{ACCOUNT}:orders\n")
    options = ("--json", "--last-accessed", reports, "--inventory", inventory)
    one, ana = told(run(tmp_path, page(who(1, ADMIN)), *options))["identities"]
    assert (one["coverage"]["last_accessed"], ana["coverage"]["last_accessed"]) == (True, False)
    assert (one["coverage"]["reach"], one["coverage"]["resources"], one["resources"]) == ("inventory", 1, 1)
    assert one["coverage"]["inventory_at"] is None  # a file doesn't tell when it was made


@pytest.mark.parametrize("option", ["--last-accessed", "--inventory"])
def test_another_file_that_cannot_be_used_is_named(tmp_path: Path, option: str) -> None:
    name = put(tmp_path, "canary.json", '{"canary')
    with pytest.raises(InputError, match=r"canary\.json: ") as caught:
        raise run(tmp_path, page(), option, name).exception or AssertionError
    assert str(caught.value).count("canary") == 1


def test_people_get_a_table_with_everyone_and_what_it_rests_on(tmp_path: Path) -> None:
    exempt = who(2, ADMIN, Tags=[{"Key": "leastwise:exempt", "Value": "true"}])
    lines = run(tmp_path, page(who(1, ADMIN), exempt)).stdout.splitlines()
    assert lines[0].startswith(f"Account {ACCOUNT}: PCI ")
    assert "over 2 identities (1 high, 0 medium, 1 low), 1 exempt" in lines[0]
    rows = {line.split()[3]: line.split() for line in lines if "/" in line and "%" not in line}
    assert rows["role/role-1"][1:3] == ["high", "over"]
    assert rows["role/role-2"][1:3] == ["high", "exempt"]
    assert any("As of 2026-05-03 09:30:00 UTC" in line for line in lines)
    assert any("Days with records: 2 of 90" in line for line in lines)


@pytest.mark.parametrize(("columns", "wide"), [(80, False), (120, True)])
def test_a_narrow_terminal_has_fewer_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int, *, wide: bool
) -> None:
    monkeypatch.setattr("cli.terminal.PIPED_WIDTH", columns)
    lines = run(tmp_path, page(who(1, ADMIN))).stdout.splitlines()
    table = [line for line in lines if "verdict" in line or "role-1" in line]
    assert ("granted" in table[0]) is wide
    assert all(len(line) <= columns for line in table)


@pytest.mark.parametrize("columns", [60, 80])
def test_a_narrow_terminal_cuts_no_path_and_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    """The longest id of a path, beside numbers of the longest form."""
    longest = max((path.id for path in load_risk().paths), key=len)
    identity = {"arn": f"arn:aws:iam::{ACCOUNT}:role/{'x' * 64}", "pci": 100.0, "band": "medium", "unused": 22_621}
    worst = {"risk": "escalation", "path": longest, "examples": ["iam:PassRole"]}
    bands = {"low": 0, "medium": 1, "high": 0}
    account = {"id": ACCOUNT, "pci": 100.0, "identities": 1, "excluded": 0, "bands": bands}
    answer = {
        "account": account,
        "accounts": [account],
        "errors": [],
        "as_of": "2026-05-03T09:30:00Z",
        "window_days": 90,
        "threshold": 60.0,
        "model_version": "pci-1",
        "catalogue_version": "c",
        "identities": [
            {**identity, "compliance": "NOT_APPLICABLE", "contributions": [worst], "coverage": {"observed_days": 2}}
        ],
    }
    monkeypatch.setattr("cli.terminal.PIPED_WIDTH", columns)
    show_scores(answer)
    header, row = (line for line in capsys.readouterr().out.splitlines() if "worst" in line or longest in line)
    assert header.split()[-1] == "worst"
    assert (row.split()[0], row.split()[-1]) == ("100.0", longest)
    assert "exempt" in row
    assert len(row) <= columns


def test_without_records_no_bar_of_no_bytes_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("cli.reading_trails.progress.sys", SimpleNamespace(stderr=terminal))
    assert run(tmp_path, page(), records=None).exit_code == 0
    assert terminal.getvalue() == ""


def test_names_cannot_command_the_terminal(tmp_path: Path) -> None:
    evil = who(1, ADMIN, Arn=f"arn:aws:iam::{ACCOUNT}:role/\x1b[2Jx[bold]")
    result = run(tmp_path, page(evil, who(2, BROKEN, Arn=f"arn:aws:iam::{ACCOUNT}:role/\x1b[2J")))
    assert "\x1b" not in result.stdout + result.stderr
    assert "\\x1b[2Jx[bold]" in result.stdout


def test_details_are_needed() -> None:
    assert CliRunner().invoke(app, ["score"]).exit_code == 2


def test_files_of_two_accounts_have_a_score_each(tmp_path: Path) -> None:
    other = who(1, ADMIN, Arn="arn:aws:iam::111122223333:role/role-1")
    result = run(tmp_path, {**PAGE, "RoleDetailList": [other], "Policies": [managed(POLICY)]}, "--json")
    answer = told(result)
    assert answer["account"]["id"] is None
    assert [one["id"] for one in answer["accounts"]] == ["111122223333", ACCOUNT]
    assert answer["identities"][0]["coverage"]["observed_days"] == 0
    assert answer["identities"][1]["coverage"]["observed_days"] == 2
    assert "mix accounts" in result.stderr
