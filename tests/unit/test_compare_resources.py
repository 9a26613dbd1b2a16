"""Policies of resources are compared for every kind of caller: held to `evaluate` for many callers and circumstances.

`COMPARE_PAIRS` and `COMPARE_FIRST` are read as in test_compare.py; one in 25 of as many pairs is tried here.
"""

import itertools
import os
import random
from typing import Any

import pytest

from shared.iam.compare import compare
from shared.iam.evaluate import Outcome, Policies, compile_policies
from shared.iam.policy import parse_document
from shared.iam.request import Request
from shared.model.proof import ProofVerdict
from tests.unit.compare_cases import NEW, NO_NEW, TLS, UNPROVEN, Body
from tests.unit.iam_oracle import SMALL

PAIRS = int(os.environ.get("COMPARE_PAIRS", "5000")) // 25
FIRST = int(os.environ.get("COMPARE_FIRST", "0"))
BLOCKS = 10

ONE, TWO = "111122223333", "444455556666"
ENTRIES = (
    ("AWS", "*"),
    ("AWS", ONE),
    ("AWS", f"arn:aws:iam::{TWO}:root"),
    ("AWS", f"arn:aws:iam::{ONE}:user/al"),
    ("AWS", f"arn:aws:iam::{ONE}:role/p/r"),
    ("AWS", f"arn:aws:sts::{ONE}:assumed-role/r/s"),
    ("AWS", f"arn:aws:sts::{ONE}:federated-user/al"),
    ("AWS", f"arn:aws:iam::{TWO}:role/r"),
    ("AWS", "AIDAEXAMPLE"),
    ("Service", "ec2.amazonaws.com"),
    ("Federated", "accounts.google.com"),
)
CALLERS = (
    "*",
    f"arn:aws:iam::{ONE}:root",
    f"arn:aws:iam::{ONE}:user/al",
    f"arn:aws:iam::{ONE}:user/bo",
    f"arn:aws:iam::{ONE}:role/p/r",
    f"arn:aws:sts::{ONE}:assumed-role/r/s",
    f"arn:aws:sts::{ONE}:assumed-role/r/t",
    f"arn:aws:sts::{ONE}:assumed-role/q/s",
    f"arn:aws:sts::{ONE}:federated-user/al",
    f"arn:aws:sts::{ONE}:federated-user/bo",
    f"arn:aws:iam::{TWO}:user/al",
    f"arn:aws:sts::{TWO}:assumed-role/r/s",
    f"arn:aws:iam::{TWO}:root",
    "arn:aws:iam::999900002222:user/x",
    "ec2.amazonaws.com",
    "s3.amazonaws.com",
    "accounts.google.com",
)
EVERYTHING = parse_document({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
BESIDE: tuple[Body, ...] = (
    {},
    {"identity": (EVERYTHING,)},
    {"identity": (EVERYTHING,), "boundaries": (EVERYTHING,)},
    {"identity": (EVERYTHING,), "boundaries": ()},
    {"boundaries": ()},
)
ASKED = tuple(
    Request(caller, action, resource, account, context)
    for caller, (action, resource), account, context in itertools.product(
        CALLERS,
        (
            ("s3:GetObject", "arn:aws:s3:::a"),
            ("s3:PutObject", "arn:aws:s3:::b"),
            ("sts:AssumeRole", f"arn:aws:iam::{ONE}:role/x"),
            ("kms:Decrypt", f"arn:aws:kms:eu-west-1:{ONE}:key/k"),
        ),
        (None, ONE, TWO),
        ({}, {"aws:securetransport": ("true",)}),
    )
)


def resource_statement(chance: random.Random) -> Body:
    who: dict[str, list[str]] = {}
    for kind, value in chance.sample(ENTRIES, chance.choice((1, 1, 2))):
        who.setdefault(kind, []).append(value)
    condition = chance.choice(
        (None, None, None, {"Bool": {TLS: "true"}}, {"StringEquals": {"aws:PrincipalAccount": ONE}})
    )
    place = chance.choice(("*", "arn:aws:s3:::a", f"arn:aws:*:*:{ONE}:*", None))
    return {
        "Effect": chance.choice(("Allow", "Allow", "Deny")),
        chance.choice(("Principal", "Principal", "Principal", "NotPrincipal")): who,
        "Action": chance.choice(("*", "s3:*", "s3:GetObject", "sts:AssumeRole", "kms:*")),
        **({"Resource": place} if place else {}),
        **({"Condition": condition} if condition else {}),
    }


def resource_pair(seed: int) -> tuple[Body, Body]:
    chance = random.Random(seed)  # noqa: S311 the same pairs every time
    old = [resource_statement(chance) for _ in range(chance.randint(1, 3))]
    new = [dict(one) for one in old] if chance.random() < 0.6 else []
    if not new or chance.random() < 0.6:
        new.append(resource_statement(chance))
    return {"Version": "2012-10-17", "Statement": old}, {"Version": "2012-10-17", "Statement": new}


def newly_granted(old: Body, new: Body) -> Request | None:
    """A request that the new policy lets pass, not the old one, and not the callers' own policies by themselves."""
    sides = [parse_document(body) for body in (new, old)]
    for beside in BESIDE:
        after, before, without = (compile_policies(Policies(resource=side, **beside)) for side in (*sides, ()))
        for request in ASKED:
            if after.evaluate(request).outcome is Outcome.ALLOW and not any(
                one.evaluate(request).outcome is Outcome.ALLOW for one in (before, without)
            ):
                return request
    return None


@pytest.mark.parametrize("block", range(BLOCKS))
def test_policies_of_resources_are_compared_for_every_kind_of_caller(block: int) -> None:
    for seed in range(FIRST + block * PAIRS // BLOCKS, FIRST + (block + 1) * PAIRS // BLOCKS):
        old, new = resource_pair(seed)
        comparison = compare([old], [new], SMALL)
        found = newly_granted(old, new)

        assert found is None or comparison.verdict is not NO_NEW, (seed, found)
        if all("Resource" in one for one in (*old["Statement"], *new["Statement"])):  # else void for keys: left open
            assert found is None or comparison.verdict is NEW, (seed, found)
        assert (comparison.counterexample is not None) == (comparison.verdict is NEW)
        assert compare([old], [old], SMALL).verdict is not NEW


def trust(principal: Any, **more: Any) -> Body:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}],
    }


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (trust("*"), trust({"AWS": ONE}), NO_NEW),
        (trust({"AWS": ONE}), trust("*"), NEW),
        (trust({"AWS": ONE}), trust({"AWS": f"arn:aws:iam::{ONE}:root"}), NO_NEW),
        (trust({"AWS": ONE}), trust({"AWS": TWO}), NEW),
        (trust({"AWS": ONE}), trust({"AWS": f"arn:aws:iam::{ONE}:user/al"}), NEW),
        (trust({"AWS": f"arn:aws:iam::{ONE}:user/al"}), trust({"AWS": f"arn:aws:iam::{ONE}:user/bo"}), NEW),
        (trust({"AWS": f"arn:aws:iam::{ONE}:role/r"}), trust({"AWS": f"arn:aws:sts::{ONE}:assumed-role/r/s"}), NEW),
        (trust({"Service": "ec2.amazonaws.com"}), trust({"Service": "lambda.amazonaws.com"}), NEW),
        (
            trust({"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}),
            trust({"Service": "lambda.amazonaws.com"}),
            NO_NEW,
        ),
        (
            trust({"AWS": TWO}, Condition={"StringEquals": {"sts:ExternalId": "x"}}),
            trust({"AWS": TWO}, Condition={"StringLike": {"sts:ExternalId": "*"}}),
            NEW,
        ),
    ],
)
def test_trust_policies(old: Body, new: Body, verdict: ProofVerdict) -> None:
    comparison = compare([old], [new], SMALL)

    assert comparison.verdict is verdict, comparison.reason
    example = comparison.counterexample
    assert (example is not None and example.principal is not None) is (verdict is NEW)


CANONICAL = {"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}
EXAMPLES = [
    f"arn:aws:{form}/leastwise-example"
    for form in (
        f"iam::{ONE}:user",
        f"iam::{ONE}:role",
        f"sts::{ONE}:assumed-role/leastwise-example",
        f"sts::{ONE}:federated-user",
    )
]
DENIED = {"Effect": "Deny", "Principal": {"AWS": ONE}, "Action": "s3:*", "Resource": "*"}


def bucket(*statements: Body) -> Body:
    base = {"Effect": "Allow", "Principal": {"AWS": ONE}, "Action": "s3:*", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [base | one for one in statements]}


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (bucket({}), bucket({}, {"Principal": CANONICAL}), UNPROVEN),
        (bucket({}, {"Principal": CANONICAL}), bucket({}), NO_NEW),
        (bucket({}), bucket({}, {"Principal": {"AWS": "arn:aws:iam::cloudfront:user/CloudFront OAI E1"}}), UNPROVEN),
        (
            bucket({"Principal": CANONICAL, "Action": "s3:GetObject"}),
            bucket({"Principal": CANONICAL, "Action": "s3:*"}),
            UNPROVEN,
        ),
        (bucket({"Principal": CANONICAL}, DENIED), bucket({"Principal": CANONICAL}), UNPROVEN),
        (bucket({"Principal": CANONICAL}, DENIED), bucket({"Principal": CANONICAL}, DENIED), NO_NEW),
        (bucket({"Principal": {"AWS": [*EXAMPLES, f"arn:aws:iam::{ONE}:root"]}}), bucket({}), NO_NEW),
        (bucket({"Principal": {"AWS": EXAMPLES}}), bucket({}), NEW),
        (bucket({"Principal": {"Service": "leastwise-example.amazonaws.com"}}), bucket({"Principal": "*"}), NEW),
    ],
)
def test_principals_who_are_no_callers_or_bear_the_name_of_an_example(
    old: Body, new: Body, verdict: ProofVerdict
) -> None:
    comparison = compare([old], [new], SMALL)

    assert comparison.verdict is verdict, comparison.reason


def test_a_deny_that_is_gone_is_told_of() -> None:
    reason = compare(
        [bucket({}, {"Effect": "Deny", "Action": "s3:PutObject"})], [bucket({"Action": "s3:GetObject"})], SMALL
    ).reason

    assert "a deny is gone" in reason
