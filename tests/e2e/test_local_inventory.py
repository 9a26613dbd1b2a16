"""The local AWS answers advanced queries of AWS Config as the inventory's adapter asks them."""

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from infra.local.local_aws import LocalAws
from shared.aws.inventory import InventoryReader
from shared.errors import DependencyError
from tests.builders import NOW

pytestmark = pytest.mark.e2e

QUEUES = 130  # more than a page
TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}


@pytest.fixture(scope="module")
def local() -> Iterator[LocalAws]:
    with LocalAws.start() as started:
        started.client("s3").create_bucket(Bucket="photos")
        started.client("dynamodb").create_table(
            TableName="orders",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        started.client("iam").create_role(RoleName="web", Path="/app/", AssumeRolePolicyDocument=json.dumps(TRUST))
        started.client("iam").create_user(UserName="ana")
        started.client("sns").create_topic(Name="news")
        started.client("logs").create_log_group(logGroupName="/app/web")
        for number in range(QUEUES):
            started.client("sqs").create_queue(QueueName=f"jobs{number}")
        yield started


def test_the_inventory_of_an_account_is_read_page_by_page(local: LocalAws) -> None:
    account = local.client("sts").get_caller_identity()["Account"]
    config = local.client("config")
    inventory = InventoryReader(config).read(account, now=NOW)
    region = config.meta.region_name
    assert {
        "arn:aws:s3:::photos",
        f"arn:aws:dynamodb:{region}:{account}:table/orders",
        f"arn:aws:iam::{account}:role/app/web",
        f"arn:aws:iam::{account}:user/ana",
        f"arn:aws:sns:{region}:{account}:news",
        f"arn:aws:logs:{region}:{account}:log-group:/app/web",
        *(f"arn:aws:sqs:{region}:{account}:jobs{number}" for number in range(QUEUES)),
    } <= set(inventory.arns)
    assert inventory.origin == f"AWS Config, {region} alone"


def test_queries_filter_and_what_is_no_query_is_refused(local: LocalAws) -> None:
    config = local.client("config")
    answer = config.select_resource_config(Expression="SELECT resourceName, arn WHERE resourceType = 'AWS::S3::Bucket'")
    assert [json.loads(row) for row in answer["Results"]] == [{"resourceName": "photos", "arn": "arn:aws:s3:::photos"}]
    for wrong in ("SELECT *", "SELECT arn WHERE resourceId LIKE 'a'", "DROP TABLE", "SELECT nothing"):
        with pytest.raises(ClientError, match="InvalidExpressionException"):
            config.select_resource_config(Expression=wrong)


def test_an_aggregator_that_does_not_exist_is_an_error(local: LocalAws) -> None:
    account = local.client("sts").get_caller_identity()["Account"]
    with pytest.raises(DependencyError, match="NoSuchConfigurationAggregator"):
        InventoryReader(local.client("config"), aggregator="everything").read(account, now=NOW)
