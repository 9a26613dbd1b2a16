"""Requests and their context."""

import math
from typing import Any

import pytest

from shared.errors import InputError
from shared.iam.request import NOTHING_KNOWN, Request, context_of


def test_keys_lose_their_case_and_values_become_text() -> None:
    raw = {"aws:PrincipalTag/Team": "Red", "s3:max-keys": 5, "x:f": 0.5, "aws:SecureTransport": False, "x:e": []}

    assert context_of(raw) == {
        "aws:principaltag/team": ("Red",),
        "s3:max-keys": ("5",),
        "x:f": ("0.5",),
        "aws:securetransport": ("false",),
        "x:e": (),
    }


def test_lists_keep_their_values() -> None:
    assert context_of({"aws:TagKeys": ["a", "a", True, 1]}) == {"aws:tagkeys": ("a", "a", "true", "1")}
    assert context_of({"x:big": 10**400}) == {"x:big": ("1" + "0" * 400,)}


@pytest.mark.parametrize("value", [None, {}, {"a": 1}, [None], [["a"]], object(), math.nan, math.inf])
def test_given_another_kind_of_value_then_the_key_is_named(value: Any) -> None:
    with pytest.raises(InputError, match="aws:SourceIp"):
        context_of({"aws:SourceIp": value})


def test_given_one_key_in_two_spellings_then_neither_is_preferred() -> None:
    with pytest.raises(InputError, match="AWS:username"):
        context_of({"AWS:username": "a", "aws:username": "b"})


@pytest.mark.parametrize("raw", [None, [], "aws:username"])
def test_given_no_object_then_that_is_said(raw: Any) -> None:
    with pytest.raises(InputError, match="context"):
        context_of(raw)


def test_a_request_has_no_context_of_its_own() -> None:
    request = Request("*", "s3:GetObject", "*")

    assert request.context is NOTHING_KNOWN
    assert request.resource_account is None
