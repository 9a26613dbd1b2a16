"""Patches as Terraform and CloudFormation: valid, saying exactly the plan's documents, whatever stands in them."""

import json
from typing import Any

import pytest
import yaml
from cfnlint.api import lint_all  # type: ignore[import-untyped]  # it has no types
from hypothesis import given, settings
from hypothesis import strategies as st

from services.remediator.deriving.patch_text import patch_text
from services.remediator.deriving.patches.changes import patch_of
from services.remediator.deriving.patches.quoting import MAX_COMMENT
from shared.errors import InputError
from shared.model.identity import IdentityRef, Policy
from shared.model.plan import Plan, PlannedPolicy, Proofs, Snapshot, Strategy
from shared.model.proof import ProofVerdict
from shared.model.score import CoverageSummary
from shared.model.sources import PolicyKind, PolicySource
from tests.builders import ANA, DEPLOYER, NOW
from tests.unit.hcl_reader import Block, Reference, read_hcl

MANAGED = PolicySource(PolicyKind.MANAGED, "AmazonS3FullAccess", arn="arn:aws:iam::aws:policy/AmazonS3FullAccess")
INLINE = PolicySource(PolicyKind.INLINE, "own.limits-1")
DROPPED = PolicySource(PolicyKind.INLINE, "old")
OF_GROUP = PolicySource(PolicyKind.GROUP_MANAGED, "P", arn="arn:aws:iam::123456789012:policy/P", group="devs")
Document = dict[str, Any]


def document(**changes: Any) -> Document:
    statement = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::b/*"}
    return {"Version": "2012-10-17", "Statement": [statement | changes]}


HOME = document(
    Resource="arn:aws:s3:::home/${aws:username}/*",
    Condition={
        "Null": {"aws:MultiFactorAuthAge": False},
        "NumericLessThan": {"aws:MultiFactorAuthAge": [3600]},
        "StringLike": {"s3:prefix": ["", "$${aws:username}", 'a "quoted\\" one', "2012-10-17", "no", "#x: y"]},
    },
)


def a_patch(*policies: PlannedPolicy, identity: IdentityRef = ANA, **changes: Any) -> Plan:
    fields: dict[str, Any] = {
        "plan_id": "0123456789abcdef",
        "identity": identity,
        "strategy": Strategy.PATCH,
        "fingerprint": "f" * 64,
        "policies": policies,
        "removes": ("iam:PassRole", "s3:DeleteBucket"),
        "keeps": ("s3:GetObject",),
        "proofs": Proofs(no_new_access=ProofVerdict.NO_NEW_ACCESS, replay=True, replayed_uses=3),
        "pci_before": 87.25,
        "pci_after": 12.5,
        "coverage": CoverageSummary(window_days=90, observed_days=60),
        "created_at": NOW,
        "expires_at": NOW,
    }
    return Plan.model_validate(fields | changes)


def planned(body: Document, source: PolicySource | None = None) -> PlannedPolicy:
    return PlannedPolicy(name="0123456789abcdef-1", document=body, source=source)


def before(identity: IdentityRef = ANA, *, groups: tuple[str, ...] = ()) -> Snapshot:
    policies = tuple(Policy(source=source, document=document()) for source in (MANAGED, INLINE, DROPPED, OF_GROUP))
    return Snapshot(identity=identity, taken_at=NOW, fingerprint="f" * 64, policies=policies, groups=groups)


FULL = a_patch(
    planned(document(), MANAGED),
    planned(HOME, INLINE),
    planned(document(Action="sqs:SendMessage")),
    drops=(DROPPED, OF_GROUP),
    notes=("Group devs is to be left.",),
)


def terraform(plan: Plan, snapshot: Snapshot | None = None) -> list[Block]:
    return read_hcl(patch_text(plan, snapshot or before(plan.identity), "terraform"))


def cloudformation(plan: Plan, snapshot: Snapshot | None = None) -> dict[str, Any]:
    template: dict[str, Any] = yaml.safe_load(patch_text(plan, snapshot or before(plan.identity), "cloudformation"))
    resources: dict[str, Any] = template["Resources"]
    return resources


def names(plan: Plan, snapshot: Snapshot | None = None) -> list[str]:
    return [change.name for change in patch_of(plan, snapshot or before(plan.identity)).changes]


S3_NAME, _, GROUPS_NAME = names(FULL)


def label(name: str) -> str:
    return name.replace("-", "_").lower()


def logical_id(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("-"))


def test_terraform_has_a_resource_for_each_policy_as_it_is_to_be() -> None:
    found = {block.labels: block.attributes for block in terraform(FULL)}
    managed, inline, group = label(S3_NAME), "ana_own_limits_1", label(GROUPS_NAME)
    assert found == {
        ("aws_iam_policy", managed): {"name": S3_NAME, "policy": document()},
        ("aws_iam_user_policy_attachment", managed): {
            "user": "ana",
            "policy_arn": Reference(f"aws_iam_policy.{managed}.arn"),
        },
        ("aws_iam_user_policy", inline): {"name": "own.limits-1", "user": "ana", "policy": HOME},
        ("aws_iam_policy", group): {
            "name": GROUPS_NAME,
            "policy": document(Action="sqs:SendMessage"),
        },
        ("aws_iam_user_policy_attachment", group): {
            "user": "ana",
            "policy_arn": Reference(f"aws_iam_policy.{group}.arn"),
        },
    }


def test_cloudformation_has_a_resource_for_each_policy_as_it_is_to_be() -> None:
    assert cloudformation(FULL) == {
        logical_id(S3_NAME): {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "ManagedPolicyName": S3_NAME,
                "Users": ["ana"],
                "PolicyDocument": document(),
            },
        },
        "AnaOwnLimits1": {
            "Type": "AWS::IAM::UserPolicy",
            "Properties": {"PolicyName": "own.limits-1", "UserName": "ana", "PolicyDocument": HOME},
        },
        logical_id(GROUPS_NAME): {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "ManagedPolicyName": GROUPS_NAME,
                "Users": ["ana"],
                "PolicyDocument": document(Action="sqs:SendMessage"),
            },
        },
    }


def test_a_role_gets_the_resources_of_roles() -> None:
    plan = a_patch(planned(document(), MANAGED), planned(HOME, INLINE), identity=DEPLOYER)
    assert {block.labels[0] for block in terraform(plan)} == {
        "aws_iam_policy",
        "aws_iam_role_policy",
        "aws_iam_role_policy_attachment",
    }
    properties = [resource["Properties"] for resource in cloudformation(plan).values()]
    assert [one.get("Roles") or one["RoleName"] for one in properties] == [["deployer"], "deployer"]
    assert [resource["Type"] for resource in cloudformation(plan).values()][1] == "AWS::IAM::RolePolicy"


def complaints(template: str) -> list[str]:
    """What cfn-lint says, but for advice on how to document a template."""
    return [str(match) for match in lint_all(template) if not match.rule.id.startswith("I")]


@pytest.mark.parametrize("identity", [ANA, DEPLOYER])
def test_cfn_lint_finds_nothing(identity: IdentityRef) -> None:
    plan = FULL.model_copy(update={"identity": identity})
    text = patch_text(plan, before(identity), "cloudformation")
    assert complaints(text) == []
    assert complaints(text.replace("PolicyDocument", "Policy")), "it would find what is wrong"


@pytest.mark.parametrize(
    ("tool", "sentences"),
    [
        (
            "terraform",
            [
                f"# Delete the aws_iam_user_policy_attachment of {MANAGED.arn} of user ana.",
                "# Delete the aws_iam_user_policy old of user ana.",
                "# Take ana out of group devs: aws_iam_user_group_membership or aws_iam_group_membership.",
            ],
        ),
        (
            "cloudformation",
            [
                "# Take arn:aws:iam::aws:policy/AmazonS3FullAccess out of ManagedPolicyArns of user ana.",
                "# Delete the in-line policy old of user ana.",
                "# Take devs out of Groups of user ana, or ana out of the AWS::IAM::UserToGroupAddition.",
            ],
        ),
    ],
)
def test_the_comments_say_whom_it_is_for_and_what_to_delete(tool: str, sentences: list[str]) -> None:
    lines = patch_text(FULL, before(groups=("devs", "others")), tool).splitlines()
    assert lines[:4] == [
        "# arn:aws:iam::123456789012:user/team/ana: leastwise plan 0123456789abcdef",
        "# It takes away 2 permissions, keeps 1; PCI (Privilege Creep Index) 87 before, 12 after.",
        "# Group devs is to be left.",
        "# Deploy what stands below before you delete anything:",
    ]
    assert lines[4:7] == sentences, "the group that the plan does not touch is not named"


@pytest.mark.parametrize("tool", ["terraform", "cloudformation"])
def test_nothing_to_write_is_a_text_of_comments(tool: str) -> None:
    text = patch_text(a_patch(drops=(DROPPED,)), before(), tool)
    assert all(line.startswith("# ") for line in text.splitlines())


@pytest.mark.parametrize("tool", ["terraform", "cloudformation"])
def test_no_comment_ends_before_its_line_does(tool: str) -> None:
    plan = FULL.model_copy(update={"notes": ("first\nresource \u2028 x\r\x1b[31m", "n" * 5000)})
    lines = patch_text(plan, before(), tool).splitlines()
    assert lines[2] == "# first resource   x  [31m"
    assert len(lines[3]) == MAX_COMMENT
    assert len(lines) == len(patch_text(FULL, before(), tool).splitlines()) + 1


def test_names_that_differ_in_their_signs_alone_stay_apart() -> None:
    sources = [PolicySource(PolicyKind.INLINE, name) for name in ("a.b", "a-b", "a=b", "a_b", "1")]
    plan = a_patch(*(planned(document(), source) for source in sources))
    assert len({block.labels for block in terraform(plan)}) == 5
    assert sorted(cloudformation(plan)) == ["Ana1", "AnaAB", "AnaAB2", "AnaAB3", "AnaAB4"]


@pytest.mark.parametrize(("name", "label", "logical_id"), [("7", "policy_7_p", "Policy7P"), ("+,=", "p", "P")])
def test_a_resource_never_begins_with_a_digit_or_with_nothing(name: str, label: str, logical_id: str) -> None:
    identity = IdentityRef(
        account_id="123456789012", identity_id="AIDAX1234", arn=f"arn:aws:iam::123456789012:user/{name}"
    )
    plan = a_patch(planned(document(), PolicySource(PolicyKind.INLINE, "p")), identity=identity)
    assert [block.labels[1] for block in terraform(plan)] == [label]
    assert list(cloudformation(plan)) == [logical_id]


def of_customer(name: str) -> PolicySource:
    return PolicySource(PolicyKind.MANAGED, name, arn=f"arn:aws:iam::123456789012:policy/{name}")


def test_managed_policies_have_names_that_iam_takes_side_by_side() -> None:
    """Of one name by AWS and by the customer, two long ones, several parts of one, a user and a role of one name."""
    sources = [MANAGED, of_customer(MANAGED.name), of_customer("p" * 128), of_customer("p" * 127 + "q"), MANAGED, None]
    role = DEPLOYER.model_copy(update={"arn": "arn:aws:iam::123456789012:role/ana"})
    found = [
        name
        for who in (ANA, role)
        for name in names(a_patch(*(planned(document(), one) for one in sources), identity=who))
    ]
    assert len({name.lower() for name in found}) == 12
    assert all(len(name) <= 128 and name.startswith("ana-") for name in found)
    assert found[0].startswith("ana-AmazonS3FullAccess-")


def test_names_do_not_grow_from_patch_to_patch_and_are_free() -> None:
    found = names(a_patch(planned(document(), MANAGED), planned(document())))
    for _ in range(3):
        held = [of_customer(name) for name in found]
        snapshot = before().model_copy(update={"policies": [Policy(source=one, document=document()) for one in held]})
        found = names(a_patch(*(planned(document(), one) for one in (*held, MANAGED, None))), snapshot)
        assert not {one.name for one in held} & set(found)
        assert {len(name) for name in found} == {len(S3_NAME), len(GROUPS_NAME)}


@pytest.mark.parametrize("tool", ["terraform", "cloudformation"])
def test_a_customers_policy_may_be_narrowed_in_place_if_nobody_else_holds_it(tool: str) -> None:
    told = "If nobody else holds that one, write this document into it instead"
    assert told in patch_text(a_patch(planned(document(), of_customer("mine"))), before(), tool)
    assert told not in patch_text(FULL, before(), tool)
    several = a_patch(planned(document(), of_customer("mine")), planned(HOME, of_customer("mine")))
    assert told not in patch_text(several, before(), tool)


@pytest.mark.parametrize("tool", ["terraform", "cloudformation"])
def test_a_policy_that_becomes_several_is_to_be_deleted_once(tool: str) -> None:
    text = patch_text(a_patch(planned(document(), MANAGED), planned(HOME, MANAGED)), before(), tool)
    assert sum(f"{MANAGED.arn} " in line and "Takes" not in line for line in text.splitlines()) == 1


@pytest.mark.parametrize(("plan", "tool", "complaint"), [
    (a_patch(strategy=Strategy.BOUNDARY), "terraform", "is no patch, but a boundary"),
    (a_patch(), "pulumi", "cloudformation or terraform"),
    (a_patch(planned(document(Resource="{{resolve:secretsmanager:x}}"), INLINE)), "cloudformation", "would replace"),
])  # fmt: skip
def test_what_cannot_be_written_is_refused(plan: Plan, tool: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        patch_text(plan, before(), tool)


# What IAM takes in a policy document: tab, line feed, carriage return, and U+0020 to U+00FF; a few more do no harm.
TEXTS = st.text(st.one_of(st.sampled_from("${}%\\\"'#:- \n\t*?"), st.characters(codec="utf-8")), max_size=12)
VALUES = st.one_of(TEXTS, st.booleans(), st.integers(-10, 10), st.lists(TEXTS, max_size=3))
DOCUMENTS = st.builds(
    lambda resources, condition: document(Resource=resources, Condition=condition),
    st.one_of(TEXTS, st.lists(TEXTS, max_size=3)),
    st.dictionaries(TEXTS, st.dictionaries(TEXTS, VALUES, max_size=3), max_size=3),
)


@settings(deadline=None, max_examples=200)
@given(DOCUMENTS)
def test_whatever_a_document_says_the_text_says_the_same(body: Document) -> None:
    plan = a_patch(planned(body, INLINE))
    assert terraform(plan)[0].attributes["policy"] == body
    if "{{resolve:" not in json.dumps(body):
        (resource,) = cloudformation(plan).values()
        assert resource["Properties"]["PolicyDocument"] == body
