"""What the provider knows of one AWS account, and what it answers to a well-behaved client: no sockets, no TLS.

The shapes are those of the REST API v2 as far as leastwise uses it; nothing beyond them is pretended.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from http import HTTPStatus
from itertools import count
from typing import Any

JSON = "application/json"
SKEW_MILLIS = 5 * 60 * 1000
MAX_PAGE = 1_000
FIRST_PAGE = 1
HIGH, MEDIUM = 67, 34  # where the provider's categories begin


class Endpoint(StrEnum):
    """What the provider can be asked, by path."""

    AUTHENTICATE = "/api/v2/service-account/authenticate"
    USAGE = "/api/v2/identity/usage"
    POLICY = "/api/v2/role-policy/new"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in; header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back. `length` is what it claims to have; `silent_seconds` pass before the first byte."""

    status: int = HTTPStatus.OK
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    silent_seconds: float = 0.0
    seconds_per_byte: float = 0.0
    hangs_up: bool = False

    @classmethod
    def of(cls, document: Any, status: int = HTTPStatus.OK) -> "Answer":
        """A JSON document."""
        return cls(status, json.dumps(document).encode())

    def with_document(self, document: Any) -> "Answer":
        """The same answer with another document."""
        return replace(self, body=json.dumps(document).encode())


@dataclass(frozen=True, slots=True)
class Account:
    """The service account whose secret a client has; every value of it is a canary that no log may show."""

    service_id: str = "canary-service-id"
    api_id: str = "canary-api-id"
    access_key: str = "canary-access-key"
    secret_key: str = "canary-secret-key"  # noqa: S105 made up, and known to this server only


@dataclass(slots=True)
class Tenant:
    """One AWS account at the provider: scores and policies by ARN of a user or role; both may change at any time."""

    account_id: str
    scores: dict[str, float] = field(default_factory=dict)
    policies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    service_account: Account = field(default_factory=Account)
    tokens: set[str] = field(default_factory=set)
    _numbers: "count[int]" = field(default_factory=count)

    def answer(self, asked: Asked) -> Answer:
        """What a provider that works answers."""
        if asked.path not in set(Endpoint):
            return _refusal(HTTPStatus.NOT_FOUND, "NOT_FOUND")
        if problem := _malformed(asked.headers):
            return _refusal(HTTPStatus.BAD_REQUEST, problem)
        if problem := self._unauthorized(asked):
            return _refusal(HTTPStatus.UNAUTHORIZED, problem)
        match Endpoint(asked.path):
            case Endpoint.AUTHENTICATE:
                return self._token()
            case Endpoint.USAGE:
                return self._usage(asked.body)
            case Endpoint.POLICY:
                return self._policy(asked.body)

    def expire_tokens(self) -> None:
        """No token that was given until now is good any longer."""
        self.tokens.clear()

    def _unauthorized(self, asked: Asked) -> str | None:
        """Which of a request's credentials is wrong, or None."""
        headers, account = asked.headers, self.service_account
        if headers.get("x-cloudknox-service-account-id") != account.service_id:
            return "SERVICE_ACCOUNT"
        if asked.path == Endpoint.AUTHENTICATE:
            keys = {"accessKey": account.access_key, "secretKey": account.secret_key}
            return None if asked.body == {"serviceAccountId": account.service_id} | keys else "CREDENTIALS"
        if headers.get("x-cloudknox-api-id") != account.api_id:
            return "API_ID"
        return None if headers.get("x-cloudknox-access-token") in self.tokens else "TOKEN_EXPIRED"

    def _token(self) -> Answer:
        token = f"canary-token-{next(self._numbers)}"
        self.tokens.add(token)
        return Answer.of({"accessToken": token})

    def _usage(self, body: Any) -> Answer:
        if problem := self._misunderstood(body, {"identityType", "pageInfo"}):
            return problem
        page, size = body["pageInfo"]["pageId"], body["pageInfo"]["pageSize"]
        if page < FIRST_PAGE or not 1 <= size <= MAX_PAGE:
            return _refusal(HTTPStatus.BAD_REQUEST, "PAGE")
        kind = f":{body['identityType'].lower()}/"
        listed = [_entry(arn, pci) for arn, pci in sorted(self.scores.items()) if kind in arn]
        start = (page - FIRST_PAGE) * size
        return Answer.of({"data": listed[start : start + size]})

    def _policy(self, body: Any) -> Answer:
        if problem := self._misunderstood(body, {"identityType", "identityIds", "filter", "requestParams"}):
            return problem
        found = [document for arn in body["identityIds"] for document in self.policies.get(arn, [])]
        return Answer.of({"data": [_named(number, document) for number, document in enumerate(found, 1)]})

    def _misunderstood(self, body: Any, own: set[str]) -> Answer | None:
        """Why a request can't be answered, or None: exactly the expected fields, and about this account."""
        if not isinstance(body, dict) or set(body) != {"authSystemInfo", "aggregation", *own}:
            return _refusal(HTTPStatus.BAD_REQUEST, "FIELDS")
        if body["aggregation"] != {"type": "SUMMARY"} or body["identityType"] not in {"USER", "ROLE"}:
            return _refusal(HTTPStatus.BAD_REQUEST, "VALUES")
        if body["authSystemInfo"] != {"id": self.account_id, "type": "AWS"}:
            return Answer.of({"errorCode": "AUTH_SYSTEM_NOT_FOUND", "data": []})
        return None


def _malformed(headers: Mapping[str, str]) -> str | None:
    """What is wrong with a request before its credentials are looked at, or None."""
    if not headers.get("content-type", "").startswith(JSON):
        return "CONTENT_TYPE"
    stamp = headers.get("x-cloudknox-timestamp-millis", "")
    fits = stamp.isdecimal() and abs(int(stamp) - time.time() * 1000) <= SKEW_MILLIS
    return None if fits else "TIMESTAMP"


def _entry(arn: str, pci: float) -> dict[str, Any]:
    return entry(arn.rsplit("/", 1)[1], pci)


def entry(name: str, pci: float) -> dict[str, Any]:
    """One identity of a list of scores."""
    category = "HIGH" if pci >= HIGH else "MEDIUM" if pci >= MEDIUM else "LOW"
    return {"name": name, "pciScore": {"category": category, "privilegeCreepIndex": pci}}


def _named(number: int, document: dict[str, Any]) -> dict[str, Any]:
    return {"policyName": f"ck_activity_{number}", "policy": document}


def _refusal(status: HTTPStatus, code: str) -> Answer:
    return Answer.of({"errorCode": code}, status)
