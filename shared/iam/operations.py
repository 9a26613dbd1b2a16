"""From an API call in CloudTrail to the IAM actions that AWS authorizes for it: pure, over the AWS service reference.

The reference (`data/SERVICE_REFERENCE_SOURCE.md`) answers nearly everything. By hand is only what it can't know: how
CloudTrail spells services and operations, and which of several actions of other names AWS checks without exception.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

PASS_ROLE = "iam:PassRole"  # noqa: S105 an IAM action, no password

# Event sources whose first label is not the IAM prefix. Sources: the page "Logging ... API calls using AWS CloudTrail"
# of each service's guide, and the endpoint and signing names of the AWS service models. Where the operations of one
# source belong to two prefixes, the prefixes are asked in this order.
PREFIXES_OF_SOURCE: Mapping[str, tuple[str, ...]] = {
    "account-access-runtime": ("account-access",),
    "amazonmq": ("mq",),
    "appconfigdata": ("appconfig",),
    "application-insights": ("applicationinsights",),
    "appstream2": ("appstream",),
    "autoscaling": ("autoscaling", "application-autoscaling"),
    "bedrock-agent": ("bedrock",),
    "bedrock-agent-runtime": ("bedrock",),
    "bedrock-agentcore-control": ("bedrock-agentcore",),
    "bedrock-data-automation": ("bedrock",),
    "bedrock-data-automation-runtime": ("bedrock",),
    "bedrock-runtime": ("bedrock",),
    "billingconsole": ("billing",),
    "cassandra-streams": ("cassandra",),
    "cloudcontrolapi": ("cloudformation",),
    "cloudhsmv2": ("cloudhsm",),
    "cloudsearchdomain": ("cloudsearch",),
    "contact-lens": ("connect",),
    "email": ("ses",),
    "es": ("es", "opensearch"),
    "forecastquery": ("forecast",),
    "identity-chime": ("chime",),
    "iotdata": ("iot",),
    "iot-jobs-data": ("iotjobsdata",),
    "ivsrealtime": ("ivs",),
    "mail-manager": ("ses",),
    "marketplace": ("aws-marketplace",),
    "media-pipelines-chime": ("chime",),
    "meetings-chime": ("chime",),
    "memory-db": ("memorydb",),
    "messaging-chime": ("chime",),
    "migrationhub-config": ("mgh",),
    "models-v2-lex": ("lex",),
    "monitoring": ("cloudwatch",),
    "mturk-requester": ("mechanicalturk",),
    "oidc": ("sso-oauth",),
    "partnercentral-account": ("partnercentral",),
    "partnercentral-benefits": ("partnercentral",),
    "partnercentral-channel": ("partnercentral",),
    "partnercentral-selling": ("partnercentral",),
    "personalize-events": ("personalize",),
    "personalize-runtime": ("personalize",),
    "pinpoint": ("mobiletargeting",),
    "runtime-v2-lex": ("lex",),
    "s3-control": ("s3",),
    "servicecatalog-appregistry": ("servicecatalog",),
    "sms-voice.pinpoint": ("sms-voice",),
    "tagging": ("tag",),
    "taxconsole": ("tax",),
    "voice-chime": ("chime",),
}

# Events that are neither an operation of the reference nor an action by name. Source: Amazon S3 User Guide, "Amazon S3
# CloudTrail events" (event names that differ from the API action), and the actions that S3 documents for those APIs.
ACTION_OF_EVENT: Mapping[str, str] = {
    "s3:DeleteAccountPublicAccessBlock": "s3:PutAccountPublicAccessBlock",
    "s3:DeleteBucketPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3express:DeleteBucketEncryption": "s3express:PutEncryptionConfiguration",
    "s3express:GetBucketEncryption": "s3express:GetEncryptionConfiguration",
    "s3express:ListDirectoryBuckets": "s3express:ListAllMyDirectoryBuckets",
    "s3express:PutBucketEncryption": "s3express:PutEncryptionConfiguration",
}

# Operations that authorize several actions, none of their own name, of which AWS always checks this one. Sources:
# Amazon S3 "Required permissions for Amazon S3 API operations", and the permissions section of each API's reference.
PRIMARY_OF_OPERATION: Mapping[str, str] = {
    "apigateway:ImportApi": "apigateway:PUT",
    "apigateway:ImportRestApi": "apigateway:POST",
    "apigateway:ReimportApi": "apigateway:PUT",
    "bedrock:Converse": "bedrock:InvokeModel",
    "bedrock:ConverseStream": "bedrock:InvokeModelWithResponseStream",
    "cloudfront:CreateDistributionWithTags": "cloudfront:CreateDistribution",
    "cloudfront:UpdateDistributionWithStagingConfig": "cloudfront:UpdateDistribution",
    "dynamodb:RestoreTableToPointInTime": "dynamodb:RestoreTableToPointInTime",
    "kms:ReEncrypt": "kms:ReEncryptFrom",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:UploadPartCopy": "s3:PutObject",
}

# API Gateway's management actions are HTTP methods. Source: API Gateway Developer Guide, "Control access for managing
# an API"; the method of each operation is the one of its REST binding.
API_GATEWAY_METHODS: Mapping[str, str] = {
    "Create": "POST",
    "Delete": "DELETE",
    "Flush": "DELETE",
    "Generate": "POST",
    "Get": "GET",
    "Put": "PUT",
    "Test": "POST",
    "Untag": "DELETE",
    "Update": "PATCH",
}

# Checked beside the action that does the work: for requests with tags, or with an API key instead of a signature.
_AUXILIARY = frozenset({"AddTags", "CallWithBearerToken", "TagResource"})

# CreateFunction20150331, GetFunction20150331v2 (Lambda), UpdateDistribution2014_01_31 (CloudFront), CreateTopicV2.
_API_VERSION = re.compile(r"(?:20\d{6}|20\d{2}_\d{2}_\d{2})?(?:[vV]\d{1,2})?$")
_CAMEL_WORD = re.compile(r"[A-Z][a-z]+")


_ACTION = re.compile(r"[a-z0-9-]{2,40}:[A-Za-z0-9]{2,128}")


class UnmappedReason(StrEnum):
    """Why a call has no IAM action that could be named."""

    UNKNOWN_SERVICE = "unknown_service"
    UNKNOWN_OPERATION = "unknown_operation"
    NO_ACTION = "no_action"  # a known operation for which the reference names no action


@dataclass(frozen=True, slots=True)
class OperationActions:
    """The IAM actions of one operation, each as `prefix:Name` in the reference's spelling.

    `primary` is the action whose use a successful call proves. It is None where AWS checks one or another of several
    actions, depending on the request: a guess would be false evidence. `possible` holds the actions that AWS may have
    checked too. `passes_role` says that the operation checks iam:PassRole for the roles that a request names.
    """

    primary: str | None
    possible: tuple[str, ...]
    passes_role: bool


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A call that has no IAM action which could be named."""

    reason: UnmappedReason


class OperationMap:
    """Answers which IAM actions AWS authorizes for a call, from the parsed service reference."""

    def __init__(self, reference: Mapping[str, Any]) -> None:
        self._services: Mapping[str, Mapping[str, Any]] = reference["services"]
        # Bounded: event names come from outside.
        self._resolve = lru_cache(maxsize=16_384)(self._resolve_call)

    def actions_of(self, event_source: str, event_name: str) -> OperationActions | Unmapped:
        """Name the actions of a call by CloudTrail's `eventSource` (`ec2.amazonaws.com`) and `eventName`."""
        return self._resolve(event_source, event_name)

    def presumed_action(self, event_source: str, event_name: str) -> str | None:
        """The action that a call which the reference doesn't know most likely needed: the one of its own name.

        An API that is newer than the reference is used all the same, and AWS names actions after their operations.
        None where the names could be no action's.
        """
        label = event_source.removesuffix(".cn").removesuffix(".amazonaws.com")
        prefix = next(iter(self._prefixes_of(event_source)), label)
        presumed = f"{prefix}:{event_name}"
        return presumed if _ACTION.fullmatch(presumed) else None

    def has_action(self, action: str) -> bool:
        """Whether `prefix:Name` is an action of the reference, in the reference's spelling."""
        prefix, _, name = action.partition(":")
        return name in self._services.get(prefix, {}).get("actions", {})

    def _resolve_call(self, event_source: str, event_name: str) -> OperationActions | Unmapped:
        prefixes = self._prefixes_of(event_source)
        if not prefixes:
            return Unmapped(UnmappedReason.UNKNOWN_SERVICE)
        calls = [(prefix, name) for name in _spellings(event_name) for prefix in prefixes]
        known = [(prefix, name) for prefix, name in calls if name in self._services[prefix]["operations"]]
        for prefix, name in known:
            if authorized := _names(self._services[prefix]["operations"][name]):
                return self._choose(prefix, name, authorized)
        for prefix, name in calls:
            if action := self._action_by_name(prefix, name):
                return OperationActions(action, (), passes_role=False)
        return Unmapped(UnmappedReason.NO_ACTION if known else UnmappedReason.UNKNOWN_OPERATION)

    def _prefixes_of(self, event_source: str) -> tuple[str, ...]:
        """IAM prefixes of an event source: by the table, by its name, or by its last label (`runtime.lex`)."""
        label = event_source.removesuffix(".cn").removesuffix(".amazonaws.com")
        for spelling in (label, label.rsplit(".", 1)[-1]):
            prefixes = PREFIXES_OF_SOURCE.get(spelling, (spelling,))
            if known := tuple(prefix for prefix in prefixes if prefix in self._services):
                return known
        return ()

    def _choose(self, prefix: str, operation: str, authorized: tuple[str, ...]) -> OperationActions:
        """Tell the action that a call proves from those that it may have needed."""
        actions = [action for action in authorized if action != PASS_ROLE]
        primary = _primary(prefix, operation, actions)
        namesake = self._action_by_name(prefix, operation)
        if namesake and namesake not in actions:
            actions.append(namesake)
        possible = tuple(action for action in actions if action != primary)
        return OperationActions(primary, possible, passes_role=PASS_ROLE in authorized)

    def _action_by_name(self, prefix: str, event_name: str) -> str | None:
        """Find an action by an event that is no operation: agents' calls, console calls and calls not in any SDK."""
        known = self._services[prefix]["actions"]
        if event_name in known:
            return f"{prefix}:{event_name}"
        if prefix == "apigateway":
            method = _api_gateway_method(event_name)
            return f"apigateway:{method}" if method in known else None
        return ACTION_OF_EVENT.get(f"{prefix}:{event_name}")


def _spellings(event_name: str) -> Iterator[str]:
    """Spell an event's operation: as it stands, then without its API version."""
    yield event_name
    if (stripped := _API_VERSION.sub("", event_name)) != event_name:
        yield stripped


def _names(authorized: list[str | dict[str, Any]]) -> tuple[str, ...]:
    """Names of authorized actions, each once; an entry with a context is an action that AWS checks in that context."""
    return tuple(dict.fromkeys(entry if isinstance(entry, str) else str(entry["action"]) for entry in authorized))


def _primary(prefix: str, operation: str, actions: list[str]) -> str | None:
    """Choose the action that AWS checks for every such call, or None where that depends on the request.

    In order: the table, the operation's namesake (its own service's first), API Gateway's HTTP method, and the only one
    of its own service. The reference sorts actions by name, so that being first means nothing.
    """
    if known := PRIMARY_OF_OPERATION.get(f"{prefix}:{operation}"):
        return known
    own = [action for action in actions if action.startswith(f"{prefix}:")]
    spellings = {spelling.lower() for spelling in _spellings(operation)}
    for action in (*own, *actions):
        if action.split(":", 1)[1].lower() in spellings:
            return action
    if prefix == "apigateway" and (method := f"apigateway:{_api_gateway_method(operation)}") in actions:
        return method
    working = [action for action in own or actions if action.split(":", 1)[1] not in _AUXILIARY]
    return working[0] if len(working) == 1 else None


def _api_gateway_method(operation: str) -> str | None:
    """HTTP method of an API Gateway operation by its verb: GetRestApis is GET."""
    word = _CAMEL_WORD.match(operation)
    return API_GATEWAY_METHODS.get(word.group()) if word else None
