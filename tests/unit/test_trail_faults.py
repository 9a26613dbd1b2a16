"""What is broken is counted with its place and reason, and everything else is read."""

import json
import re
from collections.abc import Callable, Iterator

import msgspec
import pytest

from services.scorer.trail.reader import Unreadable, decode_record, read_batches, record_of
from services.scorer.trail.values import End, measure
from shared.errors import InputError
from tests.unit.trail_texts import (
    COLUMNS,
    FORMATS,
    Chunked,
    Json,
    athena_columns,
    event,
    ids,
    lake_columns,
    looked_up,
    lower,
    read,
    record,
    table,
    zipped,
)

SECRET = "s3cr3t"  # noqa: S105 a value that must not show in a reason
GOOD = json.dumps(record(1)), json.dumps(record(2))

WRONG: dict[str, tuple[Json, str]] = {
    **{
        f"{name} a number": ({name: 7}, f"{name}: expected str, got int")
        for name in (
            "eventID",
            "eventType",
            "eventSource",
            "eventName",
            "eventCategory",
            "awsRegion",
            "recipientAccountId",
            "errorCode",
            "errorMessage",
        )
    },
    "name a list": ({"eventName": [SECRET]}, "eventName: expected str, got array"),
    "name too long": ({"eventName": SECRET * 1_000}, "eventName: expected str of length <= 2048"),
    "managementEvent text": ({"managementEvent": SECRET}, "managementEvent: expected bool, got str"),
    "identity text": ({"userIdentity": [SECRET]}, "userIdentity: expected object, got array"),
    "arn a number": ({"userIdentity": {"arn": 1}}, "userIdentity.arn: expected str, got int"),
    "type an object": ({"userIdentity": {"type": {SECRET: 1}}}, "userIdentity.type: expected str, got object"),
    "principalId true": ({"userIdentity": {"principalId": True}}, "userIdentity.principalId: expected str, got bool"),
    "accountId a float": ({"userIdentity": {"accountId": 1.5}}, "userIdentity.accountId: expected str, got float"),
    "invokedBy a list": ({"userIdentity": {"invokedBy": []}}, "userIdentity.invokedBy: expected str, got array"),
    "session a list": (
        {"userIdentity": {"sessionContext": []}},
        "userIdentity.sessionContext: expected object, got array",
    ),
    "issuer text": (
        {"userIdentity": {"sessionContext": {"sessionIssuer": SECRET}}},
        "userIdentity.sessionContext.sessionIssuer: expected object, got str",
    ),
    "issuer's arn a number": (
        {"userIdentity": {"sessionContext": {"sessionIssuer": {"arn": 1}}}},
        "userIdentity.sessionContext.sessionIssuer.arn: expected str, got int",
    ),
    "resources an object": ({"resources": {}}, "resources: expected array, got object"),
    "resource text": ({"resources": [SECRET]}, "resources[0]: expected object, got str"),
    "resource's ARN a number": (
        {"resources": [{"ARN": "arn:aws:s3:::b"}, {"ARN": 1}]},
        "resources[1].ARN: expected str, got int",
    ),
    "no time": ({"eventTime": None}, "eventTime: missing"),
    "time a number": ({"eventTime": 1_700_000_000}, "eventTime: expected datetime, got int"),
    "time a huge number": ({"eventTime": 10**400}, "eventTime: number out of range"),
    "time is no time": ({"eventTime": SECRET}, "eventTime: invalid RFC3339 encoded datetime"),
    "time without zone": (
        {"eventTime": "2026-03-01T10:00:00"},
        "eventTime: expected datetime with a timezone component",
    ),
    "no such day": ({"eventTime": "2026-02-30T10:00:00Z"}, "eventTime: invalid RFC3339 encoded datetime"),
    "year of five digits": ({"eventTime": "20260-03-01T10:00:00Z"}, "eventTime: invalid RFC3339 encoded datetime"),
    "first year": ({"eventTime": "0001-01-01T00:00:00+14:00"}, "eventTime: out of range"),
    "last year": ({"eventTime": "9999-12-31T23:59:59-14:00"}, "eventTime: out of range"),
    "before CloudTrail": ({"eventTime": "1970-01-01T00:00:00Z"}, "eventTime: out of range"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("form", ["trail log", "array, pretty", "lines", "documents, pretty"])
def test_a_wrong_field_costs_its_record(form: str, wrong: str) -> None:
    change, reason = WRONG[wrong]
    bad = record(99) | change if None not in change.values() else record(99, **change)
    details = [record(1), record(2), bad, record(3), record(4)]
    text = FORMATS[form](details)
    records, unreadable = read(zipped(text))
    assert ids(records) == ["id-1", "id-2", "id-3", "id-4"]
    assert [fault.reason for fault in unreadable] == [reason]
    assert text[unreadable[0].position] == "{"
    assert text[: unreadable[0].position].count('"eventVersion"') == 2


@pytest.mark.parametrize(
    ("wrap", "prefix"), [(event, "detail."), (looked_up, ""), (lower, "")], ids=["event", "lookup", "lower-case row"]
)
def test_a_wrong_field_within_another_shape(wrap: Callable[[Json], Json], prefix: str) -> None:
    items = [wrap(record(1)), wrap(record(99) | {"eventName": 7}), wrap(record(2))]
    records, unreadable = read("\n".join(map(json.dumps, items)))
    assert ids(records) == ["id-1", "id-2"]
    assert [fault.reason for fault in unreadable] == [f"{prefix}eventName: expected str, got int"]


def deep(levels: int) -> str:
    return json.dumps(record(99, requestParameters="DEEP")).replace('"DEEP"', "[" * levels + "]" * levels)


BROKEN = {
    "garbage": ("garbage", "invalid JSON: invalid character"),
    "null": ("null", "record: expected object, got null"),
    "number": ("12", "record: expected object, got int"),
    "text": (f'"{SECRET}"', "record: expected object, got str"),
    "an empty object": ("{}", "record: none of its fields"),
    "some other object": (json.dumps({"a": SECRET}), "record: none of its fields"),
    "half a record": (GOOD[0][:200], "invalid JSON: "),
    "an open string": (GOOD[0][: GOOD[0].index("192.0")], "invalid JSON: "),
    "no closing brace": (GOOD[0][:-1], "invalid JSON: "),
    "a brace too many": (GOOD[0].replace('"readOnly"', '}"readOnly"'), "invalid JSON: "),
    "a bare word": (GOOD[0].replace("true", "True"), "invalid JSON: invalid character"),
    "a NUL byte": (GOOD[0].replace("GetObject", "Get\0Object"), "invalid JSON: invalid character"),
    "a lone surrogate": (GOOD[0].replace("GetObject", "\\ud800"), "invalid JSON: "),
    "a lone surrogate elsewhere": (GOOD[0].replace("192.0.2.1", "\\udc00"), "invalid JSON: "),
    "not UTF-8": (GOOD[0].replace("GetObject", "\udcff"), "not UTF-8"),
    "not UTF-8 elsewhere": (GOOD[0].replace("192.0.2.1", "\udcfe"), "not UTF-8"),
    "100,000 deep": (deep(100_000), "nested too deep"),
    "over 1 MiB": (GOOD[0].replace("GetObject", "G" * (1 << 20)), "over 1 MiB"),
    "several MiB": (GOOD[0].replace("GetObject", "G" * (5 << 20)), "over 1 MiB"),
}


@pytest.mark.parametrize("chunk", [100, 1 << 20])
@pytest.mark.parametrize("between", [",", ",\n  ", "\n"], ids=["list", "lines of a list", "lines"])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_piece_costs_only_itself(broken: str, between: str, chunk: int) -> None:
    piece, reason = BROKEN[broken]
    if len(piece) > 1 << 20 and chunk == 100:
        piece = piece.replace("G" * (4 << 20), "")
    pieces = [GOOD[0], piece, GOOD[1], *(json.dumps(record(number)) for number in (3, 4, 5))]
    text = between.join(pieces)
    whole = (text if between == "\n" else f'{{"Records":[{text}]}}').encode(errors="surrogateescape")
    records, unreadable = read(whole, chunk=chunk)
    assert ids(records) == ["id-1", "id-2", "id-3", "id-4", "id-5"]
    assert len(unreadable) == 1
    assert unreadable[0].reason.startswith(reason)
    assert unreadable[0].position == whole.index(GOOD[0].encode()) + len(GOOD[0]) + len(between)


def test_a_thousand_levels_never_cost_more_than_their_record() -> None:
    records, unreadable = read(f'{{"Records":[{GOOD[0]},{deep(1_000)},{GOOD[1]}]}}')
    assert [name for name in ids(records) if name != "id-99"] == ["id-1", "id-2"]
    assert len(records) + len(unreadable) == 3


def test_duplicate_keys_and_huge_numbers_that_are_not_read_do_no_harm() -> None:
    twice = GOOD[0].replace('"eventName"', '"eventName": "First", "eventName"')
    huge = GOOD[1].replace('"readOnly": true', f'"one": {"9" * 5_000}, "other": 1e999999999')
    records, unreadable = read(f"{twice}\n{huge}")
    assert unreadable == []
    assert [(r.event_id, r.event_name) for r in records] == [("id-1", "GetObject"), ("id-2", "GetObject")]


ENDS = {
    "half a record": ('{"Records":[' + GOOD[0] + "," + GOOD[1][:300], "cut off"),
    "after a record": ('{"Records":[' + GOOD[0], "cut off"),
    "after a comma": ('{"Records":[' + GOOD[0] + ",", "cut off"),
    "after the list": ('{"Records":[' + GOOD[0] + "]", "cut off"),
    "in a key after the list": ('{"Records":[' + GOOD[0] + '],"Nex', "other text between records"),
    "in a line": (GOOD[0] + "\n" + GOOD[1][:300], "cut off"),
    "in an array": ("[" + GOOD[0] + "," + GOOD[1][:-1], "cut off"),
    "more after the end": ('{"Records":[' + GOOD[0] + "]} and more", "invalid JSON: invalid character"),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_text_that_ends_too_early_gives_what_it_has(end: str) -> None:
    text, reason = ENDS[end]
    records, unreadable = read(text)
    assert ids(records) == ["id-1"]
    assert [fault.reason for fault in unreadable] == [reason]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"Records": null}', "Records: not a list"),
        ('{"Records": {"a": 1}}', "Records: not a list"),
        ('{"NextToken": "x", "Events": 5}', "Events: not a list"),
        ('{"name": "package", "version": "1"}', "record: none of its fields"),
        ("12", "not CloudTrail: neither JSON nor CSV"),
        ("some text,\nnothing else", "not CloudTrail: neither JSON nor CSV"),
        (b"PAR1\x15\x04\x15", "not CloudTrail: Parquet"),
        (b"PK\x03\x04", "not CloudTrail: zip"),
        ('{"Records": []}'.encode("utf-16"), "not CloudTrail: UTF-16"),
        (zipped(b"\0\1\2"), "not CloudTrail: neither JSON nor CSV"),
    ],
)
def test_what_is_not_cloudtrail_is_told_once(text: str | bytes, reason: str) -> None:
    assert read(text) == ([], [Unreadable(0, reason)])


def log(*numbers: int, start: str = '{"Records":[') -> str:
    return start + ",".join(json.dumps(record(number)) for number in numbers) + "]}"


def lines(*numbers: int) -> str:
    return "".join(json.dumps(record(number)) + "\n" for number in numbers)


SORTED = json.dumps(record(1, apiVersion="x"), sort_keys=True) + "\n"
AFTER_DAMAGE = {
    "a document that is cut off": (log(1, 2)[:-2] + "," + log(3, 4), 4, 1),
    "one that is cut off in a record": (log(1, 2, 9)[:-200] + log(3, 4), 4, 2),
    "one with other members first": (log(1)[:-2] + "," + log(2, 3, start='{"NextToken":"x","Events":['), 3, 1),
    "a list without a comma": (log(1, 2, 3, 4).replace("}, {", "} {").replace('},{"ev', '} {"ev', 1), 4, 2),
    "lines after a bracket": ("[" + lines(1, 2, 3, 4), 4, 1),
    "a bracket between lines": (lines(1, 2) + "[" + lines(3, 4), 4, 1),
    "a comma between lines": (lines(1, 2) + "," + lines(3, 4), 4, 2),
    "lines with several first keys": (lines(1) + "{]\n" + SORTED + "{]\n" + lines(3) + "{]\n" + SORTED, 4, 3),
}


@pytest.mark.parametrize("chunk", [100, 1 << 20])
@pytest.mark.parametrize("case", AFTER_DAMAGE)
def test_damage_costs_nothing_after_it(case: str, chunk: int) -> None:
    text, count, faults = AFTER_DAMAGE[case]
    records, unreadable = read(text, chunk=chunk)
    assert (len(records), len(unreadable)) == (count, faults)


@pytest.mark.parametrize("start", ['{"Records":[', '{"NextToken":"x","Records":['])
@pytest.mark.parametrize("count", [2, 3_000])
def test_a_list_of_documents_is_read(start: str, count: int) -> None:
    records, unreadable = read("[" + ",\n".join(log(*range(count), start=start) for _ in range(3)) + "]\n" + lines(7))
    assert (len(records), unreadable) == (3 * count + 1, [])


@pytest.mark.parametrize(
    "form", ["trail log", "trail log, pretty", "array", "lines", "documents, pretty", "event lines"]
)
@pytest.mark.parametrize("broken", ["cut \ud83d", "\udc00"])
def test_nothing_within_a_broken_record_counts_as_a_record(form: str, broken: str) -> None:
    forged = record(66, eventName="CreateUser")
    bad = record(99, requestParameters={"x": broken, "y": forged, "z": [forged, forged]})
    records, unreadable = read(FORMATS[form]([record(1), bad, record(2), bad]))
    assert ids(records) == ["id-1", "id-2"]
    assert len(unreadable) == 2


def test_many_broken_records_are_read_in_reasonable_time() -> None:
    records, unreadable = read((GOOD[0][:-1] + "\n") * 3_000 + GOOD[1])
    assert ids(records) == ["id-2"]
    assert unreadable


def test_the_sign_file_of_a_query_is_a_digest() -> None:
    text = json.dumps({"version": "1.0", "files": [{"fileName": "x"}], "hashSignature": "0"})
    assert read(text) == ([], [Unreadable(0, "digest file")])


def test_text_before_the_records_is_counted_and_skipped() -> None:
    records, unreadable = read('exported on Monday\n{"Records":[' + ",".join(GOOD) + "]}")
    assert ids(records) == ["id-1", "id-2"]
    assert unreadable == [Unreadable(0, "invalid JSON: invalid character")]


TABLE = {"lake": (lake_columns, COLUMNS), "athena": (athena_columns, [name.lower() for name in COLUMNS])}


@pytest.mark.parametrize("service", TABLE)
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('"a","b"', "row: not as many columns as the header"),
        ('"a"b,"c"', "row: broken"),
        ('"a","b', "row: broken"),
        (b'"\xff"' + b"," * (len(COLUMNS) - 1), "not UTF-8"),
        ('"' + "a" * (1 << 20) + '"' + "," * (len(COLUMNS) - 1), "over 1 MiB"),
        ('"x"' + "," * (len(COLUMNS) - 1), "eventTime: invalid RFC3339 encoded datetime"),
    ],
    ids=["width", "quote", "open quote", "not UTF-8", "long", "empty"],
)
def test_a_broken_row_costs_only_itself(service: str, row: str | bytes, reason: str) -> None:
    columns_of, columns = TABLE[service]
    columns = ["eventTime", *(name for name in columns if name.lower() != "eventtime")]
    lines = table([columns_of(record(n)) | {"eventTime": "2026-03-01 10:00:00"} for n in (1, 2, 3)], columns).encode()
    head, first, *rest = lines.splitlines(keepends=True)
    bad = (row if isinstance(row, bytes) else row.encode()) + b"\n"
    records, unreadable = read(zipped(b"".join([head, first, bad, *rest])), name="x.csv.gz")
    assert ids(records) == ["id-1", "id-2", "id-3"]
    assert unreadable == [Unreadable(len(head) + len(first), reason)]


@pytest.mark.parametrize("column", ["eventTime", "eventSource", "eventName", "userIdentity", "errorCode", "awsRegion"])
def test_a_table_without_a_needed_column_is_not_read(column: str) -> None:
    columns = [name for name in COLUMNS if name != column]
    text = table([lake_columns(record(1))], columns)
    assert read(text, name="x.csv") == ([], [Unreadable(0, f"CSV without the column {column.lower()}")])


@pytest.mark.parametrize("column", ["eventTime", "eventSource", "eventName", "userIdentity"])
def test_a_row_of_a_query_without_a_needed_column_is_told(column: str) -> None:
    rows = [[{name: value} for name, value in lake_columns(record(1)).items() if name != column]]
    records, unreadable = read(json.dumps({"QueryResultRows": rows}))
    assert records == []
    assert [fault.reason for fault in unreadable] == [f"{column}: missing"]


@pytest.mark.parametrize("form", ["lake rows", "lake lines", "lower-case lines"])
def test_a_row_that_tells_no_error_code_is_refused(form: str) -> None:
    text = FORMATS[form]([record(1)])
    without = re.sub(r'(?i)(\{"errorcode": (null|"null")\},|"errorcode": (null|"null"),)', "", text)
    without = re.sub(r'(?s)\{\s*"errorCode": "null"\s*\},', "", without)
    assert "errorcode" not in without.lower()
    records, unreadable = read(without)
    assert records == []
    assert [fault.reason for fault in unreadable] == ["no errorCode column: denied calls would look allowed"]


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_half_a_row_of_a_query_costs_only_itself(indent: int | None, share: float) -> None:
    rows = [json.dumps([{k: v} for k, v in lake_columns(record(n)).items()], indent=indent) for n in range(5)]
    rows.insert(2, rows[0][: int(share * len(rows[0]))].rstrip("}], \n"))
    records, unreadable = read('{"QueryResultRows": [' + ", ".join(rows) + '], "QueryStatus": "FINISHED"}')
    assert ids(records) == [f"id-{n}" for n in range(5)]
    assert len(unreadable) == 1


def test_faults_come_in_batches_however_many_they_are() -> None:
    sizes = [len(batch.unreadable) for batch in read_batches(Chunked(b"[" + b"1," * 50_000 + b"1]"), "x")]
    assert sum(sizes) == 50_001
    assert max(sizes) <= 500


def reasons() -> Iterator[str]:
    for change, _ in WRONG.values():
        yield from (fault.reason for fault in read(json.dumps(record(99) | change))[1])
    for piece, _ in BROKEN.values():
        yield from (fault.reason for fault in read(piece.encode(errors="surrogateescape"))[1])


def test_reasons_are_short_and_hold_no_values() -> None:
    for reason in reasons():
        assert SECRET not in reason
        assert re.fullmatch(r"[\w .:,<=\[\]'\"-]{3,90}", reason), reason


def test_one_record_alone() -> None:
    assert decode_record(GOOD[0]).event_id == decode_record(GOOD[0].encode()).event_id == "id-1"
    assert record_of(record(1)) == decode_record(json.dumps(record(1), separators=(",", ":")))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "eventTime: missing"),
        ("[]", "record: expected object, got array"),
        (b"\xff", "not UTF-8"),
        ("\ud800", "not UTF-8"),
        ("{", "cut off"),
        ("{]", "invalid JSON: "),
        (deep(100_000), "nested too deep"),
        (json.dumps(record(1, eventTime="9999-01-01T00:00:00Z")), "eventTime: out of range"),
    ],
)
def test_one_record_alone_that_is_wrong(text: str | bytes, reason: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(reason)}"):
        decode_record(text)


@pytest.mark.parametrize("detail", [{"a": object()}, {"a": "\ud800"}, {1.5: object()}])
def test_what_is_not_json_is_no_record(detail: Json) -> None:
    with pytest.raises(InputError, match="record: not JSON"):
        record_of(detail)


@pytest.mark.parametrize(
    ("text", "end", "size"),
    [
        (b'{"a":[1,2]} , {"b"', End.WHOLE, 12),
        (b'{"a":1}', End.WHOLE, 7),
        (b'"a]}"]', End.WHOLE, 5),
        (b'{"a":[1,2', End.CUT_OFF, 0),
        (b'{"a":"b', End.CUT_OFF, 0),
        (b"", End.CUT_OFF, 0),
        (b'{"a":[1,2}', End.BROKEN, 0),
        (b"}", End.BROKEN, 0),
        (b"[" * 100_000, End.BROKEN, 0),
    ],
)
def test_the_decoder_tells_where_a_value_ends(text: bytes, end: End, size: int) -> None:
    measured = measure(memoryview(text))
    assert (measured.end, measured.size) == (end, size)


def test_a_part_that_stays_json_is_valid_json() -> None:
    records, _ = read(GOOD[0])
    assert msgspec.json.decode(records[0].request_parameters) == {"bucketName": "bucket", "key": "key-1"}
