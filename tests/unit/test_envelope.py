"""What arrives from outside is checked: form, size, account, type; and no error repeats its content."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.envelope import MAX_BODY_BYTES, MAX_SHOWN, parse_domain_event, parse_envelope
from shared.errors import InputError
from shared.events import DomainEvent
from tests.builders import ACCOUNT, OTHER_ACCOUNT, domain_body, envelope, every_event, scored

CANARY = "AKIACANARYCANARY0000"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ENVELOPE = envelope({}, detail_type="IdentityScored")


@pytest.mark.parametrize("event", every_event(), ids=lambda event: event.type_name())
def test_every_event_of_ours_is_read_back(event: DomainEvent) -> None:
    assert parse_domain_event(parse_envelope(domain_body(event), account_id=ACCOUNT)) == event


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "Invalid JSON"),
        ("{", "Invalid JSON"),
        ("null", "should be an object"),
        ("[]", "should be an object"),
        ("{}", "Field required"),
        ('{"a":' * 5_000, "recursion limit"),
        ("\ud800", "not valid Unicode"),
        (" " * (MAX_BODY_BYTES + 1), f"over the limit of {MAX_BODY_BYTES}"),
        ("ä" * (MAX_BODY_BYTES // 2 + 1), f"over the limit of {MAX_BODY_BYTES}"),
        (json.dumps(ENVELOPE | {"detail": [1]}), "detail: Input should be an object"),
        (json.dumps(ENVELOPE | {"detail": None}), "detail: Input should be an object"),
        (json.dumps(ENVELOPE | {"account": OTHER_ACCOUNT}), f"event of account '{OTHER_ACCOUNT}'"),
        (json.dumps(ENVELOPE | {"account": 12}), "account: Input should be a valid string"),
        (json.dumps({key: value for key, value in ENVELOPE.items() if key != "account"}), "account: Field required"),
    ],
)
def test_what_is_no_event_of_our_account_is_refused_with_the_reason(body: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse_envelope(body, account_id=ACCOUNT)


def test_a_body_of_exactly_the_limit_is_read() -> None:
    body = json.dumps(ENVELOPE)
    body += " " * (MAX_BODY_BYTES - len(body))
    assert parse_envelope(body, account_id=ACCOUNT).detail_type == "IdentityScored"


@pytest.mark.parametrize(
    ("detail_type", "change", "reason"),
    [
        ("EC2 Instance State-change Notification", {}, "unknown event type 'EC2 Instance"),
        ("DomainEvent", {}, "unknown event type 'DomainEvent'"),
        ("IdentityScored", {"pci": CANARY}, "not a valid IdentityScored: pci: Input should be a valid number"),
        ("IdentityScored", {"identity": {"arn": CANARY}}, "identity.account_id: Field required"),
        ("IdentityScored", {"account_id": OTHER_ACCOUNT}, f"about account {OTHER_ACCOUNT} came from {ACCOUNT}"),
    ],
)
def test_an_event_that_is_not_ours_is_refused_without_its_content(
    detail_type: str, change: dict[str, Any], reason: str
) -> None:
    detail = json.loads(scored().model_dump_json()) | change
    parsed = parse_envelope(json.dumps(envelope(detail, detail_type=detail_type)), account_id=ACCOUNT)
    with pytest.raises(InputError, match=reason) as caught:
        parse_domain_event(parsed)
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("source", ["leastwise.command", "leastwise.evaluator", "leastwise.scorer ", "aws.iam"])
def test_an_event_from_a_service_that_does_not_tell_it_is_refused(source: str) -> None:
    detail = json.loads(scored().model_dump_json())
    parsed = parse_envelope(
        json.dumps(envelope(detail, detail_type="IdentityScored", source=source)), account_id=ACCOUNT
    )
    with pytest.raises(InputError, match="which tells no such events"):
        parse_domain_event(parsed)


@pytest.mark.parametrize("field", ["account", "detail-type"])
def test_an_error_never_grows_with_what_came(field: str) -> None:
    body = json.dumps(ENVELOPE | {field: "x" * 100_000})
    with pytest.raises(InputError) as caught:
        parse_domain_event(parse_envelope(body, account_id=ACCOUNT))
    assert "x" * MAX_SHOWN in str(caught.value)
    assert len(str(caught.value)) < 2 * MAX_SHOWN


@given(st.text(st.characters(codec=None)) | JSON.map(json.dumps))
def test_any_text_is_refused_as_input_and_in_no_other_way(body: str) -> None:
    with pytest.raises(InputError):
        parse_envelope(body, account_id=ACCOUNT)


@given(st.sampled_from([event.type_name() for event in every_event()]), st.dictionaries(st.text(), JSON, max_size=4))
def test_any_detail_is_refused_as_input_and_in_no_other_way(detail_type: str, detail: dict[str, Any]) -> None:
    parsed = parse_envelope(json.dumps(ENVELOPE | {"detail-type": detail_type}), account_id=ACCOUNT)
    with pytest.raises(InputError):
        parse_domain_event(parsed.model_copy(update={"detail": detail}))
