"""One DynamoDB table with keys `pk` and `sk`, in plain Python values; every write says what it expects to find."""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from shared.aws.clients import aws_errors
from shared.errors import DependencyError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryInputPaginateTypeDef

Item: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]

MAX_BATCH_GET = 100  # keys per BatchGetItem (API limit)
MAX_ROUNDS = 8  # of unprocessed keys, with backoff
ABSENT = "attribute_not_exists(pk)"
_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


class Table:
    """A table seen as items of plain values (str, int, float, bool, None, list, dict)."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def get(self, pk: str, sk: str) -> Item | None:
        """Read one item, strongly consistent; None where there is none."""
        with aws_errors(f"GetItem {self._name}"):
            answer = self._client.get_item(TableName=self._name, Key=_key((pk, sk)), ConsistentRead=True)
        item = answer.get("Item")
        return None if item is None else plain_item(item)

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Read many items by key, strongly consistent; absent ones are left out.

        Raises DependencyError when DynamoDB keeps leaving keys unprocessed.
        """
        unique = list(dict.fromkeys(keys))
        found: dict[Key, Item] = {}
        for start in range(0, len(unique), MAX_BATCH_GET):
            for item in self._get_batch(unique[start : start + MAX_BATCH_GET]):
                found[(item["pk"], item["sk"])] = item
        return found

    def _get_batch(self, keys: Sequence[Key]) -> Iterator[Item]:
        pending: list[Any] = [_key(key) for key in keys]
        for attempt in range(MAX_ROUNDS):
            with aws_errors(f"BatchGetItem {self._name}"):
                answer = self._client.batch_get_item(
                    RequestItems={self._name: {"Keys": pending, "ConsistentRead": True}}
                )
            yield from map(plain_item, answer.get("Responses", {}).get(self._name, []))
            unprocessed = answer.get("UnprocessedKeys", {})
            pending = list(unprocessed[self._name]["Keys"]) if self._name in unprocessed else []
            if not pending:
                return
            time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 jitter, not a secret
        raise DependencyError(f"BatchGetItem {self._name}: {len(pending)} keys stayed unprocessed")

    def query(
        self,
        pk: str,
        *,
        sk_prefix: str = "",
        sk_from: str | None = None,
        sk_until: str | None = None,
        index: tuple[str, str, str] | None = None,
        newest_first: bool = False,
        limit: int | None = None,
        page_size: int | None = None,
    ) -> Iterator[Item]:
        """Read the items of one partition in key order, page after page as they are asked for.

        `index` is (name, partition key attribute, sort key attribute) of a secondary index. `sk_from` and `sk_until`
        are inclusive; `limit` ends the reading after so many items. A page has at most `page_size` items, and 1 MB.
        """
        pk_name, sk_name = (index[1], index[2]) if index else ("pk", "sk")
        condition, names, values = "#pk = :pk", {"#pk": pk_name}, {":pk": pk}
        if of_sort_key := _sort_key_condition(sk_prefix, sk_from, sk_until):
            names["#sk"] = sk_name
            condition += f" AND {of_sort_key[0]}"
            values |= of_sort_key[1]
        request: QueryInputPaginateTypeDef = {
            "TableName": self._name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
            "ScanIndexForward": not newest_first,
            "ConsistentRead": index is None,
        }
        if index:
            request["IndexName"] = index[0]
        if limit is not None:
            request["PaginationConfig"] = {"MaxItems": limit, "PageSize": min(limit, page_size or limit)}
        elif page_size is not None:
            request["PaginationConfig"] = {"PageSize": page_size}
        with aws_errors(f"Query {self._name}"):
            for page in self._client.get_paginator("query").paginate(**request):
                yield from map(plain_item, page["Items"])

    def put(self, item: Mapping[str, Any], *, condition: str = "", values: Mapping[str, Any] | None = None) -> None:
        """Write one item whole; `condition` with its `values` (":name" -> value) must hold for the old one.

        Raises ConflictError when it does not.
        """
        optional: dict[str, Any] = {}
        if condition:
            optional["ConditionExpression"] = condition
        if values:
            optional["ExpressionAttributeValues"] = _item(values)
        with aws_errors(f"PutItem {self._name}"):
            self._client.put_item(TableName=self._name, Item=_item(item), **optional)

    def put_all_new(self, items: Iterable[Mapping[str, Any]], *, also: Iterable[Mapping[str, Any]] = ()) -> None:
        """Write items in one transaction, all or none, each of which must not exist yet; `also` whatever was there.

        Raises ConflictError when one exists, or another transaction is at one of them.
        """
        puts: list[dict[str, Any]] = [
            *({"TableName": self._name, "Item": _item(item), "ConditionExpression": ABSENT} for item in items),
            *({"TableName": self._name, "Item": _item(item)} for item in also),
        ]
        with aws_errors(f"TransactWriteItems {self._name}"):
            self._client.transact_write_items(TransactItems=[{"Put": put} for put in puts])  # type: ignore[typeddict-item]


def _sort_key_condition(prefix: str, first: str | None, last: str | None) -> tuple[str, dict[str, str]] | None:
    match first, last:
        case None, None:
            return ("begins_with(#sk, :sk)", {":sk": prefix}) if prefix else None
        case str(), str():
            return "#sk BETWEEN :first AND :last", {":first": first, ":last": last}
        case str(), None:
            return "#sk >= :sk", {":sk": first}
        case _:
            return "#sk <= :sk", {":sk": str(last)}


def sortable(moment: datetime) -> str:
    """A time as text of fixed width in UTC, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def plain_item(item: Mapping[str, Any]) -> Item:
    """Python values of an item as DynamoDB's API gives it."""
    return {name: _plain(_deserializer.deserialize(value)) for name, value in item.items()}


def _key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _item(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _serializer.serialize(_storable(value)) for name, value in values.items()}


def _storable(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, Mapping):
        return {name: _storable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(inner) for inner in value]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
