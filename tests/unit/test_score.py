"""What a score says of plain cases, and that it can be redone by hand."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.evidence import TRACKED_REGIONS
from shared.model.inventory import Inventory
from shared.model.last_accessed import LastAccess, LastAccessed
from shared.model.score import Band, CoverageSummary, ReachSource, RiskClass
from shared.model.usage import Coverage, Evidence, Span, Usage, UsageEntry
from shared.pci.contributions import MAX_EXAMPLES
from shared.pci.risk import RiskTable
from shared.pci.score import Surroundings, score_account
from tests.unit.iam_oracle import NOW, REF, document
from tests.unit.score_cases import CATALOGUE, OPERATIONS, OWNED, RISK, UNSEEN, WATCHED, Situation, scored, usage


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


def test_examples_are_those_of_widest_reach_then_by_name() -> None:
    wide = {"Action": ["sqs:SendMessage", "new:B", "ec2:RunInstances"]}
    narrow = {"Action": ["batch:SubmitJob", "new:A", "new:C", "xray:PutTraceSegments"], "Resource": "arn:aws:x:::a"}
    (writing,) = scored(document(narrow, wide)).contributions

    assert writing.risk is RiskClass.WRITE
    assert writing.examples == ("ec2:RunInstances", "new:b", "sqs:SendMessage", "batch:SubmitJob", "new:a")
    assert len(writing.examples) == MAX_EXAMPLES
    assert writing.unused == 7
    assert writing.mass == 3.08


def test_a_path_counts_as_long_as_one_of_its_permissions_is_unused() -> None:
    actions = ["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"]
    body = document({"Action": actions})

    def path(*used: str) -> list[tuple[int, tuple[str, ...]]]:
        found = scored(body, using=usage(*used)).contributions
        return [(one.unused, one.examples) for one in found if one.path == "lambda-001"]

    assert path() == [(3, ("iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"))]
    assert path(*actions[:2]) == [(1, ("lambda:InvokeFunction",))]
    assert path(*actions) == []


def test_what_was_known_of_the_account_is_said() -> None:
    inventory = Inventory(REF.account_id, OWNED, NOW)
    body = document({"Action": ["s3:PutObject", "newsvc:Thing"]})
    known = Situation(around=Surroundings(inventory=inventory, templates=OPERATIONS)).score(body)

    assert (known.coverage.reach, known.coverage.resources) == (ReachSource.INVENTORY, len(OWNED))
    assert (known.coverage.inventory_at, known.coverage.by_pattern) == (NOW, 1)
    assert scored(body).coverage == known.coverage.model_copy(
        update={"reach": ReachSource.PATTERN, "resources": None, "inventory_at": None, "by_pattern": 0}
    )
    assert (known.resources, scored(body).resources) == (3, None), "there are three buckets"
    assert Situation(around=Surroundings(inventory=inventory)).score(body) == scored(body), "it can't be used"


@pytest.mark.parametrize(
    ("actions", "resource"),
    [("*", "arn:aws:s3:::b"), ("ssm:*", "arn:aws:s3:::b/*"), ("iam:AttachUserPolicy", "arn:aws:s3:::b*")],
)
def test_what_cannot_be_used_where_it_is_granted_counts_for_nothing(actions: str, resource: str) -> None:
    body = document({"Action": actions, "Resource": resource})
    known, upper_bound = Situation(around=Surroundings(templates=OPERATIONS)).score(body), scored(body)

    assert (known.granted, known.pci) < (upper_bound.granted, upper_bound.pci)
    assert RiskClass.ESCALATION not in {one.risk for one in known.contributions}
    assert not [one for one in known.contributions if one.path]


def test_granted_wildcards_that_the_catalogue_does_not_know_are_told() -> None:
    patterns = [f"NewSvc:{letter}*" for letter in "cab"]
    many = document({"Action": [f"new{number:02}:*" for number in range(20)]})

    assert scored(document({"Action": [*patterns, "newsvc:A*"]})).coverage.unknown_patterns == (
        "newsvc:a*",
        "newsvc:b*",
        "newsvc:c*",
    )
    assert scored(many).coverage.unknown_patterns == tuple(f"new{number:02}:*" for number in range(10))
    assert scored(document({"Action": ["*", "s3:*"]})).coverage.unknown_patterns == ()


def test_without_a_trail_everything_counts_as_unused_and_the_score_says_so() -> None:
    body = document({"Action": ["s3:GetObject", "logs:PutLogEvents", "newsvc:Thing", "iam:GetRole", "iam:GetUser"]})
    used = usage("iam:GetRole", coverage=UNSEEN)
    score = scored(body, using=used)

    assert (score.used, score.unused, score.unobservable) == (1, 4, 0)
    assert (score.coverage.observed_days, score.coverage.longest_gap_days) == (0, 90)
    assert score.pci > scored(body, using=replace(used, coverage=WATCHED)).pci


def test_a_stored_score_is_small() -> None:
    everywhere = Coverage.of([NOW.date()], regions=TRACKED_REGIONS, feeds=["trail"], data_events=CATALOGUE.services)
    score = scored(document({"Action": "*"}), using=usage(coverage=everywhere))

    assert len(score.model_dump_json()) < 20_000


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
    score = scored(body, using=ledger, report=told)

    assert (score.unused, score.unobservable) == (2, 2), "logs was not tried; s3 was; an attempt on iam is unexplained"
    assert score.coverage.last_accessed


def test_a_coverage_that_was_stored_before_is_still_read() -> None:
    stored = {"window_days": 90, "observed_days": 3, "data_events": False}

    assert CoverageSummary.model_validate(stored).data_events == ()
    assert CoverageSummary.model_validate(stored).unknown_patterns == ()


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
