"""The auditor's roles as the template renders them, asked what they may do: who writes the trail can't vouch for it.

Whether each statement matters is tested as well: with any one of them left out, some answer differs. In the fourth and
fifth column somebody attached AdministratorAccess to the role: what its own Denies, and the policies of bucket and bus,
still hold back. In the last one it is an administrator of the account who asks.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import pytest

from infra.build.template import ROOT
from shared.iam.evaluate import Evaluator, Policies, compile_policies
from shared.iam.request import Request, context_of
from tests.unit.blast_radius_probes import DATA_KEY, EVENTS, IAM, NOTHING, SQS, SSM, TABLE, variables_of, via
from tests.unit.rendered_roles import ACCOUNT, REGION, STACK, Document, Stack
from tests.unit.test_blast_radius import ANSWERS, EVERYTHING, without

ADMINISTRATOR = "Administrator"


class Column(NamedTuple):
    """A role; with `overreach`, while it holds AdministratorAccess as well."""

    role: str
    overreach: bool = False


COLUMNS = (
    Column("AuditRole"),
    Column("NotifyRole"),
    Column("AnchorRole"),
    Column("AuditRole", overreach=True),
    Column("AnchorRole", overreach=True),
    Column(ADMINISTRATOR, overreach=True),
)

AUDIT, OUTBOX = f"{TABLE}AuditTable", f"{TABLE}NotificationsTable"
BUCKET = "arn:aws:s3:::anchorbucket"
ANCHOR = f"{BUCKET}/anchors/{ACCOUNT}/000000000001.json"
KEYS = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/"
KEY, OTHER_KEY = f"{KEYS}AnchorSigningKey", f"{KEYS}other"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:Topic"
LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:"
BUS = f"{EVENTS}{STACK}"


def event(source: str, detail_type: str) -> dict[str, object]:
    return {"events:source": f"leastwise.{source}", "events:detail-type": detail_type}


def events(*sources: str) -> dict[str, object]:
    several = [f"leastwise.{source}" for source in sources]
    return {"events:source": several, "events:detail-type": ["ScoreRequested"] * len(sources)}


Row = tuple[str, str, Mapping[str, object], str]

TRAIL: tuple[Row, ...] = (
    ("dynamodb:PutItem", AUDIT, NOTHING, "+.. ++ +"),
    ("dynamodb:GetItem", AUDIT, NOTHING, "+.. ++ +"),
    ("dynamodb:Query", AUDIT, NOTHING, "+.+ ++ +"),
    ("dynamodb:Query", f"{AUDIT}/index/by_account", NOTHING, "... ++ +"),
    ("dynamodb:Scan", AUDIT, NOTHING, "... ++ +"),
    ("dynamodb:UpdateItem", AUDIT, NOTHING, "x.. x+ +"),
    ("dynamodb:DeleteItem", AUDIT, NOTHING, "x.. x+ +"),
    ("dynamodb:BatchWriteItem", AUDIT, NOTHING, "x.. x+ +"),
    ("dynamodb:PartiQLUpdate", AUDIT, NOTHING, "x.. x+ +"),
    ("dynamodb:PartiQLDelete", AUDIT, NOTHING, "x.. x+ +"),
    ("dynamodb:DeleteTable", AUDIT, NOTHING, "... ++ +"),
)

ANCHORS: tuple[Row, ...] = (
    ("s3:PutObject", ANCHOR, NOTHING, "xx+ x+ x"),
    ("s3:PutObject", f"{BUCKET}/elsewhere", NOTHING, "xx. x+ x"),
    ("s3:PutObject", "arn:aws:s3:::other/anchors/1", NOTHING, "... ++ +"),
    ("s3:GetObjectVersion", ANCHOR, NOTHING, "..+ ++ +"),
    ("s3:ListBucketVersions", BUCKET, NOTHING, "..+ ++ +"),
    ("s3:ListBucketVersions", "arn:aws:s3:::other", NOTHING, "... ++ +"),
    ("s3:DeleteObject", ANCHOR, NOTHING, "xxx xx x"),
    ("s3:DeleteObjectVersion", ANCHOR, NOTHING, "xxx xx x"),
    ("s3:PutObjectRetention", ANCHOR, NOTHING, "xxx xx x"),
    ("s3:PutObjectLegalHold", ANCHOR, NOTHING, "xxx xx x"),
    ("s3:BypassGovernanceRetention", ANCHOR, NOTHING, "xxx xx x"),
    ("s3:PutLifecycleConfiguration", BUCKET, NOTHING, "xxx xx x"),
    ("s3:PutBucketObjectLockConfiguration", BUCKET, NOTHING, "xxx xx +"),
    ("s3:PutBucketVersioning", BUCKET, NOTHING, "xxx xx +"),
    ("s3:PutBucketPolicy", BUCKET, NOTHING, "xxx xx +"),
    ("s3:DeleteBucketPolicy", BUCKET, NOTHING, "xxx xx +"),
    ("s3:DeleteBucket", BUCKET, NOTHING, "xxx xx +"),
    ("s3:DeleteObjectVersion", "arn:aws:s3:::other/anchors/1", NOTHING, "..x +x +"),
    ("s3:PutBucketVersioning", "arn:aws:s3:::other", NOTHING, "..x +x +"),
    ("s3:GetObjectVersion", ANCHOR, {"aws:SecureTransport": "false"}, "xxx xx x"),
    ("kms:Verify", KEY, NOTHING, "..+ ++ +"),
    ("kms:Sign", KEY, NOTHING, "..+ ++ +"),
    ("kms:Sign", OTHER_KEY, NOTHING, "... ++ +"),
    ("kms:ScheduleKeyDeletion", KEY, NOTHING, "... ++ +"),
    ("kms:GenerateDataKey", DATA_KEY, via("sns"), "+++ ++ +"),
    ("kms:Decrypt", DATA_KEY, NOTHING, "... ++ +"),
    ("kms:Decrypt", DATA_KEY, variables_of(f"{STACK}-audit"), "+++ ++ +"),
)

TELLING: tuple[Row, ...] = (
    ("dynamodb:PutItem", OUTBOX, NOTHING, "++. ++ +"),
    ("dynamodb:DeleteItem", OUTBOX, NOTHING, "++. ++ +"),
    ("dynamodb:GetItem", OUTBOX, NOTHING, "+.. ++ +"),
    ("dynamodb:UpdateItem", OUTBOX, NOTHING, "+.. ++ +"),
    ("dynamodb:Query", OUTBOX, NOTHING, ".+. ++ +"),
    ("sns:Publish", TOPIC, NOTHING, "++. ++ +"),
    ("sns:Publish", f"{TOPIC}s", NOTHING, "... ++ +"),
    ("sns:SetTopicAttributes", TOPIC, NOTHING, "... ++ +"),
    ("events:PutEvents", BUS, event("auditor", "AuditTrailBroken"), "..+ ++ x"),
    ("events:PutEvents", BUS, event("remediator", "PolicyApplied"), "... ++ x"),
    ("events:PutEvents", BUS, event("remediator", "ScoreRequested"), "... ++ x"),
    ("events:PutEvents", BUS, event("command", "PolicyApplied"), "... ++ x"),
    ("events:PutEvents", BUS, event("command", "ScoreRequested"), "... ++ +"),
    ("events:PutEvents", BUS, events("command", "evaluator"), "... ++ x"),
    ("events:PutEvents", f"{EVENTS}default", event("auditor", "AuditTrailBroken"), "... ++ +"),
)

OTHERS: tuple[Row, ...] = (
    ("sqs:ReceiveMessage", f"{SQS}AuditQueue", NOTHING, "+.. ++ +"),
    ("sqs:DeleteMessage", f"{SQS}AuditQueue", NOTHING, "+.. ++ +"),
    ("sqs:SendMessage", f"{SQS}AuditQueue", NOTHING, "... ++ +"),
    ("sqs:SendMessage", f"{SQS}NotifyDeadLetterQueue", NOTHING, ".+. ++ +"),
    ("sqs:SendMessage", f"{SQS}AnchorDeadLetterQueue", NOTHING, "..+ ++ +"),
    ("ssm:GetParameter", f"{SSM}leastwise/mode", NOTHING, "+.. ++ +"),
    ("ssm:GetParameter", f"{SSM}leastwise/safeguards", NOTHING, "... ++ +"),
    ("ssm:PutParameter", f"{SSM}leastwise/mode", NOTHING, "... ++ +"),
    ("iam:GetUser", f"{IAM}user/ann", NOTHING, "... ++ +"),
    ("dynamodb:GetItem", f"{TABLE}JournalTable", NOTHING, "... ++ +"),
    ("logs:PutLogEvents", f"{LOGS}AuditLogGroup:*", NOTHING, "+.. ++ +"),
    ("logs:PutLogEvents", f"{LOGS}NotifyLogGroup:*", NOTHING, ".+. ++ +"),
    ("logs:PutLogEvents", f"{LOGS}AnchorLogGroup:*", NOTHING, "..+ ++ +"),
    ("logs:DeleteLogStream", f"{LOGS}AnchorLogGroup:*", NOTHING, "... ++ +"),
    ("xray:PutTraceSegments", "*", NOTHING, "+++ ++ +"),
)

ROWS = TRAIL + ANCHORS + TELLING + OTHERS
# What nobody but our roles writes, and the tables that have no policy of their own where they aren't protected.
KEPT = ("AuditTable", "JournalTable")
OPEN = ("ScoresTable/false", "UsageTable/false")
# What also decides, by how ARNs of what it is about begin. Of any key the policy is the same here.
STANDING = {BUCKET: "AnchorBucketPolicy", KEYS: "AnchorSigningKey", BUS: "EventBus"}


@cache
def documents() -> dict[str, dict[str, Document]]:
    """Every role's policies, and those of bucket, key and bus, by the name of what declares each."""
    root, data = Stack(SignAnchors="true"), Stack(ROOT / "infra" / "sam" / "data.yaml")
    roles = {one.role: root.role(one.role).policies for one in COLUMNS if one.role != ADMINISTRATOR}
    standing = {name: (data if name == STANDING[KEYS] else root).resource_policy(name) for name in STANDING.values()}
    return {ADMINISTRATOR: {}} | roles | {name: {name: document} for name, document in standing.items()}


def evaluator(held: Mapping[str, Mapping[str, Document]], column: Column, standing: str | None) -> Evaluator:
    case: dict[str, Any] = {"identity_policies": list(held[column.role].values())}
    if column.overreach:
        case["identity_policies"].append(EVERYTHING)
    if standing:
        case["resource_policy"] = held[standing][standing]
    return compile_policies(Policies.parse(case))


def wrong(held: Mapping[str, Mapping[str, Document]]) -> list[str]:
    """Every row that isn't answered as it should be."""
    found = []
    for place, column in enumerate(COLUMNS):
        engines = {standing: evaluator(held, column, standing) for standing in (None, *STANDING.values())}
        caller = f"arn:aws:sts::{ACCOUNT}:assumed-role/{column.role}/function"
        for action, resource, extra, answers in ROWS:
            path = "" if column.role == ADMINISTRATOR else "leastwise/"
            known = {"aws:PrincipalArn": f"{IAM}role/{path}{column.role}", "aws:SecureTransport": "true", **extra}
            request = Request(caller, action, resource, ACCOUNT, context_of(known))
            standing = next((name for start, name in STANDING.items() if resource.startswith(start)), None)
            got = ANSWERS[engines[standing].evaluate(request).outcome]
            if got != answers.replace(" ", "")[place]:
                found.append(f"{column}: {action} on {resource} with {dict(extra)}: {got}")
    return found


def statements() -> list[tuple[str, str, int, str]]:
    """Every statement that decides: its holder, its policy, its place there, and for a person its Sid."""
    return [
        (holder, policy, number, statement["Sid"])
        for holder, policies in documents().items()
        for policy, document in policies.items()
        for number, statement in enumerate(document["Statement"])
        if "Sid" in statement and holder != STANDING[KEYS]  # has only one
    ]


def test_the_auditors_roles_can_do_what_they_need_and_no_more() -> None:
    assert len(ROWS) >= 55
    assert wrong(documents()) == []


@pytest.mark.parametrize(("holder", "policy", "number", "sid"), statements(), ids=str)
def test_given_a_statement_is_left_out_when_the_auditor_is_probed_then_some_answer_is_wrong(
    holder: str, policy: str, number: int, sid: str
) -> None:
    held = {name: dict(policies) for name, policies in documents().items()}
    held[holder][policy] = without(held[holder][policy], number)
    assert wrong(held), f"no probe notices that {sid} of {policy} is gone"


def test_given_no_signature_is_wanted_when_roles_are_rendered_then_none_may_sign() -> None:
    for role in {column.role for column in COLUMNS} - {ADMINISTRATOR}:
        assert "kms:Sign" not in str(Stack().role(role).policies)


ADMIN, OUR_ROLE = f"{IAM}user/admin", f"{IAM}role/leastwise/some-role"
CHANGES = ("BatchWriteItem", "DeleteItem", "PartiQLDelete", "PartiQLUpdate", "UpdateItem")


@pytest.mark.parametrize(
    ("table", "caller", "action", "protected", "unprotected"),
    [
        *(("AuditTable", caller, action, "x", "x") for caller in (ADMIN, OUR_ROLE) for action in CHANGES),
        *(("JournalTable", ADMIN, action, "x", "x") for action in CHANGES),
        *((table, ADMIN, action, "x", "x") for table in KEPT for action in ("PutItem", "PartiQLInsert")),
        *((table, OUR_ROLE, "PutItem", "+", "+") for table in KEPT),
        *((table, ADMIN, "DeleteTable", "x", "+") for table in (*KEPT, "ScoresTable", "UsageTable")),
        *((table, ADMIN, "PutResourcePolicy", "+", "+") for table in (*KEPT, "ScoresTable", "UsageTable")),
        ("JournalTable", OUR_ROLE, "UpdateItem", "+", "+"),
        ("UsageTable", ADMIN, "PutItem", "+", "+"),
    ],
)
def test_given_somebody_who_may_do_all_when_tables_are_to_be_changed_then_the_tables_themselves_refuse(
    table: str, caller: str, action: str, protected: str, unprotected: str
) -> None:
    """Whoever lifts the protection first, by the stack's parameter, can remove a table but forge no entry of it."""
    for chosen, expected in (("true", protected), ("false", unprotected)):
        data = Stack(ROOT / "infra" / "sam" / "data.yaml", DeletionProtection=chosen)
        policy = None if f"{table}/{chosen}" in OPEN else data.resource_policy(table)
        assert answer_of_table(table, policy, caller, action) == expected


def answer_of_table(table: str, policy: Document | None, caller: str, action: str) -> str:
    """What a table says to somebody whose own policies allow everything."""
    case: dict[str, Any] = {"identity_policies": [EVERYTHING]}
    if policy is not None:
        case["resource_policy"] = policy
    request = Request(
        caller, f"dynamodb:{action}", f"{TABLE}{table}", ACCOUNT, context_of({"aws:PrincipalArn": caller})
    )
    return ANSWERS[compile_policies(Policies.parse(case)).evaluate(request).outcome]


@pytest.mark.parametrize("table", KEPT)
def test_given_the_page_on_restoring_when_an_administrator_follows_it_then_only_the_copy_needs_the_policy_lifted(
    table: str,
) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    restoring = page.partition("## Restore from a point in time")[2].partition("\n## ")[0]
    commands = set(re.findall(r"aws dynamodb ([a-z-]+)", restoring)) - {"wait"}
    actions = {"".join(map(str.capitalize, command.split("-"))) for command in commands}
    policy = Stack(ROOT / "infra" / "sam" / "data.yaml", DeletionProtection="true").resource_policy(table)

    assert {"RestoreTableToPointInTime", "DeleteResourcePolicy", "PutResourcePolicy", "PutItem"} <= actions
    assert {action for action in actions if answer_of_table(table, policy, ADMIN, action) != "+"} == {"PutItem"}
    assert answer_of_table(table, None, ADMIN, "PutItem") == "+"
