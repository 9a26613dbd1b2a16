"""The deployed system on the local AWS, seen through the project's own adapters."""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from infra.local.demonstration.inbox import Inbox, Notice
from infra.local.local_aws import LocalAws, LocalAwsError
from services.auditor.verifying import TrailReport, verify_trail
from shared.aws.anchor_bucket import AnchorBucket
from shared.aws.audit_table import AuditTable
from shared.aws.deployed_account import DeployedAccount
from shared.aws.dynamodb import Table
from shared.aws.iam import IamReader
from shared.aws.journal import Journal
from shared.aws.outbox import Outbox
from shared.aws.score_table import ScoreTable
from shared.aws.usage_ledger import UsageLedger
from shared.model.audit import AuditEntry
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.stored_entry import place_of

QUIET_SECONDS = 1.0
REFUSALS = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
QUEUES = ("UsageQueue", "ScoreQueue", "EvaluatorQueue", "RemediationQueue", "RestoreQueue", "AuditQueue")
FAILURES = (*QUEUES, "SweepQueue", "ReconcileQueue", "RuleQueue", "NotifyQueue", "AnchorQueue")


class System:
    """What is really in the tables, IAM and AWS Config of the local AWS."""

    def __init__(self, local: LocalAws, outputs: dict[str, str]) -> None:
        self.local = local
        self.outputs = outputs
        self.account_id = local.account_id
        self.ledger = UsageLedger(self._table("UsageTableName"))
        self.scores = ScoreTable(self._table("ScoresTableName"))
        self.journal = Journal(self._table("JournalTableName"))
        self.audit = AuditTable(self._table("AuditTableName"))
        self.iam = IamReader(local.client("iam"))
        self.outbox = Outbox(local.client("dynamodb"), outputs["NotificationsTableName"])
        self.anchors = AnchorBucket(local.client("s3"), outputs["AuditAnchorBucketName"])
        self._inbox = Inbox(local, outputs["TopicArn"])

    def detail(self, ref: IdentityRef) -> IdentityDetail:
        """An identity as IAM has it now."""
        return self.iam.verified(ref, now=datetime.now(UTC))

    def boundary_of(self, ref: IdentityRef) -> str | None:
        """ARN of an identity's permissions boundary."""
        boundary = self.detail(ref).boundary
        return boundary.source.arn if boundary else None

    def client_of(self, user: IdentityRef, service: str) -> Any:
        """A client with a new access key of a user: what it may do is decided by the user's own permissions."""
        key = self.local.client("iam").create_access_key(UserName=user.name)["AccessKey"]
        return self.local.client(service, access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])

    def invoke(self, output: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Invoke a function of the stack; LocalAwsError with its own words when it fails."""
        answer = self.local.client("lambda").invoke(
            FunctionName=self.outputs[output], Payload=json.dumps(payload).encode()
        )
        content: dict[str, Any] = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            raise LocalAwsError(f"{output}: {content.get('errorMessage')}")
        return content

    def sweep(self) -> dict[str, Any]:
        """Score the whole account, as the schedule does."""
        return self.invoke("SweepFunctionName", {"trigger": "demonstration"})

    def reconcile(self) -> dict[str, Any]:
        """Look for what was left undone, as the schedule does."""
        return self.invoke("ReconcileFunctionName", {})

    def set_mode(self, mode: str, *, by: IdentityRef | None = None) -> None:
        """Set the mode, as an operator does; by default the account's root user."""
        client = self.client_of(by, "ssm") if by else self.local.client("ssm")
        client.put_parameter(Name=self.outputs["ModeParameterName"], Value=mode, Type="String", Overwrite=True)

    def compliance(self) -> dict[str, str]:
        """Resource id -> what AWS Config shows for the rule."""
        rule = self.outputs["ConfigRuleName"]
        client = self.local.client("config")
        results: dict[str, str] = {}
        token: dict[str, str] = {}
        while True:
            answer = client.get_compliance_details_by_config_rule(ConfigRuleName=rule, Limit=100, **token)
            for result in answer["EvaluationResults"]:
                qualifier = result["EvaluationResultIdentifier"]["EvaluationResultQualifier"]
                results[qualifier["ResourceId"]] = result["ComplianceType"]
            if not answer.get("NextToken"):
                return results
            token = {"NextToken": answer["NextToken"]}

    def remediate_by_config(self, ref: IdentityRef) -> str:
        """Remediate one resource as AWS Config's console does, by the SSM document; returns how it ended."""
        client, rule = self.local.client("config"), self.outputs["ConfigRuleName"]
        keys = [{"resourceType": ref.type.config_resource_type, "resourceId": ref.identity_id}]
        client.start_remediation_execution(ConfigRuleName=rule, ResourceKeys=keys)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            answer = client.describe_remediation_execution_status(ConfigRuleName=rule, ResourceKeys=keys)
            state = answer["RemediationExecutionStatuses"][0]["State"]
            if state not in {"QUEUED", "IN_PROGRESS"}:
                return str(state)
            time.sleep(0.2)
        return "IN_PROGRESS"

    def settle(self, queues: Iterable[str] = QUEUES, *, seconds: float = 150.0) -> bool:
        """Wait until the queues have been empty, nothing in flight, for a moment; False when they never were."""
        return _steady(lambda: self._waiting(queues) == 0, seconds)

    def dead_letters(self) -> int:
        """Messages in all dead-letter queues."""
        return self._waiting([name.replace("Queue", "DeadLetterQueue") for name in FAILURES])

    def notices(self) -> list[Notice]:
        """Messages that the security team got since the last call."""
        return self._inbox.take()

    def anchor(self) -> dict[str, Any]:
        """Verify the audit trail and anchor its ends, as the schedule does."""
        return self.invoke("AnchorFunctionName", {})

    def tell_waiting(self) -> None:
        """Tell what waits longer than a minute, as the schedule does."""
        self.invoke("NotifyFunctionName", {})

    def verify_trail(self) -> TrailReport:
        """Verify the whole audit trail, against its anchors too."""
        account_id = self.account_id
        return verify_trail(self.audit.raw_chain, self.anchors.anchors(account_id), self.audit.chains(account_id))

    def edit_entry(self, entry: AuditEntry, summary: str) -> None:
        """Edit the sentence of an entry, as somebody could who first changed the table's policy, too."""
        self.local.client("dynamodb").update_item(
            TableName=self.outputs["AuditTableName"],
            Key={"pk": {"S": f"CHAIN#{entry.chain}"}, "sk": {"S": place_of(entry.sequence)}},
            UpdateExpression="SET summary = :summary",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":summary": {"S": summary}},
        )

    @contextmanager
    def as_seen_by_the_command(self) -> Iterator[DeployedAccount]:
        """The deployed account as the command reads it, which takes everything from its environment."""
        caller = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.local.environment())
        try:
            yield DeployedAccount("leastwise", region=self.local.region)
        finally:
            os.environ.clear()
            os.environ.update(caller)

    def _waiting(self, queues: Iterable[str]) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        names.append("ApproximateNumberOfMessagesDelayed")
        total = 0
        for queue in queues:
            url = self.outputs[f"{queue}Url"]
            found = self.local.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            total += sum(map(int, found.values()))
        return total

    def _table(self, output: str) -> Table:
        return Table(self.local.client("dynamodb"), self.outputs[output])


def is_refused(call: Callable[[], object]) -> bool:
    """Whether AWS refuses a call for lack of permissions."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"] in REFUSALS
    return False


def _steady(condition: Callable[[], bool], seconds: float) -> bool:
    deadline, since = time.monotonic() + seconds, 0.0
    while time.monotonic() < deadline:
        if not condition():
            since = 0.0
        elif not since:
            since = time.monotonic()
        elif time.monotonic() - since >= QUIET_SECONDS:
            return True
        time.sleep(0.1)
    return False
