"""An account and a stack in which everything is as the system needs it, for `leastwise doctor` to look at.

What moto has is moto's; what it lacks is answered here, in the shapes of the services' API references.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from cli.checkups.event_rules import RULES, WITH_READS
from shared.aws import clients
from shared.aws.usage_ledger import UsageLedger
from shared.model.usage import TRAIL_FEED, Coverage
from tests.builders import ACCOUNT
from tests.conftest import REGION, Stack
from tests.integration.stack_stand_in import Stacks

LOGS = "trail-logs"
ROLE = "auditor"
PARAMETERS = {
    "WindowDays": "90",
    "Threshold": "60",
    "EnableConfig": "true",
    "InventorySource": "config",
    "TrailLogBucketName": LOGS,
}
IAM_TYPES = ["AWS::IAM::User", "AWS::IAM::Role"]


class Account(Stacks):
    """Answers AWS's calls; `refused` are operations that the caller may not do, `denied` actions by the simulator."""

    def __init__(self, aws: Stack) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.refused: set[str] = set()
        self.denied: set[str] = set()
        self.queues: dict[str, str] = {}
        self.answers: dict[str, Mapping[str, Any]] = {
            "GetAccountSettings": {
                "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}
            },
            "GetMetricStatistics": {"Datapoints": [{"Maximum": 7.0}]},
            "DescribeDeliveryChannelStatus": {"DeliveryChannelsStatus": [{"name": "default"}]},
            "DescribeConfigRules": {"ConfigRules": [{"ConfigRuleState": "ACTIVE"}]},
            "DescribeConfigRuleEvaluationStatus": {
                "ConfigRulesEvaluationStatus": [{"LastSuccessfulEvaluationTime": datetime.now(UTC)}]
            },
            "GetCallerIdentity": {"Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/ana", "Account": ACCOUNT},
        }
        self._aws = aws
        self._build()

    def output(self, name: str) -> str:
        """An output of the stack."""
        return str(next(each["OutputValue"] for each in self["leastwise"]["Outputs"] if each["OutputKey"] == name))

    def parameter(self, name: str, value: str) -> None:
        """Deploy the stack with another value of a parameter."""
        kept = [each for each in self["leastwise"]["Parameters"] if each["ParameterKey"] != name]
        self["leastwise"]["Parameters"] = [*kept, {"ParameterKey": name, "ParameterValue": value}]

    def answer(self, client: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        """Answer a call as AWS would."""
        self.calls.append(operation_name)
        if operation_name in self.refused:
            raise _error("AccessDenied", f"not authorized to perform: x:{operation_name}", operation_name)
        if operation_name == "DescribeStacks" and api_params["StackName"] not in self:
            message = f"Stack with id {api_params['StackName']} does not exist"
            raise _error("ValidationError", message, operation_name)
        if operation_name == "DescribeStackResource":
            return {"StackResourceDetail": {"PhysicalResourceId": f"leastwise-{api_params['LogicalResourceId']}"}}
        if operation_name == "SimulatePrincipalPolicy":
            return {"EvaluationResults": [self._decision(action, api_params) for action in api_params["ActionNames"]]}
        if operation_name in self.answers:
            return self.answers[operation_name]
        return super().answer(client, operation_name, api_params)

    def _decision(self, action: str, params: Mapping[str, Any]) -> dict[str, Any]:
        decision = "implicitDeny" if action in self.denied else "allowed"
        on = [{"EvalResourceName": arn, "EvalResourceDecision": decision} for arn in params["ResourceArns"]]
        return {"EvalActionName": action, "EvalDecision": decision, "ResourceSpecificResults": on}

    def _build(self) -> None:
        """Everything as it should be."""
        self.deploy(self._aws, **PARAMETERS)
        sqs = clients.sqs()
        for output in ("UsageQueueUrl", "ScoreQueueUrl", "RestoreQueueUrl", "UsageDeadLetterQueueUrl"):
            self.queues[output] = sqs.create_queue(QueueName=output)["QueueUrl"]
        outputs = {
            **self.queues,
            "AuditTableName": self._aws.audit_table,
            "AuditAnchorBucketName": "locked-anchors",
            "TopicArn": self._aws.topic_arn,
            "ModeParameterName": self._aws.mode_parameter,
            "SafeguardsParameterName": "/doctor/safeguards",
            "ConfigRuleName": "leastwise-privilege-creep",
            "TrailLogQueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:TrailLogQueue",
            "SweepFunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sweep",
        }
        stack = self["leastwise"]
        stack["StackStatus"] = "UPDATE_COMPLETE"
        known = {each["OutputKey"] for each in stack["Outputs"]}
        stack["Outputs"] += [{"OutputKey": key, "OutputValue": out} for key, out in outputs.items() if key not in known]
        clients.ssm().put_parameter(Name="/doctor/safeguards", Value="{}", Type="String")
        clients.iam().create_role(RoleName=ROLE, Path="/people/", AssumeRolePolicyDocument="{}")
        self._build_trail()
        self._build_rules()
        self._build_config()
        self._build_people()

    def _build_trail(self) -> None:
        s3: Any = clients.s3()
        cloudtrail: Any = clients.cloudtrail()
        s3.create_bucket(Bucket=LOGS)
        queue = clients.sqs().create_queue(QueueName="TrailLogQueue")["QueueUrl"].rpartition("/")[2]
        tells = {"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}", "Events": ["s3:ObjectCreated:*"]}
        s3.put_bucket_notification_configuration(
            Bucket=LOGS, NotificationConfiguration={"QueueConfigurations": [tells]}
        )
        cloudtrail.create_trail(Name="all", S3BucketName=LOGS, IsMultiRegionTrail=True, EnableLogFileValidation=True)
        is_data = {"Field": "eventCategory", "Equals": ["Data"]}
        cloudtrail.put_event_selectors(
            TrailName="all",
            AdvancedEventSelectors=[
                {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]},
                {"FieldSelectors": [is_data, {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}]},
            ],
        )
        cloudtrail.start_logging(Name="all")
        today = datetime.now(UTC).date()
        coverage = Coverage.of([today], regions=[REGION], feeds=[TRAIL_FEED, "eventbridge"])
        UsageLedger(self._aws.table(self._aws.usage_table)).merge_coverage(ACCOUNT, coverage)

    def _build_rules(self) -> None:
        events: Any = clients.events()
        for logical, output in RULES.items():
            name, queue = f"leastwise-{logical}", self.queues[output].rpartition("/")[2]
            target = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"
            events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.iam"]}), State=WITH_READS)
            dead = {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"}
            events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": target, "DeadLetterConfig": dead}])

    def _build_config(self) -> None:
        config: Any = clients.config()
        config.put_configuration_recorder(
            ConfigurationRecorder={
                "name": "default",
                "roleARN": f"arn:aws:iam::{ACCOUNT}:role/config",
                "recordingGroup": {"allSupported": False, "resourceTypes": IAM_TYPES},
            }
        )
        clients.s3().create_bucket(Bucket="config-history")
        config.put_delivery_channel(DeliveryChannel={"name": "default", "s3BucketName": "config-history"})
        config.start_configuration_recorder(ConfigurationRecorderName="default")

    def _build_people(self) -> None:
        s3 = clients.s3()
        s3.create_bucket(Bucket="locked-anchors", ObjectLockEnabledForBucket=True)
        s3.put_object_lock_configuration(
            Bucket="locked-anchors",
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 400}},
            },
        )
        self.answers["DescribeAlarms"] = {"MetricAlarms": [alarm("leastwise-usage-dead-letters", "OK")]}


def alarm(name: str, state: str) -> dict[str, Any]:
    """An alarm as CloudWatch describes it, in this state for an hour."""
    return {
        "AlarmName": name,
        "StateValue": state,
        "StateUpdatedTimestamp": datetime.now(UTC) - timedelta(hours=1),
        "AlarmDescription": "Read a message.",
        "ActionsEnabled": True,
    }


def _error(code: str, message: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
