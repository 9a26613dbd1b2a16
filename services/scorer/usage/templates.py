"""ARN templates of resource types, such as `arn:${Partition}:sqs:${Region}:${Account}:${QueueName}`. Pure."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

PLACE: Final = ("Partition", "Region", "Account")  # variables that tell where a resource is, not which one it is

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_PATTERN_OF_PLACE: Mapping[str, str] = {"Partition": "aws[a-z-]*", "Region": "[a-z0-9-]*", "Account": "[a-z0-9]*"}
# Variables whose values may hold a slash (and, of an object, a colon). Sources: IAM User Guide, "IAM identifiers"
# (paths); S3, "Naming Amazon S3 objects"; Systems Manager, "Parameter hierarchies"; ECR, "Private repositories".
_SPANNING: Mapping[str, str] = {
    "ObjectName": ".+",
    "ParameterNameWithoutLeadingSlash": "[^:]+",
    "RepositoryName": "[^:]+",
}
_PATH_SUFFIX = "WithPath"
_PLAIN = "[^/:]+"

# Partitions by the beginning of a region's name. Source: the partitions of the AWS SDKs' endpoint rules.
_PARTITION_OF_REGION: Mapping[str, str] = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "us-isof-": "aws-iso-f",
    "eu-isoe-": "aws-iso-e",
    "eusc-": "aws-eusc",
}
_COMMERCIAL_REGION = re.compile(r"(?:af|ap|ca|eu|il|me|mx|sa|us)-[a-z]+-[0-9]{1,2}")


class ArnTemplate:
    """A template that says whether an ARN is of its type, and makes the ARN of a resource by its name."""

    __slots__ = ("names", "pattern", "text")

    def __init__(self, text: str) -> None:
        """Take a template of the service reference; one with a wildcard of its own fits nothing."""
        self.text = text
        names = _VARIABLE.findall(text)
        self.names: tuple[str, ...] = tuple(dict.fromkeys(name for name in names if name not in PLACE))
        parts = _VARIABLE.split(text)
        pattern = "".join(_of_variable(part) if place % 2 else re.escape(part) for place, part in enumerate(parts))
        self.pattern = re.compile(r"(?!)" if "*" in "".join(parts[::2]) else pattern)

    def fits(self, arn: str) -> bool:
        """Whether an ARN is of this type: strict, so that one which is not surely of it is not."""
        return self.pattern.fullmatch(arn) is not None

    def named(self, name: str, *, region: str, account_id: str) -> str | None:
        """ARN of the one resource of this name; None where that takes more than a name, or a partition is unknown."""
        partition = partition_of(region)
        if len(self.names) != 1 or partition is None:
            return None
        values = {"Partition": partition, "Region": region, "Account": account_id, self.names[0]: name}
        arn = _VARIABLE.sub(lambda match: values[match.group(1)], self.text)
        return arn if self.fits(arn) else None


@lru_cache(maxsize=2_048)
def template(text: str) -> ArnTemplate:
    """Compile a template, once."""
    return ArnTemplate(text)


def partition_of(region: str) -> str | None:
    """Partition of a region, such as `aws-cn`; None for one that isn't known."""
    if _COMMERCIAL_REGION.fullmatch(region):
        return "aws"
    return next((name for start, name in _PARTITION_OF_REGION.items() if region.startswith(start)), None)


def _of_variable(name: str) -> str:
    if name in _PATTERN_OF_PLACE:
        return _PATTERN_OF_PLACE[name]
    return "[^:]+" if name.endswith(_PATH_SUFFIX) else _SPANNING.get(name, _PLAIN)
