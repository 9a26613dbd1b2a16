"""The demonstration's data and its report, without the local AWS."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from cli.main import DemonstratedProvider
from cli.reporting.model import Claim, Report, ReportIdentity, ReportKind
from infra.local.demonstration.account import IDENTITIES
from infra.local.demonstration.checks import Check
from infra.local.demonstration.findings import Findings, IdentityFinding
from infra.local.demonstration.inbox import notice_of
from infra.local.demonstration.provider import KEPT_MORE, SCORES, UNLISTED, Outside
from infra.local.demonstration.records import RECORDED_ACCOUNT, STRETCH_DAYS, recorded, replayed
from infra.local.demonstration.report import demonstrated, write_report
from infra.local.refresh_managed_policies import TARGET, managed_policies
from shared.model.identity import IdentityDetail, IdentityRef, IdentityType, Policy
from shared.model.score import CoverageSummary, Provider, Score
from shared.model.sources import PolicyKind, PolicySource
from tests.cloudknox.server import running
from tests.cloudknox.tenant import Tenant

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ACCOUNT = "111122223333"
REFS = {
    one.name: IdentityRef(
        account_id=ACCOUNT,
        identity_id=("AIDA" if one.type is IdentityType.USER else "AROA") + f"EXAMPLE{number:02d}",
        arn=f"arn:aws:iam::{ACCOUNT}:{one.type}{one.path}{one.name}",
    )
    for number, one in enumerate(IDENTITIES)
}


def test_the_managed_policies_are_those_of_their_script() -> None:
    assert json.loads(TARGET.read_text(encoding="utf-8")) == managed_policies()


def test_every_attached_policy_is_shipped() -> None:
    shipped = managed_policies()

    assert {arn for one in IDENTITIES for arn in one.managed} <= set(shipped)


def test_the_records_keep_everything_but_caller_account_and_time() -> None:
    originals, moved = list(recorded()), replayed(REFS, account_id=ACCOUNT, now=NOW)

    assert len(originals) == len(moved) == 2900
    for before, after in zip(originals, moved, strict=True):
        kept = {key: value for key, value in after.items() if key not in {"userIdentity", "eventTime"}}
        text = json.dumps({key: before[key] for key in kept}, sort_keys=True)
        assert text.replace(RECORDED_ACCOUNT, ACCOUNT) == json.dumps(kept, sort_keys=True)


def test_the_records_span_the_window_and_end_an_hour_ago() -> None:
    times = sorted(datetime.fromisoformat(one["eventTime"]) for one in replayed(REFS, account_id=ACCOUNT, now=NOW))

    assert times[-1] == NOW - timedelta(hours=1)
    assert times[-1] - times[0] == timedelta(days=STRETCH_DAYS)


def test_each_identity_gets_the_records_of_its_job_and_the_unused_one_none() -> None:
    moved = replayed(REFS, account_id=ACCOUNT, now=NOW)
    callers = Counter(
        one["userIdentity"].get("sessionContext", {}).get("sessionIssuer", {}).get("principalId")
        or one["userIdentity"].get("principalId", "")
        for one in moved
    )

    for one in IDENTITIES:
        assert bool(callers[REFS[one.name].identity_id]) == bool(one.activity), one.name
    assert callers[REFS["nadia"].identity_id] > 800


def test_every_provider_can_be_demonstrated() -> None:
    assert get_args(DemonstratedProvider) == tuple(Provider)


def test_the_provider_scores_everybody_but_one() -> None:
    assert sorted([*SCORES, UNLISTED]) == sorted(one.name for one in IDENTITIES)


def test_the_provider_proposes_for_who_used_anything_and_scores_low_who_was_right_sized() -> None:
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    own = Policy(source=PolicySource(PolicyKind.INLINE, "own"), document=everything)
    details = {
        name: IdentityDetail(ref=REFS[name], created_at=NOW, read_at=NOW, policies=(own,))
        for name in ("db-admin", "legacy-batch")
    }
    with running(Tenant(ACCOUNT)) as server:
        outside = Outside(server, "arn:aws:secretsmanager:us-east-1:111122223333:secret:x")
        proposed = outside.learn(details, {"db-admin": frozenset({"rds:describedbinstances"})})
        outside.look(right_sized=["db-admin"])

    ours, more = server.tenant.policies[REFS["db-admin"].arn]
    assert (proposed, len(server.tenant.policies)) == (1, 1)
    assert ours["Statement"][0]["Action"] == "rds:DescribeDBInstances"
    assert more["Statement"][0]["Action"] == KEPT_MORE
    assert server.tenant.scores[REFS["db-admin"].arn] < 34
    assert server.tenant.scores[REFS["sam"].arn] == SCORES["sam"]


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a&b"])
def test_the_report_escapes_what_comes_from_outside(tmp_path: Path, name: str) -> None:
    target = tmp_path / "new" / "report.html"

    write_report(report_on(name), findings_on(name), target)

    html = target.read_text(encoding="utf-8")
    assert name not in html
    assert html.count("<img") == 0


def test_the_report_tells_what_was_before_how_it_ended_and_what_was_checked() -> None:
    report = demonstrated(report_on("sam"), findings_on("rolled back"))

    assert report.kind is ReportKind.DEMONSTRATION
    assert report.account_pci_before == 90.0
    assert report.claims == (Claim("rolled back", held=False, detail="rolled back"),)
    assert report.identities[0].outcome == "rolled back. PCI 80 before, 20 after; rolled back"


def test_an_identity_without_a_finding_stays_as_it_is() -> None:
    report = report_on("sam")

    assert demonstrated(report, replace(findings_on("sam"), identities=())).identities == report.identities


def test_a_message_of_the_topic_names_its_event_and_a_digest_all_of_its_own() -> None:
    alone = {"text": "one", "event": {"event_id": "e1"}}
    many = {"text": "two", "digest": {"messages": [{"event_id": "e1"}, {"event_id": "e2"}]}}

    single = notice_of(body_of(alone, "String", "PolicyApplied"))
    digest = notice_of(body_of(many, "String.Array", '["PlanProposed", "PolicyApplied"]'))

    assert (single.is_digest, single.types, single.event_ids) == (False, ("PolicyApplied",), ("e1",))
    assert (digest.is_digest, digest.types, digest.event_ids) == (True, ("PlanProposed", "PolicyApplied"), ("e1", "e2"))


def body_of(told: Mapping[str, object], kind: str, types: str) -> dict[str, object]:
    attributes = {"type": {"Type": kind, "Value": types}}
    return {"Subject": "s", "Message": json.dumps(told), "MessageAttributes": attributes}


def scored(pci: float) -> Score:
    return Score(
        identity=REFS["sam"],
        pci=pci,
        model_version="pci-1",
        catalogue_version="test",
        scored_at=NOW,
        granted=1,
        used=1,
        unused=0,
        unobservable=0,
        reach=0,
        coverage=CoverageSummary(window_days=90, observed_days=60),
    )


def findings_on(text: str) -> Findings:
    finding = IdentityFinding(text, REFS["sam"].arn, text, scored(80), scored(20), text)
    return Findings(90.0, 10.0, (finding,), (Check(text, held=False, detail=text),))


def report_on(name: str) -> Report:
    identity = ReportIdentity(
        arn=REFS["sam"].arn,
        identity_id=REFS["sam"].identity_id,
        type="user",
        name=name,
        pci=80.0,
        band="high",
        compliance="NON_COMPLIANT",
        exempt=None,
        granted=1,
        used=1,
        unused=0,
        unobservable=0,
        reach=0.0,
        observed_days=60,
    )
    return Report(
        kind=ReportKind.DEPLOYED,
        account_id=ACCOUNT,
        as_of=NOW,
        window_days=90,
        threshold=60.0,
        model_version="pci-1",
        catalogue_version="test",
        account_pci=80.0,
        excluded=0,
        bands={"high": 1},
        identities=(identity,),
    )
