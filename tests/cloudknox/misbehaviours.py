"""The ways in which the provider can answer badly: each turns the answer that would be right into another one."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from tests.cloudknox.tenant import Answer, Asked, Endpoint, entry

OTHER_ACCOUNT = "999999999999"
LONGER_THAN_ANY_TIMEOUT = 60.0
OVERSIZED_BYTES = 16 * 1024 * 1024
ELSEWHERE = "/elsewhere"
PAGE = b"<!doctype html><html><title>Sign in</title><body>canary-page</body></html>"
VERSION = "2012-10-17"


class Misbehaviour(StrEnum):
    """What goes wrong with an answer."""

    SERVER_ERROR = "5xx"
    THROTTLED = "429"
    NO_ANSWER = "hangs up"
    SLOW = "slower than any timeout"
    TRICKLING = "a byte now and then"
    HTML = "HTML"
    HTML_AS_JSON = "HTML that says it is JSON"
    OTHER_CONTENT_TYPE = "JSON that says it is text"
    CUT_OFF = "cut off"
    OVERSIZED = "oversized"
    REDIRECT = "a redirect"
    EXPIRED_TOKEN = "the token expired"  # noqa: S105 no secret
    ERROR_CODE = "errorCode"
    EMPTY = "no data"
    OTHER_SHAPE = "another shape"
    WRONG_ACCOUNT = "about another account"
    # of scores
    SHORT_PAGE = "a short page that hides the rest"
    REPEATED_PAGE = "the same page for ever"
    ENDLESS = "a list without end"
    CONTRADICTION = "two scores of one identity"
    IMPOSSIBLE_SCORE = "a score beyond 100"
    # of policies
    EVERYTHING = "a policy that allows everything"
    CREATE_ROLE = "a policy with iam:CreateRole"


Change = Callable[[Asked, Answer], Answer]


def change_of(misbehaviour: Misbehaviour) -> Change:
    """What a misbehaviour does to an answer that would be right."""
    return _CHANGES[misbehaviour]


def _status(status: HTTPStatus) -> Change:
    return lambda _asked, _right: Answer.of({"errorCode": status.name}, status)


def _document(document: Any) -> Change:
    return lambda _asked, right: right.with_document(document)


def _cut_off(_asked: Asked, right: Answer) -> Answer:
    return replace(right, body=right.body[: len(right.body) // 2], length=len(right.body))


def _oversized(_asked: Asked, right: Answer) -> Answer:
    return replace(right, body=b'{"data": [' + b" " * OVERSIZED_BYTES + b"]}")


def _error_code(_asked: Asked, right: Answer) -> Answer:
    """The right data, but with a code that says that they are none."""
    return right.with_document({**json.loads(right.body), "errorCode": "INTERNAL_ERROR"})


def _empty(asked: Asked, right: Answer) -> Answer:
    return right.with_document({"accessToken": ""} if asked.path == Endpoint.AUTHENTICATE else {"data": []})


def _other_shape(asked: Asked, right: Answer) -> Answer:
    return right.with_document([1, 2] if asked.path == Endpoint.AUTHENTICATE else {"data": [{"name": 7, "policy": []}]})


def _wrong_account(asked: Asked, right: Answer) -> Answer:
    if asked.path == Endpoint.USAGE:
        role = f"arn:aws:iam::{OTHER_ACCOUNT}:role/stranger"
        return right.with_document({"data": [entry(role, 95)]})
    return right.with_document(_policy(["sqs:*"], [f"arn:aws:sqs:us-east-1:{OTHER_ACCOUNT}:*"]))


def _short_page(_asked: Asked, right: Answer) -> Answer:
    return right.with_document({"data": json.loads(right.body)["data"][:1]})


def _repeated_page(asked: Asked, right: Answer) -> Answer:
    return right.with_document({"data": _full_page(asked, prefix="somebody")})


def _endless(asked: Asked, right: Answer) -> Answer:
    return right.with_document({"data": _full_page(asked, prefix=f"somebody-{asked.body['pageInfo']['pageId']}")})


def _full_page(asked: Asked, *, prefix: str) -> list[dict[str, Any]]:
    return [entry(f"{prefix}-{number}", 90) for number in range(asked.body["pageInfo"]["pageSize"])]


def _contradiction(_asked: Asked, right: Answer) -> Answer:
    data = json.loads(right.body)["data"]
    return right.with_document({"data": [*data, *(entry(one["name"], 3) for one in data)]})


def _impossible_score(_asked: Asked, right: Answer) -> Answer:
    return right.with_document({"data": [entry(one["name"], 170) for one in json.loads(right.body)["data"]]})


def _policy(actions: list[str], resources: list[str]) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return {"data": [{"policyName": "ck_activity_1", "policy": {"Version": VERSION, "Statement": [statement]}}]}


_CHANGES: Mapping[Misbehaviour, Change] = {
    Misbehaviour.SERVER_ERROR: _status(HTTPStatus.SERVICE_UNAVAILABLE),
    Misbehaviour.THROTTLED: _status(HTTPStatus.TOO_MANY_REQUESTS),
    Misbehaviour.EXPIRED_TOKEN: _status(HTTPStatus.UNAUTHORIZED),
    Misbehaviour.NO_ANSWER: lambda _, right: replace(right, hangs_up=True),
    Misbehaviour.SLOW: lambda _, right: replace(right, silent_seconds=LONGER_THAN_ANY_TIMEOUT),
    Misbehaviour.TRICKLING: lambda _, right: replace(right, seconds_per_byte=0.2),
    Misbehaviour.HTML: lambda _, right: replace(right, body=PAGE, content_type="text/html; charset=utf-8"),
    Misbehaviour.HTML_AS_JSON: lambda _, right: replace(right, body=PAGE),
    Misbehaviour.OTHER_CONTENT_TYPE: lambda _, right: replace(right, content_type="text/plain"),
    Misbehaviour.CUT_OFF: _cut_off,
    Misbehaviour.OVERSIZED: _oversized,
    Misbehaviour.REDIRECT: lambda _, right: replace(
        right, status=HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": ELSEWHERE}
    ),
    Misbehaviour.ERROR_CODE: _error_code,
    Misbehaviour.EMPTY: _empty,
    Misbehaviour.OTHER_SHAPE: _other_shape,
    Misbehaviour.WRONG_ACCOUNT: _wrong_account,
    Misbehaviour.SHORT_PAGE: _short_page,
    Misbehaviour.REPEATED_PAGE: _repeated_page,
    Misbehaviour.ENDLESS: _endless,
    Misbehaviour.CONTRADICTION: _contradiction,
    Misbehaviour.IMPOSSIBLE_SCORE: _impossible_score,
    Misbehaviour.EVERYTHING: _document(_policy(["*:*"], ["*"])),
    Misbehaviour.CREATE_ROLE: _document(_policy(["iam:CreateRole"], ["*"])),
}
