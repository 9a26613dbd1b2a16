"""Inventories from files: the forms that people have, and what is wrong with anything else."""

import contextlib
import json
from datetime import UTC, datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from shared.errors import InputError
from shared.model.inventory import Inventory
from shared.pci.reach.inventory_file import parse_inventory
from tests.builders import ACCOUNT, NOW, OTHER_ACCOUNT

QUEUE, BUCKET = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:jobs", "arn:aws:s3:::photos"
FOREIGN = f"arn:aws:sqs:eu-west-1:{OTHER_ACCOUNT}:jobs"
GROUP = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/app/web"


def parse(content: bytes | str) -> Inventory:
    return parse_inventory(content, account_id=ACCOUNT)


@pytest.mark.parametrize(
    "content",
    [
        f"{QUEUE}\n{BUCKET}\n",
        f"\n# queues\r\n  {QUEUE}  \r\n{BUCKET}\r\n{QUEUE}",
        json.dumps([QUEUE, BUCKET]),
        json.dumps({"Results": [json.dumps({"arn": QUEUE}), json.dumps({"arn": BUCKET, "accountId": ACCOUNT})]}),
        json.dumps({"Results": [{"arn": QUEUE}, {"arn": BUCKET}], "QueryInfo": {"SelectFields": [{"Name": "arn"}]}}),
        json.dumps({"Results": [{"arn": QUEUE}, {"arn": BUCKET}, {"resourceId": "without"}, {"arn": None}]}),
        json.dumps({"ResourceTagMappingList": [{"ResourceARN": QUEUE, "Tags": []}, {"ResourceARN": BUCKET}]}),
        f"\ufeff{QUEUE}\n{BUCKET}",
        json.dumps([QUEUE, FOREIGN, "arn:aws:iam::aws:policy/ReadOnlyAccess", BUCKET]),
    ],
)
def test_every_form_gives_the_same_inventory(content: str) -> None:
    expected = Inventory(ACCOUNT, (BUCKET, QUEUE), None, "a file")
    assert parse(content) == parse(content.encode()) == expected


def test_a_log_group_loses_the_end_that_some_answers_give_it() -> None:
    assert parse(f"{GROUP}:*\n{GROUP}").arns == (GROUP,)


def test_no_resource_at_all_is_an_inventory_too() -> None:
    assert parse("").arns == parse("[]").arns == parse('{"Results": []}').arns == ()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (f"{QUEUE}\njobs", "line 2 .* no ARN"),
        (f"{QUEUE} {BUCKET}\x00", "line 1 .* no ARN"),
        ("arn:aws:s3:::*", "line 1 .* no ARN"),
        ("arn:aws:s3", "line 1 .* no ARN"),
        (f"{QUEUE}{'x' * 3000}", "line 1 .* no ARN"),
        ("[1]", r"\$\[0\] .* no text"),
        (f'["{QUEUE}", "jobs"]', r"\$\[1\] .* no ARN"),
        ('["a', "line 1 column 2 .* broken JSON"),
        ("[" * 100_000, "nested too deep|broken JSON"),
        ("{}", "neither Results nor ResourceTagMappingList"),
        ('{"Results": {}}', r"\$.Results .* no list"),
        ('{"Results": ["{"]}', r"\$.Results\[0\] .* no JSON"),
        ('{"Results": ["[]"]}', r"\$.Results\[0\] .* no object"),
        ('{"Results": [{"arn": 1}]}', r"\$.Results\[0\].arn .* no ARN"),
        ('{"Results": [{"resourceId": "a"}]}', "none of the 1 rows .* select `arn`"),
        ('{"ResourceTagMappingList": [1]}', r"\$.ResourceTagMappingList\[0\] .* no object"),
        ('{"ResourceTagMappingList": [{"ResourceARN": "a"}]}', r"ResourceARN .* no ARN"),
        (f"{FOREIGN}\n{BUCKET}", f"another account: it names {OTHER_ACCOUNT}"),
        (b"\xff\xfe", "byte 0 .* no UTF-8"),
    ],
)
def test_anything_else_is_refused_with_its_place(content: bytes | str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse(content)


@settings(deadline=None)
@given(st.binary(max_size=80) | st.text('[]{}",:arnws3*\n 1', max_size=60))
def test_garbage_is_an_input_error_or_an_inventory(content: bytes | str) -> None:
    with contextlib.suppress(InputError):
        assert parse(content).account_id == ACCOUNT


def test_a_complaint_names_the_place_and_never_the_content() -> None:
    with pytest.raises(InputError) as raised:
        parse("password-of-the-database")
    assert "password" not in str(raised.value)


@pytest.mark.parametrize("read_at", [NOW, None])
def test_a_stored_inventory_is_read_back(read_at: datetime | None) -> None:
    inventory = Inventory(ACCOUNT, (QUEUE, BUCKET, f"{BUCKET}-ü"), read_at, "AWS Config, eu-west-1 alone")
    assert Inventory.from_json(inventory.to_json()) == inventory


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\xff", "no JSON"),
        (b"[]", r"\$.account_id"),
        (b'{"account_id": "1", "read_at": "2026-01-01T00:00:00+00:00", "origin": "x"}', r"\$.arns"),
        (b'{"account_id": "1", "read_at": "2026-01-01T00:00:00+00:00", "origin": "x", "arns": [1]}', r"\$.arns"),
        (b'{"account_id": "1", "origin": "x", "arns": []}', r"\$.read_at"),
        (b'{"account_id": "1", "read_at": "yesterday", "origin": "x", "arns": []}', "no time"),
        (b'{"account_id": "1", "read_at": "2026-01-01T00:00:00", "origin": "x", "arns": []}', "no time zone"),
    ],
)
def test_a_stored_inventory_that_is_none_is_refused(content: bytes, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        Inventory.from_json(content)


def test_the_same_resources_are_equal_inventories() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert Inventory(ACCOUNT, (QUEUE, BUCKET, QUEUE), moment) == Inventory(ACCOUNT, (BUCKET, QUEUE), moment)
