"""Which services' data events a trail records: CloudTrail's resource types as IAM's service prefixes."""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet

# Data events name resource types (`AWS::KinesisFirehose::DeliveryStream`), IAM names services (`firehose`). Only where
# the namespace is not the prefix, or where further prefixes share the events. By hand; where it is unsure which of
# several prefixes is meant, all are listed: an action taken for a data event is kept, not dropped.
PREFIXES_OF_NAMESPACE: Mapping[str, tuple[str, ...]] = {
    "bedrock": ("bedrock", "bedrock-mantle", "bedrock-websearch"),
    "bedrockagentcore": ("bedrock-agentcore",),
    "cloudfront": ("cloudfront-keyvaluestore",),
    "cloudoptimization": ("compute-optimizer", "cost-optimization-hub", "aco-automation"),
    "cloudtrail": ("cloudtrail", "cloudtrail-data"),
    "codeguruprofiler": ("codeguru-profiler",),
    "cognito": ("cognito-identity", "cognito-idp"),
    "ec2": ("ec2", "ebs"),
    "geomaps": ("geo-maps",),
    "geoplaces": ("geo-places",),
    "georoutes": ("geo-routes",),
    "greengrassv2": ("greengrass",),
    "iot": ("iot", "iotjobsdata"),
    "kendraranking": ("kendra-ranking",),
    "kinesisfirehose": ("firehose",),
    "managedblockchainquery": ("managedblockchain-query",),
    "medicalimaging": ("medical-imaging",),
    "mwaa": ("airflow",),
    "neptunegraph": ("neptune-graph",),
    "novaact": ("nova-act",),
    "paymentcryptography": ("payment-cryptography",),
    "pcaconnectorad": ("pca-connector-ad",),
    "pcaconnectorscep": ("pca-connector-scep",),
    "pinpoint": ("mobiletargeting",),
    "rds": ("rds", "rds-data"),
    "redshift": ("redshift", "redshift-data"),
    "s3objectlambda": ("s3-object-lambda",),
    "s3outposts": ("s3-outposts",),
    "sitewiseassistant": ("iotsitewise",),
    "smsvoice": ("sms-voice",),
    "socialmessaging": ("social-messaging",),
    "stepfunctions": ("states",),
    "supportaccess": ("support", "supportauthz"),
    "transform": ("transform", "application-transformation"),
    "transformcustom": ("transform-custom",),
}


def prefixes_of(resource_type: str) -> tuple[str, ...]:
    """IAM prefixes whose actions a type of data events may show.

    >>> prefixes_of("AWS::KinesisFirehose::DeliveryStream")
    ('firehose',)
    """
    namespace = resource_type.split("::")[1].lower()
    return PREFIXES_OF_NAMESPACE.get(namespace, (namespace,))


def recorded_prefixes(recorded: AbstractSet[str], known: Collection[str]) -> frozenset[str]:
    """IAM prefixes of which every known type of data events is recorded: with one missing, some use would not show.

    >>> sorted(recorded_prefixes({"AWS::Lambda::Function", "AWS::S3::Object"}, ["AWS::Lambda::Function",
    ...     "AWS::S3::Object", "AWS::S3::AccessPoint"]))
    ['lambda']
    """
    missing = {prefix for kind in known if kind not in recorded for prefix in prefixes_of(kind)}
    return frozenset(prefix for kind in known if kind in recorded for prefix in prefixes_of(kind)) - missing
