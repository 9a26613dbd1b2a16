"""What ministack's Athena lacks for CloudTrail's log files: their format, projected partitions, CREATE DATABASE.

A table whose input format is CloudTrail's is presented to DuckDB as Athena presents it: a row for each record, columns
as the table declares them, in lower case, objects in text columns as JSON text, and the partition's values from the
place of the file. All files below the table's location are read, whichever the query asks for.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ministack.services import athena, glue

CLOUDTRAIL_FORMAT = "com.amazon.emr.cloudtrail.CloudTrailInputFormat"
GZIP_MAGIC = b"\x1f\x8b"
_TOKEN = re.compile(r"[a-z0-9_]+|[<>:,]")
_CREATE_DATABASE = re.compile(
    r"\s*CREATE\s+(?:DATABASE|SCHEMA)\s+(?P<tolerant>IF\s+NOT\s+EXISTS\s+)?`?(?P<name>[A-Za-z_]\w*)`?\s*;?\s*",
    re.IGNORECASE,
)

TableData = dict[str, Any]
HiveType = str | list[Any] | dict[str, Any]
"""A primitive's name, [the type of an array's elements], or {name of a struct's field: its type}."""


@dataclass(frozen=True)
class CreateDatabase:
    """A statement that makes a database."""

    name: str
    tolerant: bool  # IF NOT EXISTS


def install() -> None:
    """Wrap the functions through which ministack reads statements and finds the rows of a table."""
    athena._parse_ddl = _or_else(athena._parse_ddl, create_database_of)
    run_ddl, relation, empty = athena._run_ddl, athena._table_relation, athena._empty_relation

    def run(ddl: Any, database: str | None) -> Any:
        return _create_database(ddl) if isinstance(ddl, CreateDatabase) else run_ddl(ddl, database)

    def relate(table: TableData, files: list[str]) -> Any:
        return record_relation(table, files) if _is_cloudtrail(table) else relation(table, files)

    def relate_nothing(table: TableData) -> Any:
        return empty_relation(table) if _is_cloudtrail(table) else empty(table)

    athena._run_ddl, athena._table_relation, athena._empty_relation = run, relate, relate_nothing


def create_database_of(query: str) -> CreateDatabase | None:
    """The statement, where it makes a database."""
    match = _CREATE_DATABASE.fullmatch(query)
    return CreateDatabase(match["name"].lower(), bool(match["tolerant"])) if match else None


def record_relation(table: TableData, files: list[str]) -> str:
    """A DuckDB relation over the records of log files; files outside of every partition are left out."""
    columns = _columns(table)
    places = [(file, match.groupdict()) for file in files if (match := _partition_form(table).search(file))]
    if not places:
        return empty_relation(table)
    rows = Path(files[0]).parent / "records.jsonl"  # removed with the files
    with rows.open("w", encoding="utf-8") as output:
        for file, partition in places:
            for record in _records(Path(file)):
                output.write(json.dumps(_row(record, columns) | partition) + "\n")
    listed = ", ".join(f"'{name}': '{_duckdb_type(kind)}'" for name, kind in _with_partitions(table, columns).items())
    return f"read_json('{rows}', format = 'newline_delimited', maximum_object_size = 67108864, columns = {{{listed}}})"


def empty_relation(table: TableData) -> str:
    """No rows, with the table's columns and their whole types."""
    columns = _with_partitions(table, _columns(table))
    listed = ", ".join(f'CAST(NULL AS {_duckdb_type(kind)}) AS "{name}"' for name, kind in columns.items())
    return f"(SELECT {listed} WHERE FALSE)"


def hive_type(text: str) -> HiveType:
    """Parse a column's type.

    >>> hive_type("array<struct<arn: string, n: int>>")
    [{'arn': 'string', 'n': 'int'}]
    """
    tokens = iter(_TOKEN.findall(text.lower()))
    return _parse_type(next(tokens), tokens)


def _parse_type(name: str, tokens: Iterator[str]) -> HiveType:
    if name == "array":
        next(tokens)  # <
        element = _parse_type(next(tokens), tokens)
        next(tokens)  # >
        return [element]
    if name != "struct":
        return name
    fields: dict[str, HiveType] = {}
    while next(tokens) != ">":  # < before the first field, a comma before each other
        field = next(tokens)
        next(tokens)  # :
        fields[field] = _parse_type(next(tokens), tokens)
    return fields


def _or_else(first: Callable[[str], Any], second: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda query: first(query) or second(query)


def _create_database(statement: CreateDatabase) -> dict[str, list[Any]]:
    if statement.name not in glue._databases:
        glue._create_database({"DatabaseInput": {"Name": statement.name}})
    elif not statement.tolerant:
        raise ValueError(f"Database {statement.name} already exists")
    return {"columns": [], "rows": [], "column_types": []}


def _is_cloudtrail(table: TableData) -> bool:
    return (table.get("StorageDescriptor") or {}).get("InputFormat") == CLOUDTRAIL_FORMAT


def _columns(table: TableData) -> dict[str, HiveType]:
    return {column["Name"].lower(): hive_type(column["Type"]) for column in table["StorageDescriptor"]["Columns"]}


def _with_partitions(table: TableData, columns: Mapping[str, HiveType]) -> dict[str, HiveType]:
    return {**columns, **{key["Name"].lower(): "string" for key in table.get("PartitionKeys") or []}}


def _partition_form(table: TableData) -> re.Pattern[str]:
    """The form of a file's path: the part of the location template that has the partition columns, then the name."""
    parameters: dict[str, str] = table["Parameters"]
    template = parameters["storage.location.template"]
    form = re.escape(template[template.index("${") :].rstrip("/"))
    for key in table["PartitionKeys"]:
        day_format = parameters.get(f"projection.{key['Name']}.format")
        value = re.sub("[yMd]", "[0-9]", day_format) if day_format else "[^/]+"
        form = form.replace(re.escape(f"${{{key['Name']}}}"), f"(?P<{key['Name']}>{value})")
    return re.compile(f"/{form}/[^/]+$")


def _records(file: Path) -> Iterator[Mapping[str, Any]]:
    content = file.read_bytes()
    if content.startswith(GZIP_MAGIC):
        content = gzip.decompress(content)
    yield from json.loads(content)["Records"]


def _row(record: Mapping[str, Any], columns: Mapping[str, HiveType]) -> dict[str, Any]:
    lowered = {name.lower(): value for name, value in record.items()}
    return {name: _value(lowered.get(name), kind) for name, kind in columns.items()}


def _value(value: Any, kind: HiveType) -> Any:
    if value is None:
        return None
    if isinstance(kind, dict):
        return _row(value, kind)
    if isinstance(kind, list):
        return [_value(element, kind[0]) for element in value]
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _duckdb_type(kind: HiveType) -> str:
    if isinstance(kind, dict):
        fields = ", ".join(f'"{name}" {_duckdb_type(inner)}' for name, inner in kind.items())
        return f"STRUCT({fields})"
    if isinstance(kind, list):
        return f"{_duckdb_type(kind[0])}[]"
    return {"string": "VARCHAR", "int": "INTEGER"}.get(kind, kind.upper())
