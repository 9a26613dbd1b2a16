"""Reading the inventory from AWS Config: every page, in our own region or through an aggregator, errors as errors."""

import json
from collections.abc import Iterator

import pytest
from botocore.stub import Stubber

from shared.aws import clients
from shared.aws.inventory import InventoryReader
from shared.errors import DeniedError, DependencyError, InputError, NotFoundError
from shared.model.inventory import Inventory
from tests.builders import ACCOUNT, NOW, OTHER_ACCOUNT
from tests.conftest import REGION

OWN, AGGREGATE = "select_resource_config", "select_aggregate_resource_config"
QUEUE, BUCKET = f"arn:aws:sqs:{REGION}:{ACCOUNT}:jobs", "arn:aws:s3:::photos"


@pytest.fixture
def config(fresh_clients: None) -> Iterator[Stubber]:
    """AWS Config, which answers what it is told to and must be asked for all of it."""
    with Stubber(clients.config()) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def rows(*arns: object) -> list[str]:
    return [json.dumps({"arn": arn} if arn else {}) for arn in arns]


def read(aggregator: str | None = None) -> Inventory:
    return InventoryReader(clients.config(), aggregator=aggregator).read(ACCOUNT, now=NOW)


def test_every_page_is_read(config: Stubber) -> None:
    asked = {"Expression": "SELECT arn", "Limit": 100}
    config.add_response(OWN, {"Results": rows(QUEUE), "NextToken": "1"}, asked)
    config.add_response(OWN, {"Results": [], "NextToken": "2"}, asked | {"NextToken": "1"})
    config.add_response(OWN, {"Results": rows(BUCKET, QUEUE)}, asked | {"NextToken": "2"})
    assert read() == Inventory(ACCOUNT, (BUCKET, QUEUE), NOW, f"AWS Config, {REGION} alone")


def test_an_aggregator_is_asked_for_the_account_alone(config: Stubber) -> None:
    asked = {
        "ConfigurationAggregatorName": "all",
        "Expression": f"SELECT arn WHERE accountId = '{ACCOUNT}'",
        "Limit": 100,
    }
    foreign = f"arn:aws:sqs:{REGION}:{OTHER_ACCOUNT}:jobs"
    config.add_response(AGGREGATE, {"Results": rows(QUEUE), "NextToken": "1"}, asked)
    config.add_response(AGGREGATE, {"Results": rows(foreign)}, asked | {"NextToken": "1"})
    assert read("all") == Inventory(ACCOUNT, (QUEUE,), NOW, "AWS Config, aggregator all")


def test_rows_without_an_arn_are_skipped_and_counted(config: Stubber) -> None:
    config.add_response(OWN, {"Results": [*rows(QUEUE, None, "jobs", 7), f'{{"arn": "{BUCKET}"}}']})
    inventory = read()
    assert inventory.arns == (BUCKET, QUEUE)
    assert inventory.origin.endswith("without 3 that have no ARN")


@pytest.mark.parametrize("results", [[], rows(None, None), rows(f"arn:aws:sqs:{REGION}:{OTHER_ACCOUNT}:jobs")])
def test_nothing_recorded_is_not_an_account_without_resources(config: Stubber, results: list[str]) -> None:
    config.add_response(OWN, {"Results": results})
    with pytest.raises(NotFoundError, match="recorder"):
        read()


@pytest.mark.parametrize("row", ["arn", "[]", "null"])
def test_a_row_that_is_no_object_is_an_error(config: Stubber, row: str) -> None:
    config.add_response(OWN, {"Results": [row]})
    with pytest.raises(DependencyError, match="a row is no"):
        read()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AccessDeniedException", DeniedError),
        ("ThrottlingException", DependencyError),
        ("NoSuchConfigurationAggregatorException", DependencyError),
    ],
)
def test_a_refusal_in_the_middle_gives_no_part_of_an_inventory(
    config: Stubber, code: str, kind: type[DependencyError]
) -> None:
    config.add_response(AGGREGATE, {"Results": rows(QUEUE), "NextToken": "1"})
    config.add_client_error(AGGREGATE, code)
    with pytest.raises(kind, match="SelectAggregateResourceConfig all"):
        read("all")


def test_pages_that_go_round_are_an_error(config: Stubber) -> None:
    for _ in range(2):
        config.add_response(OWN, {"Results": rows(QUEUE), "NextToken": "1"})
    with pytest.raises(DependencyError, match="PaginationError"):
        read()


def test_reading_stops_when_time_is_short(config: Stubber) -> None:
    for token in ("1", "2"):
        config.add_response(OWN, {"Results": rows(QUEUE, None), "NextToken": token})
    answers = iter([False, True])
    with pytest.raises(DependencyError, match="no time to read on after 4 resources"):
        InventoryReader(clients.config()).read(ACCOUNT, now=NOW, out_of_time=lambda: next(answers))


def test_an_account_is_twelve_digits(config: Stubber) -> None:
    with pytest.raises(InputError, match="twelve digits"):
        InventoryReader(clients.config(), aggregator="all").read("1' OR '1' = '1", now=NOW)
