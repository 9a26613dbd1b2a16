"""The score is calibrated on real AWS managed policies: with everything unused, their PCI is where people expect it."""

import json

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from shared.model.score import Band
from tests.unit.iam_oracle import document
from tests.unit.score_cases import CATALOGUE, Body, scored


def managed(name: str) -> Body:
    found: Body = json.loads(aws_managed_policies_data)[name]["Document"]
    return found


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
