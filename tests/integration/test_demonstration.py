"""The demonstration's data and its report, without the local AWS."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.local.demonstration.account import IDENTITIES
from infra.local.demonstration.checks import Check
from infra.local.demonstration.findings import Findings, IdentityFinding
from infra.local.demonstration.records import RECORDED_ACCOUNT, STRETCH_DAYS, recorded, replayed
from infra.local.demonstration.report import write_report
from infra.local.refresh_managed_policies import TARGET, managed_policies
from shared.model.identity import IdentityRef, IdentityType
from shared.model.score import CoverageSummary, Score

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


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a&b"])
def test_the_report_escapes_what_comes_from_outside(tmp_path: Path, name: str) -> None:
    coverage = CoverageSummary(window_days=90, observed_days=60)
    score = Score(
        identity=REFS["sam"],
        pci=1,
        model_version="pci-1",
        catalogue_version="test",
        scored_at=NOW,
        granted=1,
        used=1,
        unused=0,
        unobservable=0,
        reach=0,
        coverage=coverage,
    )
    finding = IdentityFinding(name, REFS["sam"].arn, name, score, score, None, (), name)
    target = tmp_path / "new" / "report.html"

    write_report(Findings(1.0, 1.0, (finding,), (Check(name, held=True, detail=name),)), target)

    html = target.read_text(encoding="utf-8")
    assert name not in html
    assert html.count("<script") == 0
    assert html.count("<img") == 0
