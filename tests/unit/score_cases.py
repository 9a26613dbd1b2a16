"""What the tests of the score draw and build: identities with real actions, ledgers, and an account around them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from shared.knowledge import load_catalogue, load_risk
from shared.model.inventory import Inventory
from shared.model.last_accessed import LastAccess, LastAccessed
from shared.model.principals import Principal, Principals
from shared.model.score import Score
from shared.model.usage import Coverage, Evidence, Span, Usage, UsageEntry
from shared.pci.score import UNKNOWN, ScoreParameters, Surroundings, score_identity
from shared.reference import load_operations
from tests.unit.iam_oracle import NOW, REF, identity

CATALOGUE = load_catalogue()
RISK = load_risk()
PARAMETERS = ScoreParameters()
WATCHED = Coverage.of([NOW.date()], feeds=["trail"], data_events=CATALOGUE.services)
UNSEEN = Coverage()
Body = dict[str, Any]
Level = tuple[Mapping[str, Any], ...]  # the policies of one level of an organization

ACTIONS = (
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteBucket",
    "s3:ListAllMyBuckets",
    "s3:PutBucketPolicy",
    "iam:PassRole",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreatePolicyVersion",
    "iam:UpdateAssumeRolePolicy",
    "lambda:CreateFunction",
    "lambda:InvokeFunction",
    "dynamodb:GetItem",
    "dynamodb:DeleteTable",
    "ec2:RunInstances",
    "ec2:CreateTags",
    "ec2:DescribeInstances",
    "logs:PutLogEvents",
    "sqs:SendMessage",
    "sts:AssumeRole",
    "new:Thing",
)
WILDCARDS = ("*", "s3:*", "s3:Get*", "iam:*", "iam:?assRole", "lambda:*", "ec2:Describe*", "dynamodb:*Item", "new:*")
RESOURCES = (
    "*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::logs",
    "arn:aws:s3:::logs*",
    "arn:aws:s3:::logs/*",
    "arn:aws:s3:::*/x",
    "arn:aws:iam::111122223333:role/*",
    "arn:aws:iam::111122223333:role/deploy",
    "arn:aws:iam::111122223333:*/admin*",
    "arn:aws:iam::111122223333:user/team/${aws:username}",
    "arn:aws:iam::111122223333:user/team/alice",
    "arn:aws:lambda:*:111122223333:function:*",
    "arn:aws:lambda:eu-west-1:111122223333:function:web",
    "arn:aws:dynamodb:*:111122223333:table/orders",
    "arn:aws:ec2:*:*:instance/*",
    "arn:aws:*:*:111122223333:*",
)
OWNED = (
    "arn:aws:dynamodb:eu-west-1:111122223333:table/orders",
    "arn:aws:dynamodb:us-east-1:111122223333:table/orders",
    "arn:aws:dynamodb:us-east-1:111122223333:table/people",
    "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0",
    "arn:aws:iam::111122223333:group/admins",
    "arn:aws:iam::111122223333:role/admin",
    "arn:aws:iam::111122223333:role/deploy",
    "arn:aws:iam::111122223333:user/team/alice",
    "arn:aws:iam::111122223333:user/team/bob",
    "arn:aws:lambda:eu-west-1:111122223333:function:api",
    "arn:aws:lambda:eu-west-1:111122223333:function:web",
    "arn:aws:s3:::logs",
    "arn:aws:s3:::logs-eu",
    "arn:aws:s3:::site",
    "arn:aws:sqs:eu-west-1:111122223333:jobs",
)
CONDITIONS: tuple[Body, ...] = (
    {"Bool": {"aws:SecureTransport": "true"}},
    {"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1"]}},
)


def usage(*used: str, kind: Evidence = Evidence.OBSERVED, coverage: Coverage = WATCHED) -> Usage:
    span = Span(NOW - timedelta(days=1), NOW)
    return Usage(REF.identity_id, {name.lower(): UsageEntry(name, {kind: span}) for name in used}, coverage)


NOTHING_SEEN = usage(coverage=UNSEEN)


@dataclass(frozen=True)
class Situation:
    """What a score depends on beside the policies of an identity; without a ledger nothing was seen."""

    using: Usage = NOTHING_SEEN
    boundary: Body | None = None
    report: LastAccessed | None = None
    around: Surroundings = UNKNOWN

    def score(self, *held: Mapping[str, Any]) -> Score:
        """The score of a user with these policies."""
        return score_identity(
            identity(*held, boundary=self.boundary),
            self.using,
            CATALOGUE,
            RISK,
            PARAMETERS,
            now=NOW,
            window_days=90,
            last_accessed=self.report,
            surroundings=self.around,
        )

    def pci(self, *held: Mapping[str, Any]) -> float:
        """The PCI of a user with these policies."""
        return self.score(*held).pci

    def within(self, *levels: Level) -> "Situation":
        """The same in an organization with these levels."""
        return replace(self, around=replace(self.around, service_control_policies=levels))


def scored(*held: Mapping[str, Any], using: Usage | None = None, report: LastAccessed | None = None) -> Score:
    """The score of a user with these policies of whose surroundings nothing is known."""
    return Situation(using=using or NOTHING_SEEN, report=report).score(*held)


def some_of(values: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


@st.composite
def statements(draw: st.DrawFn, effect: str = "Allow") -> Body:
    """Statements with every element that an identity policy has."""
    action = draw(st.sampled_from(("Action", "Action", "Action", "NotAction")))
    resource = draw(st.sampled_from(("Resource", "Resource", "Resource", "NotResource")))
    condition = draw(st.sampled_from((None, None, *CONDITIONS)))
    return {
        "Effect": effect,
        action: draw(some_of(ACTIONS + WILDCARDS)),
        resource: draw(some_of(RESOURCES)),
        **({"Condition": condition} if condition else {}),
    }


def bodies(*, denies: bool = True) -> st.SearchStrategy[Body]:
    """Documents of a few statements, at least one of them an Allow."""
    allows = st.lists(statements(), min_size=1, max_size=3)
    denied = st.lists(statements("Deny"), max_size=2) if denies else st.just([])
    return st.builds(lambda own, taken: written(*own, *taken), allows, denied)


def written(*found: Body) -> Body:
    return {"Version": "2012-10-17", "Statement": list(found)}


LIMITS = st.none() | bodies()
OPERATIONS = load_operations()
INVENTORIES = st.none() | st.frozensets(st.sampled_from(OWNED), min_size=5).map(
    lambda arns: Inventory(REF.account_id, tuple(sorted(arns)), NOW)
)
TRUSTED = ("arn:aws:iam::111122223333:root", REF.arn, "*")
ROLES = st.builds(
    Principal,
    arn=st.sampled_from([arn for arn in OWNED if ":role/" in arn]),
    privileged=st.sampled_from([True, False, None]),
    services=st.sampled_from([(), ("lambda.amazonaws.com",), ("ec2.amazonaws.com", "lambda.amazonaws.com")]),
    trusted=st.lists(st.sampled_from(TRUSTED), max_size=2, unique=True).map(tuple),
    instance_profile=st.booleans(),
)
OTHERS = st.sampled_from([True, False, None])
PRINCIPALS = st.none() | st.builds(
    lambda roles, privileged: Principals(
        account_id=REF.account_id,
        users=tuple(Principal(arn=arn, privileged=privileged) for arn in OWNED if ":user/" in arn),
        groups=tuple(Principal(arn=arn, privileged=privileged) for arn in OWNED if ":group/" in arn),
        roles=tuple(sorted(roles, key=lambda role: role.arn)),
    ),
    st.lists(ROLES, max_size=2, unique_by=lambda role: role.arn),
    OTHERS,
)
LEVELS = st.lists(bodies(), min_size=1, max_size=2).map(tuple)
CONTROLS = st.none() | st.lists(LEVELS, max_size=2).map(tuple)
SURROUNDINGS = st.builds(
    Surroundings,
    inventory=INVENTORIES,
    templates=st.just(OPERATIONS),
    principals=PRINCIPALS,
    service_control_policies=CONTROLS,
)
KEYS = st.sampled_from([name.lower() for name in ACTIONS])
ACCESSES = st.builds(
    LastAccess,
    st.none() | st.integers(-1, 95).map(lambda back: NOW - timedelta(days=back)),
    st.sampled_from(["us-east-1", "eu-west-1"]),
)
REPORTS = st.none() | st.builds(
    LastAccessed,
    st.dictionaries(st.sampled_from(["s3", "iam", "lambda", "new"]), ACCESSES),
    st.dictionaries(KEYS, ACCESSES),
    st.just(NOW),
)
COVERAGES = st.sampled_from(
    [
        UNSEEN,
        WATCHED,
        Coverage.of([NOW.date()], regions=["us-east-1"]),
        Coverage.of([NOW.date()], regions=["us-east-1"], feeds=["trail"], data_events=["s3"], reads=False),
    ]
)
USES = st.lists(st.sampled_from(ACTIONS), max_size=5, unique=True)
USAGES = st.builds(
    lambda names, kind, coverage: usage(*names, kind=kind, coverage=coverage),
    USES,
    st.sampled_from(Evidence),
    COVERAGES,
)
SITUATIONS = st.builds(Situation, USAGES, LIMITS, REPORTS, SURROUNDINGS)
