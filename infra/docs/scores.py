"""The tables of the score's page: the model's parameters, its calibration, and one score redone step by step."""

import functools
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any, NamedTuple

from infra.docs.tables import Lines, table
from shared.knowledge import load_catalogue, load_risk
from shared.model.identity import IdentityDetail, IdentityRef, Policy
from shared.model.score import Band, RiskClass, Score
from shared.model.sources import PolicyKind, PolicySource
from shared.model.usage import Coverage, Evidence, Span, Usage, UsageEntry
from shared.pci.reach.reaches import CONDITION_FACTOR, reach_of_pattern
from shared.pci.score import ScoreParameters, Scoring, Weighed

Document = Mapping[str, Any]

NOW = datetime(2026, 7, 1, tzinfo=UTC)
WINDOW_DAYS = 90
TOLERANCE = 8
REF = IdentityRef(  # a user, since only users can attach policies to themselves by `iam:AttachUserPolicy`
    account_id="111122223333", identity_id="AIDAEXAMPLE000000001", arn="arn:aws:iam::111122223333:user/reports"
)


class Target(NamedTuple):
    """What a policy of which nothing is used should score: within ±8 of `pci`, or as `words` say."""

    pci: int | None
    words: str


# The calibration that the parameters were chosen by.
MANAGED_TARGETS: Mapping[str, int] = {
    "AdministratorAccess": 100,
    "PowerUserAccess": 99,
    "IAMFullAccess": 96,
    "ReadOnlyAccess": 85,
    "AmazonEC2FullAccess": 75,
    "AmazonDynamoDBFullAccess": 69,
    "AWSLambda_FullAccess": 63,
    "AmazonS3FullAccess": 60,
    "SecurityAudit": 58,
    "ViewOnlyAccess": 47,
    "AmazonSSMManagedInstanceCore": 24,
    "AWSLambdaBasicExecutionRole": 3,
}
SINGLE_TARGETS: Mapping[str, str] = {
    "iam:AttachUserPolicy": "high: 68 or more",
    "ec2:DescribeInstances": "below 1",
}

EXAMPLE: Document = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": "arn:aws:s3:::reports/*",
        },
        {"Effect": "Allow", "Action": ["ec2:DescribeInstances", "ec2:DescribeVpcs"], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "ssm:GetParameter",
            "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "true"}},
        },
        {"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": "arn:aws:iam::111122223333:user/reports-ci"},
    ],
}
EXAMPLE_USED = ("s3:GetObject", "ec2:DescribeInstances")
CLASSES_IN_WORDS: Mapping[RiskClass, str] = {
    RiskClass.ESCALATION: "gives itself or others more permissions",
    RiskClass.CREDENTIAL_EXPOSURE: "returns credentials or secrets",
    RiskClass.RESOURCE_EXPOSURE: "opens resources to others, manages permissions",
    RiskClass.DATA_ACCESS: "reads the data itself",
    RiskClass.DESTRUCTIVE: "deletes, stops, disables",
    RiskClass.WRITE: "creates and changes",
    RiskClass.TAGGING: "changes tags",
    RiskClass.READ: "reads configuration",
    RiskClass.LIST: "lists what there is",
}


def classes() -> Lines:
    """Every risk class with its weights and how many actions of the catalogue have it."""
    catalogue, risk, parameters = load_catalogue(), load_risk(), ScoreParameters()
    counts = dict.fromkeys(RiskClass, 0)
    for key in catalogue.keys:
        counts[risk.risk_of(key)] += 1
    rows = [
        [f"`{kind}`", CLASSES_IN_WORDS[kind], f"{weight.alpha:g}", f"{weight.kappa:g}", f"{counts[kind]:,}"]
        for kind, weight in parameters.weights.items()
    ]
    return [
        f"Version `{parameters.version}`, γ = {parameters.gamma:g}, catalogue {catalogue.version}:",
        "",
        *table(["class", "what such an action does", "α", "κ", "actions"], rows),
    ]


def reaches() -> Lines:
    """What counts as how much reach, without an inventory."""
    rows = [
        [f"{words}: `{pattern}`", f"{reach_of_pattern(pattern):g}"]
        for words, pattern in (
            ("everything", "*"),
            ("a partial pattern, all of a service too", "arn:aws:s3:::*"),
            ("one resource", "arn:aws:s3:::logs"),
        )
    ]
    rows.append(["under a condition", f"× {CONDITION_FACTOR:g}"])
    return table(["the statement's resource", "ρ"], rows)


def bands() -> Lines:
    """The bands, by the rounded score."""
    scores: dict[Band, list[int]] = {}
    for pci in range(101):
        scores.setdefault(Band.of(pci), []).append(pci)
    return table(["band", "PCI, rounded"], [[band.value, f"{min(own)}-{max(own)}"] for band, own in scores.items()])


def calibration() -> Lines:
    """What AWS managed policies, and two single actions, score with everything unused, beside what they should."""
    rows = [_calibrated(f"`{name}`", document, target) for name, document, target in _cases()]
    policies, catalogue = f"AWS managed policies as moto {version('moto')} ships them", load_catalogue().version
    assumed = "nothing used, held by a user, reach by pattern"
    return [
        f"{policies}, catalogue {catalogue}, model `{ScoreParameters().version}`, {assumed}:",
        "",
        *table(["policy", "expected", "PCI now", "difference", "granted", "worst class"], rows),
    ]


def example() -> Lines:
    """One score, redone: the policy, its unused permissions, the arithmetic of each class, and the product."""
    weighed = _scoring().weigh(_holding(EXAMPLE), _using(EXAMPLE_USED))
    score = _scoring().score(_holding(EXAMPLE), _using(EXAMPLE_USED))
    used = " and ".join(f"`{name}`" for name in EXAMPLE_USED)
    return [
        "```json",
        *json.dumps(EXAMPLE, indent=2).splitlines(),
        "```",
        "",
        f"Of its {score.granted} permissions it used {score.used} in the window: {used}. The other {score.unused}:",
        "",
        *table(["unused permission", "class", "ρ"], _unused_rows(weighed)),
        "",
        *table(["class", "m = Σ ρ", "α", "κ", "s = α · (1 − exp(−(m / κ)^γ))"], _class_rows(score)),
        "",
        _product(score),
        "",
        *_completed(),
    ]


def _completed() -> Lines:
    """The same with a path: the last statement on any user."""
    *others, last = EXAMPLE["Statement"]
    wider = {**EXAMPLE, "Statement": [*others, {**last, "Resource": "*"}]}
    score = _scoring().score(_holding(wider), _using(EXAMPLE_USED))
    paths = [one for one in score.contributions if one.path]
    named = ", ".join(f"`{one.path}`" for one in paths)
    return [
        f"With `{last['Action']}` on `*` instead of one user it would complete the path {named}:",
        f"`{paths[0].risk}` then counts with its α, {paths[0].chance:g}, and the PCI is **{score.pci:.2f}**.",
    ]


def _unused_rows(weighed: Weighed) -> Iterator[list[str]]:
    catalogue, risk, order = load_catalogue(), load_risk(), list(RiskClass)
    found = [(risk.risk_of(key), key, part.reach) for part in weighed.unused for key in part.actions.keys(catalogue)]
    for kind, key, reach in sorted(found, key=lambda one: (order.index(one[0]), one[1])):
        yield [f"`{catalogue.name(key)}`", f"`{kind}`", f"{reach:g}"]


def _class_rows(score: Score) -> Iterator[list[str]]:
    weights = ScoreParameters().weights
    for one in sorted(score.contributions, key=lambda one: list(RiskClass).index(one.risk)):
        weight = weights[one.risk]
        yield [f"`{one.risk}`", f"{one.mass:g}", f"{weight.alpha:g}", f"{weight.kappa:g}", f"{one.chance:.6f}"]


def _product(score: Score) -> str:
    ordered = sorted(score.contributions, key=lambda one: list(RiskClass).index(one.risk))
    factors = " · ".join(f"(1 − {one.chance:.6f})" for one in ordered)
    return f"PCI = 100 · (1 − {factors}) = **{score.pci:.2f}**, which is shown as {round(score.pci)}: {score.band}."


def _calibrated(name: str, document: Document, target: Target) -> list[str]:
    score = _scoring().score(_holding(document), _using(()))
    difference = "" if target.pci is None else f"{score.pci - target.pci:+.1f}"
    worst = score.contributions[0]
    why = f"`{worst.risk}`" + (f", path {worst.path}" if worst.path else "")
    return [name, target.words, f"{score.pci:.1f}", difference, f"{score.granted:,}", why]


def _cases() -> Iterator[tuple[str, Document, Target]]:
    from moto.iam.aws_managed_policies import aws_managed_policies_data  # noqa: PLC0415 a dev dependency of 3 MB

    known = json.loads(aws_managed_policies_data)
    for name, pci in MANAGED_TARGETS.items():
        yield name, known[name]["Document"], Target(pci, str(pci))
    for action, words in SINGLE_TARGETS.items():
        statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
        yield action, {"Version": "2012-10-17", "Statement": [statement]}, Target(None, words)


@functools.cache
def _scoring() -> Scoring:
    return Scoring(load_catalogue(), load_risk(), ScoreParameters(), now=NOW, window_days=WINDOW_DAYS)


def _holding(document: Document) -> IdentityDetail:
    policy = Policy(source=PolicySource(PolicyKind.INLINE, "reports"), document=dict(document))
    return IdentityDetail(ref=REF, created_at=NOW - timedelta(days=365), read_at=NOW, policies=(policy,))


def _using(used: tuple[str, ...]) -> Usage:
    """A ledger over the whole window, of trails that record everything."""
    days = [(NOW - timedelta(days=ago)).date() for ago in range(WINDOW_DAYS + 1)]
    coverage = Coverage.of(days, regions=["us-east-1"], feeds=["trail"], data_events=load_catalogue().services)
    span = Span(NOW - timedelta(days=20), NOW - timedelta(days=1))
    entries = {name.lower(): UsageEntry(name, {Evidence.OBSERVED: span}) for name in used}
    return Usage(REF.identity_id, entries, coverage if used else Coverage())
