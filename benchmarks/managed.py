"""AWS managed policies as moto ships them: the policies that most accounts really use, by name."""

import json
from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]
Statement = Mapping[str, Any]


def managed_policies() -> dict[str, Document]:
    """Policy name → document of its default version, sorted by name (about 1,600)."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data  # noqa: PLC0415 a second to import

    policies = json.loads(aws_managed_policies_data)
    return {name: policies[name]["Document"] for name in sorted(policies)}


def statements_of(document: Document) -> list[Statement]:
    """Statements of a document; IAM lets a single one stand without a list."""
    return as_list(document["Statement"])


def as_list(value: Any) -> list[Any]:
    """A value that IAM lets stand without a list, as a list."""
    return list(value) if isinstance(value, list | tuple) else [value]
