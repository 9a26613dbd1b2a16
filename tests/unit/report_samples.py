"""Made-up reports, the same in every run: what accounts look like, and what nobody would name an identity."""

import json
import math
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta

from cli.reporting.model import (
    Claim,
    HistoryEntry,
    PolicyText,
    ProposedPlan,
    Report,
    ReportIdentity,
    ReportKind,
    ScorePart,
    ServiceUse,
    TrendValue,
)
from shared.model.plan import Compliance
from shared.model.score import Band

ACCOUNT = "111122223333"
AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)
THRESHOLD = 60.0
TEAMS = ("billing", "orders", "search", "data", "platform", "security", "mobile", "web", "reporting", "identity")
JOBS = ("deploy", "reader", "worker", "api", "backup", "etl", "ci", "admin", "support", "scheduler")
PEOPLE = ("alice", "bruno", "chen", "dalia", "emeka", "farah", "greta", "hugo", "ines", "jonas")
SERVICES = {
    "s3": ("GetObject", "PutObject", "DeleteObject", "PutBucketPolicy", "ListBucket"),
    "iam": ("PassRole", "CreateAccessKey", "AttachRolePolicy", "CreatePolicyVersion", "GetRole"),
    "ec2": ("RunInstances", "TerminateInstances", "CreateSnapshot", "DescribeInstances", "ModifyInstanceAttribute"),
    "dynamodb": ("GetItem", "PutItem", "Query", "DeleteTable", "Scan"),
    "lambda": ("CreateFunction", "UpdateFunctionCode", "InvokeFunction", "GetFunction", "DeleteFunction"),
    "kms": ("Decrypt", "Encrypt", "ScheduleKeyDeletion", "CreateGrant", "DescribeKey"),
    "sqs": ("SendMessage", "ReceiveMessage", "DeleteQueue", "PurgeQueue", "GetQueueAttributes"),
    "sns": ("Publish", "Subscribe", "DeleteTopic", "AddPermission", "ListTopics"),
    "logs": ("PutLogEvents", "CreateLogGroup", "DeleteLogGroup", "FilterLogEvents", "GetLogEvents"),
    "secretsmanager": ("GetSecretValue", "PutSecretValue", "DeleteSecret", "ListSecrets", "RotateSecret"),
    "rds": ("DescribeDBInstances", "DeleteDBInstance", "CreateDBSnapshot", "ModifyDBInstance", "StartDBInstance"),
    "cloudformation": ("CreateStack", "DeleteStack", "DescribeStacks", "UpdateStack", "GetTemplate"),
}
RISKS = {
    "escalation": ("iam:PassRole", "iam:AttachRolePolicy", "iam:CreatePolicyVersion"),
    "credential_exposure": ("iam:CreateAccessKey", "secretsmanager:GetSecretValue"),
    "resource_exposure": ("s3:PutBucketPolicy", "sns:AddPermission", "kms:CreateGrant"),
    "data_access": ("s3:GetObject", "dynamodb:Scan", "kms:Decrypt", "sqs:ReceiveMessage"),
    "destructive": ("s3:DeleteObject", "dynamodb:DeleteTable", "rds:DeleteDBInstance", "kms:ScheduleKeyDeletion"),
    "write": ("s3:PutObject", "lambda:UpdateFunctionCode", "ec2:RunInstances"),
    "read": ("ec2:DescribeInstances", "logs:GetLogEvents", "cloudformation:DescribeStacks"),
}
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '"><img src=x onerror=alert(3)>',
    "'; alert(4); //",
    "\u202egnp.exe",
    "<!--<script>",
    "{{ 7 * 7 }}${7*7}",
    "line\nbreak\u2028and\u2029more\x00\x1b[31m",
    "🦊 emoji 👩‍💻",
    "&lt;b&gt;&amp;",
    "half \ud800 a pair",
    "x" * 10_000,
)


def sample_report(
    number: int,
    *,
    seed: int = 7,
    days: int = 60,
    actions: int = 0,
    kind: ReportKind = ReportKind.DEPLOYED,
    names: tuple[str, ...] = (),
) -> Report:
    """A report over `number` identities with all that an account of that size has; `names` go to the first of them.

    `actions` is how many more actions each plan keeps, each a line of its documents.
    """
    draw = random.Random(seed)  # noqa: S311 a sample, not a secret
    made = [_identity(draw, place, names, actions) for place in range(number)]
    identities = tuple(sorted(made, key=lambda one: (-one.pci, one.arn)))
    counted = [one.pci for one in identities if one.exempt is None]
    account = math.sqrt(sum(pci**2 for pci in counted) / len(counted)) if counted else 0.0
    return Report(
        kind=kind,
        account_id=ACCOUNT,
        as_of=AS_OF,
        window_days=90,
        threshold=THRESHOLD,
        model_version="1.2",
        catalogue_version="0.1.202610271",
        account_pci=account,
        excluded=len(identities) - len(counted),
        bands=Counter(one.band for one in identities if one.exempt is None),
        identities=identities,
        trend=_trend(draw, min(97.0, account + 18), account, days),
        facts=(("Mode", "approve"), ("Last sweep", "2026-11-20 11:42 UTC"), ("Trail", "management events, 4 regions")),
        warnings=("No data events are recorded for dynamodb: what reads its items is unknown.",),
        claims=_claims() if kind is ReportKind.DEMONSTRATION else (),
        account_pci_before=min(100.0, account + 18) if kind is ReportKind.DEMONSTRATION else None,
        account_alarm=68.0 if kind is ReportKind.DEPLOYED else None,
    )


def empty_report() -> Report:
    """A report of an account that nobody is in."""
    return sample_report(0, days=0)


def _identity(draw: random.Random, place: int, names: tuple[str, ...], actions: int) -> ReportIdentity:
    is_user = draw.random() < 0.3
    made = f"{draw.choice(PEOPLE)}.{place}" if is_user else f"{draw.choice(TEAMS)}-{draw.choice(JOBS)}-{place}"
    name = names[place] if place < len(names) else made
    kind = "user" if is_user else "role"
    services = _services(draw)
    used, unused, unknown = (sum(getattr(one, key) for one in services) for key in ("used", "unused", "unknown"))
    parts = _parts(draw)
    pci = 100 * (1 - math.prod(1 - part.chance for part in parts))
    exempt = "break glass" if draw.random() < 0.02 else None
    compliance = Compliance.of(pci, THRESHOLD, exempt)
    identity_id = f"{'AIDA' if is_user else 'AROA'}{place:016X}"
    plan = (
        _plan(draw, name, pci, services, actions)
        if compliance is Compliance.NON_COMPLIANT and draw.random() < 0.8
        else None
    )
    return ReportIdentity(
        arn=f"arn:aws:iam::{ACCOUNT}:{kind}/{name}",
        identity_id=identity_id,
        type=kind,
        name=name,
        pci=pci,
        band=Band.of(pci).value,
        compliance=compliance.value,
        exempt=exempt,
        granted=used + unused + unknown,
        used=used,
        unused=unused,
        unobservable=unknown,
        reach=draw.choice((0.002, 0.03, 0.11, 0.4, 0.93, 1.0)) * draw.uniform(0.7, 1.0),
        observed_days=draw.randint(40, 90),
        parts=parts,
        services=services,
        plan=plan,
        no_plan="" if plan else "It is within the threshold: nothing needs to change.",
        history=_history(draw, name, pci, plan),
        trend=_trend(draw, min(100.0, pci + draw.uniform(0, 20)), pci, 30),
        coverage=(
            "Recorded on 88 of 90 days in 4 regions.",
            "Data events of s3 only.",
            "IAM's last accessed is known.",
        ),
    )


def _services(draw: random.Random) -> tuple[ServiceUse, ...]:
    found = []
    for name in draw.sample(sorted(SERVICES), draw.randint(2, 9)):
        granted = draw.choice((3, 8, 25, 60, 180, 420))
        used, unknown = min(granted, draw.randint(0, 6)), draw.randint(0, granted // 8)
        unused = max(0, granted - used - unknown)
        found.append(ServiceUse(name, used + unused + unknown, used, unused, unknown))
    return tuple(sorted(found, key=lambda one: (-one.unused, one.service)))


def _parts(draw: random.Random) -> tuple[ScorePart, ...]:
    danger = draw.choice((0.03, 0.08, 0.2, 0.5))
    made = []
    for place, (risk, examples) in enumerate(RISKS.items()):
        if draw.random() < 0.3 + place / 10:
            chance = min(0.98, danger * draw.uniform(0.5, 1.9) * (1 - place / 9))
            made.append(ScorePart(risk, chance, draw.randint(1, 20) * (place + 1), examples))
    if danger >= 0.5 and draw.random() < 0.5:
        path = ("iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction")
        made.append(ScorePart("escalation", 0.6, 3, path, path="lambda-001"))
    return tuple(sorted(made, key=lambda part: -part.chance))


def _plan(draw: random.Random, name: str, pci: float, services: tuple[ServiceUse, ...], actions: int) -> ProposedPlan:
    kept = [f"{one.service}:{action}" for one in services for action in SERVICES[one.service][:3]]
    kept += [f"{draw.choice(services).service}:DescribeThing{number}" for number in range(actions)]
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": f"Kept{at}", "Effect": "Allow", "Action": kept[at : at + 12], "Resource": _resources(name)}
            for at in range(0, len(kept), 12)
        ],
    }
    text = json.dumps(document, indent=2)
    gone = [f'-        "{one.service}:*"' for one in services]
    come = [f'+        "{action}"' for action in kept]
    diff = ["--- before: managed PowerUserAccess", "+++ after: policies leastwise-right-sized", "@@ -4,9 +4,20 @@"]
    after = pci * draw.uniform(0.15, 0.7)
    return ProposedPlan(
        plan_id=f"{draw.getrandbits(64):016x}",
        strategy=draw.choice(("boundary", "replace")),
        status=draw.choice(("PROPOSED", "PROPOSED", "SKIPPED")),
        removes=sum(one.unused for one in services),
        keeps=len(kept),
        pci_before=pci,
        pci_after=after,
        diff=(*diff, '       "Action": [', *gone, *come, "       ]"),
        policies=(PolicyText("leastwise-right-sized", text),),
        notes=("Used once by the quarterly job: kept.",),
        enough=after < THRESHOLD,
        observed_days=draw.choice((1, 12, 88)),
    )


def _resources(name: str) -> list[str]:
    return [f"arn:aws:s3:::{name[:40]}-artifacts/*", f"arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/{name[:40]}"]


def _history(draw: random.Random, name: str, pci: float, plan: ProposedPlan | None) -> tuple[HistoryEntry, ...]:
    moment = AS_OF - timedelta(days=draw.randint(20, 60))
    entries = []
    for step in range(draw.randint(2, 8)):
        at = moment + timedelta(days=step * 2, minutes=draw.randint(0, 600))
        entries.append(HistoryEntry(at, "IdentityScored", f"{name} was scored: PCI {min(100.0, pci + 8 - step):.1f}"))
    if plan:
        entries.append(HistoryEntry(AS_OF, "PlanProposed", f"A plan takes {plan.removes:,} permissions from {name}"))
    return tuple(entries)


def _trend(draw: random.Random, start: float, end: float, days: int) -> tuple[TrendValue, ...]:
    first: date = AS_OF.date() - timedelta(days=days)
    values = []
    for day in range(days + 1 if days else 0):
        wobble = draw.uniform(-0.8, 0.8) if 0 < day < days else 0.0
        pci = start + (end - start) * (day / days) ** 1.6 + wobble
        values.append(TrendValue(first + timedelta(days=day), min(100.0, max(0.0, pci))))
    return tuple(values)


def _claims() -> tuple[Claim, ...]:
    return (
        Claim("Every identity that was over the threshold was found", held=True, detail="9 of 9"),
        Claim("The audit trail is whole", held=True, detail="214 entries in 15 chains"),
        Claim("Recorded use stays allowed", held=False, detail="1 of 812 uses would be lost"),
    )
