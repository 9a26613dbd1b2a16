"""What each strategy does with the shapes that identities come in, and what the options keep."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any, NamedTuple

import pytest

from services.remediator.deriving.inputs import Options, Quotas
from services.remediator.deriving.managed_as_code import tool_of
from shared.iam.patterns import globs
from shared.iam.sizes import MAX_MANAGED_POLICY, policy_size
from shared.knowledge import load_catalogue
from shared.model.identity import IdentityDetail, Policy
from shared.model.plan import Plan, Reason, ReasonCode, ResourceScope, Strategy
from shared.model.resources import Resources
from shared.model.sources import PolicyKind, PolicySource
from shared.model.usage import Usage
from tests.builders import DEPLOYER
from tests.unit.remediation_fakes import FOREIGN, FORMER
from tests.unit.test_remediator_derive import (
    LISTED,
    MANY,
    NOW,
    OPTIONS,
    boundary,
    derived,
    holding,
    inline,
    managed,
    used,
)

REPLACE = replace(OPTIONS, strategy=Strategy.REPLACE, threshold=200.0)
PATCH = replace(REPLACE, strategy=Strategy.PATCH)
BOUNDARY = replace(REPLACE, strategy=Strategy.BOUNDARY)
S3 = ("s3:ListAllMyBuckets",)


def group(name: str, *actions: str, team: str = "staff") -> Policy:
    source = PolicySource(PolicyKind.GROUP_INLINE, name, None, team)
    return inline(*actions).model_copy(update={"source": source})


def plan(detail: IdentityDetail, usage: Usage, options: Options) -> Plan:
    found = derived(detail, usage, "s3", "iam", "ec2", options=options)
    assert isinstance(found, Plan), found
    assert found.proofs.hold
    return found


def allowed(found: Plan) -> list[Any]:
    return [one["Action"] for policy in found.policies for one in policy.document["Statement"]]


def test_what_keeps_everything_stays_and_the_rest_is_replaced() -> None:
    whole, part = inline(*S3, name="whole"), inline("iam:GetUser", "iam:DeleteUser", name="part")

    found = plan(holding(whole, part), used(*S3, "iam:GetUser"), REPLACE)

    assert found.stays == (whole.source,)
    assert allowed(found) == ["iam:GetUser"]
    assert found.removes == ("iam:DeleteUser",)
    assert [policy.name for policy in found.policies] == [found.plan_id]


def test_a_policy_of_which_nothing_is_left_just_goes() -> None:
    found = plan(holding(inline(*S3, name="a"), inline("iam:DeleteUser", name="b")), used(*S3), REPLACE)

    assert (found.policies, [source.name for source in found.stays]) == ((), ["a"])


def test_a_group_stays_or_goes_as_a_whole() -> None:
    policies = (
        group("whole", *S3),
        group("part", "iam:GetUser", "iam:DeleteUser"),
        group("other", "s3:ListBucket", team="ops"),
    )
    detail = holding(*policies, groups=("staff", "ops", "empty"))

    found = plan(detail, used(*S3, "iam:GetUser", "s3:ListBucket"), REPLACE)

    assert found.stays == (policies[2].source,)
    assert allowed(found) == [["iam:GetUser", "s3:ListAllMyBuckets"]]
    assert "it leaves the groups staff" in found.notes


def test_a_foreign_boundary_stays_beside_a_replacement_and_limits_what_is_kept() -> None:
    detail = holding(inline("s3:*", "iam:*"), boundary=boundary(FOREIGN, "s3:*"))

    found = plan(detail, used(*S3, "iam:GetUser"), REPLACE)

    assert "s3:ListAllMyBuckets" in found.keeps
    assert any(FOREIGN in note for note in found.notes)
    assert not any(name.startswith("iam:") for name in (*found.keeps, *found.removes))


def test_a_role_that_uses_what_a_resource_policy_grants_can_be_replaced_but_not_bounded() -> None:
    detail, usage = holding(inline("iam:*"), ref=DEPLOYER), used("iam:GetUser", "s3:GetObject")

    bounded = derived(detail, usage, options=BOUNDARY)

    assert isinstance(bounded, Reason)
    assert bounded.code is ReasonCode.OUTSIDE_GRANTS
    assert plan(detail, usage, REPLACE).proofs.hold


def test_what_is_too_large_for_one_policy_is_split() -> None:
    found = plan(holding(inline(*LISTED, "iam:*")), used(*MANY), REPLACE)

    assert len(found.policies) > 1
    assert [policy.name for policy in found.policies] == [
        f"{found.plan_id}-{number}" for number in range(1, len(found.policies) + 1)
    ]
    assert all(policy_size(policy.document) <= MAX_MANAGED_POLICY for policy in found.policies)
    assert {name.lower() for name in MANY} <= {name.lower() for name in found.keeps}


def test_what_is_too_large_for_a_boundary_keeps_whole_services_and_says_so() -> None:
    found = plan(holding(inline("ec2:*", "iam:*")), used(*MANY), BOUNDARY)

    assert "ec2:*" in allowed(found)[0]
    assert any("ec2" in note for note in found.notes)
    assert all(name.startswith("iam:") for name in found.removes)


def test_what_fits_in_sum_but_not_into_documents_ends() -> None:
    keys = [f"arn:aws:kms:us-east-1:{DEPLOYER.account_id}:key/{number:036}" for number in range(90)]
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": keys},
            {"Effect": "Allow", "Action": ["s3:GetBucketPolicy", "iam:CreateRole"], "Resource": "*"},
        ],
    }
    own = inline("x:y").model_copy(update={"document": document})

    found = derived(holding(own, ref=DEPLOYER), used("kms:Decrypt", "s3:GetBucketPolicy"), options=REPLACE)

    assert isinstance(found, Reason)
    assert found.code is ReasonCode.TOO_LARGE
    assert "last accessed information" in found.message


def test_no_service_is_kept_whole_for_the_sake_of_observed_resources() -> None:
    # given a list of observed resources that is too long beside all that is kept
    buckets = [f"arn:aws:s3:::bucket-{number:050}/x" for number in range(40)]
    usage = used(*MANY[:130], "s3:GetObject", data_events=["s3"])
    seen = replace(usage.entries["s3:getobject"], resources=Resources.of(buckets))
    usage = replace(usage, entries=dict(usage.entries) | {"s3:getobject": seen})
    detail = holding(inline(*LISTED, "s3:*", "iam:*"))

    kept, observed = (
        plan(detail, usage, options) for options in (BOUNDARY, replace(BOUNDARY, resource_scope=SCOPED.resource_scope))
    )

    assert set(observed.keeps) <= set(kept.keeps)
    assert (observed.policies[0].document, observed.narrows) == (kept.policies[0].document, ())


def test_services_without_feared_permissions_are_kept_whole_first() -> None:
    # given two services of which either is enough, and EC2 saves more, but brings escalation along
    catalogue = load_catalogue()
    names = [catalogue.name(key) for key in catalogue.of_service("medialive")]
    detail, usage = holding(inline("ec2:*", "medialive:*")), used(*MANY[:200], *names[::2])

    found = plan(detail, usage, BOUNDARY)

    assert "medialive:*" in allowed(found)[0]
    assert "ec2:*" not in allowed(found)[0]


class QuotaCase(NamedTuple):
    """How many managed policies are attached, and what comes of it."""

    quotas: Quotas
    policies: int
    code: ReasonCode | None


QUOTAS = {
    "ten attached": QuotaCase(Quotas(), 10, ReasonCode.QUOTA),
    "nine attached": QuotaCase(Quotas(), 9, None),
    "ten attached of twenty": QuotaCase(Quotas(attached_to_user=20), 10, None),
    "the account is full": QuotaCase(Quotas(policies_used=1500), 1, ReasonCode.QUOTA),
    "one is left in the account": QuotaCase(Quotas(policies_used=1499), 1, None),
}


@pytest.mark.parametrize("case", QUOTAS)
def test_nothing_is_removed_first_to_make_room(case: str) -> None:
    quotas, count, code = QUOTAS[case]
    attached = tuple(
        inline("iam:GetUser", f"s3:{name}").model_copy(
            update={"source": PolicySource(PolicyKind.MANAGED, f"p{number}", f"{FOREIGN}{number}")}
        )
        for number, name in zip(range(count), ("DeleteBucket", "PutBucketPolicy") * 5, strict=False)
    )

    found = derived(holding(*attached), used("iam:GetUser"), "iam", "s3", options=replace(REPLACE, quotas=quotas))

    assert (found.code if isinstance(found, Reason) else None) is code


def test_a_patch_narrows_each_policy_by_itself() -> None:
    power = managed("PowerUserAccess")
    gone, kept = inline("iam:DeleteUser", name="gone"), inline("iam:GetUser", name="kept")
    part, shared = inline("iam:GetUser", "iam:CreateUser", name="part"), group("shared", "s3:*")
    detail = holding(power, gone, kept, part, shared, groups=("staff",))

    found = plan(detail, used("iam:GetUser", *S3), PATCH)

    assert [policy.source for policy in found.policies] == [part.source, power.source, None]
    assert found.drops == (shared.source, gone.source)
    assert found.stays == (kept.source,)
    assert any("out of the groups staff" in note for note in found.notes)


def test_a_patch_needs_room_for_its_policies_beside_those_attached() -> None:
    attached = [
        inline("iam:GetUser", "iam:DeleteUser").model_copy(
            update={"source": PolicySource(PolicyKind.MANAGED, f"p{number}", f"{FOREIGN}{number}")}
        )
        for number in range(6)
    ]

    few = derived(holding(*attached[:5]), used("iam:GetUser"), "iam", options=PATCH)
    many = derived(holding(*attached), used("iam:GetUser"), "iam", options=PATCH)
    full = derived(
        holding(*attached[:1]), used("iam:GetUser"), options=replace(PATCH, quotas=Quotas(policies_used=1500))
    )

    assert isinstance(few, Plan)
    assert [found.code for found in (many, full) if isinstance(found, Reason)] == [ReasonCode.QUOTA] * 2


# ---- options


def keeps(options: Options, detail: IdentityDetail | None = None, usage: Usage | None = None) -> set[str]:
    found = plan(detail or holding(inline("s3:*", "iam:*")), usage or used(*S3), options)
    return set(found.keeps)


def test_options_keep_what_they_say() -> None:
    catalogue = load_catalogue()
    plain = keeps(REPLACE)
    reads = keeps(replace(REPLACE, preserve_reads=True)) - plain
    listed = keeps(replace(REPLACE, always_keep=("iam:*user", "S3:deletebucket"))) - plain

    assert "iam:ListRoles" in reads
    assert {catalogue.access_level(name.lower()) for name in reads} <= {"Read", "List"}
    assert "iam:CreateUser" in listed
    assert all(globs.matches("iam:*user", name.lower()) for name in listed - {"s3:DeleteBucket"})


def test_who_or_what_is_young_is_kept() -> None:
    young, old = inline("iam:DeleteUser", name="young"), inline("iam:CreateUser", *S3, name="old")
    options = replace(REPLACE, grace_days=14)
    since = {young.source: NOW - timedelta(days=13), old.source: NOW - timedelta(days=15)}

    found = derived(holding(young, old), used(*S3), "iam", "s3", options=options, granted_since=since)
    too_young = derived(holding(young, created_at=NOW - timedelta(days=13)), used(*S3), options=options)

    assert isinstance(found, Plan)
    assert found.stays == (young.source,)
    assert found.removes == ("iam:CreateUser",)
    assert isinstance(too_young, Reason)
    assert too_young.code is ReasonCode.TOO_YOUNG


def test_what_peers_used_is_kept_but_is_no_evidence_of_its_own() -> None:
    detail = holding(inline("iam:GetUser", "iam:DeleteUser", *S3))

    found = derived(detail, used(*S3), "iam", "s3", options=REPLACE, peers=(used("iam:GetUser"),))
    idle = derived(detail, used(), "iam", "s3", options=REPLACE, peers=(used("iam:GetUser"),))

    assert isinstance(found, Plan)
    assert found.removes == ("iam:DeleteUser",)
    assert isinstance(idle, Reason)
    assert idle.code is ReasonCode.NO_EVIDENCE


@pytest.mark.parametrize("days", [(3, 4, 5), (1, 2, 12)])
def test_holes_in_the_trail_are_notes_where_nobody_refuses_for_them(days: tuple[int, ...]) -> None:
    usage = used("iam:GetUser", days=[date.fromordinal(NOW.toordinal() - back) for back in days])
    options = replace(REPLACE, max_gap_days=None, max_silent_days=None)

    found = derived(holding(inline("iam:*")), usage, options=options)

    assert isinstance(found, Plan)
    assert any("trail" in note for note in found.notes)
    assert isinstance(derived(holding(inline("iam:*")), usage, options=REPLACE), Reason)


# ---- resources


BUCKETS = ("arn:aws:s3:::a/x", "arn:aws:s3:::b/y")
SCOPED = replace(REPLACE, resource_scope=ResourceScope.OBSERVED)
ON_BUCKETS: dict[str, tuple[dict[str, Any], Any]] = {
    "everything": ({"Resource": "*"}, list(BUCKETS)),
    "only some of it reached": ({"Resource": ["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"]}, list(BUCKETS)),
    "used elsewhere, by a resource policy": ({"Resource": "arn:aws:s3:::a/*"}, "arn:aws:s3:::a/*"),
    "a NotResource": ({"NotResource": "arn:aws:s3:::secret/*"}, None),
    "a condition": ({"Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}, "*"),
    "a variable": ({"Resource": ["arn:aws:s3:::${aws:username}/*", "*"]}, ["*", "arn:aws:s3:::${aws:username}/*"]),
}


@pytest.mark.parametrize("case", ON_BUCKETS)
def test_resources_are_narrowed_only_where_that_is_sure(case: str) -> None:
    scope, expected = ON_BUCKETS[case]
    statement = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], **scope}
    policy = inline("x:y").model_copy(update={"document": {"Version": "2012-10-17", "Statement": [statement]}})

    found = plan(holding(policy), on_buckets(used("s3:GetObject", data_events=["s3"])), SCOPED)

    (written,) = found.policies[0].document["Statement"]
    assert written["Action"] == "s3:GetObject"
    assert written.get("Resource") == expected
    assert found.narrows == (("s3:GetObject",) if expected == list(BUCKETS) else ())


@pytest.mark.parametrize("options", [SCOPED, replace(SCOPED, strategy=Strategy.BOUNDARY)], ids=["replace", "boundary"])
def test_what_was_only_used_where_it_is_not_granted_any_more_stays_where_it_is(options: Options) -> None:
    elsewhere = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": list(BUCKETS)}
    allowed = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [allowed, elsewhere]}
    detail = holding(inline("x:y").model_copy(update={"document": document}))
    usage = on_buckets(used("s3:GetObject", data_events=["s3"]))

    found = plan(detail, usage, options)

    assert (found.keeps, found.narrows) == (("s3:GetObject",), ())


def test_resources_stay_where_other_uses_could_have_gone_unseen() -> None:
    detail = holding(inline("s3:GetObject", "s3:DeleteBucket"))
    unseen = on_buckets(used("s3:GetObject"))  # data events were not all recorded
    asked = replace(SCOPED, always_keep=("s3:getobject",))

    for usage, options in ((unseen, SCOPED), (on_buckets(used("s3:GetObject", data_events=["s3"])), asked)):
        found = plan(detail, usage, options)
        assert found.narrows == ()
        assert [one["Resource"] for one in found.policies[0].document["Statement"]] == ["*"]


def on_buckets(usage: Usage) -> Usage:
    entries = {key: replace(entry, resources=Resources.of(BUCKETS)) for key, entry in usage.entries.items()}
    return replace(usage, entries=entries)


# ---- who is managed as code


class Mark(NamedTuple):
    """A team's sign of what its code manages."""

    tag: str
    values: tuple[str, ...] = ()
    tool: str = "terraform"


TAGS: dict[str, tuple[dict[str, str], tuple[Mark, ...], str | None]] = {
    "no tags": ({}, (Mark("managed-by"),), None),
    "any value": ({"Managed-By": "x"}, (Mark("managed-by"),), "terraform"),
    "one of the values": ({"managed-by": "Terraform"}, (Mark("managed-by", ("terraform",)),), "terraform"),
    "another value": ({"managed-by": "hand"}, (Mark("managed-by", ("terraform",)),), None),
    "a stack": ({"aws:cloudformation:stack-name": "s"}, (), "cloudformation"),
    "a team's word counts first": ({"aws:cloudformation:stack-name": "s", "tf": "1"}, (Mark("tf"),), "terraform"),
}


@pytest.mark.parametrize("case", TAGS)
def test_tags_tell_what_is_managed_as_code(case: str) -> None:
    tags, marks, tool = TAGS[case]
    assert tool_of(tags, marks) == tool


def test_our_own_boundary_stays_under_a_replacement() -> None:
    detail = holding(inline("s3:*", "iam:*"), boundary=boundary(FORMER, "s3:*"))

    found = plan(detail, used(*S3), REPLACE)

    assert "s3:ListAllMyBuckets" in found.keeps
    assert {name.partition(":")[0] for name in (*found.keeps, *found.removes)} == {"s3"}
