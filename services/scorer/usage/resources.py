"""Which resources a call named: ARNs where that is certain, "any" in all other cases. Pure.

A policy is narrowed to what stands here, so a wrong certainty locks somebody out, while a missing one only leaves a
grant as wide as it was. Certain is, for the primary action of a call that AWS let pass:

1. The action has exactly one resource type. One without types is checked on `*`; one with several may be checked on
   all of them (kms:UpdateAlias on the alias, the old and the new key), and a record needn't name them all.
   Types that only address the same resource in another way (`ALTERNATIVES`) don't count, unless the request shows a
   sign of them (`Addressing`).
2. The record's `resources` hold ARNs that fit the type: these. The bucket beside an object does not fit the object's.
3. Else the request names the resource in a parameter: an ARN that fits, in a parameter that is called as the type is
   (`topicArn`, `resourceArn`); or, for the few types of `NAMED_IN_REQUEST`, its name. If one such parameter holds
   anything else, nothing is certain.

Types by name are listed one by one, since the service reference can't tell whether a service folds case (ElastiCache,
RDS), takes aliases or ids for names (KMS, Secrets Manager), or shares resources of other accounts (EC2, by AWS RAM).
Sources: Service Authorization Reference (resource types), CloudTrail User Guide, "CloudTrail record contents"
(`resources`, `requestParameters`), and what stands beside each table.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import product

import msgspec

from services.scorer.trail.record import NULL, Record
from services.scorer.usage.templates import ArnTemplate, template
from shared.iam.operations import OperationMap

# Types that are another address of the same resource. Sources: Amazon S3 User Guide, "Managing access with access
# points"; Amazon DynamoDB Developer Guide, "IAM policies for indexes".
ALTERNATIVES: Mapping[str, str] = {"dynamodb": "/index/", "s3": ":accesspoint/"}


INDIRECT = ("accesspoint", "-s3alias", "--ol-s3", "--x-s3")  # in a bucket's or a host's name


class Addressing(msgspec.Struct, frozen=True, gc=False):
    """Parameters by which AWS may have checked another resource than the record names."""

    bucket: str | None = msgspec.field(default=None, name="bucketName")
    host: str | None = msgspec.field(default=None, name="Host")
    index: str | None = msgspec.field(default=None, name="indexName")
    qualifier: str | None = None

    @property
    def is_direct(self) -> bool:
        """Whether a request addresses the named resource itself, as far as can be told.

        Not one of a table's indexes, not a version or alias of a function (Lambda Developer Guide, "Resources and
        conditions"), no bucket by an access point, its alias or an Object Lambda access point, and none of directories.
        """
        if self.index is not None or self.qualifier is not None:
            return False
        names = f"{self.bucket} {self.host}"
        return not any(word in names for word in INDIRECT)


_WITH_ADDRESSING = frozenset({"dynamodb", "lambda", "s3"})
_addressing_of = msgspec.json.Decoder(Addressing | None)

# Never certain: CloudWatch Logs checks `log-group:NAME:log-stream:` and `log-group:NAME:*`, which records don't spell
# out (CloudWatch Logs User Guide, "Resources and operations"); a secret's ARN ends in a random suffix, and one without
# it is accepted too (Secrets Manager API reference, GetSecretValue); a path stands for everything below it.
NEVER_CERTAIN = frozenset({"logs", "secretsmanager", "ssm:GetParametersByPath"})

# Operations on several resources of the type, of which the action was checked on one: the source is read, not written.
BETWEEN_TWO = frozenset({"CopyObject", "UploadPartCopy"})

# `resources` holds the function, even where the request names one of its versions: only the request tells.
ONLY_BY_REQUEST = frozenset({"lambda"})

# Types whose ARN follows from the account, the region and a case-sensitive name that the request gives. Sources: each
# service's API reference (the parameter), and its "Actions, resources, and condition keys" page (the ARN).
NAMED_IN_REQUEST: Mapping[str, str] = {
    "codebuild": "ProjectName",
    "cognito-idp": "UserPoolId",
    "dynamodb": "TableName",
    "ecr": "RepositoryName",
    "eks": "ClusterName",
    "firehose": "DeliveryStreamName",
    "kinesis": "StreamName",
    "lambda": "FunctionName",
    "s3": "BucketName",
    "sqs": "QueueName",
}
# Parameters that put the named resource into another account. Sources: ECR and SQS API references.
OWNERS = ("registryId", "queueOwnerAWSAccountId")

QUEUE_URL = "queueUrl"

_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]{1,512}")
_PLAIN_REPOSITORY = re.compile(r"[a-z0-9._/-]{1,256}")
_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"  # what CloudTrail writes instead of a value
# Source: Amazon SQS Developer Guide, "Queue and message identifiers" (the URL holds region, account and name).
_QUEUE_URL = re.compile(
    r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([0-9]{12})/([A-Za-z0-9_-]{1,80}(?:\.fifo)?)"
)
_STEM = re.compile(r"(?:Name|Id)(?:WithPath)?$")
_parameters_of = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text_of = msgspec.json.Decoder(str)


class ResourceRule:
    """How to tell the resources of one action from a record.

    `fits` tells whether an ARN is of the action's type. `by_resources` says that `resources` count where one of them
    fits, `addressed` that the request can also say that it was another resource.
    """

    __slots__ = ("_by_name", "_parameters", "_template", "addressed", "by_resources", "fits")

    def __init__(self, action: str, only: ArnTemplate) -> None:
        """Take the action, as `prefix:Name`, and its one resource type."""
        prefix = action.partition(":")[0]
        self._template = only
        self._by_name = only.names == (NAMED_IN_REQUEST.get(prefix),)
        self._parameters = _parameters(only, by_name=self._by_name)
        self.fits = only.pattern.fullmatch
        self.by_resources = prefix not in ONLY_BY_REQUEST
        self.addressed = prefix in _WITH_ADDRESSING

    def named_in_request(self, record: Record) -> Sequence[str] | None:
        """ARNs of the resources that a request certainly names; None where that could be any."""
        region, account_id = record.aws_region, record.recipient_account_id
        if record.request_parameters == NULL or not region or not account_id:
            return None
        try:
            request = _parameters_of.decode(record.request_parameters)
            owners = [_text_of.decode(request[name]) for name in OWNERS if name in request]
            values = [(name, _text_of.decode(request[name])) for name in self._parameters if name in request]
        except (msgspec.MsgspecError, RecursionError):
            return None
        arns = [
            self._arn_of_queue(value, region) if name == QUEUE_URL else self._arn(value, region, account_id)
            for name, value in values
        ]
        certain = [arn for arn in arns if arn is not None]
        own = all(owner == account_id for owner in owners)
        return certain if own and certain and len(certain) == len(arns) else None

    def _arn(self, value: str, region: str, account_id: str) -> str | None:
        """ARN by a parameter's value, which is one, or the resource's name."""
        if value.startswith("arn:"):
            return value if self._template.fits(value) else None
        plain = _PLAIN_REPOSITORY if self._template.names == ("RepositoryName",) else _PLAIN_NAME
        if not self._by_name or value == _HIDDEN or not plain.fullmatch(value):
            return None
        return self._template.named(value, region=region, account_id=account_id)

    def _arn_of_queue(self, url: str, region: str) -> str | None:
        match = _QUEUE_URL.fullmatch(url)
        if match is None or match.group(1) != region:
            return None
        return self._template.named(match.group(3), region=region, account_id=match.group(2))


def rule_of(action: str, event_name: str, operations: OperationMap) -> ResourceRule | None:
    """How to tell the resources of an operation's primary action (`prefix:Name`); None where they are never certain."""
    prefix = action.partition(":")[0]
    if prefix in NEVER_CERTAIN or action in NEVER_CERTAIN or event_name in BETWEEN_TWO:
        return None
    alternative = ALTERNATIVES.get(prefix)
    texts = [text for text in operations.resource_templates(action) if alternative is None or alternative not in text]
    return ResourceRule(action, template(texts[0])) if len(texts) == 1 else None


def is_direct(parameters: msgspec.Raw) -> bool:
    """Whether a request addresses the resource that its record names; not one that can't be read."""
    try:
        return _is_direct(_addressing_of.decode(parameters))
    except (msgspec.MsgspecError, RecursionError):
        return False


@lru_cache(maxsize=8_192)
def _is_direct(addressing: Addressing | None) -> bool:
    """Judge once what nearly all requests have in common: none of these parameters, or one of few buckets."""
    return addressing is None or addressing.is_direct


def _parameters(only: ArnTemplate, *, by_name: bool) -> tuple[str, ...]:
    """Parameters that may name the one resource, in CloudTrail's spelling, which begins with a small letter."""
    stems = [_STEM.sub("", name) for name in only.names]
    spelled = [
        "resourceArn",
        "resourceARN",
        "arn",
        *(f"{_small(a)}{b}" for a, b in product(stems, ("Arn", "ARN")) if a),
    ]
    if by_name:
        spelled.append(_small(only.names[0]))
    if only.names == ("QueueName",):
        spelled.append(QUEUE_URL)
    return tuple(dict.fromkeys(spelled))


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]
