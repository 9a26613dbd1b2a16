"""`leastwise analyze`: the answers of the commands for each, in a new folder, the report last, nothing hidden."""

import gzip
import json
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from cli.account_options import THRESHOLD
from cli.analysis import PLANS, POLICIES, REPORT, SCORES
from cli.analysis_summary import show_analysis
from cli.analyze import analyze
from cli.main import app as whole
from cli.plan_files import check_file, write_plans, write_whole
from cli.shared_work import work_on_all
from infra.build.template import ROOT
from shared.errors import InputError
from tests.unit.test_account_files import ACCOUNT, put
from tests.unit.test_cli_propose import CODE_TAG, EXAMPLE, TRAIL, WIDE, allow, did
from tests.unit.test_cli_score import BROKEN, page, who

LARGER = ROOT / "tests/data/authorization-details/example.json.gz"
FILES = ("--authorization-details", str(EXAMPLE), "--cloudtrail", str(TRAIL))
USED = [did(1, "iam:ListUsers"), did(1, "sns:CreateTopic"), did(2, "iam:ListUsers")]
FIELDS = (
    "account as_of window_days threshold over plans plans_enough no_plan account_after first without_plan left files "
    "errors warnings"
)

app = typer.Typer()
app.command()(analyze)


def run(*options: str) -> Result:
    return CliRunner().invoke(app, options)


def run_on(folder: Path, details: object, *options: str, records: list[dict[str, Any]] = USED) -> Result:
    files = ["--authorization-details", put(folder, "details.json", details)]
    files += ["--cloudtrail", put(folder, "trail.json", {"Records": records})]
    return run(*files, "--out", str(folder / "out"), *options)


def of_other_command(name: str, *options: str) -> str:
    return CliRunner().invoke(whole, [name, *options, "--json"]).stdout


def told(result: Result) -> dict[str, Any]:
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("options", "of_score"),
    [
        ((), ()),
        (("--threshold", "80", "--as-of", "2023-08-01"), ("--threshold", "80", "--as-of", "2023-08-01")),
        (("--strategy", "replace", "--resource-scope", "observed", "--window-days", "30"), ("--window-days", "30")),
    ],
    ids=str,
)
def test_the_files_hold_exactly_what_the_other_commands_print(
    tmp_path: Path, options: tuple[str, ...], of_score: tuple[str, ...]
) -> None:
    result = run(*FILES, *options, "--out", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert (tmp_path / "out" / SCORES).read_text(encoding="utf-8") == of_other_command("score", *FILES, *of_score)
    assert (tmp_path / "out" / PLANS).read_text(encoding="utf-8") == of_other_command("propose", *FILES, *options)


def test_policies_are_those_that_propose_writes(tmp_path: Path) -> None:
    run(*FILES, "--out", str(tmp_path / "all"))
    CliRunner().invoke(whole, ["propose", *FILES, "--out", str(tmp_path / "policies")])
    ours, theirs = tmp_path / "all" / POLICIES, tmp_path / "policies"
    assert files_of(ours) == files_of(theirs) != set()
    assert all((ours / name).read_bytes() == (theirs / name).read_bytes() for name in files_of(ours))


def test_the_answer_for_machines_says_who_is_over_what_lowers_most_and_where_the_files_are(tmp_path: Path) -> None:
    answer = told(run(*FILES, "--out", str(tmp_path / "out"), "--json"))
    scored, planned = (json.loads((tmp_path / "out" / name).read_text()) for name in (SCORES, PLANS))
    assert list(answer) == FIELDS.split()
    assert answer["account"] == scored["account"]
    assert [one["id"] for one in answer["over"]] == [
        one["id"] for one in scored["identities"] if one["compliance"] == "NON_COMPLIANT"
    ]
    assert answer["plans"] == len(planned["plans"]) == answer["plans_enough"] == 4
    assert answer["no_plan"] == {"no_evidence": 1}
    assert answer["first"][0]["identity"].endswith(":user/benjamin")
    assert answer["without_plan"] == 1
    [left] = answer["left"]
    assert (left["identity"].split("/")[-1], left["pci"]) == (
        "stratus-red-team-leave-org-role",
        scored["identities"][0]["pci"],
    )
    assert left["why"] == next(one["message"] for one in planned["skipped"] if one["id"] == left["id"])
    falls = [one["account_after"] for one in answer["first"]]
    assert falls == sorted(falls, reverse=True)
    assert answer["account_after"] == falls[-1] < falls[0] < answer["account"]["pci"]
    assert all(Path(name).exists() for name in answer["files"].values())
    assert {plan["plan_id"] for plan in planned["plans"]} == {one["plan_id"] for one in answer["first"]}


def test_people_are_told_the_account_who_is_over_and_what_to_do_next(tmp_path: Path) -> None:
    result = run(*FILES, "--out", str(tmp_path / "out"))
    text = " ".join(result.stdout.split())
    assert "Account 123837392027: PCI 89.4 over 5 identities (4 high, 1 medium, 0 low)" in text
    assert "5 with a PCI of 60 or more: role/stratus-red-team-leave-org-role (100), user/bert-jan (99)" in text
    assert "4 plans, of which 4 would be enough to comply. With all plans the account would have PCI 46.1." in text
    assert "1 over the threshold has no plan and needs a person (1 no evidence):" in text
    assert "role/stratus-red-team-leave-org-role, PCI 99.9: no use was recorded on 1 observed day of 90" in text
    assert "user/benjamin 296 98.5 0.0" in text
    assert f"Open {tmp_path / 'out' / REPORT} in a browser" in text
    assert result.stderr.startswith("leastwise: identities in the records that the authorization details don't list")


def test_an_account_in_which_everyone_complies_ends_with_0(tmp_path: Path) -> None:
    result = run_on(tmp_path, page(who(1, allow("iam:ListUsers"))))
    assert (result.exit_code, result.exception) == (0, None)
    assert f"Nobody has a PCI of {THRESHOLD:g} or more." in result.stdout
    assert files_of(tmp_path / "out") == {SCORES, PLANS, REPORT}


def shown_of(answer: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    show_analysis(answer)
    return " ".join(capsys.readouterr().out.split())


def test_the_worst_without_a_plan_are_named_and_the_others_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = told(run(*FILES, "--out", str(tmp_path / "out"), "--json"))
    left = [{**answer["left"][0], "identity": f"arn:aws:iam::{ACCOUNT}:role/r-{number}"} for number in range(10)]
    text = shown_of({**answer, "left": left, "without_plan": 12, "no_plan": {"no_evidence": 12}}, capsys)
    assert "12 over the threshold have no plan and need a person (12 no evidence): role/r-0, PCI" in text
    assert "role/r-4," in text
    assert "role/r-5," not in text
    assert "and 7 more: the report says why of each" in text
    assert "a person" not in shown_of({**answer, "left": [], "without_plan": 0}, capsys)


def test_steps_that_would_look_alike_have_two_decimals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = told(run(*FILES, "--out", str(tmp_path / "out"), "--json"))
    many = [{**answer["first"][0], "account_after": 52 - number / 25} for number in range(5)]
    text = shown_of({**answer, "first": many}, capsys)
    assert all(f" {value}" in text for value in ("52.00", "51.96", "51.92", "51.88"))


def test_the_report_tells_of_everyone(tmp_path: Path) -> None:
    answer = told(run("--authorization-details", str(LARGER), "--out", str(tmp_path / "out"), "--json"))
    scored = json.loads((tmp_path / "out" / SCORES).read_text())
    text = (tmp_path / "out" / REPORT).read_text(encoding="utf-8")
    assert len(scored["identities"]) > 100
    assert all(one["id"] in text for one in scored["identities"])
    assert answer["plans"] == 0  # without records nothing is planned


def looked_up(record: dict[str, Any]) -> dict[str, Any]:
    """A record as `aws cloudtrail lookup-events` prints it (AWS CLI command reference): the record itself is a text."""
    return {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": str(record.get("readOnly", False)).lower(),
        "EventTime": record["eventTime"].replace("Z", "+00:00"),
        "EventSource": record["eventSource"],
        "Resources": [],
        "CloudTrailEvent": json.dumps(record),
    }


def test_what_the_event_history_prints_does_as_well_as_the_logs(tmp_path: Path) -> None:
    """Both ways of the README to get records, on the same ones."""
    logs = (json.loads(gzip.decompress(path.read_bytes()))["Records"] for path in sorted(TRAIL.glob("*.gz")))
    events = [looked_up(record) for records in logs for record in records]
    history = tmp_path / "us-east-1.json"
    history.write_text(json.dumps({"Events": events}, indent=4))
    run(*FILES, "--out", str(tmp_path / "logs"))
    run(*FILES[:2], "--cloudtrail", str(history), "--out", str(tmp_path / "history"))
    assert len(events) == 2900
    for name in (SCORES, PLANS):
        assert (tmp_path / "logs" / name).read_bytes() == (tmp_path / "history" / name).read_bytes()


@pytest.mark.parametrize("records", [b"", b"{}", b"not a record at all"], ids=["empty", "none", "garbage"])
def test_a_trail_without_records_is_said_and_plans_nothing(tmp_path: Path, records: bytes) -> None:
    files = ["--authorization-details", str(EXAMPLE), "--cloudtrail", put(tmp_path, "trail.json", records)]
    result = run(*files, "--out", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "no record" in result.stderr
    assert "0 plans" in result.stdout


def test_who_cannot_be_read_is_named_everywhere_and_the_rest_is_there(tmp_path: Path) -> None:
    result = run_on(tmp_path, page(who(1, allow(*WIDE)), who(2, BROKEN)), "--json")
    [error] = told(result)["errors"]
    assert (result.exit_code, error["id"]) == (2, "AROAEXAMPLEROLE00002")
    assert "role/role-2" in error["error"]
    assert error["error"] in result.stderr
    assert told(result)["plans"] == 1
    assert "AROAEXAMPLEROLE00001" in (tmp_path / "out" / REPORT).read_text(encoding="utf-8")
    assert "role/role-2" in (tmp_path / "out" / REPORT).read_text(encoding="utf-8")


BAD: Mapping[str, tuple[tuple[str, ...], str]] = {
    "no such file": (("--authorization-details", "missing.json"), "missing.json: cannot be read: No such file"),
    "no such trail": ((*FILES[:2], "--cloudtrail", "missing"), "missing: cannot be read: No such file"),
    "malformed details": (("--authorization-details", "half.json"), "half.json: line 1, column .*: not JSON"),
    "something else": (("--authorization-details", "other.json"), "other.json: line 1: none of UserDetailList"),
    "both from standard input": (("--authorization-details", "-", "--cloudtrail", "-"), "can be only one of the files"),
    "no such safeguards": ((*FILES, "--safeguards", "missing.json"), "missing.json: cannot be read"),
}


@pytest.mark.parametrize("case", BAD)
def test_input_that_cannot_be_used_ends_it_and_leaves_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    options, message = BAD[case]
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "half.json", '{"UserDetailList": [')
    put(tmp_path, "other.json", {"a": 1})
    result = run(*options, "--out", "out")
    with pytest.raises(InputError, match=message):
        raise result.exception or AssertionError
    assert files_of(tmp_path / "out") == set()
    assert run(*FILES, "--out", "out").exit_code == 1  # the same folder will do for the next try


@pytest.mark.parametrize("option", [("--strategy", "magic"), ("--always-keep", "iam"), ("--threshold", "101")], ids=str)
def test_a_misspelt_option_is_a_usage_error(tmp_path: Path, option: tuple[str, str]) -> None:
    assert run(*FILES, "--out", str(tmp_path / "out"), *option).exit_code == 2
    assert run(*FILES).exit_code == 2  # without --out


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_text("mine")
    for out, message in ((tmp_path, "it is not empty; name a new folder"), (note, "cannot be written: File exists")):
        with pytest.raises(InputError, match=message):
            raise run(*FILES, "--out", str(out)).exception or AssertionError
    assert files_of(tmp_path) == {"note"}
    assert note.read_text() == "mine"


def test_a_failure_halfway_leaves_no_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report is written last, so that a folder with one is whole."""

    def fail(path: Path, text: str) -> None:
        if path.name == REPORT or path.name.startswith("policy-"):
            raise InputError(f"{path}: cannot be written: No space left on device")
        write_whole(path, text)

    monkeypatch.setattr("cli.plan_files.write_whole", fail)
    with pytest.raises(InputError, match="No space left on device"):
        raise run(*FILES, "--out", str(tmp_path / "out")).exception or AssertionError
    assert REPORT not in files_of(tmp_path / "out")
    assert not [name for name in files_of(tmp_path / "out") if name.endswith(".part")]


def test_a_file_that_cannot_be_written_is_not_there_and_what_was_there_stays(tmp_path: Path) -> None:
    there = tmp_path / "report.html"
    there.write_text("before")
    (tmp_path / ".report.html.part").mkdir()
    with pytest.raises(InputError, match=r"report\.html: cannot be written"):
        write_whole(there, "after")
    assert there.read_text() == "before"
    with pytest.raises(InputError, match="cannot be written: it is a folder"):
        check_file(str(tmp_path))


def test_nothing_is_written_through_a_link_that_somebody_put_there(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("theirs")
    (tmp_path / ".report.html.part").symlink_to(other)
    write_whole(tmp_path / "report.html", "ours")
    assert (other.read_text(), (tmp_path / "report.html").read_text()) == ("theirs", "ours")


def plan_of(arn: str, *policies: str) -> dict[str, Any]:
    documents = [{"name": name, "document": {"of": f"{arn} {name}"}} for name in policies]
    return {"identity": arn, "policies": documents, "patch": None}


NAMES = st.text(st.characters(codec=None), min_size=1, max_size=300) | st.sampled_from(
    ("..", ".", "../../x", "a/../../b", "\0", "\ud800", "CON", "a" * 300, "ä" * 200, "x\ny", "plan", "-rf", "~")
)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=3)), min_size=1, max_size=5))
def test_whatever_names_say_every_document_is_in_the_folder_once(plans: list[tuple[str, list[str]]]) -> None:
    """Names come from files that somebody else may have written."""
    made = [plan_of(f"arn:aws:iam::{ACCOUNT}:role/{name}", *policies) for name, policies in plans]
    with TemporaryDirectory() as outer:
        folder = Path(outer) / "in" / "here"
        count = write_plans(folder, made)
        written = [path for path in Path(outer).rglob("*") if path.is_file()]
        assert all(path.resolve().is_relative_to(folder.resolve()) for path in written)
        assert len(written) == count == sum(1 + len(policies) for _, policies in plans)
        assert {len(path.relative_to(folder).parts) for path in written} == {3}
        texts = sorted(json.dumps(json.loads(path.read_bytes())) for path in written)
        documents = [policy["document"] for plan in made for policy in plan["policies"]]
        assert texts == sorted(json.dumps(value) for value in (*made, *documents))


def test_names_with_anything_in_them_are_written_and_shown_harmlessly(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>\x1b[31m"
    arn = f"arn:aws:iam::{ACCOUNT}:role/{bad}"
    result = run_on(tmp_path, page(who(1, allow(*WIDE), RoleName=bad, Arn=arn)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "\x1b" not in result.stdout + result.stderr
    assert "<script>alert(1)" not in (tmp_path / "out" / REPORT).read_text(encoding="utf-8")
    assert {name.split("/")[2] for name in files_of(tmp_path / "out" / POLICIES)} >= {"plan.json"}


def test_processes_share_the_planning_and_the_result_is_the_same(tmp_path: Path) -> None:
    roles = [who(number, allow(*WIDE, f"sqs:{'GL'[number % 2]}*")) for number in range(1, 10)]
    more = [
        who(1, allow(*WIDE), RoleId=f"AROAEXAMPLEROLE000{number}", Arn=f"arn:aws:iam::{ACCOUNT}:role/more-{number}")
        for number in range(10, 24)
    ]
    details = page(*roles, *more, who(9, allow("*"), RoleId="AROAEXAMPLEROLE00099", Tags=CODE_TAG))
    records = [did(number, "iam:ListUsers") for number in range(1, 10)]
    answers = []
    for jobs in ("1", "3"):
        folder = tmp_path / jobs
        folder.mkdir()
        run_on(folder, details, "--jobs", jobs, records=records)
        answers.append({name: (folder / "out" / name).read_bytes() for name in sorted(files_of(folder / "out"))})
    assert answers[0] == answers[1]
    assert len(json.loads(answers[0][PLANS])["plans"]) >= 9


def halved(number: int) -> tuple[int, int]:
    if number == 13:
        raise InputError("13 can't be halved")
    return number // 2, os.getpid()


@pytest.mark.parametrize(("jobs", "processes"), [(1, 1), (2, 2), (50, 5)])
def test_shared_work_is_done_once_for_each_item_and_its_error_comes_through(jobs: int, processes: int) -> None:
    numbers = [number for number in range(41) if number != 13]
    made = work_on_all(numbers, halved, jobs=jobs, what="halving", many=1000)
    assert [half for half, _ in made] == [number // 2 for number in numbers]
    assert len({pid for _, pid in made}) <= processes
    assert (os.getpid() in {pid for _, pid in made}) == (jobs == 1)
    with pytest.raises(InputError, match="13 can't be halved"):
        work_on_all(range(41), halved, jobs=jobs, what="halving", many=1000)
