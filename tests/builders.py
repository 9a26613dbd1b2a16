"""Domain objects and AWS-shaped events made to order, for tests."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.events import (
    EVENT_TYPES,
    ROUTES,
    AccessRegretted,
    AccessRestored,
    AccountScored,
    AlarmChanged,
    AuditTrailBroken,
    ControlChanged,
    DomainEvent,
    ExemptionExpired,
    IdentityEvaluated,
    IdentityScored,
    PlanDue,
    PlanProposed,
    PolicyApplied,
    PolicyRolledBack,
    RemediationFailed,
    RemediationSkipped,
    RestorationDue,
    ScoreRequested,
    ServiceChange,
    SweepPaused,
    event_id_of,
)
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance, Mode, ReasonCode, RegretResponse, Strategy, Verdict
from shared.model.score import Band, Contribution, CoverageSummary, RiskClass, Score

ACCOUNT = "123456789012"
OTHER_ACCOUNT = "210987654321"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ANA = IdentityRef(account_id=ACCOUNT, identity_id="AIDAEXAMPLEUSER00001", arn=f"arn:aws:iam::{ACCOUNT}:user/team/ana")
DEPLOYER = IdentityRef(
    account_id=ACCOUNT, identity_id="AROAEXAMPLEROLE00001", arn=f"arn:aws:iam::{ACCOUNT}:role/ci/deployer"
)
PLAN: dict[str, Any] = {"plan_id": "plan-1", "strategy": Strategy.BOUNDARY}


def a_score(pci: float = 87.25, **changes: Any) -> Score:
    fields: dict[str, Any] = {
        "identity": ANA,
        "pci": pci,
        "model_version": "pci-1",
        "catalogue_version": "2026-01",
        "scored_at": NOW,
        "granted": 230,
        "used": 18,
        "unused": 212,
        "unobservable": 0,
        "reach": 0.75,
        "contributions": (
            Contribution(risk=RiskClass.WRITE, chance=0.2, unused=100, examples=("s3:PutObject",)),
            Contribution(risk=RiskClass.ESCALATION, chance=0.9, unused=1, examples=("iam:PutUserPolicy",)),
        ),
        "coverage": CoverageSummary(window_days=90, observed_days=60),
    }
    return Score.model_validate(fields | changes)


def a_verdict(compliance: Compliance = Compliance.NON_COMPLIANT, **changes: Any) -> Verdict:
    fields: dict[str, Any] = {
        "identity": ANA,
        "compliance": compliance,
        "pci": 87.25,
        "threshold": 60.0,
        "annotation": "PCI 87 (high): 212 of 230 permissions unused",
        "scored_at": NOW,
        "judged_at": NOW,
    }
    return Verdict.model_validate(fields | changes)


def scored(pci: float = 87.25, *, version: int = 1, **changes: Any) -> IdentityScored:
    fields: dict[str, Any] = {
        "score_version": version,
        "pci": pci,
        "band": Band.of(pci),
        "granted": 230,
        "used": 18,
        "unused": 212,
        "unobservable": 0,
        "observed_days": 60,
    }
    return IdentityScored.about(ANA, version, occurred_at=NOW, **(fields | changes))


def every_event() -> tuple[DomainEvent, ...]:
    """One event of each type, with fractional numbers where it holds numbers."""
    later = NOW + timedelta(hours=1)
    services = (
        ServiceChange(service="s3", removes=118, keeps=12),
        ServiceChange(service="iam", removes=94, keeps=6),
    )
    effect: dict[str, Any] = {"removes": 212, "keeps": 18, "pci_before": 87.25, "pci_after": 12.5}
    effect["by_service"] = services
    return (
        ScoreRequested.about(ANA, "k", occurred_at=NOW, reason="somebody asked"),
        scored(previous_pci=60.0, top=("iam:PutUserPolicy",)),
        AccountScored(
            event_id=event_id_of("AccountScored", ACCOUNT),
            occurred_at=NOW,
            account_id=ACCOUNT,
            pci=61.0,
            identities=14,
            excluded=2,
            by_band={Band.LOW: 10, Band.HIGH: 4},
            sweep_found=3,
        ),
        SweepPaused(
            event_id=event_id_of("SweepPaused", ACCOUNT),
            occurred_at=NOW,
            account_id=ACCOUNT,
            started_at=NOW - timedelta(minutes=14),
            pages=3,
            identities=300,
        ),
        IdentityEvaluated.about(
            ANA,
            "k",
            occurred_at=NOW,
            compliance=Compliance.NON_COMPLIANT,
            pci=87.25,
            threshold=60.0,
            annotation="PCI 87 (high): 212 of 230 permissions unused",
        ),
        PlanProposed.about(ANA, "k", occurred_at=NOW, **PLAN, **effect, mode=Mode.APPROVE, expires_at=later),
        PolicyApplied.about(
            ANA,
            "k",
            occurred_at=NOW,
            **PLAN,
            **effect,
            trigger="compliance",
            policy_arns=(f"arn:aws:iam::{ACCOUNT}:policy/leastwise/p",),
            removed_top=("iam:PutUserPolicy",),
        ),
        PolicyRolledBack.about(ANA, "k", occurred_at=NOW, **PLAN, code=ReasonCode.REQUESTED, message="asked for"),
        RemediationSkipped.about(ANA, "k", occurred_at=NOW, code=ReasonCode.PROTECTED, message="it is protected"),
        RemediationFailed.about(ANA, "k", occurred_at=NOW, **PLAN, code=ReasonCode.DRIFT, message="IAM refused"),
        PlanDue.about(ANA, "k", occurred_at=NOW, **PLAN, why="notice_over"),
        RestorationDue.about(ANA, "k", occurred_at=NOW, **PLAN, code=ReasonCode.DRIFT, message="IAM refused"),
        AccessRegretted.about(
            ANA,
            "k",
            occurred_at=NOW,
            **PLAN,
            actions=("s3:GetObject",),
            lost=("s3:GetObject", "kms:Decrypt"),
            denied_at=NOW - timedelta(minutes=3),
            applied_at=NOW - timedelta(days=2),
            response=RegretResponse.RESTORE,
        ),
        AccessRestored.about(
            ANA,
            "k",
            occurred_at=NOW,
            **PLAN,
            amends="plan-0",
            actions=("s3:GetObject", "kms:Decrypt"),
            denied_at=NOW - timedelta(minutes=3),
            seconds_to_restore=180.5,
        ),
        ExemptionExpired.about(
            ANA,
            "k",
            occurred_at=NOW,
            owner="team-data",
            reason="year end",
            expired_on=date(2026, 2, 28),
            acts_from=NOW + timedelta(days=7),
        ),
        AlarmChanged(
            event_id=event_id_of("AlarmChanged", ACCOUNT),
            occurred_at=NOW,
            account_id=ACCOUNT,
            alarm="leastwise/usage-dead-letters",
            state="ALARM",
            previous="OK",
            reason="Threshold Crossed: 1 datapoint [3.0] was greater than the threshold (0.0).",
            advice="CloudTrail events could not be added to the ledger. Set the mode to observe.",
        ),
        ControlChanged(
            event_id=event_id_of("ControlChanged", ACCOUNT),
            occurred_at=NOW,
            account_id=ACCOUNT,
            control="mode",
            mode=Mode.OFF,
            by=f"arn:aws:sts::{ACCOUNT}:assumed-role/on-call/bob",
            set_to=Mode.OFF,
        ),
        AuditTrailBroken(
            event_id=event_id_of("AuditTrailBroken", ACCOUNT),
            occurred_at=NOW,
            account_id=ACCOUNT,
            chain=f"{ACCOUNT}/{ANA.identity_id}",
            fault="edited",
            sequence=17,
            message="entry 17 was edited",
        ),
    )


def envelope(
    detail: Mapping[str, Any], *, detail_type: str, source: str = "", account: str = ACCOUNT
) -> dict[str, Any]:
    """An EventBridge event as a rule hands it to its target; one of ours comes from a service that tells it."""
    told_by = sorted(ROUTES[EVENT_TYPES[detail_type]].producers) if detail_type in EVENT_TYPES else []
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": detail_type,
        "source": source or (told_by[0].source if told_by else "leastwise.test"),
        "account": account,
        "time": "2026-03-01T12:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": dict(detail),
    }


def domain_body(event: DomainEvent, *, account: str = ACCOUNT) -> str:
    """Body of the SQS message that carries one of our events."""
    return json.dumps(envelope(event.model_dump(mode="json"), detail_type=event.type_name(), account=account))


def cloudtrail_body(detail: Mapping[str, Any], *, account: str = ACCOUNT) -> str:
    """Body of the SQS message that carries a CloudTrail record."""
    kind = "AWS API Call via CloudTrail"
    return json.dumps(envelope(detail, detail_type=kind, source="aws.iam", account=account))


def sqs_event(*bodies: str) -> dict[str, Any]:
    """A batch as the event source mapping of a queue invokes a function with; messages are called m0, m1, ..."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1772366400000",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    "ApproximateFirstReceiveTimestamp": "1772366400001",
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-east-1:{ACCOUNT}:queue",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def failed(response: Mapping[str, Any]) -> list[str]:
    """Ids of the messages that go back to the queue."""
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]
