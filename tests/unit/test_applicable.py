"""Actions that can't be used on the resources that they are granted on are not held; only what is sure is left out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.grants import effective_grants
from shared.pci.applicable import Applicable
from tests.unit.iam_oracle import document, identity
from tests.unit.score_cases import ACTIONS, CATALOGUE, OPERATIONS, RESOURCES, WILDCARDS, some_of

APPLICABLE = Applicable(CATALOGUE, OPERATIONS)
BUCKET, QUEUE = "arn:aws:s3:::b", "arn:aws:sqs:eu-west-1:111122223333:jobs"
ACTIONS_OF_TWO = ["s3:PutBucketPolicy", "sqs:SendMessage"]
Held = frozenset[tuple[str, tuple[str, ...]]]


def held(actions: str | list[str], *resources: str) -> Held:
    """Each action that is left, with the patterns that it is left on."""
    detail = identity(document({"Action": actions, "Resource": list(resources)}))
    left = APPLICABLE.narrowed(effective_grants(detail, CATALOGUE))
    return frozenset((key, grant.resources) for grant in left.grants for key in grant.actions.keys(CATALOGUE))


def actions_on(actions: str | list[str], *resources: str) -> set[str]:
    return {key for key, _ in held(actions, *resources)}


@pytest.mark.parametrize(
    ("action", "resource", "left"),
    [
        ("iam:AttachUserPolicy", BUCKET, False),
        ("ssm:StartSession", f"{BUCKET}/*", False),
        ("sts:AssumeRole", "arn:aws:iam::111122223333:role/deploy", True),
        ("sts:AssumeRole", "arn:aws:sts::111122223333:assumed-role/*", False),
        ("iam:AttachUserPolicy", "arn:*:iam::*:user/*", True),
        ("iam:AttachUserPolicy", "arn:*:s3:::b", False),
        ("iam:AttachUserPolicy", "arn:aws:*:*:111122223333:*", True),
        ("iam:AttachUserPolicy", "arn:aws:i?m::111122223333:*", True),
        ("iam:AttachUserPolicy", "arn:${aws:partition}:iam::111122223333:*", True),
        ("iam:AttachUserPolicy", "arn:aws:s*", True),
        ("iam:AttachUserPolicy", "*", True),
        ("s3:ListAllMyBuckets", "arn:aws:s3:::*", True),
        ("s3:ListAllMyBuckets", QUEUE, False),
        ("config:PutServiceLinkedConfigurationRecorder", "arn:aws:config:*:*:configuration-recorder/*", True),
        ("backup:StartBackupJob", "arn:aws:backup:*:*:backup-vault:*", True),
        ("backup:DeleteRecoveryPoint", "arn:aws:ec2:*::snapshot/*", True),
        ("servicecatalog:ListPortfolios", "arn:aws:catalog:*:*:portfolio/*", True),
        ("new:Thing", BUCKET, True),
        ("s3:NewThing", QUEUE, True),
    ],
)
def test_only_what_surely_cannot_be_used_is_left_out(action: str, resource: str, *, left: bool) -> None:
    assert actions_on(action, resource) == ({action.lower()} if left else set())


def test_everything_on_a_bucket_is_what_buckets_have() -> None:
    assert {key.partition(":")[0] for key in actions_on("*", BUCKET)} == {"s3", "backup", "ssm"}
    assert actions_on("*", "*") == CATALOGUE.keys


def test_each_action_keeps_the_patterns_that_it_fits() -> None:
    assert held([*ACTIONS_OF_TWO, "new:Thing"], BUCKET, QUEUE, f"{BUCKET}c") == {
        ("s3:putbucketpolicy", (BUCKET, f"{BUCKET}c")),
        ("sqs:sendmessage", (QUEUE,)),
        ("new:thing", (BUCKET, QUEUE, f"{BUCKET}c")),
    }
    assert held(ACTIONS_OF_TWO, BUCKET, "arn:aws:*:::c") == {
        ("s3:putbucketpolicy", (BUCKET, "arn:aws:*:::c")),
        ("sqs:sendmessage", ("arn:aws:*:::c",)),
    }


def test_what_is_granted_on_all_but_some_resources_stays() -> None:
    body = document({"Action": ACTIONS_OF_TWO})
    (statement,) = body["Statement"]
    statement.pop("Resource", None)
    grants = effective_grants(identity(body | {"Statement": [statement | {"NotResource": BUCKET}]}), CATALOGUE)

    assert APPLICABLE.narrowed(grants).grants == grants.grants


@settings(deadline=None, max_examples=60)
@given(some_of(ACTIONS + WILDCARDS), some_of(RESOURCES), st.sampled_from(RESOURCES))
def test_more_resources_never_take_an_action_away_and_each_counts_by_itself(
    actions: list[str], resources: list[str], other: str
) -> None:
    together = held(actions, *resources)

    assert {key for key, _ in together} <= actions_on(actions, *resources, other) <= actions_on(actions, "*")
    assert {key for key, _ in together} == {key for one in resources for key in actions_on(actions, one)}
    if "*" not in resources:
        apart = {(key, pattern) for one in resources for key, (pattern,) in held(actions, one)}
        assert {(key, pattern) for key, patterns in together for pattern in patterns} == apart


def test_a_pattern_that_only_overlaps_the_boundarys_leaves_what_fits_both() -> None:
    boundary = document({"Action": "*", "Resource": "arn:aws:s3:::*"})
    for resource in ("arn:aws:*:*:111122223333:*", "*"):  # neither, nor the wider one, holds PassRole on buckets
        detail = identity(
            document({"Action": ["iam:PassRole", "s3:GetObject"], "Resource": resource}), boundary=boundary
        )
        left = APPLICABLE.narrowed(effective_grants(detail, CATALOGUE))
        assert left.actions.keys(CATALOGUE) == ["s3:getobject"]
