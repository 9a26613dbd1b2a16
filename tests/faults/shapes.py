"""The identities that the runs are about: each a small account with one identity that holds much and uses little."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.knowledge import load_catalogue
from tests.builders import ACCOUNT
from tests.fake_aws.clock import START, VirtualClock
from tests.fake_aws.iam import FakeIam
from tests.faults.oracle import Probe

CANARY = "canary7d41c0ffee"  # stands in policies and tags; nobody may ever read it in a log, an event or an error
BUCKET = "arn:aws:s3:::data"
OTHER_BUCKET = "arn:aws:s3:::payroll"

USED = ("sqs:ReceiveMessage", "lambda:ListFunctions", "sqs:GetQueueUrl")
UNUSED = ("iam:CreateAccessKey", "iam:AttachUserPolicy", "lambda:DeleteFunction", "sqs:DeleteQueue", "iam:PassRole")
UNSEEN = ("kms:Decrypt", "ec2:RunInstances", "ec2:DescribeInstances")
FORMERLY_USED = "kms:GenerateDataKey"  # 80 days before the run begins
SERVICES = ("sqs", "lambda", "iam", "kms", "ec2", "s3", "cloudwatch")

# Read-only actions with long names: two policies of them are each just within IAM's limit, together they are not.
MANY = tuple(load_catalogue().names_of(load_catalogue().mask("ec2:Describe*")))[:200]
Document = dict[str, Any]


def statement(*actions: str, effect: str = "Allow", **more: Any) -> Document:
    """One statement on every resource."""
    return {"Effect": effect, "Action": list(actions), "Resource": "*", **more}


def document(*statements: Document) -> str:
    """A policy document with these statements, as JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@dataclass(frozen=True)
class Shape:
    """An identity: who it is, how it is built, and what leastwise may do with it.

    `strategies` under which a plan is expected to be applied; under the others it is refused, with zero changes.
    """

    name: str
    kind: str
    identity: str
    build: Callable[[FakeIam], None]
    used: tuple[str, ...] = USED
    strategies: frozenset[str] = frozenset({"boundary", "replace"})
    more_probes: tuple[Probe, ...] = ()
    protected: bool = False
    has_former: bool = False  # leastwise changed it once before, twenty days ago, when more was in use
    sparse: int = 1  # of its runs so many fewer are made in the tests, since each takes so much longer

    @property
    def probes(self) -> tuple[Probe, ...]:
        """Requests by which the identity's permissions are compared: used, unused, denied, and by region."""
        words = dict.fromkeys((*self.used, *USED, *UNUSED, *UNSEEN, FORMERLY_USED))
        elsewhere = [Probe(word, "*", "eu-west-1") for word in (*USED, *UNSEEN)]
        return (*(Probe(word, "*") for word in words), *elsewhere, *self.more_probes)


WIDE = document(statement(*USED, *UNUSED, FORMERLY_USED, Sid=f"Wide{CANARY}"))
SOME = document(statement("sqs:*", "iam:CreateAccessKey"))
COMPUTE = document(statement("lambda:*", "ec2:DescribeInstances"))
KEYS = document(statement("kms:Decrypt"), statement("iam:PassRole", effect="Deny", Sid="NoPassing"))
NOT_ABROAD = document(
    statement(
        "sqs:*", effect="Deny", Condition={"StringNotEquals": {"aws:RequestedRegion": ["us-east-1"]}}, Sid="NotAbroad"
    )
)
LIMITS = document(statement("sqs:*", "lambda:*", "iam:*", "kms:*"))
TRUST = document(statement("sts:AssumeRole")).replace(
    '"Resource": "*"', '"Principal": {"Service": "ec2.amazonaws.com"}'
)


def arn(name: str) -> str:
    """ARN of a policy of the account."""
    return f"arn:aws:iam::{ACCOUNT}:policy/{name}"


def _user(iam: FakeIam, name: str = "alice") -> str:
    iam.create_user(UserName=name, Path="/team/", Tags=[{"Key": "note", "Value": CANARY}])
    return name


def _inline(iam: FakeIam) -> None:
    iam.put_user_policy(UserName=_user(iam), PolicyName="own", PolicyDocument=WIDE)


def _managed(iam: FakeIam) -> None:
    """Two managed policies, one of which a colleague holds, too (F47)."""
    _user(iam)
    _user(iam, "bob")
    for name, text in (("queues", SOME), ("compute", COMPUTE)):
        iam.create_policy(PolicyName=name, PolicyDocument=text)
        iam.attach_user_policy(UserName="alice", PolicyArn=arn(name))
    iam.attach_user_policy(UserName="bob", PolicyArn=arn("queues"))


def _groups(iam: FakeIam) -> None:
    """Permissions through groups, with explicit Denies among them (F54)."""
    _user(iam)
    _user(iam, "bob")
    iam.create_policy(PolicyName="queues", PolicyDocument=SOME)
    for group in ("devs", "guards", "guests"):
        iam.create_group(GroupName=group)
        iam.add_user_to_group(GroupName=group, UserName="alice")
    iam.add_user_to_group(GroupName="devs", UserName="bob")
    iam.attach_group_policy(GroupName="devs", PolicyArn=arn("queues"))
    iam.put_group_policy(GroupName="devs", PolicyName="compute", PolicyDocument=COMPUTE)
    iam.put_group_policy(GroupName="guards", PolicyName="keys", PolicyDocument=KEYS)
    iam.put_group_policy(GroupName="guards", PolicyName="abroad", PolicyDocument=NOT_ABROAD)


def _foreign_boundary(iam: FakeIam) -> None:
    _inline(iam)
    iam.create_policy(PolicyName="limits", PolicyDocument=LIMITS)
    iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=arn("limits"))


def _ten(iam: FakeIam) -> None:
    """As many managed policies as IAM allows: there is no room to add before removing (F49)."""
    _user(iam)
    words = (*USED, *UNUSED, *UNSEEN)[:10]
    for number, word in enumerate(words):
        mixed = document(statement(word, "iam:CreateAccessKey"))
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=mixed)
        iam.attach_user_policy(UserName="alice", PolicyArn=arn(f"p{number}"))


def _role(iam: FakeIam) -> None:
    iam.create_role(RoleName="deployer", Path="/ci/", AssumeRolePolicyDocument=TRUST)
    iam.create_policy(PolicyName="compute", PolicyDocument=COMPUTE)
    iam.attach_role_policy(RoleName="deployer", PolicyArn=arn("compute"))
    iam.put_role_policy(RoleName="deployer", PolicyName="own", PolicyDocument=WIDE)


def _everything(iam: FakeIam) -> None:
    """Inline, managed, groups with Denies, conditions, and a boundary that is somebody else's."""
    _groups(iam)
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=WIDE)
    iam.create_policy(PolicyName="compute", PolicyDocument=COMPUTE)
    iam.attach_user_policy(UserName="alice", PolicyArn=arn("compute"))
    iam.create_policy(PolicyName="limits", PolicyDocument=LIMITS)
    iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=arn("limits"))


def _break_glass(iam: FakeIam) -> None:
    iam.create_user(UserName="alice", Path="/breakglass/")
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=WIDE)


def _exempt(iam: FakeIam) -> None:
    _inline(iam)
    iam.tag_user(UserName="alice", Tags=[{"Key": "leastwise:exempt", "Value": CANARY}])


def _large(iam: FakeIam) -> None:
    """So much in use that what is kept does not fit into one policy: the plan is split (F51)."""
    _user(iam)
    for number in range(2):
        held = document(statement(*MANY[number::2], UNUSED[number]))
        iam.create_policy(PolicyName=f"large{number}", PolicyDocument=held)
        iam.attach_user_policy(UserName="alice", PolicyArn=arn(f"large{number}"))
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=WIDE)


def _as_code(iam: FakeIam) -> None:
    """Managed by a stack of CloudFormation: a patch is proposed, and nothing changed."""
    _inline(iam)
    iam.tag_user(UserName="alice", Tags=[{"Key": "aws:cloudformation:stack-name", "Value": "web"}])


BOTH = frozenset({"boundary", "replace"})
NEITHER: frozenset[str] = frozenset()
ALL_SHAPES = (
    Shape("inline", "user", "alice", _inline),
    Shape("managed", "user", "alice", _managed),
    Shape("groups", "user", "alice", _groups),
    Shape("foreign_boundary", "user", "alice", _foreign_boundary, strategies=frozenset({"replace"})),
    Shape("ten", "user", "alice", _ten, strategies=frozenset({"boundary"})),
    Shape("role", "role", "deployer", _role),
    Shape("everything", "user", "alice", _everything, strategies=frozenset({"replace"})),
    Shape("changed_before", "user", "alice", _inline, has_former=True),
    Shape("large", "user", "alice", _large, used=(*USED, *MANY), strategies=frozenset({"replace"}), sparse=8),
    Shape("as_code", "user", "alice", _as_code, strategies=NEITHER, protected=True),
    Shape("break_glass", "user", "alice", _break_glass, strategies=NEITHER, protected=True),
    Shape("exempt", "user", "alice", _exempt, strategies=NEITHER, protected=True),
)
SHAPES: Mapping[str, Shape] = {shape.name: shape for shape in ALL_SHAPES}


def build(shape: Shape, clock: VirtualClock) -> FakeIam:
    """The shape's account, which is more than a year old; some services were tried just lately, as the ledger says."""
    clock.now = START - timedelta(days=500)
    iam = FakeIam(clock, account_id=ACCOUNT)
    shape.build(iam)
    clock.now = START
    iam.past = iam.past[-1:]
    tried = START - timedelta(hours=30)
    spoken = {word.split(":")[0] for word in shape.used}
    iam.services = {name: tried if name in spoken else None for name in SERVICES}
    return iam
