"""Pairs of policies for the comparison, with the verdict that each must get."""

import itertools
import json
import random
from collections.abc import Mapping
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data

from shared.knowledge import load_catalogue
from shared.model.proof import ProofVerdict
from tests.unit.iam_oracle import CONDITIONS, document

NO_NEW, NEW, UNPROVEN = ProofVerdict.NO_NEW_ACCESS, ProofVerdict.NEW_ACCESS, ProofVerdict.NOT_PROVEN
MFA, REGION = CONDITIONS
Body = dict[str, Any]


def when(operator: str, key: str, *values: Any) -> Body:
    return {"Action": "s3:*", "Condition": {operator: {key: list(values)}}}


def at(*patterns: str, **more: Any) -> Body:
    return {"Action": "s3:*", "Resource": list(patterns), **more}


S3 = {"Action": "s3:*"}
IP, TAG, KEYS, TLS = "aws:SourceIp", "aws:PrincipalTag/team", "aws:TagKeys", "aws:SecureTransport"

CASES: dict[str, tuple[list[Body], list[Body], ProofVerdict]] = {
    "more until a moment with fractions": (
        [{"Action": "s3:GetObject"}],
        [when("DateLessThan", "aws:CurrentTime", "2030-01-01T00:00:00.000Z") | {"Action": "*"}],
        NEW,
    ),
    "a revocation of sessions that is gone": (
        [S3, when("DateLessThan", "aws:TokenIssueTime", "2024-05-07T23:47:00.000Z") | {"Effect": "Deny"}],
        [S3],
        NEW,
    ),
    "several values of which one may be missing": (
        [{"Action": "s3:GetObject"}],
        [
            {
                "Action": "*",
                "Condition": {
                    "ForAnyValue:StringEquals": {"aws:TagKeys": "a"},
                    "ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": "b"},
                },
            }
        ],
        NEW,
    ),
    "the same with a key of a service": (
        [{"Action": "s3:GetObject"}],
        [
            {
                "Action": "s3:*",
                "Condition": {"StringEquals": {"s3:k": "a"}, "StringEqualsIfExists": {"s3:k": "b"}},
            }
        ],
        NEW,
    ),
    "letters that fold in more than one way": (
        [S3, when("StringNotEqualsIgnoreCase", "s3:k", "\u00df") | {"Effect": "Deny"}],
        [when("StringLike", "s3:k", "\u1e9e")],
        UNPROVEN,
    ),
    "an action without a name": ([S3], [{"Action": "b0"}], UNPROVEN),
    "a user who is known by name": (
        [when("StringEquals", "aws:username", "al")],
        [when("StringEqualsIfExists", "aws:username", "al")],
        NEW,
    ),
    "a question mark for the rest of an unknown name": ([{"NotAction": "s3:Get?"}], [{"Action": "s3:Getx"}], NEW),
    "a deny of one more unknown letter": (
        [S3, {"Effect": "Deny", "Action": "s3:GetNew?"}],
        [{"Action": "s3:GetNew2"}],
        NEW,
    ),
    "a deny of all but what one more letter makes": (
        [{"Action": "s3:GetObject"}],
        [{"Action": "s3:GetBar2"}, {"Effect": "Deny", "NotAction": ["s3:GetObject", "s3:GetBar?"]}],
        NEW,
    ),
    "fewer actions": ([S3], [{"Action": "s3:Get*"}], NO_NEW),
    "more actions": ([{"Action": "s3:Get*"}], [S3], NEW),
    "case of actions": ([{"Action": "s3:GetObject"}], [{"Action": "S3:getobject"}], NO_NEW),
    "everything instead of a prefix": ([at("arn:aws:s3:::a/*")], [{"Action": "s3:GetObject"}], NEW),
    "a prefix": ([at("arn:aws:s3:::a*")], [at("arn:aws:s3:::a/*")], NO_NEW),
    "all but": ([{"NotAction": "iam:*"}], [S3], NO_NEW),
    "outside all but": ([{"NotAction": "iam:*"}], [{"Action": "iam:PassRole"}], NEW),
    "all but more": ([{"NotAction": "iam:*"}], [{"NotAction": ["iam:*", "s3:*"]}], NO_NEW),
    "all but less": ([{"NotAction": ["iam:*", "s3:*"]}], [{"NotAction": "iam:*"}], NEW),
    "several together": (
        [{"Action": "s3:GetObject"}, {"Action": "s3:Put*"}],
        [{"Action": ["s3:GetObject", "s3:Put*"]}],
        NO_NEW,
    ),
    "unknown service": ([{"Action": "new:*"}], [{"Action": "new:Thing"}], NO_NEW),
    "unknown service widened": ([{"Action": "new:Thing"}], [{"Action": "new:*"}], NEW),
    "unknown actions by a wildcard in another way": ([{"Action": ["s3:*a", "s3:*"]}], [{"Action": "s3:?*a"}], NO_NEW),
    "wildcards that differ in unknown actions only": (
        [{"Action": ["s3:Get*", "s3:*g"]}],
        [{"Action": ["s3:G*g", "s3:G*"]}],
        NEW,
    ),
    "an unknown action that a question mark at the end denied": (
        [S3, {"Effect": "Deny", "Action": "s3:Futur?"}],
        [{"Action": "s3:Future"}],
        NEW,
    ),
    "an unknown action that a question mark at the end spared": (
        [{"NotAction": "s3:Futur?"}],
        [{"Action": "s3:Future"}],
        NEW,
    ),
    "an unknown action of a question mark at the end": ([{"Action": "s3:Futur?"}], [{"Action": "s3:Future"}], NO_NEW),
    "a question mark is one character of a star": ([{"Action": "s3:?*"}], [{"Action": "s3:*"}], NO_NEW),
    "all but the text that is no ARN": ([at("arn:aws:s3:::?", "arn:aws:s3:::??*")], [at("arn:aws:s3:::*")], UNPROVEN),
    "patterns that only together cover": (
        [at("arn:aws:s3:::?", "arn:aws:s3:::??*", "arn:aws:s3:::")],
        [at("arn:aws:s3:::*")],
        NO_NEW,
    ),
    "two patterns that share a part": (
        [at("arn:aws:s3:::a*"), at("arn:aws:s3:::*z")],
        [at("arn:aws:s3:::a*z")],
        NO_NEW,
    ),
    "all but a resource": ([S3], [{"Action": "s3:*", "NotResource": "arn:aws:s3:::a"}], NO_NEW),
    "no longer all but a resource": ([{"Action": "s3:*", "NotResource": "arn:aws:s3:::a"}], [S3], NEW),
    "ARNs only instead of everything": ([at("arn:*")], [S3], NEW),
    # Denies, and what others have been seen to get wrong
    "a deny dropped": ([{"Action": "*"}, {"Effect": "Deny", "Action": "iam:*"}], [{"Action": "*"}], NEW),
    "a deny that no longer matters": ([{"Action": "*"}, {"Effect": "Deny", "Action": "iam:*"}], [S3], NO_NEW),
    "a deny on a resource takes away no whole action": (
        [S3],
        [S3, at("arn:aws:s3:::a", Effect="Deny")],
        NO_NEW,
    ),
    "a deny on one resource does not cover for another": (
        [at("arn:aws:s3:::a*")],
        [S3, at("arn:aws:s3:::a*", Effect="Deny")],
        NEW,
    ),
    "a deny with NotAction": (
        [{"Action": "*"}, {"Effect": "Deny", "NotAction": "s3:*"}],
        [{"Action": ["s3:GetObject", "iam:PassRole"]}],
        NEW,
    ),
    "a deny with NotAction that limits the new side": (
        [S3],
        [{"Action": "*"}, {"Effect": "Deny", "NotAction": "s3:*"}],
        NO_NEW,
    ),
    "a deny with NotResource": (
        [S3, {"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::a*"}],
        [at("arn:aws:s3:::b")],
        NEW,
    ),
    "a deny with NotResource that limits the new side": (
        [at("arn:aws:s3:::a*")],
        [S3, {"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::a*"}],
        NO_NEW,
    ),
    "a bracket is no class of characters": ([at("arn:aws:s3:::[ab]")], [at("arn:aws:s3:::a")], NEW),
    "a bracket is itself": ([at("arn:aws:s3:::[*")], [at("arn:aws:s3:::[ab]")], NO_NEW),
    "two denies do not grant again what both deny": (
        [S3, at("arn:aws:s3:::a*", Effect="Deny"), at("arn:aws:s3:::*z", Effect="Deny")],
        [at("arn:aws:s3:::az")],
        NEW,
    ),
    "two denies that together cover a former one": (
        [S3, at("arn:aws:s3:::a*", Effect="Deny")],
        [S3, at("arn:aws:s3:::a", Effect="Deny"), at("arn:aws:s3:::a?*", Effect="Deny")],
        NO_NEW,
    ),
    "an action that no table knows grants nonetheless": (
        [S3],
        [{"Action": ["s3:GetObject", "s3:NotInvented"]}],
        NO_NEW,
    ),
    "an action that no table knows is new": ([{"Action": "s3:Get*"}], [{"Action": "zz:NotInvented"}], NEW),
    "a foreign literal beside a known action": (
        [{"Action": ["s3:GetObject", "zz:a"]}],
        [{"Action": "s3:GetObject"}, {"Effect": "Deny", "Action": "zz:b"}],
        NO_NEW,
    ),
    "a deny of a foreign literal dropped": (
        [{"Action": "zz:*"}, {"Effect": "Deny", "Action": "zz:b"}],
        [{"Action": "zz:*"}],
        NEW,
    ),
    # conditions
    "a condition dropped": ([{**S3, "Condition": MFA}], [S3], NEW),
    "a condition kept": ([{**S3, "Condition": MFA}], [{"Action": "s3:Get*", "Condition": MFA}], NO_NEW),
    "a condition added": ([S3], [{**S3, "Condition": MFA}], NO_NEW),
    "another condition": ([{**S3, "Condition": MFA}], [{**S3, "Condition": REGION}], NEW),
    "both ways of a condition together": (
        [when("Bool", TLS, "true"), when("Bool", TLS, "false"), when("Null", TLS, "true")],
        [when("BoolIfExists", TLS, "true")],
        NO_NEW,
    ),
    "a conditional deny dropped": (
        [{"Action": "*"}, {"Effect": "Deny", "Action": "iam:*", "Condition": MFA}],
        [{"Action": "*"}],
        NEW,
    ),
    "a deny instead of a condition": (
        [when("StringEquals", TAG, "a")],
        [S3, {"Effect": "Deny", **when("StringNotEquals", TAG, "a")}],
        NO_NEW,
    ),
    "fewer values": ([when("StringEquals", TAG, "a", "b")], [when("StringEquals", TAG, "a")], NO_NEW),
    "more values": ([when("StringEquals", TAG, "a")], [when("StringEquals", TAG, "a", "b")], NEW),
    "a value of a pattern": ([when("StringLike", TAG, "a*")], [when("StringEquals", TAG, "ab")], NO_NEW),
    "a narrower pattern": ([when("StringLike", TAG, "a*")], [when("StringLike", TAG, "a*b")], NO_NEW),
    "a wider pattern": ([when("StringLike", TAG, "a*b")], [when("StringLike", TAG, "a*")], NEW),
    "a case": ([when("StringEqualsIgnoreCase", TAG, "AB")], [when("StringEquals", TAG, "aB")], NO_NEW),
    "any case": ([when("StringEquals", TAG, "AB")], [when("StringEqualsIgnoreCase", TAG, "ab")], NEW),
    "a smaller network": ([when("IpAddress", IP, "10.0.0.0/8")], [when("IpAddress", IP, "10.1.0.0/16")], NO_NEW),
    "a larger network": ([when("IpAddress", IP, "10.1.0.0/16")], [when("IpAddress", IP, "10.0.0.0/8")], NEW),
    "two halves of a network": (
        [when("IpAddress", IP, "10.0.0.0/9", "10.128.0.0/9")],
        [when("IpAddress", IP, "10.0.0.0/8")],
        NO_NEW,
    ),
    "an earlier date": (
        [when("DateLessThan", "aws:CurrentTime", "2026-01-01")],
        [when("DateLessThan", "aws:CurrentTime", "2025-12-31T23:00:00Z")],
        NO_NEW,
    ),
    "a later date": (
        [when("DateLessThan", "aws:CurrentTime", "2026-01-01")],
        [when("DateLessThanEquals", "aws:CurrentTime", "2026-01-01")],
        NEW,
    ),
    "an interval of numbers": (
        [when("NumericLessThan", "aws:MultiFactorAuthAge", 10)],
        [when("NumericEquals", "aws:MultiFactorAuthAge", 9, 9.5)],
        NO_NEW,
    ),
    "if it exists": ([when("Bool", TLS, "true")], [when("BoolIfExists", TLS, "true")], NEW),
    "must exist": ([when("BoolIfExists", TLS, "true")], [when("Bool", TLS, "true")], NO_NEW),
    "Null and a test": ([when("Null", TAG, "false")], [when("StringLike", TAG, "?*")], NO_NEW),
    "all of fewer values": (
        [when("ForAllValues:StringEquals", KEYS, "a", "b")],
        [when("ForAllValues:StringEquals", KEYS, "a")],
        NO_NEW,
    ),
    "all of more values": (
        [when("ForAllValues:StringEquals", KEYS, "a")],
        [when("ForAllValues:StringEquals", KEYS, "a", "b")],
        NEW,
    ),
    "all is also none": (
        [when("ForAnyValue:StringEquals", KEYS, "a")],
        [when("ForAllValues:StringEquals", KEYS, "a")],
        NEW,
    ),
    "an ARN": (
        [when("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/ci-*")],
        [when("ArnEquals", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/ci-x")],
        NO_NEW,
    ),
    # what is left open
    "tests of different kinds": ([when("StringLike", IP, "10.*")], [when("IpAddress", IP, "10.0.0.0/8")], UNPROVEN),
    "a wildcard in the head of an ARN": (
        [{"Action": "iam:PassRole", "Resource": "arn:aws:iam::*:role/x"}],
        [{"Action": "iam:PassRole", "Resource": "arn:aws:iam::1:role/y:role/x"}],
        UNPROVEN,
    ),
    "no ARN": ([at("arn:*"), {"Action": "s3:*", "Resource": "*", "Condition": MFA}], [at("foo*")], UNPROVEN),
    # variables
    "a variable within a wildcard": (
        [at("arn:aws:s3:::home/*")],
        [at("arn:aws:s3:::home/${aws:username}/*")],
        NO_NEW,
    ),
    "the same variable": (
        [at("arn:aws:s3:::home/${aws:username}/*")],
        [at("arn:aws:s3:::home/${aws:UserName}/x")],
        NO_NEW,
    ),
    "text instead of a variable": (
        [at("arn:aws:s3:::home/${aws:username}/*")],
        [at("arn:aws:s3:::home/alice/*")],
        NEW,
    ),
    "a variable instead of text": (
        [at("arn:aws:s3:::home/alice/*")],
        [at("arn:aws:s3:::home/${aws:username}/*")],
        NEW,
    ),
    "a deny that a variable could meet": (
        [S3, at("arn:aws:s3:::home/bob", Effect="Deny")],
        [at("arn:aws:s3:::home/${aws:username}")],
        UNPROVEN,
    ),
    "the same test of a variable": (
        [when("StringEquals", TAG, "${aws:username}")],
        [{"Action": "s3:Get*", "Condition": {"StringEquals": {TAG: "${aws:username}"}}}],
        NO_NEW,
    ),
}


# Realistic pairs, for real actions.

MANAGED: Mapping[str, Body] = {
    name: found["Document"] for name, found in json.loads(aws_managed_policies_data).items() if "AIDA" not in name
}
ORDERS = "arn:aws:s3:::orders"
TEAMS = list(itertools.product(("dynamodb", "sqs", "sns", "lambda", "logs"), ("orders", "billing", "search")))
NARROW = {"dynamodb": "GetItem", "sqs": "Send*", "sns": "Publish", "lambda": "Invoke*", "logs": "Put*"}
NO_SECRETS = {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:*:*:*:*-secret*"}
ONE_REGION = {
    "Effect": "Deny",
    "NotAction": ["iam:*", "sts:*"],
    "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["us-east-1"]}},
}


def of_teams(*, wide: bool) -> list[Body]:
    """Fifteen statements of some teams' services, every fourth of them with a condition."""
    found: list[Body] = []
    for place, (service, team) in enumerate(TEAMS):
        head = f"arn:aws:{service}:*:111122223333:"
        patterns = [f"{head}{team}-*", f"{head}*/{team}-*"]
        if not wide:
            head = head.replace("*", "us-east-1")
            patterns = [f"{head}{team}-{part}-*" for part in ("events", "audit", "a?")]
        found.append({"Action": f"{service}:{'*' if wide else NARROW[service]}", "Resource": patterns})
        found[-1] |= {"Condition": MFA} if place % 4 == 0 else {}
    return found


READ = [
    key
    for key in sorted(load_catalogue().keys)
    if key.startswith(("ec2:describe", "s3:get", "dynamodb:get", "rds:describe"))
][:60]

REALISTIC: dict[str, tuple[Body, Body, ProofVerdict]] = {
    "1 a bucket's star to five actions on three prefixes: nothing new": (
        document({"Action": "s3:*", "Resource": [f"{ORDERS}-*", f"{ORDERS}-*/*"]}),
        document(
            {
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                "Resource": [f"{ORDERS}-prod/raw/*", f"{ORDERS}-prod/out/2025-??/*"],
            },
            {"Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": f"{ORDERS}-prod"},
        ),
        NO_NEW,
    ),
    "2 ReadOnlyAccess to sixty actions: nothing new": (
        MANAGED["ReadOnlyAccess"],
        document({"Action": READ, "Resource": ["arn:aws:s3:::x/*", "arn:aws:ec2:us-east-1:111122223333:instance/*"]}),
        NO_NEW,
    ),
    "3 PowerUserAccess to PassRole: new": (
        MANAGED["PowerUserAccess"],
        document(
            {"Action": ["ec2:*", "s3:*", "lambda:*"]},
            {"Action": "iam:PassRole", "Resource": "arn:aws:iam::111122223333:role/app-*"},
        ),
        NEW,
    ),
    "4 a deny that overlaps: new": (
        document(S3, {"Effect": "Deny", "Action": "s3:Get*", "Resource": "arn:aws:s3:::*-secret/*"}),
        document({"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": [f"{ORDERS}-*/data/*", f"{ORDERS}-*"]}),
        NEW,
    ),
    "5 seventeen statements right-sized: nothing new": (
        document(*of_teams(wide=True), NO_SECRETS, ONE_REGION),
        document(*of_teams(wide=False), NO_SECRETS, ONE_REGION),
        NO_NEW,
    ),
    "6 the same with a deny dropped: new": (
        document(*of_teams(wide=True), NO_SECRETS, ONE_REGION),
        document(*of_teams(wide=False), ONE_REGION),
        NEW,
    ),
    "7 AdministratorAccess to ReadOnlyAccess: nothing new": (
        MANAGED["AdministratorAccess"],
        MANAGED["ReadOnlyAccess"],
        NO_NEW,
    ),
    "8 ReadOnlyAccess to ViewOnlyAccess: new": (MANAGED["ReadOnlyAccess"], MANAGED["ViewOnlyAccess"], NEW),
    "9 NotAction and NotResource: nothing new": (
        document({"NotAction": ["iam:*", "organizations:*"], "NotResource": ["arn:aws:s3:::pay*-prod/*"]}),
        document(
            {
                "NotAction": ["iam:*", "organizations:*", "kms:*"],
                "NotResource": ["arn:aws:s3:::*-prod", "arn:aws:s3:::*-prod/*"],
            }
        ),
        NO_NEW,
    ),
    "ReadOnlyAccess to itself: nothing new": (MANAGED["ReadOnlyAccess"], MANAGED["ReadOnlyAccess"], NO_NEW),
    "ReadOnlyAccess to AdministratorAccess: new": (MANAGED["ReadOnlyAccess"], MANAGED["AdministratorAccess"], NEW),
    "PowerUserAccess to AmazonS3FullAccess: nothing new": (
        MANAGED["PowerUserAccess"],
        MANAGED["AmazonS3FullAccess"],
        NO_NEW,
    ),
    "AmazonS3ReadOnlyAccess to AmazonS3FullAccess: new": (
        MANAGED["AmazonS3ReadOnlyAccess"],
        MANAGED["AmazonS3FullAccess"],
        NEW,
    ),
}


# Pairs that could take for ever.


def stars(chance: random.Random, length: int) -> str:
    return "arn:aws:s3:::" + "".join(f"*{chance.choice('abcdefgh')}" for _ in range(length)) + "*"


CHANCE = random.Random(3)  # noqa: S311 the same patterns every time
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def of_tags() -> Body:
    return when("ForAnyValue:StringLike", KEYS, *(f"*{one}*" for one in CHANCE.sample(LETTERS[:16], 3)))


def of_keys() -> Body:
    tests = {f"aws:PrincipalTag/{CHANCE.randrange(20)}": CHANCE.choice("xy") for _ in range(3)}
    return {"Action": "s3:*", "Condition": {"StringEquals": tests}}


def of_letters(letters: str, pattern: str, effect: str = "Allow") -> list[Body]:
    return [
        {"Action": f"*{one}*", "Resource": f"arn:aws:s3:::{pattern.replace('x', one)}", "Effect": effect}
        for one in letters
    ]


ADVERSARIAL: dict[str, tuple[list[Body], list[Body]]] = {
    "fifty patterns of stars": (
        [at(stars(CHANCE, 20)) for _ in range(50)],
        [at(stars(CHANCE, 20)) for _ in range(50)],
    ),
    "one pattern of ten thousand characters": (
        [at("arn:aws:s3:::" + "*a" * 5000)],
        [at("arn:aws:s3:::" + "*a*b" * 2500)],
    ),
    "question marks after a star": ([at("arn:aws:s3:::*a" + "?" * 9000)], [at("arn:aws:s3:::*b" + "?" * 9000)]),
    "a hundred excluded patterns": (
        [{"Action": "*", "NotResource": [stars(CHANCE, 4) for _ in range(100)]} for _ in range(5)],
        [{"Action": "*", "NotResource": [stars(CHANCE, 4) for _ in range(100)]} for _ in range(5)],
    ),
    "wildcards of actions": (
        [{"Action": [f"*{one}*{other}*" for one in "abcdefghij" for other in "klmnopqrst"]}],
        [{"Action": [f"*{one}*{other}*" for one in "aeiou" for other in "bcdfghj"]}],
    ),
    "a statement of each letter": (
        [*of_letters(LETTERS, "x*"), *of_letters(LETTERS[:24], "*x", "Deny")],
        of_letters(LETTERS, "x*"),
    ),
    "sets of tags": ([of_tags() for _ in range(25)], [of_tags() for _ in range(25)]),
    "conditions of many keys": ([of_keys() for _ in range(50)], [S3]),
}
