"""The laws of the Privilege Creep Index, and its calibration over real AWS managed policies."""

import json
import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.iam.aws_managed_policies import aws_managed_policies_data

from shared.iam.grants import effective_grants
from shared.knowledge import load_catalogue, load_risk
from shared.model.last_accessed import LastAccess, LastAccessed
from shared.model.score import Band, CoverageSummary, RiskClass, Score
from shared.model.usage import Coverage, Evidence, Span, Usage, UsageEntry
from shared.pci.risk import RiskTable
from shared.pci.score import ScoreParameters, score_account, score_identity
from tests.unit.iam_oracle import NOW, REF, RESOURCE_PATTERNS, document, documents, identity

CATALOGUE = load_catalogue()
RISK = load_risk()
WATCHED = Coverage.of([NOW.date()], feeds=["trail"], data_events=CATALOGUE.services)
Body = dict[str, Any]

REAL_ACTIONS = (
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteBucket",
    "s3:PutBucketPolicy",
    "s3:Get*",
    "iam:PassRole",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "lambda:CreateFunction",
    "lambda:InvokeFunction",
    "ec2:Describe*",
    "ec2:CreateTags",
    "logs:PutLogEvents",
    "sts:AssumeRole",
)


def managed(name: str) -> Body:
    found: Body = json.loads(aws_managed_policies_data)[name]["Document"]
    return found


def usage(*used: str, kind: Evidence = Evidence.OBSERVED, coverage: Coverage = WATCHED) -> Usage:
    span = Span(NOW - timedelta(days=1), NOW)
    return Usage(REF.identity_id, {name.lower(): UsageEntry(name, {kind: span}) for name in used}, coverage)


def scored(*bodies: Body, using: Usage | None = None, boundary: Body | None = None) -> Score:
    detail = identity(*bodies, boundary=boundary)
    ledger = using or usage(coverage=Coverage())
    return score_identity(detail, ledger, CATALOGUE, RISK, ScoreParameters(), now=NOW, window_days=90)


@st.composite
def real_statements(draw: st.DrawFn, effect: str = "Allow") -> Body:
    return {
        "Effect": effect,
        "Action": draw(st.lists(st.sampled_from(REAL_ACTIONS), min_size=1, max_size=4, unique=True)),
        "Resource": draw(st.lists(st.sampled_from(RESOURCE_PATTERNS), min_size=1, max_size=3, unique=True)),
        **draw(st.sampled_from(({}, {}, {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}))),
    }


BODIES = st.lists(real_statements(), min_size=1, max_size=3).map(lambda found: document(*found))
USED = st.frozensets(st.sampled_from([name for name in REAL_ACTIONS if "*" not in name]))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AdministratorAccess", 100),
        ("PowerUserAccess", 99),
        ("IAMFullAccess", 96),
        ("ReadOnlyAccess", 85),
        ("AmazonEC2FullAccess", 75),
        ("AmazonS3FullAccess", 60),
        ("AmazonDynamoDBFullAccess", 69),
        ("AWSLambda_FullAccess", 63),
        ("SecurityAudit", 58),
        ("ViewOnlyAccess", 47),
        ("AmazonSSMManagedInstanceCore", 24),
        ("AWSLambdaBasicExecutionRole", 3),
    ],
)
def test_calibration_with_everything_unused(name: str, expected: int) -> None:
    assert scored(managed(name)).pci == pytest.approx(expected, abs=8)


def test_an_unused_administrator_is_100() -> None:
    score = scored(managed("AdministratorAccess"))

    assert round(score.pci) == 100
    assert score.band is Band.HIGH
    assert score.granted == score.unused == len(CATALOGUE)
    assert score.reach == 1


def test_one_harmless_read_is_below_one() -> None:
    assert 0 < scored(document({"Action": "ec2:DescribeInstances"})).pci < 1


def test_one_action_that_completes_a_path_is_high() -> None:
    score = scored(document({"Action": "iam:AttachUserPolicy"}))

    assert score.band is Band.HIGH
    paths = {one.path for one in score.contributions}
    assert "iam-008" in paths


def test_a_combination_that_completes_a_path_counts_as_a_whole() -> None:
    actions = ["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"]

    assert scored(document({"Action": actions})).band is Band.HIGH
    assert scored(document({"Action": actions[:2]})).band is not Band.HIGH
    assert not [one for one in scored(document({"Action": actions}), using=usage(*actions)).contributions if one.path]


def test_a_path_tied_to_one_named_resource_of_others_is_not_counted_as_a_whole() -> None:
    one_role = document({"Action": "sts:AssumeRole", "Resource": "arn:aws:iam::111122223333:role/deploy"})

    assert scored(one_role).band is Band.LOW
    assert scored(document({"Action": "sts:AssumeRole"})).band is Band.HIGH


def test_possible_and_invisible_actions_are_neither_used_nor_unused() -> None:
    body = document({"Action": ["s3:GetObject", "logs:PutLogEvents", "ec2:DescribeInstances", "iam:GetRole"]})
    management_only = Coverage.of([NOW.date()])
    using = usage("iam:GetRole", kind=Evidence.POSSIBLE, coverage=management_only)
    score = scored(body, using=using)

    assert (score.granted, score.used, score.unused, score.unobservable) == (4, 0, 1, 3)
    assert scored(body, using=replace(using, coverage=WATCHED)).unobservable == 2


def test_a_denied_use_is_no_use() -> None:
    body = document({"Action": "iam:GetRole"})

    assert scored(body, using=usage("iam:GetRole", kind=Evidence.DENIED)).unused == 1
    assert scored(body, using=usage("iam:GetRole", kind=Evidence.INFERRED)).used == 1


def test_a_use_before_the_window_is_no_use() -> None:
    span = Span(NOW - timedelta(days=200), NOW - timedelta(days=91))
    entry = UsageEntry("iam:GetRole", {Evidence.OBSERVED: span})
    score = scored(document({"Action": "iam:GetRole"}), using=Usage(REF.identity_id, {"iam:getrole": entry}, WATCHED))

    assert (score.used, score.unused) == (0, 1)


def test_a_score_can_be_redone_by_hand() -> None:
    score = scored(document({"Action": ["ec2:DescribeInstances", "ec2:DescribeVpcs"]}, {"Action": "s3:PutObject"}))
    chances = {one.risk: one.chance for one in score.contributions}

    expected = 0.1 * (1 - math.exp(-((2 / 135) ** 0.55)))
    assert chances[RiskClass.LIST] == pytest.approx(expected)
    assert score.pci == pytest.approx(100 * (1 - math.prod(1 - chance for chance in chances.values())))
    (listing,) = [one for one in score.contributions if one.risk is RiskClass.LIST]
    assert listing.examples == ("ec2:DescribeInstances", "ec2:DescribeVpcs")


@settings(deadline=None, max_examples=20)
@given(documents(), st.one_of(st.none(), documents()), USED)
def test_a_score_is_between_0_and_100_and_adds_up(body: Body, boundary: Body | None, used: frozenset[str]) -> None:
    score = scored(body, using=usage(*used), boundary=boundary)

    assert 0 <= score.pci <= 100
    assert score.granted == score.used + score.unused + score.unobservable
    assert score == scored(body, using=usage(*used), boundary=boundary)


@settings(deadline=None, max_examples=30)
@given(BODIES)
def test_nothing_granted_or_everything_used_is_0(body: Body) -> None:
    everything = effective_grants(identity(body), CATALOGUE).by_action

    assert scored(body, using=usage(*everything)).pci == 0
    assert scored().pci == 0


@settings(deadline=None, max_examples=80)
@given(BODIES, USED, st.sampled_from(REAL_ACTIONS))
def test_using_a_permission_never_raises_it(body: Body, used: frozenset[str], one_more: str) -> None:
    assert scored(body, using=usage(*used, one_more)).pci <= scored(body, using=usage(*used)).pci


@settings(deadline=None, max_examples=80)
@given(BODIES, BODIES, USED)
def test_granting_more_never_lowers_it(body: Body, more: Body, used: frozenset[str]) -> None:
    assert scored(body, more, using=usage(*used)).pci >= scored(body, using=usage(*used)).pci


@settings(deadline=None, max_examples=80)
@given(real_statements(), st.sampled_from(RESOURCE_PATTERNS), st.one_of(st.none(), documents()))
def test_widening_a_resource_never_lowers_it(statement: Body, wider: str, boundary: Body | None) -> None:
    widened = {**statement, "Resource": [*statement["Resource"], wider]}
    everything = {**statement, "Resource": "*"}
    scores = [scored(document(one), boundary=boundary).pci for one in (statement, widened, everything)]

    assert scores == sorted(scores)


@settings(deadline=None, max_examples=80)
@given(BODIES, real_statements("Deny"), documents())
def test_a_deny_or_a_boundary_never_raises_it(body: Body, deny: Body, boundary: Body) -> None:
    before = scored(body).pci

    assert scored(body, document(deny)).pci <= before
    assert scored(body, boundary=boundary).pci <= before
    assert scored(body, boundary={**boundary, "Statement": [*boundary["Statement"], deny]}).pci <= before


@settings(deadline=None, max_examples=60)
@given(st.lists(real_statements(), min_size=1, max_size=3), st.randoms(), USED)
def test_the_way_statements_are_written_does_not_matter(found: list[Body], order: Any, used: frozenset[str]) -> None:
    using = usage(*used)
    split = [
        {**one, "Action": action.swapcase(), "Resource": resource}
        for one in found
        for action in one["Action"]
        for resource in one["Resource"]
    ]
    order.shuffle(split)
    expanded = [
        {**one, "Action": CATALOGUE.keys_of(CATALOGUE.mask_any(one["Action"]))}
        for one in found  # wildcards as the actions that they admit
    ]
    expected = scored(document(*found), using=using)

    for written in ([document(*split)], [document(one) for one in split], [document(*expanded)]):
        assert scored(*written, using=using) == expected


def test_a_conditional_grant_reaches_half() -> None:
    plain = {"Action": "s3:PutObject"}
    conditional = {**plain, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}

    assert scored(document(conditional)).reach == 0.5
    assert scored(document(conditional, plain)).reach == 1
    assert scored(document({**plain, "Resource": ["arn:aws:s3:::a", "arn:aws:s3:::a/*"]})).reach == 0.3
    assert scored(document({**plain, "Resource": "arn:aws:s3:::a"})).reach == 0.02


def test_coverage_is_stated_for_the_window_alone() -> None:
    inside = [NOW.date() - timedelta(days=ago) for ago in (0, 5, 89)]
    coverage = Coverage.of(inside, regions=["b", "a"], feeds=["trail"], data_events=["s3", "lambda"])
    before = Coverage.of([NOW.date() - timedelta(days=200)], regions=["c"], feeds=["old"])
    summary = scored(document({"Action": "s3:*"}), using=usage(coverage=coverage.join(before))).coverage

    assert (summary.window_days, summary.observed_days, summary.longest_gap_days) == (90, 3, 83)
    assert (summary.regions, summary.feeds) == (("a", "b"), ("trail",))
    assert summary.data_events == ("lambda", "s3")


def test_data_events_are_told_apart_by_service() -> None:
    body = document({"Action": ["s3:GetObject", "dynamodb:GetItem", "ec2:DescribeInstances"]})
    s3_only = Coverage.of([NOW.date()], feeds=["trail"], data_events=["s3"])

    assert scored(body, using=usage(coverage=s3_only)).unobservable == 1
    assert scored(body, using=usage(coverage=s3_only)).unused == 2


def test_what_only_reads_is_not_unused_where_the_trail_leaves_reads_out() -> None:
    body = document({"Action": ["ec2:DescribeInstances", "ec2:RunInstances", "sts:AssumeRole"]})
    score = scored(body, using=usage(coverage=Coverage.of([NOW.date()], reads=False)))

    assert (score.unused, score.unobservable) == (1, 2)


def test_what_iam_says_decides_what_no_trail_shows() -> None:
    body = document({"Action": ["s3:GetObject", "logs:PutLogEvents", "ec2:DescribeInstances", "iam:GetRole"]})
    services = {"s3": LastAccess(NOW, "us-east-1"), "logs": LastAccess()}
    told = LastAccessed(services, {"iam:getrole": LastAccess(NOW, "us-east-1")}, NOW)
    ledger = usage(coverage=Coverage.of([NOW.date()], regions=["us-east-1"]))
    score = score_identity(
        identity(body), ledger, CATALOGUE, RISK, ScoreParameters(), now=NOW, window_days=90, last_accessed=told
    )

    assert (score.unused, score.unobservable) == (2, 2), "logs was not tried; s3 was; an attempt on iam is unexplained"
    assert score.coverage.last_accessed


def test_a_coverage_that_was_stored_before_is_still_read() -> None:
    stored = {"window_days": 90, "observed_days": 3, "data_events": False}

    assert CoverageSummary.model_validate(stored).data_events == ()


def test_an_account_is_the_root_mean_square_of_its_identities() -> None:
    scores = [
        score.model_copy(update={"pci": pci})
        for score in [scored(document({"Action": "s3:*"}))]
        for pci in (10, 70, 90)
    ]
    account = score_account(scores, REF.account_id, excluded=2, now=NOW)

    assert account.pci == pytest.approx(math.sqrt((10**2 + 70**2 + 90**2) / 3))
    assert (account.identities, account.excluded) == (3, 2)
    assert account.by_band == {Band.LOW: 1, Band.MEDIUM: 0, Band.HIGH: 2}
    assert score_account([], REF.account_id, excluded=0, now=NOW).pci == 0


@pytest.mark.parametrize(
    ("name", "risk"),
    [
        ("iam:PassRole", RiskClass.ESCALATION),
        ("iam:CreateAccessKey", RiskClass.ESCALATION),
        ("iam:CreateServiceLinkedRole", RiskClass.RESOURCE_EXPOSURE),
        ("sts:AssumeRole", RiskClass.CREDENTIAL_EXPOSURE),
        ("s3:PutBucketPolicy", RiskClass.RESOURCE_EXPOSURE),
        ("s3:GetObject", RiskClass.DATA_ACCESS),
        ("ec2:TerminateInstances", RiskClass.DESTRUCTIVE),
        ("ec2:RunInstances", RiskClass.WRITE),
        ("ec2:CreateTags", RiskClass.TAGGING),
        ("ec2:DescribeInstances", RiskClass.LIST),
        ("newsvc:Thing", RiskClass.WRITE),
    ],
)
def test_an_action_has_one_class_and_the_worst_wins(name: str, risk: RiskClass) -> None:
    table: RiskTable = RISK

    assert table.risk_of(name.lower()) is risk
