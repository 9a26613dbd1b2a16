"""`leastwise audit query` and `audit show`, on a trail in moto."""

import csv
import io
import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.client import BaseClient

from cli.auditing import pages
from cli.auditing.pages import Page, Wanted
from shared.aws import clients
from shared.aws.audit_table import AuditTable
from shared.aws.score_table import ScoreTable
from shared.errors import InputError
from shared.events import DomainEvent
from shared.model.audit import AuditEntry
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance
from shared.model.stored_entry import StoredEntry, hash_of
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW
from tests.conftest import Stack
from tests.integration.audited import ANAS, OPTIONS, STORY, deployed, ended, failing, judged, minutes, record, run, told
from tests.integration.stack_stand_in import Stacks

EVIL = IdentityRef(account_id=ACCOUNT, identity_id="AIDAEXAMPLEUSER00666", arn=f"arn:aws:iam::{ACCOUNT}:user/=evil")


@pytest.fixture(autouse=True)
def stacks(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    """The deployed stack with a trail."""
    found = deployed(aws, monkeypatch)
    record(aws, *STORY)
    ScoreTable(aws.table(aws.scores_table)).put_holder(ANA, seen_at=NOW)
    return found


def ids(*events: DomainEvent) -> list[str]:
    return [event.event_id for event in events]


def listed(*arguments: str) -> list[str]:
    return [entry["event_id"] for entry in told("query", *arguments)["entries"]]


def test_given_no_filter_when_queried_then_all_is_told_the_newest_first() -> None:
    answer = told("query")

    newest_first = sorted(STORY, key=lambda event: (event.occurred_at, event.event_id), reverse=True)
    assert [entry["event_id"] for entry in answer["entries"]] == ids(*newest_first)
    assert (answer["account_id"], answer["complete"], answer["next"], answer["read"]) == (ACCOUNT, True, None, 9)
    first = answer["entries"][-1]
    assert (first["event_type"], first["summary"][:10], first["identity_arn"]) == (
        "IdentityScored",
        "ana has PC",
        ANA.arn,
    )
    assert first["event"]["pci"] == 87.25


ONE_FILTER: list[tuple[tuple[str, ...], list[int]]] = [
    (("--identity", ANA.identity_id), [7, 2, 1, 0]),
    (("--identity", "ana"), [7, 2, 1, 0]),
    (("--identity", ANA.arn), [7, 2, 1, 0]),
    (("--identity", "user/team/ana"), [7, 2, 1, 0]),
    (("--identity", DEPLOYER.identity_id, "--oldest-first"), [4, 5, 6]),
    (("--plan", "plan-2"), [5]),
    (("--plan", "plan-2", "--identity", "ana"), []),
    (("--plan", "no-such-plan"), []),
    (("--compliance", "non-compliant"), [6, 1]),
    (("--compliance", "NON_COMPLIANT", "--identity", "ana"), [1]),
    (("--type", "account-scored"), [8, 3]),
    (("--type", "AccountScored", "--type", "planproposed", "--oldest-first"), [2, 3, 5, 8]),
    (("--type", "PlanProposed", "--identity", "ana"), [2]),
    (("--since", "2026-03-01T12:05:00Z"), [8, 7, 6]),
    (("--since", "2026-03-01T13:05:00+01:00", "--until", "2026-03-01T12:07:00"), [7, 6]),
    (("--until", "2026-02-28"), []),
    (("--since", "2026-03-01", "--until", "2026-03-01", "--identity", "ana"), [7, 2, 1, 0]),
]


@pytest.mark.parametrize(("options", "expected"), ONE_FILTER)
def test_given_filters_when_queried_then_what_fits_is_told(options: tuple[str, ...], expected: list[int]) -> None:
    assert listed(*options) == ids(*(STORY[number] for number in expected))


def fitting(entries: Sequence[AuditEntry], wanted: Wanted) -> list[str]:
    """What a query has to tell, by looking at everything."""
    found = sorted((entry for entry in entries if wanted.fits(entry)), key=wanted.position, reverse=wanted.newest_first)
    return [entry.event_id for entry in found]


def test_given_any_filters_when_paged_then_pages_together_are_what_looking_at_everything_tells(aws: Stack) -> None:
    audit = AuditTable(aws.table(aws.audit_table))
    everything = list(audit.of_account(ACCOUNT))
    choices = itertools.product(
        (None, ANA.identity_id),
        (None, "plan-1"),
        ((), ("PlanProposed", "AccountScored")),
        (None, Compliance.NON_COMPLIANT),
        ((None, None), (minutes(1), minutes(6)), (None, minutes(1)), (minutes(6), None)),
        (True, False),
        (1, 2),
    )
    for identity_id, plan_id, types, compliance, (since, until), newest_first, limit in choices:
        wanted = Wanted(ACCOUNT, identity_id, plan_id, types, compliance, since, until, newest_first)
        found: list[str] = []
        token: str | None = None
        for _ in range(len(everything) + 1):
            page = Page(audit, wanted, limit, token)
            shown = [entry.event_id for entry in page]
            assert len(shown) <= limit
            found += shown
            token = page.token
            if token is None:
                break
        assert (found, token) == (fitting(everything, wanted), None), (wanted, limit)


def test_given_a_page_when_its_token_is_given_then_the_next_one_follows_though_time_went_on(aws: Stack) -> None:
    first = told("query", "--limit", "4", "--since", "2026-02-01")
    record(aws, judged(ANA, Compliance.COMPLIANT, 100))
    rest = told("query", "--limit", "100", "--since", "9999d", "--page-token", first["next"])

    assert (len(first["entries"]), first["complete"]) == (4, False)
    together = [entry["event_id"] for entry in first["entries"] + rest["entries"]]
    assert sorted(together) == sorted(ids(*STORY))
    assert (rest["complete"], rest["next"]) == (True, None)


def test_given_the_last_page_is_full_when_nothing_follows_then_there_is_no_token() -> None:
    assert told("query", "--limit", str(len(STORY)))["next"] is None


@pytest.mark.parametrize("token", ["x", "", "AAAA", "e30", "bnVsbA", "é", "[" * 300, "W10" * 3_000])
def test_given_a_token_that_is_none_when_queried_then_it_is_refused(token: str) -> None:
    result = run("query", "--page-token", token)
    assert isinstance(result.exception, InputError)
    assert "page token" in str(result.exception)


def test_given_the_token_of_another_query_when_queried_then_it_is_refused() -> None:
    token = told("query", "--limit", "1")["next"]
    for options in (("--oldest-first",), ("--type", "AccountScored"), ("--identity", "ana"), ("--plan", "plan-1")):
        result = run("query", "--page-token", token, *options)
        assert isinstance(result.exception, InputError)
        assert "another query" in str(result.exception)


def test_given_few_that_fit_when_too_much_was_read_then_it_says_so_and_can_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "MOST_DROPPED", 3)
    options = ("--identity", ANA.identity_id, "--type", "IdentityScored")
    first = told("query", *options)
    assert (first["entries"], first["complete"], first["read"]) == ([], False, 3)
    assert "few fit" in run("query", *options).stderr
    assert listed(*options, "--page-token", first["next"]) == ids(STORY[0])


def test_given_a_trail_of_the_first_version_when_asked_by_type_then_its_entries_are_told_too(aws: Stack) -> None:
    old = {
        "schema_version": 1,
        "chain": f"{ACCOUNT}/AIDAOLD",
        "sequence": 1,
        "event_id": "old",
        "event_type": "AccountScored",
        "occurred_at": "2026-01-01T00:00:00Z",
        "recorded_at": "2026-01-01T00:00:00Z",
        "account_id": ACCOUNT,
        "summary": "The account has PCI 61",
        "event": {},
        "previous_hash": "0" * 64,
    }
    item = dict(StoredEntry.of(old | {"entry_hash": hash_of(old)}).attributes)
    del item["type_key"]
    aws.table(aws.audit_table).put(item)
    assert listed("--type", "AccountScored", "--oldest-first") == ["old", *ids(STORY[3], STORY[8])]


def test_given_a_query_when_counted_then_it_is_queries_of_pages_and_never_a_scan(
    aws: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, dict[str, Any]]] = []
    before = vars(BaseClient)["_make_api_call"]

    def noted(client: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        if client.meta.service_model.service_name == "dynamodb":
            calls.append((operation_name, api_params))
        return before(client, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", noted)
    for options in ((), ("--plan", "plan-1"), ("--type", "AccountScored"), ("--compliance", "COMPLIANT")):
        run("query", *options)
    run("query", "--identity", ANA.identity_id)
    assert {name for name, _ in calls} <= {"Query", "GetItem"}
    assert all(params.get("Limit", 1) <= 100 for _, params in calls)


def test_given_text_from_outside_when_shown_then_neither_terminal_nor_spreadsheet_obeys(aws: Stack) -> None:
    record(aws, judged(EVIL, Compliance.NON_COMPLIANT, 50, '=HYPERLINK("x")\x1b[31m\nand, more'))
    shown = run("query", "--identity", EVIL.identity_id)
    rows = list(csv.DictReader(io.StringIO(run("query", "--identity", EVIL.identity_id, "--csv").stdout)))

    assert "\x1b" not in shown.stdout
    assert "\\x1b[31m" in shown.stdout
    (row,) = rows
    assert row["summary"].startswith("'=evil is NON_COMPLIANT")
    assert row["pci"] == "70.5"
    assert "\x1b" not in "".join(row.values())


def test_given_entries_when_asked_for_csv_then_each_is_a_row_and_the_token_is_told_aside() -> None:
    result = run("query", "--csv", "--limit", "2")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["event_id"] for row in rows] == ids(STORY[8], STORY[7])
    assert rows[1]["identity_arn"] == ANA.arn
    assert len(rows[1]["entry_hash"]) == 64
    assert "--page-token" in result.stderr


def test_given_entries_when_shown_then_time_event_who_and_what_stand_in_a_row() -> None:
    result = run("query", "--identity", "ana", "--limit", "1")
    assert "2026-03-01 12:06:00" in result.stdout
    assert "IdentityEvaluated" in result.stdout
    assert "user/team/ana" in result.stdout
    assert "ana is COMPLIANT" in result.stdout
    assert "there are more" in result.stderr
    assert "No entries." in run("query", "--plan", "none").stdout


def test_given_an_entry_when_it_is_named_then_it_is_shown_whole() -> None:
    entry = told("show", f"{ANAS}#2")
    assert (entry["event_id"], entry["sequence"]) == (STORY[1].event_id, 2)
    text = run("show", f"{ANA.identity_id}#2").stdout
    assert text.startswith("summary")
    assert '"threshold": 60' in text
    assert STORY[1].event_id in text
    assert told("show", STORY[1].event_id) == entry


@pytest.mark.parametrize(
    "which", [f"{ANAS}#5", f"{ANAS}#0", "x", f"{ACCOUNT}/AIDANOBODY#1", f"{ANAS}#1e3", "", "é", "a b"]
)
def test_given_an_entry_that_is_not_there_when_named_then_it_is_bad_input(which: str) -> None:
    assert isinstance(run("show", which).exception, InputError)


BAD: list[tuple[tuple[str, ...], str]] = [
    (("query", "--identity", "nobody"), "no identity is called 'nobody'"),
    (("query", "--identity", "AIDANOBODYNOBODY"), "nobody with the id AIDANOBODYNOBODY"),
    (("query", "--identity", f"arn:aws:iam::{ACCOUNT}:user/other/ana"), "no identity is called"),
    (("query", "--identity", "a b;c"), "no identity is called"),
    (("query", "--identity", "twice"), "is the name of several"),
    (("query", "--since", "yesterday"), "'yesterday' is no time such as 2026-05-31"),
    (("query", "--since", "999999w"), "is no time"),
    (("query", "--since", "2026-03-02", "--until", "2026-03-01"), "nothing lies before --until and after --since"),
    (("query", "--type", "PolicyAplied"), "perhaps PolicyApplied"),
    (("query", "--compliance", "maybe"), "'maybe' is no verdict"),
    (("query", "--json", "--csv"), "exclude each other"),
    (("query", "--limit", "0"), "--limit"),
    (("trend", "--identity", "nobody"), "no identity is called 'nobody'"),
    (("trend", "--since", "1x"), "is no time"),
    (("verify", "--identity", "nobody"), "no identity is called 'nobody'"),
    (("verify", "--identity", "AIDANOBODYNOBODY"), "nothing is recorded of AIDANOBODYNOBODY"),
    (("show", "x"), "no entry x"),
]


@pytest.mark.parametrize(("arguments", "complaint"), BAD)
def test_given_bad_input_when_run_then_it_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], complaint: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    clients.iam().create_user(UserName="twice")
    clients.iam().create_role(RoleName="twice", AssumeRolePolicyDocument="{}")
    code, said = ended((*arguments, *OPTIONS), monkeypatch, capfd)
    assert code == 2, said
    assert complaint in said
    assert said.count("\n") == 1, said


FAILURES = [("Query", "ThrottlingException"), ("Query", "AccessDeniedException"), ("DescribeStacks", "Throttling")]


@pytest.mark.parametrize(("operation", "refusal"), FAILURES)
@pytest.mark.parametrize("command", ["query", "verify", "trend"])
def test_given_a_dependency_that_fails_when_run_then_it_is_one_line_and_exit_code_3(
    command: str,
    operation: str,
    refusal: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    failing(operation, refusal, monkeypatch)
    code, said = ended((command, *OPTIONS), monkeypatch, capfd)
    assert code == 3
    assert operation in said
    assert said.count("\n") == 1, said


def test_given_somebody_who_may_not_read_iam_when_asked_by_name_then_the_last_holder_is_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for operation in ("GetUser", "GetRole"):
        failing(operation, "AccessDenied", monkeypatch)
    assert listed("--identity", "ana") == ids(*(STORY[number] for number in (7, 2, 1, 0)))


def test_given_a_new_user_under_an_old_name_when_asked_by_name_then_the_one_of_now_is_meant(aws: Stack) -> None:
    user = clients.iam().create_user(UserName="ana", Path="/team/")["User"]
    ref = IdentityRef(account_id=ACCOUNT, identity_id=user["UserId"], arn=user["Arn"])
    event = judged(ref, Compliance.COMPLIANT, 60)
    record(aws, event)
    assert listed("--identity", "ana") == ids(event)
    assert len(listed("--identity", ANA.identity_id)) == 4


def test_given_many_entries_when_asked_for_json_then_they_are_written_one_by_one(aws: Stack) -> None:
    record(aws, *(judged(ANA, Compliance.COMPLIANT, number) for number in range(10, 138)))
    result = run("query", "--json", "--limit", "1000", "--identity", ANA.identity_id)
    lines = result.stdout.splitlines()
    assert len(json.loads(result.stdout)["entries"]) == 132
    assert len(lines) == 134
    assert json.loads(lines[1].rstrip(",")) == json.loads(result.stdout)["entries"][0]


def test_given_an_entry_that_somebody_made_unreadable_when_queried_then_it_is_named_among_the_others(
    aws: Stack,
) -> None:
    item = aws.table(aws.audit_table).get(f"CHAIN#{ANAS}", f"{3:012d}")
    assert item
    aws.table(aws.audit_table).put({**item, "summary": 7})
    entries = told("query", "--identity", ANA.identity_id)["entries"]
    assert [each["event_type"] for each in entries].count("NotAsRecorded") == 1
    (shown,) = (each for each in entries if each["event_type"] == "NotAsRecorded")
    assert shown["summary"] == f"Entry 3 of {ANAS} is not what was recorded: verify the trail"
    assert len(entries) == 4
