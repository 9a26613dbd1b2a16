"""Reach by inventory: the share that can be redone by hand, and the laws that it keeps."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from shared.iam.grants import Grant, effective_grants
from shared.iam.patterns import globs
from shared.iam.scopes import Scope, might_reach, surely_reaches
from shared.knowledge import load_catalogue
from shared.model.identity import IdentityDetail, Policy
from shared.model.inventory import Inventory
from shared.model.sources import PolicyKind, PolicySource
from shared.pci.reach.account_reach import AccountReach, account_reach
from shared.pci.reach.reaches import Reaches
from shared.reference import load_operations
from tests.builders import ACCOUNT, ANA, NOW, OTHER_ACCOUNT

Document = dict[str, Any]

BUCKETS = ("arn:aws:s3:::logs", "arn:aws:s3:::logs-old", "arn:aws:s3:::data", "arn:aws:s3:::photos")
TABLES = tuple(f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/{name}" for name in ("orders", "people", "logs"))
QUEUES = tuple(f"arn:aws:sqs:{region}:{ACCOUNT}:jobs" for region in ("eu-west-1", "us-east-1"))
ROLES = tuple(f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("app/web", "app/jobs", "admin"))
GROUPS = tuple(f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/app/{name}" for name in ("web", "jobs"))
FUNCTIONS = tuple(f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{name}" for name in ("web", "jobs"))
INVENTORY = Inventory(ACCOUNT, (*BUCKETS, *TABLES, *QUEUES, *ROLES, *GROUPS, *FUNCTIONS), NOW)

# What the actions are about: the resources themselves, or what would follow on them and a sign.
ABOUT: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "s3:listbucket": (BUCKETS, ("",)),
    "s3:getobject": (BUCKETS, ("/",)),
    "dynamodb:putitem": (TABLES, ("",)),
    "dynamodb:query": (TABLES, ("", "/")),
    "sqs:sendmessage": (QUEUES, ("",)),
    "iam:passrole": (ROLES, ("",)),
    "logs:putlogevents": (GROUPS, (":",)),
    "lambda:invokefunction": (FUNCTIONS, ("", ":")),
}
UNMEASURED = ("s3:listallmybuckets", "kms:decrypt", "secretsmanager:getsecretvalue", "new:thing")


def reaches(inventory: Inventory | None = INVENTORY) -> Reaches:
    return Reaches(load_catalogue(), inventory, load_operations())


def allow(actions: str | list[str], resources: str | list[str] = "*", **others: Any) -> Document:
    return {"Effect": "Allow", "Action": actions, "Resource": resources} | others


def deny(actions: str | list[str], resources: str | list[str] = "*", **others: Any) -> Document:
    return allow(actions, resources, **others) | {"Effect": "Deny"}


def identity(statements: Sequence[Document], boundary: Sequence[Document] | None = None) -> IdentityDetail:
    def policy(name: str, listed: Sequence[Document]) -> Policy:
        document = {"Version": "2012-10-17", "Statement": list(listed)}
        return Policy(source=PolicySource(PolicyKind.INLINE, name), document=document)

    return IdentityDetail(
        ref=ANA,
        created_at=NOW,
        read_at=NOW,
        policies=(policy("own", statements),),
        boundary=None if boundary is None else policy("boundary", boundary),
    )


def by_action(detail: IdentityDetail, measured: Reaches) -> dict[str, tuple[float, bool]]:
    """Reach of every granted action, and whether by pattern."""
    catalogue = load_catalogue()
    return {
        key: (reach, by_pattern)
        for part in effective_grants(detail, catalogue).classes
        for actions, reach, by_pattern in measured.parts(part.actions, part.grants)
        for key in actions.keys(catalogue)
    }


def reach_of(action: str, *statements: Document, boundary: Sequence[Document] | None = None) -> tuple[float, bool]:
    return by_action(identity(statements, boundary), reaches())[action]


IF_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


@pytest.mark.parametrize(
    ("action", "statements", "expected"),
    [
        ("s3:listbucket", [allow("s3:ListBucket")], 1.0),
        ("s3:listbucket", [allow("s3:*", "arn:aws:s3:::*")], 1.0),
        ("s3:listbucket", [allow("s3:ListBucket", "arn:aws:s3:::logs*")], 2 / 4),
        ("s3:listbucket", [allow("s3:ListBucket", ["arn:aws:s3:::logs", "arn:aws:s3:::data"])], 2 / 4),
        ("s3:listbucket", [allow("s3:ListBucket", NotResource="arn:aws:s3:::logs*", Resource=[])], 2 / 4),
        # objects count by the bucket that they would be in
        ("s3:getobject", [allow("s3:GetObject", "arn:aws:s3:::logs/*")], 1 / 4),
        ("s3:getobject", [allow("s3:GetObject", "arn:aws:s3:::logs/2026/report.csv")], 1 / 4),
        ("s3:getobject", [allow("s3:GetObject", "arn:aws:s3:::logs*")], 2 / 4),
        ("s3:getobject", [allow("s3:GetObject", "arn:aws:s3:::logs*/private/*")], 2 / 4),
        ("s3:getobject", [allow("s3:GetObject", "arn:aws:s3:::logs")], 0.02),  # no object is called that
        ("s3:getobject", [allow("s3:GetObject"), deny("s3:GetObject", "arn:aws:s3:::data/*")], 3 / 4),
        ("s3:getobject", [allow("s3:GetObject"), deny("s3:GetObject", "arn:aws:s3:::data/private/*")], 1.0),
        ("s3:getobject", [allow("s3:GetObject"), deny("s3:GetObject", "arn:aws:s3:::data/*", Condition=IF_MFA)], 1.0),
        # a log group by either of its names
        ("logs:putlogevents", [allow("logs:*", f"{GROUPS[0]}:*")], 1 / 2),
        ("logs:putretentionpolicy", [allow("logs:*", f"{GROUPS[0]}:*")], 1 / 2),
        ("logs:putretentionpolicy", [allow("logs:*", GROUPS[0])], 1 / 2),
        # a function by its own name, or with a version or alias
        ("lambda:invokefunction", [allow("lambda:InvokeFunction", f"{FUNCTIONS[0]}:*")], 1 / 2),
        ("lambda:invokefunction", [allow("lambda:InvokeFunction", f"{FUNCTIONS[0]}:live")], 1 / 2),
        ("lambda:invokefunction", [allow("lambda:InvokeFunction", FUNCTIONS[0])], 1 / 2),
        # a `*` for a partition, region or account stands for no more than that
        ("s3:getobject", [allow("s3:GetObject", "arn:*:s3:::logs/*")], 1 / 4),
        ("s3:getobject", [allow("s3:GetObject"), deny("*", NotResource="arn:*:s3:::logs/*", Resource=[])], 1 / 4),
        ("dynamodb:query", [allow("dynamodb:Query", f"arn:aws:dynamodb:*:{ACCOUNT}:table/logs")], 1 / 3),
        ("dynamodb:query", [allow("dynamodb:Query", TABLES[2])], 1 / 3),
        ("logs:putlogevents", [allow("logs:*", "arn:aws:logs:*:*:log-group:/app/web:*")], 1 / 2),
        # conditions count half, but only where nothing else grants the same
        ("sqs:sendmessage", [allow("sqs:*", Condition=IF_MFA)], 1 / 2),
        ("sqs:sendmessage", [allow("sqs:*", Condition=IF_MFA), allow("sqs:SendMessage", QUEUES[0])], 3 / 4),
        ("sqs:sendmessage", [allow("sqs:*", QUEUES[0], Condition=IF_MFA), allow("sqs:SendMessage", QUEUES[0])], 1 / 2),
        # variables could be anything, and never surely something
        ("dynamodb:putitem", [allow("dynamodb:*", "arn:aws:dynamodb:*:*:table/${aws:username}")], 1.0),
        ("dynamodb:putitem", [allow("dynamodb:*"), deny("dynamodb:*", "arn:*:table/${aws:username}")], 1.0),
        ("dynamodb:putitem", [allow("dynamodb:*"), deny("dynamodb:PutItem", TABLES[0])], 2 / 3),
        ("dynamodb:getitem", [allow("dynamodb:*"), deny("dynamodb:PutItem", TABLES[0])], 1.0),
        # what doesn't exist yet is not harmless: as much as one resource, or as the pattern where that is less
        ("dynamodb:putitem", [allow("dynamodb:*", "arn:aws:dynamodb:*:*:table/none*")], 0.02),
        ("dynamodb:putitem", [allow("dynamodb:*", f"{TABLES[0]}-new", Condition=IF_MFA)], 0.01),
        # wildcards range over any characters, as everywhere in the engine
        ("iam:passrole", [allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/app/*")], 2 / 3),
        ("iam:passrole", [allow("iam:PassRole", "arn:aws:iam::*:role/a*")], 1.0),
    ],
)
def test_a_share_can_be_redone_by_hand(action: str, statements: list[Document], expected: float) -> None:
    cleaned = [{name: value for name, value in one.items() if value != []} for one in statements]
    reach, by_pattern = reach_of(action, *cleaned)
    assert reach == pytest.approx(expected)
    assert not by_pattern


def test_what_lies_outside_of_the_boundary_is_not_reached() -> None:
    wide, narrow = allow("s3:*", "arn:aws:s3:::*s*"), allow("*", ["arn:aws:s3:::l*", "arn:aws:s3:::p*"])
    assert reach_of("s3:listbucket", wide, boundary=[narrow])[0] == pytest.approx(3 / 4)


@pytest.mark.parametrize("action", UNMEASURED)
def test_what_the_inventory_says_nothing_about_is_by_pattern(action: str) -> None:
    assert reach_of(action, allow([action, "s3:*"])) == (1.0, True)
    assert reach_of(action, allow([action, "s3:*"], "arn:aws:kms:*:*:key/*")) == (0.3, True)


def test_everything_is_by_pattern_without_an_inventory_or_knowledge_of_types() -> None:
    detail = identity([allow("s3:*", "arn:aws:s3:::logs*")])
    for blind in (reaches(None), Reaches(load_catalogue(), INVENTORY), reaches(Inventory(ACCOUNT, (), NOW))):
        assert set(by_action(detail, blind).values()) == {(0.3, True)}


def test_resources_are_counted_once_and_by_the_actions_types() -> None:
    def count(*statements: Document) -> int | None:
        parts = effective_grants(identity(statements), load_catalogue()).classes
        return reaches().resources((part.actions, part.grants) for part in parts)

    assert count(allow("s3:GetObject"), allow("s3:ListBucket", "arn:aws:s3:::logs")) == len(BUCKETS)
    assert count(allow(["s3:GetObject", "sqs:SendMessage"])) == len(BUCKETS) + len(QUEUES)
    assert count(allow("*")) == len(INVENTORY.arns)
    assert count(allow("s3:*"), deny("s3:*", ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"])) == len(BUCKETS) - 1
    assert count(allow("kms:Decrypt")) == 0
    assert reaches(None).resources([]) is None


def test_resources_of_other_accounts_and_of_aws_are_left_out() -> None:
    mixed = (
        f"arn:aws:sqs:eu-west-1:{OTHER_ACCOUNT}:jobs",
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
        *BUCKETS,
        *BUCKETS,
    )
    assert Inventory(ACCOUNT, mixed, NOW).arns == tuple(sorted(BUCKETS))


def test_a_resource_of_no_known_type_counts_for_nothing() -> None:
    odd = f"arn:aws:nosuchservice:eu-west-1:{ACCOUNT}:thing/1"
    detail = identity([allow("*", "arn:aws:s3:::logs")])
    assert by_action(detail, reaches(Inventory(ACCOUNT, (*INVENTORY.arns, odd), NOW))) == by_action(detail, reaches())


def test_an_index_is_built_once_for_an_inventory() -> None:
    def index(read_at: datetime) -> AccountReach:
        return account_reach(Inventory(ACCOUNT, INVENTORY.arns, read_at), load_catalogue(), load_operations())

    assert index(NOW) is index(NOW)
    assert index(NOW) is not index(NOW + timedelta(days=1))


PATTERNS = st.sampled_from(
    [
        "*",
        "arn:aws:s3:::*",
        "arn:aws:s3:::logs*",
        "arn:aws:s3:::logs",
        "arn:aws:s3:::logs/*",
        "arn:aws:s3:::l*/a",
        "arn:aws:s3:::${aws:username}/*",
        "arn:aws:sqs:*:*:jobs",
        *QUEUES,
        "arn:*:table/*s",
        TABLES[0],
        "arn:aws:dynamodb:*",
        "arn:aws:iam::*:role/app/*",
        ROLES[2],
        "arn:aws:logs:*:*:log-group:/app/w*:*",
        "arn:aws:logs:*:*:log-group:/app/jobs:*",
        GROUPS[0],
        "arn:*:s3:::logs/*",
        f"arn:aws:dynamodb:*:{ACCOUNT}:table/orders",
        f"arn:aws:dynamodb:*:{ACCOUNT}:table/*/index/?*",
        f"{FUNCTIONS[0]}:*",
        "arn:aws:lambda:*:*:function:*",
    ]
)
SCOPES = st.lists(PATTERNS, min_size=1, max_size=3)
ACTIONS = st.lists(
    st.sampled_from([*ABOUT, *UNMEASURED, "s3:*", "dynamodb:*", "*"]), min_size=1, max_size=3, unique=True
)


@st.composite
def statements(draw: st.DrawFn, effect: str = "Allow") -> Document:
    statement: Document = {"Effect": effect, "Action": draw(ACTIONS)}
    statement[draw(st.sampled_from(["Resource", "Resource", "NotResource"]))] = draw(SCOPES)
    return statement | ({"Condition": IF_MFA} if draw(st.booleans()) else {})


ALLOWS = st.lists(statements(), min_size=1, max_size=3)
DENIES = st.lists(statements("Deny"), max_size=2)
BOUNDARIES = st.none() | st.lists(statements(), min_size=1, max_size=2)
LAW = settings(deadline=None, max_examples=60)


def never_lower(less: Mapping[str, tuple[float, bool]], more: Mapping[str, tuple[float, bool]]) -> None:
    for action, (reach, by_pattern) in less.items():
        assert action in more, action
        assert more[action][0] >= reach, action
        assert more[action][1] == by_pattern, action


@LAW
@given(ALLOWS, DENIES, BOUNDARIES)
def test_every_reach_is_what_one_by_one_gives(
    allows: list[Document], denies: list[Document], boundary: list[Document] | None
) -> None:
    detail = identity([*allows, *denies], boundary)
    grants, found = effective_grants(detail, load_catalogue()).by_action, by_action(detail, reaches())
    assert found.keys() == grants.keys()
    assert all(0 <= reach <= 1 for reach, _ in found.values())
    for action in grants.keys() & ABOUT.keys():
        share = _share(action, grants[action], denies)
        by_pattern = by_action(detail, reaches(None))[action][0]
        assert found[action][0] == pytest.approx(max(share, min(0.02, by_pattern))), action
        assert not found[action][1], action


@LAW
@given(ALLOWS, DENIES, BOUNDARIES, statements())
def test_one_more_grant_never_lowers_a_reach(
    allows: list[Document], denies: list[Document], boundary: list[Document] | None, another: Document
) -> None:
    less, more = (identity([*some, *denies], boundary) for some in (allows, [*allows, another]))
    never_lower(by_action(less, reaches()), by_action(more, reaches()))


@LAW
@given(ALLOWS, DENIES, PATTERNS, PATTERNS)
def test_a_wider_pattern_never_lowers_a_reach(
    allows: list[Document], denies: list[Document], one: str, other: str
) -> None:
    narrow, wide = (one, other) if globs.covers(other, one) else (other, one)
    if globs.covers(wide, narrow):
        less, more = (identity([*allows, allow("*", pattern), *denies]) for pattern in (narrow, wide))
        never_lower(by_action(less, reaches()), by_action(more, reaches()))


@LAW
@given(ALLOWS, DENIES, BOUNDARIES, statements("Deny"))
def test_a_deny_never_raises_a_reach(
    allows: list[Document], denies: list[Document], boundary: list[Document] | None, another: Document
) -> None:
    more, less = (identity([*allows, *some], boundary) for some in (denies, [*denies, another]))
    never_lower(by_action(less, reaches()), by_action(more, reaches()))


@LAW
@given(ALLOWS, DENIES, BOUNDARIES)
def test_a_boundary_never_raises_a_reach(
    allows: list[Document], denies: list[Document], boundary: list[Document] | None
) -> None:
    less, more = identity([*allows, *denies], boundary), identity([*allows, *denies])
    never_lower(by_action(less, reaches()), by_action(more, reaches()))


@LAW
@given(ALLOWS, DENIES, st.randoms(use_true_random=False))
def test_how_statements_are_written_makes_no_difference(
    allows: list[Document], denies: list[Document], rnd: Any
) -> None:
    written = [*allows, *denies]
    split = list(_split(written))
    rnd.shuffle(split)
    assert by_action(identity(split), reaches()) == by_action(identity(written), reaches())


def _split(written: Sequence[Document]) -> Iterator[Document]:
    """Each action and, but for NotResource, each pattern in a statement of its own."""
    for statement in written:
        for action in statement["Action"]:
            for pattern in statement.get("Resource", [None]):
                yield statement | {"Action": action} | ({"Resource": pattern} if pattern else {})


def _share(action: str, grants: Sequence[Grant], denies: Sequence[Document]) -> float:
    """The rule of shared/pci/reach/reaches.py for one action, resource by resource."""
    listed, signs = ABOUT[action]
    certain = [
        Scope(tuple(one.get("Resource", ())), tuple(one.get("NotResource", ())))
        for one in denies
        if "Condition" not in one and any(globs.matches(pattern, action) for pattern in one["Action"])
    ]
    return sum(max(_count(resource, sign, grants, certain) for sign in signs) for resource in listed) / len(listed)


def _count(resource: str, sign: str, grants: Sequence[Grant], denies: Sequence[Scope]) -> float:
    """What a resource counts: 1, half under conditions alone, or nothing."""
    if any(_surely(scope, resource, sign) for scope in denies):
        return 0.0
    covering = [
        grant.conditional
        for grant in grants
        if all(_might(scope, resource, sign) for scope in (Scope(grant.resources, grant.not_resources), *grant.within))
    ]
    return (0.5 if all(covering) else 1.0) if covering else 0.0


def _might(scope: Scope, resource: str, sign: str) -> bool:
    if not sign:
        return might_reach(scope, resource)
    if scope.resources:
        return any(_might_enter(pattern, resource, sign) for pattern in scope.resources)
    return not any(globs.covers(out, f"{resource}{sign}*") for out in scope.not_resources)


def _surely(scope: Scope, resource: str, sign: str) -> bool:
    if not sign:
        return surely_reaches(scope, resource)
    if scope.resources:
        return any(globs.covers(pattern, f"{resource}{sign}*") for pattern in scope.resources)
    return not any(_might_enter(out, resource, sign) for out in scope.not_resources)


def _might_enter(pattern: str, resource: str, sign: str) -> bool:
    """Segment by segment, where a pattern has the segments of an ARN; the last one could go on."""
    *head, name = resource.split(":", 5)
    *patterns, last = pattern.split(":", 5)
    if len(patterns) < len(head):
        return globs.overlaps(pattern, f"{resource}{sign}?*")
    inside = globs.overlaps(last, f"{name}{sign}?*")
    return inside and all(map(globs.might_match, patterns, head))
