"""How CloudTrail spells services and operations, where that differs from IAM: what no reference knows, kept by hand."""

import re
from collections.abc import Container, Iterator, Mapping

# Event sources whose first label is not the IAM prefix. Sources: the page "Logging ... API calls using AWS CloudTrail"
# of each service's guide, the "CloudTrail event source" of each service in the EventBridge events reference, the event
# sources of network activity events in the CloudTrail user guide, and the endpoint and signing names of the AWS service
# models. Where the operations of one source belong to several prefixes, the prefixes are asked in this order.
PREFIXES_OF_SOURCE: Mapping[str, tuple[str, ...]] = {
    "account-access-runtime": ("account-access",),
    "agent-registry-control": ("agent-registry",),
    "agreement-marketplace": ("aws-marketplace",),
    "amazonmq": ("mq",),
    "appconfigdata": ("appconfig",),
    "application-insights": ("applicationinsights",),
    "appstream2": ("appstream",),
    "autoscaling": ("autoscaling", "application-autoscaling"),
    "awsssoportal": ("sso",),
    "bedrock-agent": ("bedrock",),
    "bedrock-agent-runtime": ("bedrock",),
    "bedrock-agentcore-control": ("bedrock-agentcore",),
    "bedrock-data-automation": ("bedrock",),
    "bedrock-data-automation-runtime": ("bedrock",),
    "bedrock-runtime": ("bedrock",),
    "billingconsole": ("billing",),
    "cassandra-streams": ("cassandra",),
    "chime-sdk-identity": ("chime",),
    "chime-sdk-media-pipelines": ("chime",),
    "chime-sdk-meetings": ("chime",),
    "chime-sdk-messaging": ("chime",),
    "chime-sdk-voice": ("chime",),
    "cloudcontrolapi": ("cloudformation",),
    "cloudhsmv2": ("cloudhsm",),
    "cloudoptimization": ("compute-optimizer", "cost-optimization-hub"),
    "cloudsearchdomain": ("cloudsearch",),
    "cloudwatch-omni": ("cloudwatch",),
    "contact-lens": ("connect",),
    "data-signer": ("signer",),
    "data.jobs.iot": ("iotjobsdata",),
    "deployment-marketplace": ("aws-marketplace",),
    "discovery-marketplace": ("aws-marketplace",),
    "email": ("ses",),
    "entitlement-marketplace": ("aws-marketplace",),
    "es": ("es", "opensearch"),
    "eventsv2": ("events",),
    "forecastquery": ("forecast",),
    "iam-toolbox": ("iam",),
    "identity-chime": ("chime",),
    "iotdata": ("iot",),
    "iot-jobs-data": ("iotjobsdata",),
    "iotsecuredtunneling": ("iot",),
    "ivsrealtime": ("ivs",),
    "mail-manager": ("ses",),
    "marketplace": ("aws-marketplace",),
    "media-pipelines-chime": ("chime",),
    "meetings-chime": ("chime",),
    "memory-db": ("memorydb",),
    "messaging-chime": ("chime",),
    "metering-marketplace": ("aws-marketplace",),
    "migrationhub": ("mgh",),
    "migrationhub-config": ("mgh",),
    "models-v2-lex": ("lex",),
    "monitoring": ("cloudwatch",),
    "mturk-requester": ("mechanicalturk",),
    "oidc": ("sso-oauth",),
    "partnercentral-account": ("partnercentral",),
    "partnercentral-benefits": ("partnercentral",),
    "partnercentral-channel": ("partnercentral",),
    "partnercentral-prm": ("partnercentral",),
    "partnercentral-selling": ("partnercentral",),
    "personalize-events": ("personalize",),
    "personalize-runtime": ("personalize",),
    "pinpoint": ("mobiletargeting",),
    "rdsdataapi": ("rds-data",),
    "reporting-marketplace": ("aws-marketplace",),
    "runtime-v2-lex": ("lex",),
    "s3-control": ("s3",),
    "servicecatalog-appregistry": ("servicecatalog",),
    "sms-voice.pinpoint": ("sms-voice",),
    "tagging": ("tag",),
    "taxconsole": ("tax",),
    "transcribestreaming": ("transcribe",),
    "voice-chime": ("chime",),
}

# Object-level calls on directory buckets are authorized by the session that they are made in. Source: Amazon S3 User
# Guide, "Authorizing Zonal endpoint API operations with CreateSession", which lists them.
_ZONAL_OPERATIONS = (
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateMultipartUpload",
    "DeleteObject",
    "DeleteObjects",
    "GetObject",
    "GetObjectAttributes",
    "HeadBucket",
    "HeadObject",
    "ListMultipartUploads",
    "ListObjectsV2",
    "ListParts",
    "PutObject",
    "RenameObject",
    "UploadPart",
    "UploadPartCopy",
)

# Events that are neither an operation with actions in the reference nor an action by name. Sources: Amazon S3 User
# Guide, "Amazon S3 CloudTrail events" (event names that differ from the API action), and the permissions that the API
# reference of S3, API Gateway (management of WebSocket connections) and Verified Permissions names for these calls; of
# S3 Tables its user guide, "Accessing tables using the Amazon S3 Tables Iceberg REST endpoint".
ACTION_OF_EVENT: Mapping[str, str] = {
    "execute-api:DeleteConnection": "execute-api:ManageConnections",
    "execute-api:GetConnection": "execute-api:ManageConnections",
    "execute-api:PostToConnection": "execute-api:ManageConnections",
    "s3:CreateSession": "s3express:CreateSession",
    "s3:DeleteAccountPublicAccessBlock": "s3:PutAccountPublicAccessBlock",
    "s3:DeleteBucketPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:ListDirectoryBuckets": "s3express:ListAllMyDirectoryBuckets",
    "s3:PostObject": "s3:PutObject",
    "s3:RenameObject": "s3express:CreateSession",
    "s3:WriteGetObjectResponse": "s3-object-lambda:WriteGetObjectResponse",
    "s3express:DeleteBucketEncryption": "s3express:PutEncryptionConfiguration",
    "s3express:DeleteBucketLifecycle": "s3express:PutLifecycleConfiguration",
    "s3express:GetBucketEncryption": "s3express:GetEncryptionConfiguration",
    "s3express:GetBucketLifecycle": "s3express:GetLifecycleConfiguration",
    "s3express:ListDirectoryBuckets": "s3express:ListAllMyDirectoryBuckets",
    "s3express:PutBucketEncryption": "s3express:PutEncryptionConfiguration",
    "s3express:PutBucketLifecycle": "s3express:PutLifecycleConfiguration",
    "s3tables:GetObject": "s3tables:GetTableData",
    "s3tables:PutObject": "s3tables:PutTableData",
    "verifiedpermissions:BatchGetPolicy": "verifiedpermissions:GetPolicy",
    "verifiedpermissions:BatchIsAuthorized": "verifiedpermissions:IsAuthorized",
    "verifiedpermissions:BatchIsAuthorizedWithToken": "verifiedpermissions:IsAuthorizedWithToken",
    **{f"s3express:{name}": "s3express:CreateSession" for name in _ZONAL_OPERATIONS},
}

# Calls that only the AWS console makes, of no public API: what the console needs, though nobody says that it is checked
# for each of them. Source: Amazon S3 User Guide, "Setting Amazon S3 Storage Lens permissions".
POSSIBLE_OF_CONSOLE_EVENT: Mapping[str, tuple[str, ...]] = {
    "s3:GetStorageLensDashboardDataInternal": ("s3:GetStorageLensDashboard",),
}

# Operations (of CodeCatalyst: all) that no IAM action authorizes, since the caller shows a token, a password or nothing
# at all. Sources: the AWS service models (no signature), AWS CloudTrail User Guide, "AWS Management Console sign-in
# events", Amazon CodeCatalyst User Guide, "API authentication", and Amazon Cognito Developer Guide, "API operations
# grouped by authorization model". Switching roles in the console is logged as sts:AssumeRole, too.
WITHOUT_ACTION = frozenset(
    {
        "account-access:GetRoleCredentials",
        "account-access:ListRoles",
        "codecatalyst",
        "cognito-idp:CompleteWebAuthnRegistration",
        "cognito-idp:DeleteWebAuthnCredential",
        "cognito-idp:GetUserAuthFactors",
        "cognito-idp:ListUserSessions",
        "cognito-idp:ListWebAuthnCredentials",
        "cognito-idp:RevokeUserSession",
        "cognito-idp:StartWebAuthnRegistration",
        "signin:CheckMfa",
        "signin:ConsoleLogin",
        "signin:CreateBearerToken",
        "signin:CreateOAuth2TokenWithTokenExchange",
        "signin:CredentialChallenge",
        "signin:CredentialVerification",
        "signin:EmailUpdated",
        "signin:ExitRole",
        "signin:GetSigninToken",
        "signin:PasswordRecoveryCompleted",
        "signin:PasswordRecoveryRequested",
        "signin:PasswordUpdated",
        "signin:RenewRole",
        "signin:SwitchRole",
        "signin:UserAuthentication",
        "sso:Authenticate",
        "sso:Federate",
        "sso:GetRoleCredentials",
        "sso:ListAccountRoles",
        "sso:ListAccounts",
        "sso:Logout",
        "sso-oauth:RegisterClient",
        "sso-oauth:StartDeviceAuthorization",
    }
)

# Calls (or services: all of theirs) that hand no role to any service, although the reference has no operation for them
# which would say so: agents and clients make them all day. Sources: AWS Systems Manager User Guide, "Reference:
# ec2messages, ssmmessages, and other API operations"; AWS CodeCommit User Guide, "Permissions for Git client commands";
# the API references of Amazon SES, AWS STS (roles are assumed there, not passed) and Amazon Verified Permissions.
WITHOUT_ROLE = frozenset(
    {
        "codecommit:GitPull",
        "codecommit:GitPush",
        "ec2messages",
        "ses:SendBounce",
        "ses:SendBulkTemplatedEmail",
        "ses:SendEmail",
        "ses:SendRawEmail",
        "ses:SendTemplatedEmail",
        "ssm:UpdateInstanceAssociationStatus",
        "ssm:UpdateInstanceInformation",
        "ssmmessages",
        "sts",
        "verifiedpermissions",
    }
)

# API Gateway's management actions are HTTP methods. Source: API Gateway Developer Guide, "Control access for managing
# an API"; the method of each operation is the one of its REST binding.
API_GATEWAY_METHODS: Mapping[str, str] = {
    "Create": "POST",
    "Delete": "DELETE",
    "Export": "GET",
    "Flush": "DELETE",
    "Generate": "POST",
    "Get": "GET",
    "Put": "PUT",
    "Reset": "DELETE",
    "Test": "POST",
    "Untag": "DELETE",
    "Update": "PATCH",
}

# CreateFunction20150331, GetFunction20150331v2 (Lambda), UpdateDistribution2014_01_31 (CloudFront).
_DATED_VERSION = re.compile(r"(?:20\d{6}|20\d{2}_\d{2}_\d{2})(?:[vV]\d{1,2})?$")
# SearchTopicsV2: perhaps another spelling of SearchTopics, perhaps an operation of its own.
_BARE_VERSION = re.compile(r"[vV]\d{1,2}$")
# Not Validate, Test or Discover: some such operations of the reference do pass roles.
_READS = re.compile(
    r"(?:Admin|Batch)?"
    r"(?:Check|Count|Describe|Download|Get|Head|Is|List|Lookup|Poll|Query|Read|Retrieve|Scan|Search|Select|View)(?![a-z])"
)
_CAMEL_WORD = re.compile(r"[A-Z][a-z]+")
_ACTION = re.compile(r"[a-z0-9-]{2,40}:[A-Za-z0-9]{2,128}")


def label_of(event_source: str) -> str:
    """What names the service in an event source, without the partition's suffix: `ec2`, `runtime.lex`."""
    return event_source.removesuffix(".cn").removesuffix(".amazonaws.com")


def prefixes_of(event_source: str, known: Container[str]) -> tuple[str, ...]:
    """IAM prefixes of an event source, of those that are known: by the table, by its name, or by its last label.

    >>> prefixes_of("runtime.lex.amazonaws.com", {"lex"}), prefixes_of("monitoring.amazonaws.com", {"cloudwatch"})
    (('lex',), ('cloudwatch',))
    """
    label = label_of(event_source)
    for spelling in (label, label.rsplit(".", 1)[-1]):
        prefixes = PREFIXES_OF_SOURCE.get(spelling, (spelling,))
        if found := tuple(prefix for prefix in prefixes if prefix in known):
            return found
    return ()


def spellings(event_name: str) -> Iterator[str]:
    """Spell an event's operation: as it stands, then without the date of its API version.

    >>> list(spellings("GetFunction20150331v2"))
    ['GetFunction20150331v2', 'GetFunction']
    """
    yield event_name
    if (stripped := _DATED_VERSION.sub("", event_name)) != event_name:
        yield stripped


def without_version(event_name: str) -> str | None:
    """The name without a bare version (`SearchTopicsV2`), or None where it has none."""
    stripped = _BARE_VERSION.sub("", event_name)
    return stripped if stripped != event_name else None


def has_no_action(prefix: str, event_name: str) -> bool:
    """Whether the call is known to need no IAM permission."""
    return prefix in WITHOUT_ACTION or f"{prefix}:{event_name}" in WITHOUT_ACTION


def action_by_name(prefix: str, event_name: str, known: Mapping[str, str]) -> str | None:
    """Find the action of an event that is no operation: agents' calls, console calls and calls that no SDK makes.

    `known` holds the service's actions by their names in lower case, since IAM compares them without case.
    """
    if name := known.get(event_name.lower()):
        return f"{prefix}:{name}"
    if prefix == "apigateway" and (method := api_gateway_method(event_name)) and method.lower() in known:
        return f"apigateway:{method}"
    return ACTION_OF_EVENT.get(f"{prefix}:{event_name}")


def presumed(prefix: str, event_name: str) -> str | None:
    """The action that an unknown operation is most likely authorized by; None where no action is spelled like that."""
    action = f"{prefix}:{event_name}"
    return action if _ACTION.fullmatch(action) else None


def may_pass_role(prefix: str, event_name: str) -> bool:
    """Whether a call of an operation that the reference doesn't know may hand a role to a service: reads never do.

    >>> may_pass_role("newservice", "CreateThing"), may_pass_role("newservice", "GetThing")
    (True, False)
    """
    call = f"{prefix}:{event_name}"
    known = prefix in WITHOUT_ROLE or call in WITHOUT_ROLE or call in ACTION_OF_EVENT
    return not known and _READS.match(event_name) is None


def api_gateway_method(operation: str) -> str | None:
    """HTTP method of an API Gateway operation by its verb: GetRestApis is GET."""
    word = _CAMEL_WORD.match(operation)
    return API_GATEWAY_METHODS.get(word.group()) if word else None
