"""Resource and NotResource: `*` or an ARN, as IAM's API takes them.

Fields that are missing at the end of an ARN are `*` to IAM, as long as none of the given ones is empty.
"""

import re
from collections.abc import Iterator

from shared.iam.grammar.elements import Elements, Text
from shared.iam.grammar.findings import Code, Flaw
from shared.iam.patterns import globs

PARTITIONS = frozenset(
    {"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc", "*"}
)
# Types of IAM resources: those that IAM's API names where it refuses another, and newer ones of its reference.
IAM_PATHS = (
    *("access-report/", "assumed-role/", "delegation-request/", "federated-user/", "group/", "instance-profile/"),
    *("mfa/", "oidc-provider/", "policy/", "report/", "role/", "role-template/", "saml-provider/"),
    *("server-certificate/", "sms-mfa/", "user/"),
)
# Types of S3 resources that live in a region; a bucket's ARN has none.
S3_REGIONAL = ("accesspoint/", "access-grants/", "async-request/", "job/", "storage-lens/", "storage-lens-group/")
_FIELDS = 6
_ACCOUNT = re.compile(r"|\d{12}|aws|.*[*?$].*")


def check_resources(statement: Elements) -> Iterator[Flaw]:
    """Form of each resource."""
    for text in statement.texts("Resource", "NotResource"):
        if text.value != "*":
            yield from _arn(text)


def _arn(text: Text) -> Iterator[Flaw]:
    path, resource = text
    prefix, *fields = resource.split(":", _FIELDS - 1)
    if not fields:
        yield Flaw(Code.RESOURCE_FORM, path, f'{resource!r} is neither an ARN nor "*"')
        return
    if prefix != "arn":
        yield Flaw(Code.ARN_PREFIX, path, f"{resource!r} does not begin with arn:")
    if fields[0] not in PARTITIONS:
        yield Flaw(Code.ARN_PARTITION, path, f"{fields[0]!r} is not a partition of AWS")
    if len(fields) == 1:
        yield Flaw(Code.ARN_SERVICE, path, f"{resource!r} names no service")
        return
    yield from _fields(text, fields)


def _fields(text: Text, fields: list[str]) -> Iterator[Flaw]:
    """What follows the partition: service, region, account and resource, of which the last ones may be missing."""
    path, resource = text
    service = fields[1]
    if not service or globs.is_wild(service):
        yield Flaw(Code.ARN_SERVICE, path, f"{service!r} is not the name of a service in {resource!r}")
    if len(fields) < _FIELDS - 1:
        missing = f"{resource!r} has {len(fields) + 1} of {_FIELDS} fields"
        if "" in fields[1:]:
            yield Flaw(Code.ARN_FIELDS, path, missing)
        else:
            yield Flaw(Code.ARN_SHORT, path, f"{missing}; IAM takes the others for *")
        return
    _, _, region, account, name = fields
    if not _ACCOUNT.fullmatch(account):
        yield Flaw(Code.ARN_ACCOUNT, path, f"{account!r} is not an account id")
    if service == "iam":
        yield from _iam(text, region, name)
    if service == "s3" and region and not name.startswith(S3_REGIONAL):
        yield Flaw(Code.ARN_REGION, path, f"{resource!r}: this type of S3 resource has no region")


def _iam(text: Text, region: str, name: str) -> Iterator[Flaw]:
    path, resource = text
    if region:
        yield Flaw(Code.ARN_REGION, path, f"{resource!r}: IAM resources have no region")
    if name not in {"*", "root"} and not name.startswith(IAM_PATHS):
        yield Flaw(Code.IAM_PATH, path, f"{name!r} does not begin with a type of IAM resource, such as user/ or role/")
