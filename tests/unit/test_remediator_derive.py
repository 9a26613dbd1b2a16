"""A plan keeps what is used, grants nothing new, and is refused with a reason where that can't be proven."""

import functools
import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.remediator.deriving.derive import derive_plan
from services.remediator.deriving.inputs import Evidence, Knowledge, Options
from services.remediator.deriving.keep import ALWAYS_ALLOWED, keep_set
from services.scorer.trail.reader import record_of
from services.scorer.usage.fold import fold
from shared.errors import PolicyDocumentError
from shared.iam.compare import compare
from shared.iam.grants import effective_grants
from shared.iam.replay import Use, replay
from shared.iam.sizes import MAX_MANAGED_POLICY, policy_size
from shared.knowledge import load_catalogue, load_risk
from shared.model.finding import Window
from shared.model.identity import IdentityDetail, IdentityRef, Policy
from shared.model.inventory import Inventory
from shared.model.last_accessed import LastAccess, LastAccessed
from shared.model.plan import Plan, PlannedPolicy, Reason, ReasonCode, Strategy
from shared.model.principals import Principal, Principals
from shared.model.proof import ProofVerdict
from shared.model.resources import ANY_RESOURCE, Resources
from shared.model.score import RiskClass
from shared.model.sources import PolicyKind, PolicySource
from shared.model.usage import Coverage, Span, Usage, UsageEntry
from shared.model.usage import Evidence as Kind
from shared.pci.score import UNKNOWN, ScoreParameters, Scoring, Surroundings
from shared.reference import load_operations
from tests.builders import ACCOUNT, ANA, DEPLOYER
from tests.unit.cloudtrail_records import INVICTUS, ROOT, corpus
from tests.unit.remediation_fakes import FOREIGN, FORMER

NOW = datetime(2023, 7, 11, tzinfo=UTC)
YESTERDAY = NOW - timedelta(days=1)
SINCE = NOW - timedelta(days=90)
OPTIONS = Options(Strategy.BOUNDARY, 90, threshold=60.0, min_observed_days=1, ttl=timedelta(days=1))
BUSIEST = "AIDATFQR7NSC5AU2ZV3IE"
WINDOW = Window(SINCE, NOW)
MANAGED: Mapping[str, Any] = json.loads((ROOT / "infra" / "local" / "managed_policies.json").read_text("utf-8"))


@functools.cache
def knowledge() -> Knowledge:
    return Knowledge(load_catalogue(), load_risk(), ScoreParameters())


@functools.cache
def recorded() -> Usage:
    """What the busiest user of the real records did."""
    folded = fold([record_of(one) for one in corpus(INVICTUS)], load_operations(), feed="test")
    (usage,) = [usage for key, usage in folded.usages.items() if key.identity_id == BUSIEST]
    return replace(usage, coverage=next(iter(folded.coverage.values())))


def of_services(usage: Usage, *services: str) -> Usage:
    entries = {key: entry for key, entry in usage.entries.items() if key.partition(":")[0] in services}
    return replace(usage, entries=entries)


def last_accessed(*services: str) -> LastAccessed:
    """IAM's answer: these services were tried lately, all others never."""
    never = dict.fromkeys(sorted(load_catalogue().services), LastAccess())
    return report(never | dict.fromkeys(services, LastAccess(YESTERDAY, "us-east-1")))


def report(services: Mapping[str, LastAccess]) -> LastAccessed:
    return LastAccessed(services, {}, NOW)


def managed(name: str) -> Policy:
    (arn,) = [arn for arn in MANAGED if arn.endswith(f"/{name}")]
    return Policy(source=PolicySource(PolicyKind.MANAGED, name, arn), document=MANAGED[arn]["document"])


def inline(*actions: str, resource: str = "*", name: str = "own") -> Policy:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return Policy(source=PolicySource(PolicyKind.INLINE, name), document=document)


def boundary(arn: str, *actions: str) -> Policy:
    source = PolicySource(PolicyKind.MANAGED, arn.rsplit("/", 1)[-1], arn)
    return Policy(source=source, document=inline(*actions).document)


def holding(*policies: Policy, ref: IdentityRef = ANA, **changes: Any) -> IdentityDetail:
    created = datetime(2020, 1, 1, tzinfo=UTC)
    fields = {"ref": ref, "created_at": created, "read_at": NOW, "policies": policies}
    return IdentityDetail.model_validate(fields | changes)


def used(
    *actions: str,
    kind: Kind = Kind.OBSERVED,
    at: datetime = YESTERDAY,
    days: Iterable[date] = (YESTERDAY.date(),),
    data_events: Iterable[str] = (),
    reads: bool = True,
) -> Usage:
    entries = {action.lower(): UsageEntry(action, {kind: Span(at, at)}, ANY_RESOURCE) for action in actions}
    coverage = Coverage.of(days, regions=["us-east-1"], feeds=["trail"], data_events=data_events, reads=reads)
    return Usage(ANA.identity_id, entries, coverage)


def derived(
    detail: IdentityDetail, usage: Usage, *services: str, options: Options = OPTIONS, **more: Any
) -> Plan | Reason:
    evidence = Evidence(usage, last_accessed(*services), **more)
    return derive_plan(detail, evidence, knowledge(), options, now=NOW)


def planned(detail: IdentityDetail, usage: Usage, *services: str) -> Plan:
    plan = derived(detail, usage, *services)
    assert isinstance(plan, Plan), plan
    return plan


# ---- real policies, real records


REAL = (
    (("PowerUserAccess",), ("ec2",)),
    (("AdministratorAccess",), ("ssm", "cloudtrail")),
    (("AdministratorAccess",), ("iam",)),
    (("AdministratorAccess",), ("secretsmanager", "s3")),
    (("AmazonEC2FullAccess",), ("ec2",)),
    (("IAMFullAccess", "AmazonS3FullAccess"), ("iam", "s3")),
    (("AmazonSSMFullAccess", "SecretsManagerReadWrite", "AmazonS3FullAccess"), ("ssm", "secretsmanager")),
)


@pytest.mark.parametrize(("policies", "services"), REAL)
def test_of_real_policies_and_records_every_use_stays_and_nothing_is_new(
    policies: tuple[str, ...], services: tuple[str, ...]
) -> None:
    detail, usage = holding(*map(managed, policies)), of_services(recorded(), *services)

    plan = planned(detail, usage, *services)

    old = [policy.document for policy in detail.policies]
    (new,) = [policy.document for policy in plan.policies]
    catalogue = knowledge().catalogue
    assert plan.proofs.hold
    assert compare(old, [new], catalogue).verdict is ProofVerdict.NO_NEW_ACCESS
    before = set(effective_grants(detail, catalogue).by_action)
    bounded = detail.model_copy(update={"boundary": boundary(FORMER).model_copy(update={"document": new})})
    after = set(effective_grants(bounded, catalogue).by_action)
    uses = set(usage.used_since(SINCE)) & before
    assert uses
    assert uses <= after <= before
    assert after == {name.lower() for name in plan.keeps}
    assert before - after == {name.lower() for name in plan.removes}
    assert replay([Use(usage.entries[key].action) for key in uses], old, [new], catalogue).held
    assert policy_size(new) <= MAX_MANAGED_POLICY
    assert plan.pci_after < OPTIONS.threshold <= plan.pci_before


def test_the_same_inputs_in_any_order_give_the_same_plan() -> None:
    policies = [managed(name) for name in ("AmazonSSMFullAccess", "IAMFullAccess", "AmazonS3FullAccess")]
    usage = of_services(recorded(), "ssm", "s3")
    first = planned(holding(*policies), usage, "ssm", "s3")
    order = random.Random(3)  # noqa: S311 a shuffle, not a secret
    for _ in range(3):
        order.shuffle(policies)
        keys = list(usage.entries)
        order.shuffle(keys)
        shuffled = replace(usage, entries={key: usage.entries[key] for key in keys})
        assert planned(holding(*policies), shuffled, "s3", "ssm").model_dump_json() == first.model_dump_json()


def test_another_person_policy_or_keep_set_gives_another_plan() -> None:
    held, usage = (managed("PowerUserAccess"), managed("AmazonS3FullAccess")), of_services(recorded(), "ec2")
    others = (
        planned(holding(*held), usage, "ec2"),
        planned(holding(held[0]), usage, "ec2"),
        planned(holding(*held), of_services(recorded(), "ec2", "s3"), "ec2"),
        planned(holding(*held, ref=ANA.model_copy(update={"identity_id": "AIDAEXAMPLEUSER00009"})), usage, "ec2"),
    )
    assert len({plan.plan_id for plan in others}) == len(others)


def test_a_plan_says_when_it_expires() -> None:
    plan = planned(holding(managed("PowerUserAccess")), of_services(recorded(), "ec2"), "ec2")
    assert (plan.created_at, plan.expires_at) == (NOW, NOW + timedelta(days=1))


def test_given_our_own_boundary_when_less_is_used_then_the_next_plan_lies_within_it() -> None:
    here = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}
    former = boundary(FORMER, "ec2:*", "s3:*", "rds:*")
    limited = {**former.document["Statement"][0], "Condition": here}
    former = former.model_copy(update={"document": {**former.document, "Statement": [limited]}})
    detail, usage = holding(managed("PowerUserAccess"), boundary=former), of_services(recorded(), "ec2")

    plan = planned(detail, usage, "ec2")

    (document,) = [policy.document for policy in plan.policies]
    assert compare([former.document], [document], knowledge().catalogue).verdict is ProofVerdict.NO_NEW_ACCESS
    assert [statement["Condition"] for statement in document["Statement"]] == [here]
    assert {name.partition(":")[0] for name in plan.keeps} == {"ec2"}
    assert plan.fingerprint != planned(holding(managed("PowerUserAccess")), usage, "ec2").fingerprint


# ---- no plan, and why


LISTED = tuple(sorted(load_catalogue().name(key) for key in load_catalogue().of_service("ec2")))
MANY = LISTED[::2]
NO_PLAN: dict[str, tuple[IdentityDetail, Usage, ReasonCode]] = {
    "a boundary of others": (
        holding(inline("iam:*"), boundary=boundary(FOREIGN, "s3:*")),
        used("iam:GetUser"),
        ReasonCode.FOREIGN_BOUNDARY,
    ),
    "no use": (holding(managed("AdministratorAccess")), used(), ReasonCode.NO_EVIDENCE),
    "only denied": (
        holding(managed("AdministratorAccess")),
        used("iam:GetUser", kind=Kind.DENIED),
        ReasonCode.NO_EVIDENCE,
    ),
    "only possible": (
        holding(managed("AdministratorAccess")),
        used("iam:GetUser", kind=Kind.POSSIBLE),
        ReasonCode.NO_EVIDENCE,
    ),
    "only long ago": (
        holding(managed("AdministratorAccess")),
        used("iam:GetUser", at=NOW - timedelta(days=91)),
        ReasonCode.NO_EVIDENCE,
    ),
    "only what needs no permission": (
        holding(managed("AdministratorAccess")),
        used("sts:GetCallerIdentity"),
        ReasonCode.NO_EVIDENCE,
    ),
    "only what another policy grants": (holding(inline("iam:*")), used("s3:GetObject"), ReasonCode.NO_EVIDENCE),
    "an unseen trail": (
        holding(managed("AdministratorAccess")),
        used("iam:GetUser", days=frozenset[date]()),
        ReasonCode.TOO_LITTLE_EVIDENCE,
    ),
    "created today": (
        holding(managed("AdministratorAccess"), created_at=NOW),
        used("iam:GetUser", at=NOW, days=frozenset({YESTERDAY.date()})),
        ReasonCode.TOO_LITTLE_EVIDENCE,
    ),
    "a trail that stopped": (
        holding(managed("AdministratorAccess")),
        used("iam:GetUser", days=frozenset(NOW.date() - timedelta(days=back) for back in range(3, 60))),
        ReasonCode.STALE_EVIDENCE,
    ),
    "a trail that was away": (
        holding(managed("AdministratorAccess")),
        used("iam:GetUser", days=frozenset(NOW.date() - timedelta(days=back) for back in (1, 2, 3, 11, 12, 13))),
        ReasonCode.STALE_EVIDENCE,
    ),
    "everything used": (holding(inline("iam:GetUser")), used("iam:GetUser"), ReasonCode.NOTHING_TO_REMOVE),
    "a role that uses what a resource policy grants": (
        holding(inline("iam:*"), ref=DEPLOYER),
        used("iam:GetUser", "s3:GetObject"),
        ReasonCode.OUTSIDE_GRANTS,
    ),
    "what its uses depend on completes an escalation path": (
        holding(managed("AdministratorAccess")),
        of_services(recorded(), "ec2"),
        ReasonCode.IRREDUCIBLE,
    ),
    "more than a policy can hold": (holding(inline(*LISTED, "iam:*")), used(*MANY), ReasonCode.TOO_LARGE),
}


@pytest.mark.parametrize("case", NO_PLAN)
def test_there_is_no_plan(case: str) -> None:
    detail, usage, code = NO_PLAN[case]
    reason = derived(detail, usage)
    assert isinstance(reason, Reason)
    assert reason.code is code


FEW_TO_SAY = "too few to say that it needs nothing"
OF_NO_USE = [
    (0, "no day of the last 90 was observed: nothing is known of its use"),
    (1, f"no use was recorded on 1 observed day of 90, {FEW_TO_SAY}"),
    (29, f"no use was recorded on 29 observed days of 90, {FEW_TO_SAY}"),
    (30, "no use was recorded on 30 observed days of 90; a person should decide whether to disable it"),
]


@pytest.mark.parametrize(("days", "told"), OF_NO_USE)
def test_what_no_use_means_depends_on_how_many_days_were_observed(days: int, told: str) -> None:
    seen = [NOW.date() - timedelta(days=back) for back in range(days)]
    before = [NOW.date() - timedelta(days=back) for back in range(90, 130)]  # the window began on a later day
    reason = derived(
        holding(managed("AdministratorAccess")),
        used(days=[*seen, *before]),
        options=replace(OPTIONS, min_observed_days=0, max_silent_days=None, max_gap_days=None),
    )
    assert reason == Reason(code=ReasonCode.NO_EVIDENCE, message=told)


# ---- what is known of the account around it


CODE_OF_FUNCTIONS = holding(inline("iam:*", "lambda:UpdateFunctionCode", "s3:ListAllMyBuckets"))
# Lambda was tried where no trail was seen: kept, while the trail that was seen makes it unused to the scorer.
ELSEWHERE = Evidence(
    used("s3:ListAllMyBuckets"),
    report(
        dict.fromkeys(load_catalogue().services, LastAccess())
        | {"s3": LastAccess(YESTERDAY, "us-east-1"), "lambda": LastAccess(YESTERDAY, "eu-west-1")}
    ),
)


def among(*, privileged: bool) -> Surroundings:
    """An account with one role that functions may run with."""
    services = ("lambda.amazonaws.com",)
    role = Principal(arn=f"arn:aws:iam::{ACCOUNT}:role/run", privileged=privileged, services=services)
    return Surroundings(principals=Principals(account_id=ACCOUNT, roles=(role,)))


def derived_among(surroundings: Surroundings) -> Plan | Reason:
    return derive_plan(CODE_OF_FUNCTIONS, ELSEWHERE, knowledge(), OPTIONS, now=NOW, surroundings=surroundings)


def test_what_stays_unused_and_leads_to_a_known_role_with_power_makes_a_plan_worthless() -> None:
    found = derived_among(among(privileged=True))
    assert isinstance(found, Reason)
    assert found.code is ReasonCode.IRREDUCIBLE


@pytest.mark.parametrize("surroundings", [UNKNOWN, among(privileged=False)], ids=["unknown", "without power"])
def test_a_plan_gives_the_scores_that_the_scorer_gives_among_the_same_principals(surroundings: Surroundings) -> None:
    plan = derived_among(surroundings)
    assert isinstance(plan, Plan)
    (own,) = plan.policies
    bounded = CODE_OF_FUNCTIONS.model_copy(
        update={"boundary": boundary(FORMER).model_copy(update={"document": own.document})}
    )
    known = knowledge()
    scoring = Scoring(known.catalogue, known.risk, known.parameters, now=NOW, window_days=90, surroundings=surroundings)
    before, after = (scoring.score(detail, ELSEWHERE.usage) for detail in (CODE_OF_FUNCTIONS, bounded))
    assert (plan.pci_before, plan.pci_after) == (before.pci, after.pci)
    assert plan.coverage.principals is (surroundings is not UNKNOWN)
    assert "lambda:UpdateFunctionCode" in plan.keeps


def test_a_scoring_of_another_time_is_no_scoring_for_a_plan() -> None:
    known = knowledge()
    earlier = Scoring(known.catalogue, known.risk, known.parameters, now=NOW - timedelta(hours=1), window_days=90)
    with pytest.raises(ValueError, match="can't score as of"):
        derive_plan(CODE_OF_FUNCTIONS, ELSEWHERE, known, OPTIONS, now=NOW, scoring=earlier)


def test_a_plan_is_the_same_one_whatever_is_known_of_the_account() -> None:
    detail = holding(inline("iam:DeleteUser", "s3:ListAllMyBuckets"), inline("iam:CreateUser", resource=ANA.arn))
    users = tuple(f"arn:aws:iam::{ACCOUNT}:user/team/{name}" for name in ("ana", "ben", "eva"))
    known = replace(among(privileged=True), inventory=Inventory(ACCOUNT, users, NOW), templates=load_operations())
    plans = [
        derive_plan(detail, ELSEWHERE, knowledge(), OPTIONS, now=NOW, surroundings=surroundings)
        for surroundings in (UNKNOWN, known)
    ]
    first, second = (plan for plan in plans if isinstance(plan, Plan))
    assert first.pci_before != second.pci_before
    assert (first.plan_id, first.policies) == (second.plan_id, second.policies)


def test_a_user_keeps_what_a_resource_policy_grants_without_our_help() -> None:
    detail = holding(inline("iam:GetUser", "iam:DeleteUser"))
    assert planned(detail, used("iam:GetUser", "s3:GetObject"), "iam", "s3").keeps == ("iam:GetUser",)


def test_an_unreadable_policy_is_an_error_and_no_plan() -> None:
    broken = inline("s3:*").model_copy(update={"document": {"Statement": [{"Effect": "Maybe"}]}})
    with pytest.raises(PolicyDocumentError):
        derived(holding(broken), used("s3:GetObject"))


def test_a_deny_stays_as_it_is() -> None:
    deny = {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*", "Condition": {"Bool": {"a": "true"}}}
    policy = inline("s3:*", "iam:*")
    document = {**policy.document, "Statement": [*policy.document["Statement"], deny]}

    detail, usage = holding(policy.model_copy(update={"document": document})), used("s3:ListAllMyBuckets")

    replacing = derived(detail, usage, options=replace(OPTIONS, strategy=Strategy.REPLACE))

    assert isinstance(replacing, Plan)
    assert deny in replacing.policies[0].document["Statement"]


def test_a_boundary_says_nothing_of_denies_that_stay_in_force_beside_it() -> None:
    # given a Deny that leaves no room in a document, beside policies that stay
    deny = {
        "Effect": "Deny",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::bucket-{number:060}" for number in range(70)],
    }
    guard = inline(name="guard").model_copy(update={"document": {"Version": "2012-10-17", "Statement": [deny]}})
    held = inline("s3:*", "iam:*", "ec2:*")
    usage = used("s3:ListAllMyBuckets", "iam:GetUser")

    plan = planned(holding(held, guard), usage)

    assert policy_size(guard.document) > 5_000
    assert plan.policies == planned_policies(plan, holding(held), usage)
    assert {one["Effect"] for one in plan.policies[0].document["Statement"]} == {"Allow"}
    assert not any("services keep" in note for note in plan.notes)


def planned_policies(plan: Plan, detail: IdentityDetail, usage: Usage) -> tuple[PlannedPolicy, ...]:
    """The policies of the plan for another identity, named as those of this one."""
    (other,) = planned(detail, usage).policies
    return (other.model_copy(update={"name": plan.policies[0].name}),)


def test_the_denies_of_our_own_boundary_stay() -> None:
    deny = {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*", "Condition": {"Bool": {"a": "true"}}}
    former = boundary(FORMER, "s3:*", "iam:*")
    document = {**former.document, "Statement": [*former.document["Statement"], deny]}
    detail = holding(inline("s3:*", "iam:*"), boundary=former.model_copy(update={"document": document}))

    plan = planned(detail, used("s3:ListAllMyBuckets"))

    assert deny in plan.policies[0].document["Statement"]


OWN_ALLOWS: dict[str, tuple[dict[str, Any], tuple[str, ...], bool]] = {
    "under a condition": (
        {"Resource": "arn:aws:s3:::b/*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
        ("arn:aws:s3:::b/x",),
        False,
    ),
    "of other resources than may have been used": ({"Resource": "arn:aws:s3:::a/*"}, (), False),
    "of what was used": ({"Resource": "arn:aws:s3:::b/*"}, ("arn:aws:s3:::b/x",), True),
    "of everything": ({"Resource": "*"}, (), True),
}


@pytest.mark.parametrize("case", OWN_ALLOWS)
def test_a_role_is_bounded_only_if_its_own_policies_surely_allowed_its_uses(case: str) -> None:
    fields, resources, is_sure = OWN_ALLOWS[case]
    statements = [
        {"Effect": "Allow", "Action": "s3:GetObject", **fields},
        {"Effect": "Allow", "Action": "iam:DeleteUser", "Resource": "*"},
    ]
    own = inline("x:y").model_copy(update={"document": {"Version": "2012-10-17", "Statement": statements}})
    usage = used("s3:GetObject", data_events=["s3"])
    if resources:
        entries = {key: replace(one, resources=Resources.of(resources)) for key, one in usage.entries.items()}
        usage = replace(usage, entries=entries)

    for ref in (DEPLOYER, ANA):
        found = derived(holding(own, ref=ref), usage, options=replace(OPTIONS, threshold=200.0))
        code = found.code if isinstance(found, Reason) else None
        assert code is (None if is_sure or ref is ANA else ReasonCode.OUTSIDE_GRANTS)


def test_conditions_of_services_without_resource_policies_refuse_nothing() -> None:
    statement = {"Effect": "Allow", "Action": ["ec2:StopInstances", "ec2:StartInstances"], "Resource": "*"}
    tagged = statement | {"Condition": {"StringEquals": {"aws:ResourceTag/team": "a"}}}
    own = inline("x:y").model_copy(update={"document": {"Version": "2012-10-17", "Statement": [tagged]}})

    plan = derived(
        holding(own, ref=DEPLOYER), used("ec2:StopInstances"), "ec2", options=replace(OPTIONS, threshold=200.0)
    )

    assert isinstance(plan, Plan)


def test_a_role_keeps_what_only_its_boundary_explains_any_more() -> None:
    # given a use within our own boundary whose grant was taken off since, so that a resource policy may allow it
    detail = holding(inline("iam:*"), ref=DEPLOYER, boundary=boundary(FORMER, "iam:*", "s3:GetObject"))

    found = derived(detail, used("iam:GetUser", "s3:GetObject"))

    assert isinstance(found, Reason)
    assert found.code is ReasonCode.OUTSIDE_GRANTS


def test_a_plan_names_the_worst_permissions_that_it_removes_first() -> None:
    plan = planned(holding(managed("AdministratorAccess")), used("s3:ListAllMyBuckets"))

    ranks = [list(RiskClass).index(load_risk().risk_of(name.lower())) for name in plan.removes]
    assert ranks == sorted(ranks)
    assert ranks[0] < ranks[-1]


# ---- the keep-set: unknown is not unused


def kept(action: str, usage: Usage, accessed: Mapping[str, datetime | None] | None = None) -> bool:
    tried = {service: LastAccess(at, "us-east-1") if at else LastAccess() for service, at in (accessed or {}).items()}
    known = last_accessed() if accessed is None else report(tried)
    result = keep_set([action], usage, known, load_catalogue(), window=WINDOW)
    assert result.keep <= {action}
    return action in result.keep


TRIED, TRIED_LONG_AGO = {"s3": YESTERDAY}, {"s3": SINCE - timedelta(seconds=1)}
KEEP: tuple[tuple[str, str, Usage, Mapping[str, datetime | None] | None, bool], ...] = (
    ("used", "iam:getuser", used("iam:GetUser"), None, True),
    ("inferred", "iam:passrole", used("iam:PassRole", kind=Kind.INFERRED), None, True),
    ("possible", "iam:getuser", used("iam:GetUser", kind=Kind.POSSIBLE), None, True),
    ("denied", "iam:getuser", used("iam:GetUser", kind=Kind.DENIED), None, False),
    ("long ago", "iam:getuser", used("iam:GetUser", at=SINCE - timedelta(seconds=1)), None, False),
    ("at the edge of the window", "iam:getuser", used("iam:GetUser", at=SINCE), None, True),
    ("unused and the trail would show it", "iam:getuser", used(), {"iam": YESTERDAY}, False),
    ("unused and the trail leaves out reads", "iam:getuser", used(reads=False), {"iam": YESTERDAY}, True),
    ("unused and the trail leaves out reads only", "iam:createuser", used(reads=False), {"iam": YESTERDAY}, False),
    ("unused and no trail was seen", "iam:getuser", used(days=frozenset()), {}, True),
    ("data, no data events, service tried", "s3:getobject", used(), TRIED, True),
    ("data, no data events, service not tried", "s3:getobject", used(), {"s3": None}, False),
    ("data, no data events, tried long ago", "s3:getobject", used(), TRIED_LONG_AGO, False),
    ("data, no data events, tried at the edge of the window", "s3:getobject", used(), {"s3": SINCE}, True),
    ("data, no data events, nothing known", "s3:getobject", used(), {}, True),
    ("data, with data events", "s3:getobject", used(data_events=["s3"]), TRIED, False),
    ("no such action known, service tried", "s3:brandnew", used(), TRIED, True),
    ("no such service known", "newservice:do", used(), {}, True),
)


@pytest.mark.parametrize(("case", "action", "usage", "accessed", "stays"), KEEP, ids=[case[0] for case in KEEP])
def test_an_action_stays_unless_it_surely_was_not_used(
    case: str, action: str, usage: Usage, accessed: Mapping[str, datetime | None] | None, *, stays: bool
) -> None:
    assert kept(action, usage, accessed) is stays


@pytest.mark.parametrize(
    ("ec2", "stays"),
    [
        (LastAccess(YESTERDAY, "eu-west-1"), True),
        (LastAccess(YESTERDAY, "us-east-1"), False),
        (LastAccess(YESTERDAY), False),
        (LastAccess(SINCE - timedelta(seconds=1), "eu-west-1"), False),
        (LastAccess(), False),
    ],
)
def test_what_the_trail_of_another_region_would_show_stays(ec2: LastAccess, *, stays: bool) -> None:
    accessed = {"ec2": ec2, "s3": LastAccess()}
    result = keep_set(
        ["ec2:terminateinstances", "s3:deletebucket"], used(), report(accessed), load_catalogue(), window=WINDOW
    )
    assert result.keep == ({"ec2:terminateinstances"} if stays else set())


@pytest.mark.parametrize(("days_ago", "stays"), [(1, False), (60, True), (100, False)])
def test_a_service_tried_on_a_day_without_a_trail_stays(days_ago: int, *, stays: bool) -> None:
    # given a trail that was seen yesterday only, and IAM's word that EC2 was tried so many days ago
    usage = used(days=frozenset({YESTERDAY.date()}))
    accessed = {"ec2": LastAccess(NOW - timedelta(days=days_ago), "us-east-1")}
    result = keep_set(["ec2:terminateinstances"], usage, report(accessed), load_catalogue(), window=WINDOW)
    assert bool(result.keep) is stays


def test_a_used_action_that_the_catalogue_does_not_know_stays_within_the_old_grant() -> None:
    plan = planned(holding(inline("ec2:*", "iam:*")), used("ec2:DescribeInstances", "ec2:BrandNewOperation"), "ec2")
    text = json.dumps(plan.policies[0].document).lower()
    assert "ec2:brandnewoperation" in text
    assert plan.proofs.hold


def test_one_service_seen_elsewhere_keeps_what_was_tried_of_every_service() -> None:
    here = LastAccess(YESTERDAY, "us-east-1")
    accessed = {"ec2": here, "lambda": LastAccess(YESTERDAY, "eu-west-1"), "s3": LastAccess()}
    granted = ["ec2:terminateinstances", "lambda:deletefunction", "s3:deletebucket"]
    result = keep_set(granted, used(), report(accessed), load_catalogue(), window=WINDOW)
    assert result.keep == {"ec2:terminateinstances", "lambda:deletefunction"}


def test_what_a_used_action_depends_on_stays() -> None:
    catalogue = load_catalogue()
    needing = next(key for key in sorted(catalogue.keys) if (one := catalogue.get(key)) and one.depends_on)
    action = catalogue.get(needing)
    assert action
    needed = min(action.depends_on)

    assert kept(needed, used(action.name), dict.fromkeys(catalogue.services))


def test_nothing_is_kept_that_was_not_granted() -> None:
    result = keep_set(["iam:getuser"], used("s3:ListBucket", "iam:GetUser"), None, load_catalogue(), window=WINDOW)
    assert result.keep == {"iam:getuser"}
    assert result.used == {"s3:listbucket", "iam:getuser"}
    assert "sts:getcalleridentity" in ALWAYS_ALLOWED
