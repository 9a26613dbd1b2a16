"""`leastwise report` of a deployed stack: everything that is stored of everyone, and what can't be read is named."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from cli.report import report
from cli.reporting.deployed import report_of_account
from cli.reporting.model import Report, ReportIdentity, ReportKind, ServiceUse
from services.auditor.core import chain_of, entry_of
from shared.aws import clients
from shared.aws.account_listing import AccountListing, IdentityPage
from shared.aws.audit_table import AuditTable
from shared.aws.deployed_account import DeployedAccount
from shared.aws.journal import Current, Journal
from shared.aws.score_table import ScoreTable
from shared.aws.score_trend import ScoreTrend
from shared.aws.sweep_table import SweepTable
from shared.aws.usage_ledger import UsageLedger
from shared.errors import DeniedError, InputError, NotFoundError
from shared.events import DomainEvent, RemediationSkipped
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance, PlanStatus, Reason, ReasonCode
from shared.model.score import Score, StoredScore
from shared.model.sweep import SweepProgress
from shared.model.trend import Reading
from shared.model.usage import Coverage, Evidence, IdentityKey, Span, Usage, UsageEntry
from tests.builders import ACCOUNT, a_score, a_verdict, scored
from tests.conftest import REGION, Stack
from tests.integration.stack_stand_in import Stacks
from tests.integration.test_cli_plans import FIRST, planned, recorded

NOW = datetime.now(UTC).replace(microsecond=0)
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["iam:ListUsers", "iam:CreateUser", "s3:Get*"], "Resource": "*"}],
}

app = typer.Typer()
app.command()(report)


@pytest.fixture(autouse=True)
def stacks(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    """The deployed stack."""
    found = Stacks()
    found.deploy(aws, WindowDays="90", Threshold="60", InventorySource="none")
    also = {"AuditTableName": aws.audit_table, "ModeParameterName": aws.mode_parameter}
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found["leastwise"]["Outputs"]} | also
    found["leastwise"]["Outputs"] = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    monkeypatch.setattr(BaseClient, "_make_api_call", found.caller())
    return found


@pytest.fixture
def ana(aws: Stack) -> IdentityRef:
    """A user who holds much, used one permission, is over, and has a plan that waits."""
    ref = make_user("ana")
    store(aws, ref, 87.25, scored_at=NOW - timedelta(hours=1))
    table = ScoreTable(aws.table(aws.scores_table))
    table.put_verdict(a_verdict(identity=ref, judged_at=NOW))
    entry = UsageEntry("iam:ListUsers", {Evidence.OBSERVED: Span(NOW - timedelta(days=2), NOW - timedelta(days=1))})
    ledger = UsageLedger(aws.table(aws.usage_table))
    ledger.merge({IdentityKey(ACCOUNT, ref.identity_id): Usage(ref.identity_id, {"iam:listusers": entry})})
    days = [(NOW - timedelta(days=number)).date() for number in (1, 2, 3)]
    ledger.merge_coverage(ACCOUNT, Coverage.of(days, regions=[REGION, "eu-west-1"], feeds=["trail"]))
    journal = Journal(aws.table(aws.journal_table))
    journal.save(recorded(planned(FIRST, ref)))
    journal.set_current(ref, Current(FIRST, ""), now=NOW, token=1)
    return ref


def make_user(name: str) -> IdentityRef:
    user = clients.iam().create_user(UserName=name)["User"]
    clients.iam().put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(POLICY))
    return IdentityRef(account_id=ACCOUNT, identity_id=user["UserId"], arn=user["Arn"])


def store(aws: Stack, ref: IdentityRef, pci: float, **changes: Any) -> Score:
    score = a_score(pci, identity=ref, **({"scored_at": NOW} | changes))
    ScoreTable(aws.table(aws.scores_table)).put(StoredScore(score))
    return score


def record(aws: Stack, *events: DomainEvent) -> None:
    audit = AuditTable(aws.table(aws.audit_table))
    for event in events:
        audit.append(event.event_id, chain_of(event), lambda head, event=event: entry_of(event, head, now=NOW))  # type: ignore[misc]  # bound at once


def told(**options: Any) -> Report:
    return report_of_account(DeployedAccount("leastwise", region=REGION), now=NOW, **options)


def of(found: Report, ref: IdentityRef) -> ReportIdentity:
    return next(one for one in found.identities if one.arn == ref.arn)


def run(*options: str) -> Result:
    return CliRunner().invoke(app, [*options, "--stack-name", "leastwise", "--region", REGION])


def test_the_report_says_of_everyone_what_is_stored(aws: Stack, ana: IdentityRef) -> None:
    bob, exempt = make_user("bob"), make_user("eve")
    store(aws, bob, 12.5)
    store(aws, exempt, 99.0, exempt="it carries the tag leastwise:exempt")
    found = told()
    assert (found.kind, found.account_id, found.as_of) == (ReportKind.DEPLOYED, ACCOUNT, NOW)
    assert [one.name for one in found.identities] == ["eve", "ana", "bob"]
    assert found.account_pci == pytest.approx(((87.25**2 + 12.5**2) / 2) ** 0.5, abs=1e-5)
    assert (found.excluded, found.threshold, found.window_days) == (1, 60.0, 90)
    assert [one.compliance for one in found.identities] == ["NOT_APPLICABLE", "NON_COMPLIANT", "COMPLIANT"]
    assert of(found, exempt).no_plan == "it carries the tag leastwise:exempt"
    assert [part.risk for part in of(found, ana).parts] == ["write", "escalation"]
    assert found.errors == ()


def test_the_plan_of_an_identity_is_shown_with_its_state_and_diff(ana: IdentityRef) -> None:
    plan = of(told(), ana).plan
    assert plan is not None
    assert (plan.plan_id, plan.status, plan.strategy) == (FIRST, "PROPOSED", "boundary")
    assert (plan.removes, plan.keeps, plan.pci_before, plan.pci_after, plan.enough) == (2, 2, 87.25, 12.5, True)
    assert '-        "iam:*"' in "\n".join(plan.diff)
    assert json.loads(plan.policies[0].text)["Statement"][0]["Action"] == ["iam:ListUsers", "s3:GetObject"]


def test_what_became_of_a_plan_is_said(aws: Stack, ana: IdentityRef) -> None:
    journal = Journal(aws.table(aws.journal_table))
    regret = Reason(code=ReasonCode.REGRET, message="it was refused s3:GetObject")
    changes = {"reason": regret, "drift": ("a tag is gone",), "approved_by": "eve", "updated_at": NOW}
    found = journal.get(FIRST)
    assert found is not None
    journal.save(found.model_copy(update={"status": PlanStatus.ROLLED_BACK, **changes}))
    journal.set_current(ana, Current(FIRST, "two plans were undone by somebody else"), now=NOW, token=2)
    plan = of(told(), ana).plan
    assert plan is not None
    assert plan.status == "ROLLED_BACK"
    assert plan.notes == (
        "it was refused s3:GetObject",
        "a tag is gone",
        "the identity is left alone for now: two plans were undone by somebody else",
        "approved by eve",
    )


def test_what_is_held_by_service_is_of_iam_now_and_of_the_ledger(ana: IdentityRef) -> None:
    services = {one.service: one for one in of(told(), ana).services}
    assert services["iam"] == ServiceUse("iam", granted=2, used=1, unused=1, unknown=0)
    assert services["s3"].granted == services["s3"].unused + services["s3"].unknown > 10
    assert set(services) == {"iam", "s3"}


def test_histories_and_trends_are_of_each_identity_and_of_the_account(aws: Stack, ana: IdentityRef) -> None:
    events = [
        scored(pci, version=number).model_copy(update={"identity": ana, "event_id": f"e{number}"})
        for number, pci in enumerate([90.0, 88.0, 87.0], 1)
    ]
    record(aws, *events)
    trend = ScoreTrend(aws.table(aws.scores_table))
    for days, pci in ((100, 50.0), (2, 90.0), (1, 88.0)):
        at = NOW - timedelta(days=days)
        trend.add(ACCOUNT, Reading(at=at, pci=pci, granted=10, unused=5), identity_id=ana.identity_id)
        trend.add(ACCOUNT, Reading(at=at, pci=pci / 2, granted=10, unused=5))
    found = told()
    assert [one.summary.split(":")[0] for one in of(found, ana).history] == [
        "ana has PCI 87 (high)",
        "ana has PCI 88 (high)",
        "ana has PCI 90 (high)",
    ]
    assert [(NOW.date() - one.day).days for one in found.trend] == [2, 1]
    assert ([one.pci for one in of(found, ana).trend], [one.pci for one in found.trend]) == ([90.0, 88.0], [45.0, 44.0])
    assert len(of(told(history=2), ana).history) == 2
    assert of(told(history=0), ana).history == ()


def test_without_a_plan_the_newest_reason_is_said(aws: Stack, ana: IdentityRef) -> None:
    bob = make_user("bob")
    store(aws, bob, 70.0)
    assert of(told(), bob).no_plan == "there is no verdict on it yet"
    table = ScoreTable(aws.table(aws.scores_table))
    table.put_verdict(a_verdict(identity=bob, pci=70.0, judged_at=NOW))
    assert of(told(), bob).no_plan == "no plan was made of it yet"
    skipped = RemediationSkipped.about(
        bob, "k", occurred_at=NOW, code=ReasonCode.NO_EVIDENCE, message="no use was recorded"
    )
    record(aws, skipped)
    for number in range(30):
        record(aws, scored(70.0, version=number).model_copy(update={"identity": bob, "event_id": f"later-{number}"}))
    refused = "Nothing was changed for bob: no use was recorded"
    assert [of(told(**options), bob).no_plan for options in ({}, {"history": 0}, {"quick": True})] == [refused] * 3
    annotation = "PCI 20 (low)"
    table.put_verdict(
        a_verdict(Compliance.COMPLIANT, identity=bob, annotation=annotation, judged_at=NOW + timedelta(seconds=1))
    )
    assert (of(told(), bob).no_plan, of(told(), bob).compliance) == (annotation, "COMPLIANT")


def skipped(ref: IdentityRef, message: str, *, days_ago: int) -> RemediationSkipped:
    at = NOW - timedelta(days=days_ago)
    return RemediationSkipped.about(ref, message, occurred_at=at, code=ReasonCode.NO_EVIDENCE, message=message)


def test_the_newest_reason_of_the_window_is_said_and_only_of_those_without_a_plan(aws: Stack, ana: IdentityRef) -> None:
    refs = [make_user(name) for name in ("bob", "eve", "old")]
    table = ScoreTable(aws.table(aws.scores_table))
    for ref in refs:
        store(aws, ref, 70.0)
        table.put_verdict(a_verdict(identity=ref, pci=70.0, judged_at=NOW))
    bob, eve, old = refs
    record(aws, skipped(bob, "first", days_ago=3), skipped(eve, "hers", days_ago=2), skipped(bob, "then", days_ago=1))
    record(aws, skipped(old, "long ago", days_ago=91), skipped(ana, "before her plan", days_ago=1))
    found = told()
    reasons = [of(found, ref).no_plan.partition(": ")[2] for ref in (bob, eve)]
    assert reasons == ["then", "hers"]
    assert of(found, old).no_plan == "no plan was made of it yet"
    assert of(found, ana).no_plan == ""


def test_a_reason_that_was_not_read_is_no_missing_plan(
    aws: Stack, ana: IdentityRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = [make_user(name) for name in ("bob", "eve")]
    for ref in refs:
        store(aws, ref, 70.0)
        ScoreTable(aws.table(aws.scores_table)).put_verdict(a_verdict(identity=ref, pci=70.0, judged_at=NOW))
    record(aws, skipped(refs[0], "often", days_ago=2), skipped(refs[0], "again", days_ago=1))
    assert of(told(), refs[1]).no_plan == "no plan was made of it yet"
    monkeypatch.setattr("cli.reporting.refusals.MOST_READ", 2)
    assert of(told(), refs[1]).no_plan == "why it has no plan was not looked up"
    assert of(told(), refs[0]).no_plan.endswith("again")


def test_who_may_not_read_the_audit_trail_is_told_that_reasons_are_not_looked_up(
    aws: Stack, ana: IdentityRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = make_user("bob")
    store(aws, bob, 70.0)
    ScoreTable(aws.table(aws.scores_table)).put_verdict(a_verdict(identity=bob, pci=70.0, judged_at=NOW))

    def denied(*_: object, **__: object) -> None:
        raise DeniedError("no permission for dynamodb:Query")

    monkeypatch.setattr(AuditTable, "of_type", denied)
    found = told(quick=True)
    assert of(found, bob).no_plan == "why it has no plan was not looked up: no permission for dynamodb:Query"
    assert found.errors == ()


def test_who_is_in_iam_no_more_is_named_and_counts_nowhere(aws: Stack, ana: IdentityRef) -> None:
    bob = make_user("bob")
    store(aws, bob, 12.5)
    gone = IdentityRef(account_id=ACCOUNT, identity_id="AIDAGONEGONE", arn=f"arn:aws:iam::{ACCOUNT}:user/gone")
    store(aws, gone, 99.0)
    found = told()
    assert [one.name for one in found.identities] == ["ana", "bob"]
    assert found.account_pci == pytest.approx(((87.25**2 + 12.5**2) / 2) ** 0.5, abs=1e-5)
    assert sum(found.bands.values()) == 2
    [warning] = [one for one in found.warnings if "no longer lists" in one]
    assert gone.arn in warning
    assert len(told(quick=True).identities) == 3  # IAM wasn't asked


def test_where_iam_lists_somebody_who_cannot_be_told_nobody_is_called_gone(
    aws: Stack, ana: IdentityRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = IdentityRef(account_id=ACCOUNT, identity_id="AIDAGONEGONE", arn=f"arn:aws:iam::{ACCOUNT}:user/gone")
    store(aws, gone, 99.0)
    pages = AccountListing.pages

    def with_a_riddle(listing: AccountListing) -> Iterator[IdentityPage]:
        for page in pages(listing):
            yield page._replace(unreadable={"AIDAWHO": InputError("no ARN")})

    monkeypatch.setattr(AccountListing, "pages", with_a_riddle)
    assert [one.name for one in told().identities] == ["gone", "ana"]


def test_where_everybody_is_gone_the_page_is_empty(aws: Stack, tmp_path: Path) -> None:
    gone = IdentityRef(account_id=ACCOUNT, identity_id="AIDAGONEGONE", arn=f"arn:aws:iam::{ACCOUNT}:user/gone")
    store(aws, gone, 99.0)
    out = tmp_path / "report.html"
    assert run("--out", str(out)).exit_code == 0
    assert "No identity is in this report." in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(("parameter", "alarm"), [("68", 68.0), ("0", None), (None, None)])
def test_the_line_of_the_trend_is_the_accounts_alarm(
    stacks: Stacks, aws: Stack, ana: IdentityRef, parameter: str | None, alarm: float | None
) -> None:
    parameters = stacks["leastwise"]["Parameters"]
    if parameter is not None:
        parameters.append({"ParameterKey": "AccountPciAlarm", "ParameterValue": parameter})
    assert told().account_alarm == alarm


DAYS_SEEN = [  # days ago on which records came, and how many of the window's 90 that makes
    ([], "0 of 90"),
    ([0, 89], "2 of 90"),
    ([90, 91], "0 of 90"),
    (range(120), "90 of 90"),
]


@pytest.mark.parametrize(("ago", "shown"), DAYS_SEEN)
def test_days_with_records_are_those_of_the_window(aws: Stack, ago: Sequence[int], shown: str) -> None:
    store(aws, make_user("bob"), 12.5)
    days = [(NOW - timedelta(days=number)).date() for number in ago]
    UsageLedger(aws.table(aws.usage_table)).merge_coverage(
        ACCOUNT, Coverage.of(days, regions=[REGION], feeds=["trail"])
    )
    assert dict(told().facts)["Days with records"] == shown


def test_the_head_says_what_the_figures_rest_on(aws: Stack, ana: IdentityRef) -> None:
    facts = dict(told().facts)
    assert facts["Stack"] == f"leastwise in {REGION}"
    assert (facts["Mode"], facts["Last sweep"]) == ("observe", "never")
    assert (facts["Days with records"], facts["Regions seen"]) == ("3 of 90", "eu-west-1, us-east-1")
    progress = SweepProgress(account_id=ACCOUNT, started_at=NOW, identities=7, failed={"AIDAGONE": "why"})
    table = SweepTable(aws.table(aws.scores_table))
    stored = table.put(progress)
    assert dict(told().facts)["Last sweep"].endswith("UTC, 7 identities so far")
    table.put(stored.model_copy(update={"finished_at": NOW}))
    assert dict(told().facts)["Last sweep"].endswith("UTC, 7 identities, 1 could not be scored")
    assert any("could not score: AIDAGONE" in warning for warning in told().warnings)


def test_who_has_no_score_or_an_old_one_is_named(aws: Stack, ana: IdentityRef) -> None:
    zoe, bob = make_user("zoe"), make_user("bob")
    store(aws, bob, 12.5, scored_at=NOW - timedelta(days=5))
    warnings = told().warnings
    assert any(zoe.arn in one and "without a score" in one for one in warnings)
    assert any(bob.arn in one and "no sweep renewed" in one for one in warnings)
    assert not any(ana.arn in one for one in warnings)


def corrupt(aws: Stack, table: str, pk: str, sk: str, **changes: Any) -> None:
    """Change attributes of an item past its adapter, as another version or a hand might."""
    kept = aws.table(table)
    item = kept.get(pk, sk)
    assert item is not None
    kept.put({**item, **changes})


Corruption = Callable[[Stack, IdentityRef], None]
CORRUPTIONS: dict[str, Corruption] = {
    "score": lambda aws, ref: corrupt(
        aws, aws.scores_table, f"ACCOUNT#{ACCOUNT}", f"SCORE#{ref.identity_id}", granted="many"
    ),
    "plan": lambda aws, ref: corrupt(aws, aws.journal_table, f"PLAN#{FIRST}", "PLAN", record=b"junk"),
    "usage": lambda aws, ref: corrupt(
        aws, aws.usage_table, f"IDENTITY#{ACCOUNT}#{ref.identity_id}", "ACTION#iam:listusers", format=99
    ),
}


@pytest.mark.parametrize("case", CORRUPTIONS)
def test_what_cannot_be_read_is_named_and_all_else_is_there(
    aws: Stack, ana: IdentityRef, tmp_path: Path, case: str
) -> None:
    bob = make_user("bob")
    store(aws, bob, 12.5)
    CORRUPTIONS[case](aws, ana)
    found = told()
    [error] = found.errors
    assert ana.identity_id in error or ana.arn in error
    assert "junk" not in error
    assert of(found, bob).services != ()
    result = run("--out", str(tmp_path / "report.html"))
    assert result.exit_code == 2
    assert error in result.stderr
    assert (tmp_path / "report.html").exists()


def test_the_command_writes_one_page_and_says_the_figures(aws: Stack, ana: IdentityRef, tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.html"
    result = run("--out", str(out))
    assert result.exit_code == 1, result.exception
    assert f"{out}: account {ACCOUNT}, PCI 87.2; identities: 1, not compliant: 1, plans: 1" in result.stdout
    text = out.read_text(encoding="utf-8")
    assert ana.arn in text or ana.identity_id in text
    assert "observe" in text
    out.write_text("of yesterday")
    assert run("--out", str(out)).exit_code == 1
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_where_everyone_complies_the_exit_code_is_0(aws: Stack, tmp_path: Path) -> None:
    store(aws, make_user("bob"), 12.5)
    assert run("--out", str(tmp_path / "report.html")).exit_code == 0


class Calls(list[str]):
    """Names of the calls that were made."""


@pytest.fixture
def calls(stacks: Stacks, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Every call to AWS that is made from here on."""
    made = Calls()

    def ask(client: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        made.append(operation_name)
        return stacks.answer(client, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", ask)
    return made


READS = {"DescribeStacks", "GetItem", "Query", "GetAccountAuthorizationDetails", "GetParameter"}


def test_it_only_reads_and_quick_asks_little(aws: Stack, ana: IdentityRef, calls: Calls) -> None:
    for number in range(5):
        store(aws, make_user(f"user-{number}"), 10.0)
    del calls[:]
    whole = told()
    assert set(calls) == READS
    in_full = len(calls)
    del calls[:]
    quick = told(quick=True)
    assert set(calls) == READS - {"GetAccountAuthorizationDetails"}
    assert len(calls) <= in_full - 3 * 6  # usage, history and trend of six
    assert [one.pci for one in quick.identities] == [one.pci for one in whole.identities]
    assert of(quick, ana).plan == of(whole, ana).plan
    assert (of(quick, ana).services, of(quick, ana).history, of(quick, ana).trend) == ((), (), ())


def test_a_stack_without_scores_says_what_to_do() -> None:
    with pytest.raises(InputError, match="has no scores yet: `leastwise sweep` makes them"):
        told()


def refusal(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


@pytest.fixture
def refused(stacks: Stacks, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Let AWS refuse an operation."""

    def refuse(operation: str, code: str) -> None:
        def ask(client: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
            if operation_name == operation:
                raise refusal(code, operation)
            return stacks.answer(client, operation_name, api_params)

        monkeypatch.setattr(BaseClient, "_make_api_call", ask)

    return refuse


def test_where_aws_refuses_a_reading_there_is_no_report_but_the_mode_is_not_needed(
    ana: IdentityRef, refused: Callable[[str, str], None], tmp_path: Path
) -> None:
    refused("GetAccountAuthorizationDetails", "AccessDenied")
    result = run("--out", str(tmp_path / "report.html"))
    assert isinstance(result.exception, DeniedError)
    assert not (tmp_path / "report.html").exists()
    assert run("--out", str(tmp_path / "report.html"), "--quick").exit_code == 1
    refused("GetParameter", "AccessDeniedException")
    assert dict(told().facts)["Mode"].startswith("can't be read: ")


def test_a_stack_that_is_not_ours_is_refused(stacks: Stacks, aws: Stack) -> None:
    stacks.deploy(aws)  # without parameters: somebody else's
    with pytest.raises(NotFoundError, match="is it leastwise"):
        told()
