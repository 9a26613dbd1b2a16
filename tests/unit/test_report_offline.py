"""The report on local files: the same figures as `score`, `explain` and `propose`, for everyone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cli.account_files import AccountFiles, read_account
from cli.analysis import Analysis, analyzed
from cli.proposing import Wishes
from cli.reporting.model import Report, ReportIdentity, ReportKind
from cli.reporting.parts import FEW, coverage_of, names_of_paths, parts_of, some
from cli.reporting.services import ServiceCounts
from infra.build.template import ROOT
from shared.knowledge import load_catalogue, load_risk
from shared.model.plan import Strategy
from shared.model.safeguards import parse_safeguards
from shared.model.score import Contribution, CoverageSummary, ReachSource, RiskClass
from shared.pci.explanation.explain import Explainer, Judgement
from shared.pci.score import ScoreParameters, Scoring
from tests.builders import a_score
from tests.unit.test_account_files import account
from tests.unit.test_cli_propose import CODE_TAG, EXAMPLE, TRAIL, WIDE, allow
from tests.unit.test_cli_score import BROKEN, page, who
from tests.unit.test_engine_import import SLOW, imported_by

LARGER = ROOT / "tests/data/authorization-details/example.json.gz"
ACCOUNTS = {"invictus": EXAMPLE, "example": LARGER}


@pytest.fixture(scope="module", params=ACCOUNTS)
def files(request: pytest.FixtureRequest) -> AccountFiles:
    """The shipped accounts."""
    return read_account([str(ACCOUNTS[request.param])], [str(TRAIL)])


@pytest.fixture(scope="module")
def analysed(files: AccountFiles) -> Analysis:
    """What is found out of them."""
    return analyzed(files, Wishes(threshold=60), jobs=1)


def by_arn(report: Report) -> Mapping[str, ReportIdentity]:
    return {one.arn: one for one in report.identities}


def test_everyone_is_in_it_as_in_the_scores_and_in_their_order(analysed: Analysis) -> None:
    report, scored = analysed.report, analysed.scored
    assert [one.arn for one in report.identities] == [one["arn"] for one in scored["identities"]]
    names = ("pci", "band", "compliance", "exempt", "granted", "used", "unused", "unobservable", "reach")
    for told, score in zip(report.identities, scored["identities"], strict=True):
        assert [getattr(told, name) for name in names] == [score[name] for name in names]
        assert [part.chance for part in told.parts] == [one["chance"] for one in score["contributions"]]
        assert (told.identity_id, told.type) == (score["id"], score["arn"].split(":")[5].split("/")[0])
    account = scored["account"]
    assert (report.kind, report.account_pci) == (ReportKind.OFFLINE, account["pci"])
    assert report.account_id == ", ".join(one["id"] for one in scored["accounts"])
    assert (dict(report.bands), report.excluded) == (account["bands"], account["excluded"])


def test_every_plan_is_in_it_and_everybody_else_has_a_reason(analysed: Analysis) -> None:
    told = by_arn(analysed.report)
    for plan in analysed.planned["plans"]:
        own = told[plan["identity"]].plan
        assert own is not None
        assert (own.plan_id, own.strategy, own.status) == (plan["plan_id"], plan["strategy"], "")
        assert (own.removes, own.keeps) == (len(plan["removes"]), len(plan["keeps"]))
        assert (own.enough, own.diff != ()) == (plan["compliance_after"] == "COMPLIANT", True)
        assert len(own.policies) == len(plan["policies"]) + bool(plan["patch"])
    for skipped in analysed.planned["skipped"]:
        one = told[skipped["identity"]]
        assert (one.plan, one.no_plan) == (None, skipped["message"])


def test_services_are_counted_as_explain_counts_them(files: AccountFiles, analysed: Analysis) -> None:
    told = by_arn(analysed.report)
    ref = files.details[0].ref
    scoring = Scoring(
        load_catalogue(),
        load_risk(),
        ScoreParameters(),
        now=files.as_of,
        window_days=files.window_days,
        surroundings=files.surroundings_of(ref),
    )
    explainer = Explainer(scoring)
    for detail in files.details[:8]:
        explained = explainer.explain(detail, files.usage_of(detail.ref), judgement=Judgement(), contributors=1)
        expected = {
            one.service: (one.granted, one.used, one.unused, one.possible + one.unobservable)
            for one in explained.services
        }
        found = {one.service: (one.granted, one.used, one.unused, one.unknown) for one in told[detail.ref.arn].services}
        assert found == expected


def test_services_add_up_to_the_score(analysed: Analysis) -> None:
    for one in analysed.report.identities:
        assert sum(service.granted for service in one.services) == one.granted
        assert sum(service.used for service in one.services) == one.used
        assert sum(service.unused for service in one.services) == one.unused
        assert sum(service.unknown for service in one.services) == one.unobservable


def test_actions_and_services_that_the_catalogue_does_not_know_are_counted(tmp_path: Path) -> None:
    held = allow("newservice:Thing", "s3:NewThing", "sns:ListTopics")
    files = account(tmp_path, page(who(1, held)), records=[])
    scoring = Scoring(
        load_catalogue(),
        load_risk(),
        ScoreParameters(),
        now=files.as_of,
        window_days=90,
        surroundings=files.surroundings_of(files.details[0].ref),
    )
    [detail] = [one for one in files.details if one.ref.name == "role-1"]
    counted = ServiceCounts(load_catalogue()).of(scoring.weigh(detail, files.usage_of(detail.ref)))
    assert {one.service: one.granted for one in counted} == {"newservice": 1, "s3": 1, "sns": 1}


def report_on(tmp_path: Path, *roles: Mapping[str, Any], **wishes: Any) -> Report:
    from tests.unit.test_cli_analyze import USED  # noqa: PLC0415 that one imports the whole command

    files = account(tmp_path, page(*roles), records=USED)
    return analyzed(files, Wishes(**({"threshold": 60} | wishes)), jobs=1).report


def test_the_diff_is_the_one_that_propose_shows_and_a_long_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = by_arn(report_on(tmp_path, who(1, allow(*WIDE))))["arn:aws:iam::123456789012:role/role-1"].plan
    assert plan is not None
    assert plan.diff[0].startswith("--- allowed by inline p")
    assert '-        "iam:*"' in plan.diff
    monkeypatch.setattr("cli.reporting.parts.differences", lambda *_: iter([("line",) * 300, ("line",) * 300]))
    plan = by_arn(report_on(tmp_path, who(1, allow(*WIDE))))["arn:aws:iam::123456789012:role/role-1"].plan
    assert plan is not None
    assert plan.diff == ("line",) * 600


def test_a_patch_comes_with_its_text(tmp_path: Path) -> None:
    [told] = [one for one in report_on(tmp_path, who(1, allow(*WIDE), Tags=CODE_TAG)).identities if one.plan]
    assert told.plan is not None
    assert told.plan.strategy == Strategy.PATCH
    assert told.plan.policies[-1].name == "patch for cloudformation"
    assert "PolicyDocument" in told.plan.policies[-1].text


def test_who_is_exempt_by_the_safeguards_has_no_plan_and_the_reason(tmp_path: Path) -> None:
    text = (
        '{"exemptions": [{"arn": "arn:aws:iam::123456789012:role/role-1", "owner": "o", "reason": "night shift", '
        '"until": "2026-12-31"}]}'
    )
    report = report_on(tmp_path, who(1, allow(*WIDE)), safeguards=parse_safeguards(text))
    one = by_arn(report)["arn:aws:iam::123456789012:role/role-1"]
    assert one.plan is None
    assert "is exempt by the safeguards (night shift)" in one.no_plan


def test_what_is_wrong_is_told_once(tmp_path: Path) -> None:
    report = report_on(tmp_path, who(1, allow(*WIDE)), who(2, BROKEN))
    [error] = report.errors
    assert "role/role-2" in error
    assert len(report.warnings) == len(set(report.warnings)) > 0


def test_the_head_says_what_the_figures_rest_on(files: AccountFiles, analysed: Analysis) -> None:
    facts = dict(analysed.report.facts)
    assert facts["Last accessed information"] == f"of 0 of {len(files.details)} identities"
    assert facts["Reach measured"] == "by the breadth of patterns"
    assert facts["Plans"].startswith(f"{len(analysed.planned['plans'])}, of which ")
    told = (facts["Time judged"], facts["Regions seen"], facts["Days with records"])
    if files.as_of_source == "records":
        assert told == ("the newest record of the account", "us-east-1", "1")
    else:
        assert told == ("the newest identity, since no record tells a time", "none", "0")


FULL = CoverageSummary(
    window_days=90,
    observed_days=60,
    longest_gap_days=3,
    regions=("eu-west-1",),
    reads=True,
    data_events=("s3",),
    last_accessed=True,
    reach=ReachSource.INVENTORY,
    resources=1234,
    unknown_patterns=("new:*",),
)


def test_what_a_score_rests_on_is_said_in_sentences() -> None:
    assert coverage_of(FULL) == (
        "Records of 60 of 90 days, the longest gap 3",
        "Regions: eu-west-1",
        "Calls that only read were recorded",
        "Data events of s3",
        "IAM's last accessed information was given",
        "Reach by 1,234 resources",
        "Not in the score, since nobody knows what they grant: new:*",
    )
    assert coverage_of(CoverageSummary(window_days=90, observed_days=0)) == (
        "No records: everything counts as unused",
        "IAM's last accessed information was not given",
        "Reach by the breadth of patterns",
    )


def test_an_escalation_path_has_its_name_or_else_its_id() -> None:
    def made(path: str | None) -> Contribution:
        return Contribution(risk=RiskClass.ESCALATION, chance=0.9, unused=1, path=path)

    score = a_score(90.0, contributions=tuple(map(made, ("lambda-001", "of-tomorrow", None))))
    told = [part.path for part in parts_of(score, names_of_paths(load_risk()))]
    assert told == ["iam:PassRole + lambda:CreateFunction + lambda:InvokeFunction", "of-tomorrow", ""]


def test_a_plan_says_how_many_days_it_rests_on(analysed: Analysis) -> None:
    told = by_arn(analysed.report)
    days = {plan["identity"]: plan["coverage"]["observed_days"] for plan in analysed.planned["plans"]}
    assert {arn: own.observed_days for arn, one in told.items() if (own := one.plan)} == days


def test_many_names_are_cut() -> None:
    assert some(map(str, range(FEW))) == "0, 1, 2, 3, 4, 5"
    assert some(map(str, range(FEW + 1000))) == "0, 1, 2, 3, 4, 5 and 1,000 more"


def test_an_analysis_needs_nothing_of_the_deployed_system() -> None:
    assert imported_by("cli.analysis") & SLOW == {"pydantic", "pydantic_core"}
