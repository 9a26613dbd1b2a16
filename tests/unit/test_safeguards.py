"""A team's safeguards: what can be written down, and that anything else stops everything."""

import json
from typing import Any

import pytest

from shared.errors import SettingsError
from shared.model.safeguards import MAX_LENGTH, Safeguards, parse_safeguards

WHO = ("AROAEXAMPLE00001", "AROAEXAMPLE00002", "AROAEXAMPLE00003")
FULL: dict[str, Any] = {
    "exemptions": [
        {"path": "/partners/", "owner": "ana", "reason": "contract", "until": "2026-12-31"},
        {"arn": "arn:aws:iam::123456789012:user/ben", "owner": "ana", "reason": "drill"},
        {"identity_id": WHO[0], "owner": "ana", "reason": "drill"},
    ],
    "holds": [{"start": "2026-12-20T00:00:00Z", "end": "2027-01-04T00:00:00+01:00", "reason": "year end"}],
    "always_keep": ["sts:*", "s3:Get*"],
    "managed_as_code": [{"tag": "ManagedBy", "values": ["terraform"]}, {"tag": "stack", "tool": "cloudformation"}],
    "peer_groups": [{"name": "one", "members": WHO[:2]}, {"name": "two", "members": WHO[1:]}],
}


def test_all_that_can_be_said_is_read() -> None:
    safeguards = parse_safeguards(json.dumps(FULL))
    assert safeguards == Safeguards.model_validate(FULL)
    assert len(safeguards.exemptions) == 3
    assert safeguards.managed_as_code[0].tool == "terraform"


def test_nothing_may_be_said_as_well() -> None:
    assert parse_safeguards("{}") == Safeguards()


WRONG: list[dict[str, Any]] = [
    {"exemption": []},
    {"exemptions": [{"path": "/x/", "reason": "r"}]},
    {"exemptions": [{"path": "/x/", "owner": "ana", "reason": ""}]},
    {"exemptions": [{"owner": "ana", "reason": "r"}]},
    {"exemptions": [{"path": "/x/", "identity_id": WHO[0], "owner": "ana", "reason": "r"}]},
    {"exemptions": [{"path": "/x", "owner": "ana", "reason": "r"}]},
    {"exemptions": [{"arn": "arn:aws:iam::123456789012:group/x", "owner": "ana", "reason": "r"}]},
    {"exemptions": [{"arn": "arn:aws:iam::123456789012:role/team/deploy*", "owner": "ana", "reason": "r"}]},
    {"exemptions": [{"arn": "arn:aws:iam::123456789012:role/team/deploy?", "owner": "ana", "reason": "r"}]},
    {"exemptions": [{"arn": "arn:aws:iam::123456789012:role/team/", "owner": "ana", "reason": "r"}]},
    {"exemptions": [{"arn": "arn:*:iam::123456789012:role/x", "owner": "ana", "reason": "r"}]},
    {"exemptions": [{"path": "/team/*/", "owner": "ana", "reason": "r"}]},
    {"exemptions": [{"path": "/x/", "owner": "ana", "reason": "r", "until": "soon"}]},
    {"exemptions": [{"path": "/x/", "owner": "ana", "reason": "r", "unitl": "2026-12-31"}]},
    {"holds": [{"start": "2026-12-20T00:00:00", "end": "2027-01-04T00:00:00Z", "reason": "no zone"}]},
    {"holds": [{"start": "2027-01-04T00:00:00Z", "end": "2026-12-20T00:00:00Z", "reason": "backwards"}]},
    {"always_keep": ["s3"]},
    {"always_keep": "s3:*"},
    {"managed_as_code": [{"tag": "x", "tool": "pulumi"}]},
    {"peer_groups": [{"name": "alone", "members": [WHO[0]]}]},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_anything_else_is_refused_without_repeating_it(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="can't be read"):
        parse_safeguards(json.dumps(wrong))


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '"{}"', "{}" + " " * MAX_LENGTH])
def test_what_is_no_object_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_safeguards(text)


def test_a_refusal_does_not_show_what_was_written() -> None:
    secret = "hunter2-hunter2"  # noqa: S105 a canary
    with pytest.raises(SettingsError) as refused:
        parse_safeguards(json.dumps({"exemptions": [{"path": secret, "owner": secret, "reason": secret}]}))
    assert secret not in str(refused.value)


def test_peers_are_the_others_of_all_groups() -> None:
    safeguards = Safeguards.model_validate(FULL)
    assert safeguards.peers_of(WHO[1]) == (WHO[0], WHO[2])
    assert safeguards.peers_of(WHO[0]) == (WHO[1],)
    assert safeguards.peers_of("AROAEXAMPLE00009") == ()
