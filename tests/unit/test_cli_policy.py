"""`leastwise policy`: answers in the order of their inputs, and one clear line for whatever cannot be read."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from cli.answers import printable
from cli.evaluation import EVALUATORS_KEPT, Cases
from cli.main import app
from infra.build.template import ROOT
from shared.iam.evaluate import evaluate
from shared.iam.evaluation.cases import parse_case
from shared.iam.grammar.kinds import PolicyKind

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject*", "Resource": "arn:aws:s3:::bucket/*"}
USER = "arn:aws:iam::111122223333:user/ann"


def document(*statements: dict[str, Any], version: str = "2012-10-17") -> dict[str, Any]:
    return {"Version": version, "Statement": list(statements)}


def case(action: str = "s3:GetObject", **changes: Any) -> dict[str, Any]:
    request = {"principal": USER, "action": action, "resource": "arn:aws:s3:::bucket/key"}
    return {"request": request, "identity_policies": [document(ALLOW)], **changes}


def run(*arguments: str | Path, given: str | bytes = b"") -> Result:
    return CliRunner().invoke(app, ["policy", *map(str, arguments)], input=given)


def answers(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def written(folder: Path, name: str, *contents: Any) -> Path:
    """A file with a JSON value in each line; bytes and text are written as they are."""
    raw = [
        one if isinstance(one, bytes) else (one if isinstance(one, str) else json.dumps(one)).encode()
        for one in contents
    ]
    path = folder / name
    path.write_bytes(b"\n".join(raw) + b"\n")
    return path


# ---- expand


def test_given_a_document_when_expanded_then_actions_and_what_the_catalogue_does_not_know_are_told(
    tmp_path: Path,
) -> None:
    taken = {"Effect": "Deny", "Action": ["S3:getobjectacl", "gone:*"], "Resource": "*"}
    given_ = {**ALLOW, "Action": ["s3:GetObjectA*", "new:Thing", "new:Thing*", "gone:Thing*"]}
    result = run("expand", "--json", written(tmp_path, "a.json", document(given_, taken)))

    assert result.exit_code == 0
    (answer,) = answers(result)
    assert answer["actions"] == ["new:Thing", "s3:GetObjectAnnotation", "s3:GetObjectAttributes"]
    assert answer["unknown"] == ["new:Thing", "new:Thing*"]


def test_given_people_when_expanded_then_an_action_a_line_and_unknown_ones_on_standard_error(tmp_path: Path) -> None:
    one = written(tmp_path, "a.json", document({**ALLOW, "Action": ["sqs:SendMessage", "new:*"]}))
    alone, together = run("expand", one), run("expand", one, "-", given=json.dumps(document(ALLOW | {"Action": "a:B"})))

    assert alone.stdout == "sqs:SendMessage\n"
    assert alone.stderr == "unknown to the catalogue: new:*\n"
    assert together.stdout == f"# {one}\nsqs:SendMessage\n# standard input\na:B\n"


def test_given_json_lines_when_expanded_then_each_line_has_its_answer() -> None:
    lines = [json.dumps(document(ALLOW | {"Action": "sqs:SendMessage"})), "{", "", json.dumps(document(ALLOW))]
    result = run("expand", "--lines", "--json", "-", given="\n".join(lines) + "\n\n\n")

    first, broken, blank, last = answers(result)
    assert first["actions"] == ["sqs:SendMessage"]
    assert "not valid JSON" in broken["error"]
    assert "error" in blank
    assert "s3:GetObject" in last["actions"]
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == [f"standard input, line {n}" for n in (2, 3)]
    assert result.exit_code == 2


# ---- validate


def test_given_a_document_when_validated_then_findings_have_place_code_and_advice(tmp_path: Path) -> None:
    result = run("validate", "--json", written(tmp_path, "a.json", document(ALLOW | {"Effect": "allow"})))

    (answer,) = answers(result)
    assert answer == {
        "kind": "identity",
        "assumed": True,
        "findings": [
            {
                "code": "effect",
                "severity": "error",
                "path": "$.Statement[0].Effect",
                "message": "'allow' is neither Allow nor Deny",
                "advice": 'Write "Allow" or "Deny", in exactly these letters.',
            }
        ],
    }
    assert result.exit_code == 1


def test_given_a_kind_when_validated_then_the_document_is_judged_as_that(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", document(ALLOW))
    looks, named = run("validate", "--json", path), run("validate", "--json", "--kind", "resource", path)

    assert looks.exit_code == 0
    assert answers(looks) == [{"kind": "identity", "assumed": True, "findings": []}]
    assert named.exit_code == 1
    (answer,) = answers(named)
    assert (answer["kind"], answer["assumed"]) == ("resource", False)
    assert [finding["code"] for finding in answer["findings"]] == ["missing_principal"]


def test_given_people_when_validated_then_a_table_and_a_count(tmp_path: Path) -> None:
    bad = written(tmp_path, "bad.json", document(ALLOW | {"Action": ["s3:\u001b[31mX", "GetObject"]}))
    good = written(tmp_path, "good.json", document(ALLOW))
    result = run("validate", bad, good)

    assert result.exit_code == 1
    assert "error    action_vendor" in result.stdout
    assert "$.Statement[0].Action[1]" in result.stdout
    assert "\u001b" not in result.stdout
    assert "(identity policy, by its looks): 1 error, 2 warnings" in result.stdout
    assert "good.json (identity policy, by its looks): nothing found" in result.stdout


def test_given_text_that_is_no_json_when_validated_then_that_is_the_finding_and_it_counts_as_unreadable() -> None:
    result = run("validate", "--json", "-", given='{"Version": \n')

    assert [finding["code"] for finding in answers(result)[0]["findings"]] == ["not_json"]
    assert "line 2" in result.stderr
    assert result.exit_code == 2


# ---- evaluate


def test_given_cases_when_evaluated_then_each_line_has_its_decision_and_a_bad_one_its_error(tmp_path: Path) -> None:
    denied = case(permissions_boundaries=[document(ALLOW | {"Effect": "Deny"})])
    misspelt = case(identity_policies=[document(ALLOW, ALLOW | {"Effect": "allow"})])
    path = written(tmp_path, "c.jsonl", case(), "[1]", case("s3:PutObject"), misspelt, denied, {"request": {}})
    result = run("evaluate", "--cases", path)

    told = answers(result)
    assert [answer.get("decision") for answer in told] == ["ALLOW", None, "IMPLICIT_DENY", None, "EXPLICIT_DENY", None]
    assert told[0]["reasons"][0]["code"] == "identity_allow"
    assert told[3]["error"].startswith("identity_policies[0].Statement[1].Effect: ")
    lines = [line.removeprefix(f"leastwise: {path}, line ") for line in result.stderr.splitlines()]
    assert [line.split(": ")[:2] for line in lines] == [
        ["2", "a case must be a JSON object"],
        ["4", "identity_policies[0].Statement[1].Effect"],
        ["6", "request.principal"],
    ]
    assert result.exit_code == 2


def test_given_denied_cases_when_evaluated_then_that_is_no_finding(tmp_path: Path) -> None:
    result = run("evaluate", "--json", "--cases", written(tmp_path, "c.jsonl", case("s3:PutObject")))

    assert (result.exit_code, result.stderr) == (0, "")


def test_given_one_case_over_several_lines_when_evaluated_then_it_is_read_as_one(tmp_path: Path) -> None:
    result = run("evaluate", "--case", written(tmp_path, "c.json", json.dumps(case(), indent=4)))

    assert [answer["decision"] for answer in answers(result)] == ["ALLOW"]


@pytest.mark.parametrize("arguments", [[], ["--cases", "a", "--case", "b"]])
def test_given_no_or_two_sources_of_cases_then_it_is_wrong_usage(arguments: Sequence[str]) -> None:
    assert run("evaluate", *arguments).exit_code == 2


def test_given_a_key_twice_in_a_case_then_it_is_not_guessed_which_one_counts() -> None:
    text = json.dumps(case()).replace('"Effect": "Allow"', '"Effect": "Allow", "Effect": "Deny"')
    result = run("evaluate", "--cases", "-", given=text)

    assert "given twice" in answers(result)[0]["error"]
    assert result.exit_code == 2


ACTIONS = st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:*", "s3:Get*", "sqs:*"])
STATEMENTS = st.builds(
    lambda effect, action, bucket: {"Effect": effect, "Action": action, "Resource": f"arn:aws:s3:::{bucket}/*"},
    st.sampled_from(["Allow", "Deny"]), ACTIONS, st.sampled_from(["bucket", "other", "*"]),
)  # fmt: skip
POLICIES = st.lists(st.builds(lambda parts: document(*parts), st.lists(STATEMENTS, min_size=1, max_size=3)), max_size=2)
KINDS = st.sampled_from(["identity_policies", "permissions_boundaries", "session_policies"])
CASES = st.builds(
    lambda action, policies: case(action, name=f"any {action}", **policies),
    st.sampled_from(["s3:GetObject", "s3:PutObject"]), st.dictionaries(KINDS, POLICIES, max_size=3),
)  # fmt: skip


@given(st.lists(CASES, max_size=12))
@settings(deadline=None)
def test_given_cases_that_share_policies_then_each_is_decided_as_if_it_were_alone(cases: list[dict[str, Any]]) -> None:
    decide = Cases()
    for one in cases:
        parsed = parse_case(one)
        assert decide(json.dumps(one)) == evaluate(parsed.request, parsed.policies).as_json()


def test_given_more_sets_of_policies_than_are_kept_then_all_are_decided() -> None:
    decide = Cases()
    for number in range(EVALUATORS_KEPT + 2):
        policies = [document(ALLOW | {"Resource": f"arn:aws:s3:::bucket/{number}"})]
        assert decide(json.dumps(case(identity_policies=policies)))["decision"] == "IMPLICIT_DENY"


# ---- compare


def test_given_two_files_when_compared_then_the_verdict_decides_the_exit_code(tmp_path: Path) -> None:
    wide = written(tmp_path, "wide.json", document(ALLOW))
    narrow = written(tmp_path, "narrow.json", [document(ALLOW | {"Action": "s3:GetObject"})])
    narrowed, widened = run("compare", "--json", wide, narrow), run("compare", "--json", narrow, wide)

    assert [(answer["verdict"], "counterexample" in answer) for answer in answers(narrowed)] == [
        ("no_new_access", False)
    ]
    assert narrowed.exit_code == 0
    (answer,) = answers(widened)
    assert answer["verdict"] == "new_access"
    assert answer["counterexample"]["action"].lower().startswith("s3:getobject")
    assert widened.exit_code == 1
    told = run("compare", narrow, wide)
    assert told.stdout.startswith("new access\n")
    assert told.exit_code == 1


def test_given_pairs_when_compared_then_each_line_has_its_verdict_and_a_bad_one_its_error() -> None:
    pairs = [
        {"old": document(ALLOW), "new": document(ALLOW)},
        {"old": document(ALLOW), "new": [document(ALLOW), document(ALLOW | {"Effect": "Maybe"})]},
        {"old": [], "new": json.dumps(document(ALLOW))},
        {"new": []},
        7,
    ]
    result = run("compare", "--pairs", "-", given="\n".join(map(json.dumps, pairs)))

    same, bad, more, half, number = answers(result)
    assert same["verdict"] == "no_new_access"
    assert bad["error"].startswith("new[1].Statement[0].Effect: ")
    assert more["verdict"] == "new_access"
    assert half["error"] == "old: missing"
    assert "JSON object" in number["error"]
    assert result.exit_code == 2


def test_given_a_pair_of_which_one_file_is_missing_then_it_is_named(tmp_path: Path) -> None:
    result = run("compare", written(tmp_path, "a.json", document(ALLOW)), tmp_path / "none.json")

    assert "none.json: cannot be read: No such file" in result.stderr
    assert result.exit_code == 2


@pytest.mark.parametrize("arguments", [[], ["a.json"], ["a.json", "b.json", "--pairs", "c.jsonl"]])
def test_given_half_a_pair_or_two_kinds_of_pairs_then_it_is_wrong_usage(arguments: Sequence[str]) -> None:
    assert run("compare", *arguments).exit_code == 2


# ---- whatever comes from outside

UNREADABLE: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"Version: 2012-10-17",
    "cut off": b'{"Version": "2012-10-17", "Statement": [',
    "UTF-16": json.dumps(document(ALLOW)).encode("utf-16"),
    "invalid bytes": b'{"Version": "\xff\xfe"}',
    "nested": b"[" * 200_000,
    "nested objects": b'{"Statement":' * 100_000,
    "NaN": b'{"Statement": NaN}',
    "huge number": b'{"Statement": ' + b"9" * 10_000 + b"}",
    "binary": bytes(range(256)),
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
}
COMMANDS = (["expand"], ["validate"], ["evaluate", "--case"], ["compare", "-"])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("name", UNREADABLE)
def test_given_what_cannot_be_read_then_it_is_said_and_never_a_traceback(name: str, command: list[str]) -> None:
    result = run(*command, "-", given=UNREADABLE[name])

    assert isinstance(result.exception, SystemExit)
    assert result.exit_code in ({1, 2} if command == ["validate"] else {2})
    assert (result.stderr or result.stdout).count("\n") >= 1


@pytest.mark.parametrize("command", COMMANDS[:3], ids=lambda command: command[0])
def test_given_a_folder_or_nothing_where_a_file_should_be_then_it_is_named(tmp_path: Path, command: list[str]) -> None:
    for path in (tmp_path, tmp_path / "none"):
        result = run(*command, path)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"leastwise: {path}: cannot be read: ")
        assert result.stderr.count("\n") == 1


def test_given_a_byte_order_mark_then_it_is_passed_over() -> None:
    result = run("expand", "-", given=b"\xef\xbb\xbf" + json.dumps(document(ALLOW | {"Action": "a:B"})).encode())

    assert (result.exit_code, result.stdout) == (0, "a:B\n")


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)
def test_whatever_lines_hold_there_is_an_answer_to_each(raw: bytes) -> None:
    lines = raw.decode(errors="replace").split("\n")
    while lines and not lines[-1].removeprefix("\ufeff").strip():
        lines.pop()
    result = run("evaluate", "--cases", "-", given=raw)

    assert result.exit_code == (2 if lines else 0)
    assert len(answers(result)) == len(lines)
    assert all("error" in answer for answer in answers(result))


def test_text_of_others_cannot_steer_a_terminal() -> None:
    assert printable("plain ü") == "plain ü"
    assert printable("a\x1b[2J\u202eb\ud800") == r"a\x1b[2J\u202eb\ud800"


EXAMPLE = re.compile(
    r"```sh\n(?P<shell>echo '(?P<given>[^']*)'.*?leastwise policy (?P<words>[^\n]*))\n```\n\n"
    r"```json\n(?P<told>.*?)\n```",
    re.DOTALL,
)
EXAMPLES = list(EXAMPLE.finditer((ROOT / "docs" / "cli.md").read_text(encoding="utf-8")))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["words"].split()[0])
def test_given_an_example_of_the_documentation_then_the_command_answers_as_it_says(example: re.Match[str]) -> None:
    given = example["given"].replace("\n", "") if "tr -d" in example["shell"] else example["given"]

    assert answers(run(*example["words"].split(), given=given)) == [json.loads(example["told"])]


def test_the_documentation_has_an_example_of_every_command_and_names_every_kind() -> None:
    assert [example["words"].split()[0] for example in EXAMPLES] == ["expand", "validate", "evaluate", "compare"]
    (sentence,) = re.findall(r"`--kind` is (.*?)\.", (ROOT / "docs" / "cli.md").read_text(encoding="utf-8"), re.DOTALL)
    assert re.findall(r"`([a-z-]+)`", sentence) == list(PolicyKind)
