"""The provider on this machine: what it answers a client that behaves, and that each of its misbehaviours is one."""

import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.builders import ACCOUNT
from tests.cloudknox.certificates import Identification
from tests.cloudknox.misbehaviours import ELSEWHERE, Misbehaviour
from tests.cloudknox.server import Provider, running
from tests.cloudknox.tenant import Endpoint, Tenant

USER, ROLE = f"arn:aws:iam::{ACCOUNT}:user/team/ana", f"arn:aws:iam::{ACCOUNT}:role/deployer"
OTHERS = {f"arn:aws:iam::{ACCOUNT}:role/other-{number}": 10.0 for number in range(4)}
READS: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}],
}
HEADERS = {"X-CloudKnox-Service-Account-Id": "canary-service-id", "X-CloudKnox-API-Id": "canary-api-id"}
KEYS = {"serviceAccountId": "canary-service-id", "accessKey": "canary-access-key", "secretKey": "canary-secret-key"}
SUMMARY = {"authSystemInfo": {"id": ACCOUNT, "type": "AWS"}, "aggregation": {"type": "SUMMARY"}, "identityType": "ROLE"}
PARAMETERS = dict.fromkeys(("scope", "resource", "resources", "condition"))
POLICY_OF_ROLE = {**SUMMARY, "identityIds": [ROLE], "filter": {"historyDays": 90}, "requestParams": PARAMETERS}


class Asker:
    """A client that does what the shapes say, and no more."""

    def __init__(self, provider: Provider) -> None:
        context = ssl.create_default_context(cadata=provider.authority.pem)
        self.client = httpx.Client(base_url=provider.url, verify=context, timeout=5, trust_env=False)
        self.headers = dict(HEADERS)

    def ask(self, endpoint: Endpoint, body: Any, **headers: str) -> httpx.Response:
        """Ask once."""
        stamp = {"X-CloudKnox-Timestamp-Millis": str(time.time_ns() // 1_000_000)}
        return self.client.post(endpoint, json=body, headers={**stamp, **self.headers, **headers})

    def authenticate(self) -> None:
        """Get a token, and send it from now on."""
        token = self.ask(Endpoint.AUTHENTICATE, KEYS).json()["accessToken"]
        self.headers["X-CloudKnox-Access-Token"] = token

    def page(self, number: int, size: int) -> httpx.Response:
        """A page of scores."""
        return self.ask(Endpoint.USAGE, {**SUMMARY, "pageInfo": {"pageId": number, "pageSize": size}})


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running(Tenant(ACCOUNT, {USER: 88.0, ROLE: 91.0, **OTHERS}, {ROLE: [READS]})) as provider:
        yield provider


@pytest.fixture
def asker(provider: Provider) -> Iterator[Asker]:
    provider.behave()
    provider.asked.clear()
    asker = Asker(provider)
    with asker.client:
        asker.authenticate()
        yield asker


def test_scores_come_in_pages_and_a_short_one_is_the_last(asker: Asker) -> None:
    pages = [asker.page(number, 2).json()["data"] for number in (1, 2, 3, 4)]

    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert {one["name"]: one["pciScore"]["privilegeCreepIndex"] for page in pages for one in page} == {
        "deployer": 91.0, "other-0": 10.0, "other-1": 10.0, "other-2": 10.0, "other-3": 10.0,
    }  # fmt: skip
    assert pages[0][0]["pciScore"]["category"] == "HIGH"


def test_a_policy_is_answered_for_the_identity_that_is_asked_about(asker: Asker) -> None:
    assert asker.ask(Endpoint.POLICY, POLICY_OF_ROLE).json() == {
        "data": [{"policyName": "ck_activity_1", "policy": READS}]
    }
    assert asker.ask(Endpoint.POLICY, {**POLICY_OF_ROLE, "identityIds": [USER]}).json() == {"data": []}


REFUSED: list[tuple[str, Endpoint, dict[str, Any], dict[str, str], int]] = [  # what, where, body, headers, status
    ("a wrong key", Endpoint.AUTHENTICATE, {**KEYS, "secretKey": "guess"}, {}, 401),
    ("a key too many", Endpoint.AUTHENTICATE, {**KEYS, "more": "1"}, {}, 401),
    ("another service account", Endpoint.POLICY, POLICY_OF_ROLE, {"X-CloudKnox-Service-Account-Id": "x"}, 401),
    ("another API id", Endpoint.POLICY, POLICY_OF_ROLE, {"X-CloudKnox-API-Id": "x"}, 401),
    ("no such token", Endpoint.POLICY, POLICY_OF_ROLE, {"X-CloudKnox-Access-Token": "x"}, 401),
    ("an old time", Endpoint.POLICY, POLICY_OF_ROLE, {"X-CloudKnox-Timestamp-Millis": "1600000000000"}, 400),
    ("seconds for milliseconds", Endpoint.AUTHENTICATE, KEYS, {"X-CloudKnox-Timestamp-Millis": "1795000000"}, 400),
    ("another content type", Endpoint.POLICY, POLICY_OF_ROLE, {"Content-Type": "text/plain"}, 400),
    ("a field too few", Endpoint.POLICY, {**SUMMARY, "identityIds": [ROLE]}, {}, 400),
    ("another aggregation", Endpoint.POLICY, {**POLICY_OF_ROLE, "aggregation": {}}, {}, 400),
    ("a page before the first", Endpoint.USAGE, {**SUMMARY, "pageInfo": {"pageId": 0, "pageSize": 5}}, {}, 400),
]


@pytest.mark.parametrize(
    ("endpoint", "body", "headers", "status"), [pytest.param(*one, id=what) for what, *one in REFUSED]
)
def test_a_wrong_request_is_refused(
    asker: Asker, endpoint: Endpoint, body: Any, headers: dict[str, str], status: int
) -> None:
    assert asker.ask(endpoint, body, **headers).status_code == status


def test_another_account_is_unknown_and_an_expired_token_refused(asker: Asker, provider: Provider) -> None:
    stranger = {**POLICY_OF_ROLE, "authSystemInfo": {"id": "210987654321", "type": "AWS"}}
    assert asker.ask(Endpoint.POLICY, stranger).json()["errorCode"] == "AUTH_SYSTEM_NOT_FOUND"

    provider.tenant.expire_tokens()

    assert asker.ask(Endpoint.POLICY, POLICY_OF_ROLE).status_code == 401


def test_what_was_asked_is_remembered_without_showing_bodies(asker: Asker, provider: Provider) -> None:
    asker.page(1, 5)

    assert [asked.path for asked in provider.asked] == [Endpoint.AUTHENTICATE, Endpoint.USAGE]
    assert provider.asked_for(Endpoint.USAGE)[0].body["pageInfo"] == {"pageId": 1, "pageSize": 5}
    assert "secretKey" not in repr(provider.asked)


def test_a_misbehaviour_lasts_as_long_as_it_was_asked_for(asker: Asker, provider: Provider) -> None:
    provider.misbehave(Endpoint.USAGE, Misbehaviour.SERVER_ERROR, times=2)
    assert [asker.page(1, 5).status_code for _ in range(3)] == [503, 503, 200]

    provider.misbehave(Endpoint.USAGE, Misbehaviour.SERVER_ERROR)
    assert [asker.page(1, 5).status_code for _ in range(3)] == [503, 503, 503]

    provider.behave()
    assert asker.page(1, 5).status_code == 200


Look = Callable[[httpx.Response], object]
SEEN: list[tuple[Misbehaviour, Look, object]] = [
    (Misbehaviour.THROTTLED, lambda answer: answer.status_code, 429),
    (Misbehaviour.EXPIRED_TOKEN, lambda answer: answer.status_code, 401),
    (Misbehaviour.HTML, lambda answer: answer.headers["content-type"], "text/html; charset=utf-8"),
    (Misbehaviour.HTML_AS_JSON, lambda answer: answer.headers["content-type"][-4:] + answer.text[:5], "json<!doc"),
    (Misbehaviour.OTHER_CONTENT_TYPE, lambda answer: answer.headers["content-type"], "text/plain"),
    (Misbehaviour.REDIRECT, lambda answer: (answer.status_code, answer.headers["location"]), (307, ELSEWHERE)),
    (Misbehaviour.ERROR_CODE, lambda answer: answer.json()["errorCode"], "INTERNAL_ERROR"),
    (Misbehaviour.EMPTY, lambda answer: answer.json(), {"data": []}),
    (Misbehaviour.SHORT_PAGE, lambda answer: len(answer.json()["data"]), 1),
    (Misbehaviour.REPEATED_PAGE, lambda answer: len(answer.json()["data"]), 3),
    (Misbehaviour.ENDLESS, lambda answer: answer.json()["data"][0]["name"], "somebody-1-0"),
    (Misbehaviour.CONTRADICTION, lambda answer: len({one["name"] for one in answer.json()["data"]}), 3),
    (Misbehaviour.IMPOSSIBLE_SCORE, lambda answer: answer.json()["data"][0]["pciScore"]["privilegeCreepIndex"], 170),
    (Misbehaviour.OVERSIZED, lambda answer: len(answer.content) > 2**24, True),
]  # fmt: skip


@pytest.mark.parametrize(("misbehaviour", "look", "expected"), SEEN, ids=[one[0].name for one in SEEN])
def test_each_misbehaviour_is_seen_by_a_client(
    asker: Asker, provider: Provider, misbehaviour: Misbehaviour, look: Look, expected: object
) -> None:
    provider.misbehave(Endpoint.USAGE, misbehaviour)

    assert look(asker.page(1, 3)) == expected


BROKEN: list[tuple[Misbehaviour, type[Exception]]] = [
    (Misbehaviour.NO_ANSWER, httpx.RemoteProtocolError),
    (Misbehaviour.CUT_OFF, httpx.RemoteProtocolError),
    (Misbehaviour.SLOW, httpx.ReadTimeout),
]


@pytest.mark.parametrize(("misbehaviour", "error"), BROKEN, ids=[one[0].name for one in BROKEN])
def test_a_broken_answer_breaks_the_connection(
    asker: Asker, provider: Provider, misbehaviour: Misbehaviour, error: type[Exception]
) -> None:
    asker.client.timeout = httpx.Timeout(0.1)
    provider.misbehave(Endpoint.USAGE, misbehaviour)

    with pytest.raises(error):
        asker.page(1, 3)


def test_an_answer_that_trickles_comes_byte_by_byte(asker: Asker, provider: Provider) -> None:
    provider.misbehave(Endpoint.USAGE, Misbehaviour.TRICKLING)
    stamp = {"X-CloudKnox-Timestamp-Millis": str(time.time_ns() // 1_000_000)}
    body = {**SUMMARY, "pageInfo": {"pageId": 1, "pageSize": 1}}

    with asker.client.stream("POST", Endpoint.USAGE, json=body, headers={**stamp, **asker.headers}) as answer:
        pieces = answer.iter_raw()
        first = [next(pieces) for _ in range(3)]

    assert b"".join(first).startswith(b'{"')
    assert max(map(len, first)) < 3


UNTRUSTED = (
    Identification.OTHER_AUTHORITY, Identification.EXPIRED, Identification.OTHER_HOST, Identification.PLAIN,
)  # fmt: skip


@pytest.mark.parametrize("identification", UNTRUSTED)
def test_a_client_that_checks_does_not_talk_to_a_server_that_is_not_who_it_says(identification: Identification) -> None:
    with running(Tenant(ACCOUNT), identification) as provider:
        asker = Asker(provider)
        with asker.client, pytest.raises(httpx.ConnectError):
            asker.authenticate()
        assert provider.asked == []


def test_a_client_with_the_strictest_checks_trusts_a_valid_certificate() -> None:
    with running(Tenant(ACCOUNT)) as provider:
        context = ssl.create_default_context(cadata=provider.authority.pem)
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # Python's default from 3.13 on
        with httpx.Client(verify=context, trust_env=False) as client:
            assert client.get(provider.url).status_code == 404
