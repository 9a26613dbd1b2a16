"""What `compare` is measured with: pairs of policies, old and new, as people really change them.

Nine named pairs, each with what makes it hard, and many more made from the AWS managed policies by a fixed rule: the
same in every run. Where the construction settles the answer, the pair carries it, and a run counts disagreements.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.managed import Document, Statement, as_list, statements_of

VERSION = "2012-10-17"
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
REGION = {"StringNotEquals": {"aws:RequestedRegion": ["us-east-1"]}}
LIMITED = "arn:aws:*:us-east-1:111122223333:*orders*"
READERS = ("ReadOnlyAccess", "ReadOnly", "_ReadOnlyAccess", "ReadWriteAccess", "_ReadWriteAccess")
EVERY = 40  # each 40th managed policy is changed in every way: about 40 policies, seven pairs each


@dataclass(frozen=True, slots=True)
class Pair:
    """Does `new` grant anything that `old` didn't? `expected` is the verdict where the construction settles it."""

    name: str
    kind: str
    old: Document
    new: Document
    expected: str | None = None


def policy(*statements: Statement) -> Document:
    """A policy document of these statements."""
    return {"Version": VERSION, "Statement": list(statements)}


def allow(actions: Any, resources: Any = "*", condition: Mapping[str, Any] | None = None) -> Statement:
    """One Allow statement."""
    return _statement("Allow", actions, resources, condition)


def deny(actions: Any, resources: Any = "*", condition: Mapping[str, Any] | None = None) -> Statement:
    """One Deny statement."""
    return _statement("Deny", actions, resources, condition)


def _statement(effect: str, actions: Any, resources: Any, condition: Mapping[str, Any] | None) -> Statement:
    bare = {"Effect": effect, "Action": actions, "Resource": resources}
    return bare | ({"Condition": dict(condition)} if condition else {})


def pairs(managed: Mapping[str, Document]) -> list[Pair]:
    """Every pair of a run: named ones first. `managed` is name → document."""
    return [*named(managed), *related(managed), *changed(managed)]


def named(managed: Mapping[str, Document]) -> Iterator[Pair]:
    """Nine pairs that are known to be hard for one reason or another."""
    reader, viewer = managed["ReadOnlyAccess"], managed["ViewOnlyAccess"]
    yield _no("bucket wildcards → five actions on three prefixes", RIGHT_SIZED_BUCKET, WIDE_BUCKET)
    yield _no("ReadOnlyAccess → 60 of its actions", policy(allow(_literals(reader)[:60], SOME_RESOURCES)), reader)
    yield _new("PowerUserAccess → with iam:PassRole", POWER_WITH_PASS_ROLE, managed["PowerUserAccess"])
    yield _new("a Deny on *-secret/* forgotten", ORDERS_READER, policy(allow("s3:*"), SECRETS_DENIED))
    yield _no("17 statements right-sized", _right_sized(*GUARDS), _broad(*GUARDS))
    yield _new("17 statements right-sized, one Deny dropped", _right_sized(GUARDS[1]), _broad(*GUARDS))
    yield _no("AdministratorAccess → ReadOnlyAccess", reader, managed["AdministratorAccess"])
    yield _new("ReadOnlyAccess → ViewOnlyAccess", viewer, reader)
    yield _no("NotAction and NotResource both widened", SPARING_MORE, SPARING_LESS)


def related(managed: Mapping[str, Document]) -> Iterator[Pair]:
    """FullAccess and ReadOnlyAccess (and their kin) of the same service, both ways round."""
    for full in sorted(name for name in managed if name.endswith("FullAccess")):
        stem = full.removesuffix("FullAccess").rstrip("_")
        for reader in (stem + suffix for suffix in READERS if stem + suffix in managed):
            yield Pair(f"{full} → {reader}", "full to read-only", old=managed[full], new=managed[reader])
            yield Pair(f"{reader} → {full}", "read-only to full", old=managed[reader], new=managed[full])


def changed(managed: Mapping[str, Document]) -> Iterator[Pair]:
    """Some managed policies, each narrowed in several ways, and most of those changes undone; no pair of equals."""
    for name in sorted(managed)[::EVERY]:
        document = managed[name]
        for kind, (narrow, undone) in CHANGES.items():
            narrowed = narrow(document)
            if narrowed == document:
                continue
            yield Pair(f"{name}: {kind}", kind, old=document, new=narrowed, expected="no_new_access")
            if undone:
                expected = "new_access" if _is_plain(document) else None
                yield Pair(f"{name}: {undone}", undone, old=narrowed, new=document, expected=expected)


def _no(name: str, new: Document, old: Document) -> Pair:
    return Pair(name, "named", old, new, "no_new_access")


def _new(name: str, new: Document, old: Document) -> Pair:
    return Pair(name, "named", old, new, "new_access")


def _literals(document: Document) -> list[str]:
    actions = (action for statement in statements_of(document) for action in as_list(statement["Action"]))
    return [action for action in actions if "*" not in action]


def _is_plain(document: Document) -> bool:
    """Whether the document surely allows what each Allow says: no Deny, no condition, nothing inverted."""
    return all(
        one["Effect"] == "Allow" and "Action" in one and "Resource" in one and "Condition" not in one
        for one in statements_of(document)
    )


def _every_second_action(document: Document) -> Document:
    return policy(*map(_halved, statements_of(document)))


def _halved(statement: Statement) -> Statement:
    actions = as_list(statement.get("Action", []))
    if statement["Effect"] == "Deny" or not actions[1:]:
        return statement
    return {**statement, "Action": actions[::2]}


def _with_condition(document: Document) -> Document:
    """Each Allow under multi-factor authentication as well."""
    return policy(
        *(
            {**one, "Condition": _both(one.get("Condition", {}))} if one["Effect"] == "Allow" else one
            for one in statements_of(document)
        )
    )


def _both(condition: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {**condition, "Bool": {**condition.get("Bool", {}), **MFA["Bool"]}}


def _with_deny(document: Document) -> Document:
    """A Deny of the first action that the document allows by name."""
    statements = statements_of(document)
    allowed = (as_list(one["Action"])[0] for one in statements if one["Effect"] == "Allow" and "Action" in one)
    return policy(*statements, deny(next(allowed, "*")))


def _with_narrower_resources(document: Document) -> Document:
    return policy(
        *(
            {**one, "Resource": LIMITED} if one["Effect"] == "Allow" and one.get("Resource") in ("*", ["*"]) else one
            for one in statements_of(document)
        )
    )


# What narrows a policy, and what undoing it is called (None: undoing it is no other change).
CHANGES = {
    "every second action": (_every_second_action, None),
    "condition added": (_with_condition, "condition dropped"),
    "deny added": (_with_deny, "deny dropped"),
    "resources narrowed": (_with_narrower_resources, "resources widened"),
}

RIGHT_SIZED_BUCKET = policy(
    allow(
        ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
        ["arn:aws:s3:::orders-prod/raw/*", "arn:aws:s3:::orders-prod/out/2025-??/*"],
    ),
    allow(["s3:ListBucket", "s3:GetBucketLocation"], "arn:aws:s3:::orders-prod"),
)
WIDE_BUCKET = policy(allow("s3:*", ["arn:aws:s3:::orders-*", "arn:aws:s3:::orders-*/*"]))
SOME_RESOURCES = ["arn:aws:s3:::x/*", "arn:aws:ec2:us-east-1:111122223333:instance/*"]
POWER_WITH_PASS_ROLE = policy(
    allow(["ec2:*", "s3:*", "lambda:*"]),
    allow("iam:PassRole", "arn:aws:iam::111122223333:role/app-*"),
)
ORDERS_READER = policy(
    allow(["s3:GetObject", "s3:ListBucket"], ["arn:aws:s3:::orders-*/data/*", "arn:aws:s3:::orders-*"])
)
SECRETS_DENIED = deny("s3:Get*", "arn:aws:s3:::*-secret/*")
SPARING_MORE = policy(
    {
        "Effect": "Allow",
        "NotAction": ["iam:*", "organizations:*", "kms:*"],
        "NotResource": ["arn:aws:s3:::*-prod", "arn:aws:s3:::*-prod/*"],
    }
)
SPARING_LESS = policy(
    {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*"], "NotResource": ["arn:aws:s3:::pay*-prod/*"]}
)
GUARDS = (
    deny("*", "arn:aws:*:*:*:*-secret*"),
    {"Effect": "Deny", "NotAction": ["iam:*", "sts:*"], "Resource": "*", "Condition": REGION},
)
TEAMS = ("orders", "billing", "search")
BROAD_SERVICES = ("dynamodb", "sqs", "sns", "lambda", "logs")
NARROW_ACTIONS = ("dynamodb:GetItem", "sqs:Send*", "sns:Publish", "lambda:Invoke*", "logs:Put*")


def _broad(*guards: Statement) -> Document:
    """Fifteen statements, one a service and team, each fourth under multi-factor authentication, and the guards."""
    allows = (
        allow(
            f"{service}:*",
            [f"arn:aws:{service}:*:111122223333:{team}-*", f"arn:aws:{service}:*:111122223333:*/{team}-*"],
            MFA if place % 4 == 0 else None,
        )
        for place, (service, team) in enumerate(itertools.product(BROAD_SERVICES, TEAMS))
    )
    return policy(*allows, *guards)


def _right_sized(*guards: Statement) -> Document:
    """The same with one action a service, and three names a team."""
    allows = (
        allow(
            action,
            [
                f"arn:aws:{action.partition(':')[0]}:us-east-1:111122223333:{team}-{name}-*"
                for name in ("events", "audit", "a?")
            ],
            MFA if place % 4 == 0 else None,
        )
        for place, (action, team) in enumerate(itertools.product(NARROW_ACTIONS, TEAMS))
    )
    return policy(*allows, *guards)
