"""Advanced queries of AWS Config over what this AWS holds: IAM, buckets, tables, queues, topics, functions, log groups.

It understands `SELECT` of top-level properties with an optional `WHERE` of equalities joined by `AND`, and refuses
anything else. Resources are those of the caller's region, as AWS Config answers; IAM's and S3's buckets are everywhere.
There are no aggregators.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudwatch_logs, dynamodb, iam, lambda_svc, s3, sns, sqs

from infra.local.emulator.errors import AwsError
from infra.local.emulator.gateway import JsonOperation, add_json_operations

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 25, 100
PROPERTIES = ("accountId", "arn", "awsRegion", "resourceId", "resourceName", "resourceType")

_QUERY = re.compile(r"\s*SELECT\s+(?P<properties>[\w\s,]+?)(?:\s+WHERE\s+(?P<condition>.+?))?\s*", re.IGNORECASE)
_EQUALITY = re.compile(r"\s*(?P<property>\w+)\s*=\s*'(?P<value>[^']*)'\s*")
_AND = re.compile(r"\s+AND\s+", re.IGNORECASE)


def install() -> None:
    """Add the operations to ministack's `config`, which has none of them."""
    operations: dict[str, JsonOperation] = {
        "SelectResourceConfig": select,
        "SelectAggregateResourceConfig": select_aggregate,
    }
    add_json_operations("config", operations)


def select(request: dict[str, Any]) -> dict[str, Any]:
    """Answer SelectResourceConfig, a page at a time."""
    properties, wanted = _parsed(request.get("Expression") or "")
    found = [one for one in resources() if all(one[name] == value for name, value in wanted)]
    size = request.get("Limit") or DEFAULT_PAGE_SIZE
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise AwsError("InvalidLimitException", "The specified limit is outside the allowable range.")
    token = str(request.get("NextToken") or "0")
    if not token.isdigit():
        raise AwsError("InvalidNextTokenException", "The specified next token is not valid.")
    end = int(token) + size
    return {
        "Results": [json.dumps({name: one[name] for name in properties}) for one in found[int(token) : end]],
        "QueryInfo": {"SelectFields": [{"Name": name} for name in properties]},
        **({"NextToken": str(end)} if end < len(found) else {}),
    }


def select_aggregate(request: dict[str, Any]) -> dict[str, Any]:
    """Refuse SelectAggregateResourceConfig, as an account without aggregators does."""
    name = request.get("ConfigurationAggregatorName")
    raise AwsError(
        "NoSuchConfigurationAggregatorException", f"The configuration aggregator {name} does not exist.", 400
    )


def resources() -> Iterator[dict[str, str]]:
    """The properties of every resource, sorted by type and ARN."""
    listed = sorted(_listed())
    for resource_type, resource_id, arn in listed:
        everywhere = resource_type.startswith("AWS::IAM::")
        yield {
            "accountId": get_account_id(),
            "arn": arn,
            "awsRegion": "global" if everywhere else get_region(),
            "resourceId": resource_id,
            "resourceName": re.split("[/:]", arn)[-1],
            "resourceType": resource_type,
        }


def _listed() -> Iterator[tuple[str, str, str]]:
    """Type, id and ARN of every resource."""
    yield from _of_iam()
    for name in s3._buckets:
        yield "AWS::S3::Bucket", name, f"arn:aws:s3:::{name}"
    for name, table in dynamodb._tables.items():
        yield "AWS::DynamoDB::Table", name, table["TableArn"]
    for url, queue in sqs._queues.items():
        yield "AWS::SQS::Queue", url, queue["attributes"]["QueueArn"]
    for arn in sns._topics:
        yield "AWS::SNS::Topic", arn, arn
    for name, function in lambda_svc._functions.items():
        yield "AWS::Lambda::Function", name, function["config"]["FunctionArn"]
    for name in cloudwatch_logs._log_groups:
        yield "AWS::Logs::LogGroup", name, f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{name}"


def _of_iam() -> Iterator[tuple[str, str, str]]:
    for user in iam._users.values():
        yield "AWS::IAM::User", user["UserId"], user["Arn"]
    for role in iam._roles.values():
        yield "AWS::IAM::Role", role["RoleId"], role["Arn"]
    for group in iam._groups.values():
        yield "AWS::IAM::Group", group["GroupId"], group["Arn"]
    for policy in iam._policies.values():
        yield "AWS::IAM::Policy", policy["PolicyId"], policy["Arn"]


def _parsed(expression: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The properties that are selected, and what others must be equal to."""
    query = _QUERY.fullmatch(expression)
    properties = [name.strip() for name in query["properties"].split(",")] if query else []
    equalities = (
        [_EQUALITY.fullmatch(one) for one in _AND.split(query["condition"])] if query and query["condition"] else []
    )
    wanted = [(one["property"], one["value"]) for one in equalities if one]
    known = [*properties, *(name for name, _ in wanted)]
    if not properties or len(wanted) < len(equalities) or any(name not in PROPERTIES for name in known):
        raise AwsError("InvalidExpressionException", "The syntax of the query is incorrect.")
    return properties, wanted
