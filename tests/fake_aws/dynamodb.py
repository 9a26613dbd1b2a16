"""A strict DynamoDB in memory: items as the API gives them, conditional writes, queries in pages, secondary indexes."""

# ruff: noqa: D102, N803 methods and arguments are AWS's own, as its references describe them

import json
from collections.abc import Mapping, Sequence
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from tests.fake_aws.dynamodb_conditions import compiled
from tests.fake_aws.errors import refused

MAX_ITEM = 400 * 1024  # bytes
MAX_BATCH = 100
Item = dict[str, Any]
Names = Mapping[str, str]
_plain = TypeDeserializer().deserialize


class FakeDynamoDB:
    """Tables with string keys. `page_size` cuts every query; `unprocessed` leaves keys of the next batch over."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[str, str], Item]] = {}
        self._indexes: dict[tuple[str, str], tuple[str, str]] = {}
        self.page_size: int | None = None
        self.unprocessed = 0

    def create_table(
        self,
        *,
        TableName: str,
        KeySchema: Sequence[Mapping[str, str]],
        GlobalSecondaryIndexes: Sequence[Mapping[str, Any]] = (),
        **_: Any,
    ) -> Item:
        if [key["AttributeName"] for key in KeySchema] != ["pk", "sk"]:
            raise refused("CreateTable", "ValidationException", "this fake knows tables with pk and sk")
        self.tables[TableName] = {}
        for index in GlobalSecondaryIndexes:
            names = [key["AttributeName"] for key in index["KeySchema"]]
            self._indexes[TableName, index["IndexName"]] = (names[0], names[1])
        return {}

    def _table(self, operation: str, name: str) -> dict[tuple[str, str], Item]:
        if name not in self.tables:
            raise refused(operation, "ResourceNotFoundException", "Requested resource not found")
        return self.tables[name]

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool = False) -> Item:
        item = self._table("GetItem", TableName).get(_key(Key))
        return {} if item is None else {"Item": dict(item)}

    def batch_get_item(self, *, RequestItems: Mapping[str, Mapping[str, Any]]) -> Item:
        responses: dict[str, list[Item]] = {}
        left: dict[str, Any] = {}
        for name, request in RequestItems.items():
            keys = list(request["Keys"])
            if len(keys) > MAX_BATCH or len({_key(key) for key in keys}) != len(keys):
                raise refused("BatchGetItem", "ValidationException", "too many keys, or one of them twice")
            done, over = keys[: len(keys) - self.unprocessed], keys[len(keys) - self.unprocessed :]
            table = self._table("BatchGetItem", name)
            responses[name] = [dict(table[_key(key)]) for key in done if _key(key) in table]
            if over:
                left[name] = {**request, "Keys": over}
        self.unprocessed = 0
        return {"Responses": responses, "UnprocessedKeys": left}

    def put_item(
        self,
        *,
        TableName: str,
        Item: Item,
        ConditionExpression: str = "",
        ExpressionAttributeValues: Mapping[str, Any] | None = None,
        ExpressionAttributeNames: Names | None = None,
    ) -> Item:
        table = self._table("PutItem", TableName)
        _check_item("PutItem", Item)
        old = table.get(_key(Item))
        if ConditionExpression and not compiled(ConditionExpression)(
            old, ExpressionAttributeValues or {}, ExpressionAttributeNames or {}
        ):
            raise refused("PutItem", "ConditionalCheckFailedException", "The conditional request failed")
        table[_key(Item)] = dict(Item)
        return {}

    def transact_write_items(self, *, TransactItems: Sequence[Mapping[str, Any]]) -> Item:
        puts = [one["Put"] for one in TransactItems]
        for put in puts:
            _check_item("TransactWriteItems", put["Item"])
            old = self._table("TransactWriteItems", put["TableName"]).get(_key(put["Item"]))
            condition = put.get("ConditionExpression")
            values, names = put.get("ExpressionAttributeValues", {}), put.get("ExpressionAttributeNames", {})
            if condition and not compiled(condition)(old, values, names):
                raise refused("TransactWriteItems", "TransactionCanceledException", "[ConditionalCheckFailed]")
        for put in puts:
            self.tables[put["TableName"]][_key(put["Item"])] = dict(put["Item"])
        return {}

    def query(
        self,
        *,
        TableName: str,
        KeyConditionExpression: str,
        ExpressionAttributeNames: Names,
        ExpressionAttributeValues: Mapping[str, Any],
        ScanIndexForward: bool = True,
        ConsistentRead: bool = False,
        IndexName: str = "",
        Limit: int | None = None,
        ExclusiveStartKey: Item | None = None,
    ) -> Item:
        table = self._table("Query", TableName)
        if IndexName and (TableName, IndexName) not in self._indexes:
            raise refused("Query", "ValidationException", f"The table does not have the specified index: {IndexName}")
        if IndexName and ConsistentRead:
            raise refused("Query", "ValidationException", "Consistent reads are not supported on global indexes")
        keys = self._indexes[TableName, IndexName] if IndexName else ("pk", "sk")
        test = compiled(KeyConditionExpression)
        found = [
            item
            for item in table.values()
            if set(keys) <= set(item) and test(item, ExpressionAttributeValues, ExpressionAttributeNames)
        ]
        order = (keys[1], "pk", "sk")
        found.sort(key=lambda item: [_plain(item[name]) for name in order], reverse=not ScanIndexForward)
        if ExclusiveStartKey is not None:
            start = [_key(item) for item in found].index(_key(ExclusiveStartKey)) + 1
            found = found[start:]
        size = min(Limit or len(found), self.page_size or len(found))
        answer: Item = {"Items": [dict(item) for item in found[:size]], "Count": min(size, len(found))}
        if size < len(found):
            answer["LastEvaluatedKey"] = {name: found[size - 1][name] for name in {"pk", "sk", *keys}}
        return answer

    def delete_item(self, *, TableName: str, Key: Item) -> Item:
        self._table("DeleteItem", TableName).pop(_key(Key), None)
        return {}


def _key(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _check_item(operation: str, item: Item) -> None:
    if not {"pk", "sk"} <= set(item) or not all(item[name].get("S") for name in ("pk", "sk")):
        raise refused(operation, "ValidationException", "One of the required keys was not given a value")
    if len(json.dumps(item, default=lambda value: "x" * len(bytes(value)))) > MAX_ITEM:
        raise refused(operation, "ValidationException", "Item size has exceeded the maximum allowed size")
