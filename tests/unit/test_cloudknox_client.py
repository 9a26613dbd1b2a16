"""The client of CloudKnox: what it sends, what it takes for an answer, and what it makes of everything else."""

import json
import logging
import ssl
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from shared.errors import DependencyError, ProviderError, ProviderFault
from shared.model.identity import IdentityType
from shared.providers.cloudknox import client as client_module
from shared.providers.cloudknox import transport
from tests.builders import ACCOUNT, DEPLOYER
from tests.unit.provider_stand_in import AUTHENTICATE, NOW, POLICY, SECRET, USAGE, StandIn, answer, listed

HTML = httpx.Response(200, text="<html>canary-page</html>", headers={"content-type": "text/html"})
GOOD_POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}


class Pieces(httpx.SyncByteStream):
    """A body that comes piece by piece; `before` is called before each."""

    def __init__(self, *pieces: bytes, before: Callable[[], None] = lambda: None) -> None:
        self._pieces = pieces
        self._before = before

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._before()
            yield piece


def body_of(request: httpx.Request) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(request.content)
    return found


def policies_of(provider: StandIn, **options: float) -> tuple[dict[str, Any], ...]:
    return provider.client(**options).policies(DEPLOYER, window_days=90, preserve_reads=False)


def test_scores_are_asked_for_with_a_fresh_token_and_every_header() -> None:
    provider = StandIn({USAGE: [answer(listed(alice=81.5, bob=3))]})
    assert provider.client().scores(IdentityType.USER) == {"alice": 81.5, "bob": 3.0}
    signed, asked = provider.asked
    assert (signed.method, str(signed.url)) == ("POST", f"https://provider.example{AUTHENTICATE}")
    assert body_of(signed) == {
        "serviceAccountId": "canary-service",
        "accessKey": "canary-access",
        "secretKey": "canary-secret",
    }
    millis = str(int(NOW.timestamp() * 1000))
    assert {name: value for name, value in asked.headers.items() if name.startswith("x-cloudknox")} == {
        "x-cloudknox-access-token": "canary-token-1",
        "x-cloudknox-api-id": "canary-api",
        "x-cloudknox-service-account-id": "canary-service",
        "x-cloudknox-timestamp-millis": millis,
    }
    assert body_of(asked) == {
        "authSystemInfo": {"id": ACCOUNT, "type": "AWS"},
        "identityType": "USER",
        "aggregation": {"type": "SUMMARY"},
        "pageInfo": {"pageId": 1, "pageSize": 500},
    }


def test_a_policy_is_asked_for_by_arn_and_history() -> None:
    provider = StandIn({POLICY: [answer({"data": [{"policyName": "ck_1", "policy": GOOD_POLICY}]})]})
    who = DEPLOYER
    found = provider.client().policies(who, window_days=30, preserve_reads=True)
    assert found == (GOOD_POLICY,)
    assert body_of(provider.asked[-1]) == {
        "authSystemInfo": {"id": ACCOUNT, "type": "AWS"},
        "identityType": "ROLE",
        "aggregation": {"type": "SUMMARY"},
        "identityIds": [who.arn],
        "filter": {"historyDays": 30, "preserveReads": True},
        "requestParams": {"scope": None, "resource": None, "resources": None, "condition": None},
    }


def test_the_api_id_of_the_token_comes_before_that_of_the_secret() -> None:
    provider = StandIn({AUTHENTICATE: [answer({"accessToken": "t", "apiId": "own"})], USAGE: [answer(listed())]})
    provider.client().scores(IdentityType.USER)
    assert provider.asked[-1].headers["x-cloudknox-api-id"] == "own"


def page(number: int, size: int) -> dict[str, float]:
    return {f"user-{number}-{one}": 50.0 for one in range(size)}


def test_pages_are_read_up_to_one_that_is_not_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "PAGE_SIZE", 3)
    pages = [page(1, 3), page(2, 3), page(3, 1)]
    provider = StandIn({USAGE: [answer(listed(**one)) for one in pages]})
    assert provider.client().scores(IdentityType.ROLE) == pages[0] | pages[1] | pages[2]
    assert [body_of(one)["pageInfo"]["pageId"] for one in provider.to(USAGE)] == [1, 2, 3]
    assert len(provider.to(AUTHENTICATE)) == 1


def test_a_full_last_page_is_followed_by_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "PAGE_SIZE", 2)
    provider = StandIn({USAGE: [answer(listed(**page(1, 2))), answer({"data": []})]})
    assert len(provider.client().scores(IdentityType.ROLE)) == 2


def endless(request: httpx.Request) -> httpx.Response:
    return answer(listed(**page(body_of(request)["pageInfo"]["pageId"], 2)))


TWICE = {"data": [*listed(alice=80)["data"], *listed(alice=3)["data"]]}
LISTS: list[tuple[str, list[Any], str]] = [
    ("the same page again", [answer(listed(**page(1, 2)))], "a page came twice"),
    ("no end", [endless], "the list has no end"),
    ("more than asked for", [answer(listed(**page(1, 3)))], "more entries than were asked for"),
    ("two scores of one", [answer(TWICE)], "two scores of one user"),
]


@pytest.mark.parametrize(("responses", "message"), [case[1:] for case in LISTS], ids=[case[0] for case in LISTS])
def test_a_list_that_cannot_be_trusted_is_none(
    responses: list[Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "PAGE_SIZE", 2)
    with pytest.raises(ProviderError, match=message) as caught:
        StandIn({USAGE: responses}).client().scores(IdentityType.USER)
    assert caught.value.fault is ProviderFault.UNUSABLE


def test_the_same_score_twice_is_one() -> None:
    twice = {"data": listed(alice=80)["data"] * 2}
    assert StandIn({USAGE: [answer(twice)]}).client().scores(IdentityType.USER) == {"alice": 80.0}


UNUSABLE: list[tuple[str, httpx.Response]] = [
    ("HTML", HTML),
    ("HTML that says it is JSON", httpx.Response(200, text="<canary>", headers={"content-type": "application/json"})),
    ("JSON that says it is text", httpx.Response(200, text="{}", headers={"content-type": "text/plain"})),
    ("no content type", httpx.Response(200, content=b'{"data": []}')),
    ("compressed", httpx.Response(200, json={"data": []}, headers={"content-encoding": "br"})),
    ("a redirect", httpx.Response(307, headers={"location": "https://canary.example/"})),
    ("no object", answer(["canary"])),
    ("no data", answer({"canary": []})),
    ("null data", answer({"data": None})),
    ("another shape", answer({"data": [{"name": 7, "pciScore": {"privilegeCreepIndex": 1}}]})),
    ("no score", answer({"data": [{"name": "canary", "pciScore": {}}]})),
    ("a score as text", answer({"data": [{"name": "canary", "pciScore": {"privilegeCreepIndex": "81"}}]})),
    ("a score as truth", answer({"data": [{"name": "canary", "pciScore": {"privilegeCreepIndex": True}}]})),
    ("a score above 100", answer(listed(canary=100.5))),
    ("a score below 0", answer(listed(canary=-1))),
    (
        "no number",
        httpx.Response(
            200,
            content=b'{"data": [{"name": "canary", "pciScore": {"privilegeCreepIndex": NaN}}]}',
            headers={"content-type": "application/json"},
        ),
    ),
    ("no name", answer(listed(**{"": 3}))),
]
UNUSABLE_POLICIES: list[tuple[str, httpx.Response]] = [
    ("a policy as text", answer({"data": [{"policyName": "canary", "policy": json.dumps(GOOD_POLICY)}]})),
    ("an empty policy", answer({"data": [{"policyName": "canary", "policy": {}}]})),
    ("no policy", answer({"data": [{"policyName": "canary"}]})),
    ("too many", answer({"data": [{"policyName": "canary", "policy": GOOD_POLICY}] * 51})),
]


@pytest.mark.parametrize("response", [case[1] for case in UNUSABLE], ids=[case[0] for case in UNUSABLE])
def test_what_is_no_list_of_scores_is_an_error_that_quotes_nothing(response: httpx.Response) -> None:
    provider = StandIn({USAGE: [response]})
    with pytest.raises(ProviderError) as caught:
        provider.client().scores(IdentityType.USER)
    assert caught.value.fault is ProviderFault.UNUSABLE
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    assert len(provider.to(USAGE)) == 1, "asking again would bring the same"


@pytest.mark.parametrize(
    "response", [case[1] for case in UNUSABLE_POLICIES], ids=[case[0] for case in UNUSABLE_POLICIES]
)
def test_what_is_no_list_of_policies_is_an_error_that_quotes_nothing(response: httpx.Response) -> None:
    with pytest.raises(ProviderError) as caught:
        policies_of(StandIn({POLICY: [response]}))
    assert caught.value.fault is ProviderFault.UNUSABLE
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("path", [AUTHENTICATE, POLICY])
def test_an_error_code_is_a_refusal_whatever_else_is_there(path: str) -> None:
    document = {"accessToken": "t", "data": [{"policy": GOOD_POLICY}], "errorCode": "NOT_ALLOWED"}
    provider = StandIn({POLICY: [answer({"data": []})]} | {path: [answer(document)]})
    with pytest.raises(ProviderError, match="error code NOT_ALLOWED") as caught:
        policies_of(provider)
    assert caught.value.fault is ProviderFault.REFUSED


def test_an_error_code_of_any_form_is_not_passed_on() -> None:
    with pytest.raises(ProviderError, match="error code of unknown form"):
        policies_of(StandIn({POLICY: [answer({"data": [], "errorCode": {"canary": "\x1b[31m"}})]}))


@pytest.mark.parametrize("nothing", [None, "", 0])
def test_an_error_code_that_says_nothing_is_none(nothing: object) -> None:
    assert policies_of(StandIn({POLICY: [answer({"data": [], "errorCode": nothing})]})) == ()


@pytest.mark.parametrize("status", [400, 403, 404, 418])
def test_a_refusal_is_not_tried_again(status: int) -> None:
    provider = StandIn({POLICY: [answer({"canary": 1}, status)]})
    with pytest.raises(ProviderError, match=f"status {status}$") as caught:
        policies_of(provider)
    assert (caught.value.fault, len(provider.to(POLICY))) == (ProviderFault.REFUSED, 1)


PASSING: list[Any] = [
    *(answer({"canary": 1}, status) for status in (429, 500, 502, 503, 504)),
    httpx.ConnectTimeout("canary"),
    httpx.ReadTimeout("canary"),
    httpx.ConnectError("canary"),
    httpx.RemoteProtocolError("canary"),
    httpx.LocalProtocolError("canary"),
]


@pytest.mark.parametrize("failure", PASSING, ids=repr)
@pytest.mark.parametrize("path", [AUTHENTICATE, POLICY])
def test_what_may_pass_is_tried_again(failure: Any, path: str) -> None:
    good = {AUTHENTICATE: answer({"accessToken": "t"}), POLICY: answer({"data": []})}
    provider = StandIn({one: [response] for one, response in good.items()})
    provider.responses[path] = [failure, failure, good[path]]
    assert policies_of(provider) == ()
    assert (len(provider.to(path)), len(provider.slept)) == (3, 2)
    assert all(0 <= slept <= most for slept, most in zip(provider.slept, (0.5, 1.0), strict=True))


@pytest.mark.parametrize("failure", PASSING, ids=repr)
def test_what_does_not_pass_is_an_error_after_so_many_attempts(failure: Any) -> None:
    provider = StandIn({POLICY: [failure]})
    with pytest.raises(ProviderError, match=r"\(3 attempts\)$") as caught:
        policies_of(provider)
    assert (caught.value.fault, len(provider.to(POLICY))) == (ProviderFault.UNAVAILABLE, 3)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_certificate_that_is_not_trusted_is_not_asked_again() -> None:
    failure = httpx.ConnectError("canary")
    failure.__cause__ = ssl.SSLCertVerificationError("canary")
    provider = StandIn({AUTHENTICATE: [failure]})
    with pytest.raises(ProviderError, match="certificate can't be verified") as caught:
        policies_of(provider)
    assert (caught.value.fault, len(provider.asked)) == (ProviderFault.UNAVAILABLE, 1)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_an_expired_token_is_replaced_once_with_the_fresh_secret() -> None:
    rotated = json.dumps(SECRET | {"secretKey": "rotated"})
    provider = StandIn({POLICY: [answer({}, 401), answer({"data": []})]}, secrets=[json.dumps(SECRET), rotated])
    assert policies_of(provider) == ()
    assert [body_of(one)["secretKey"] for one in provider.to(AUTHENTICATE)] == ["canary-secret", "rotated"]
    assert [one.headers["x-cloudknox-access-token"] for one in provider.to(POLICY)] == [
        "canary-token-1",
        "canary-token-2",
    ]
    assert provider.read == 2


def test_credentials_that_are_refused_are_read_afresh_once() -> None:
    provider = StandIn({AUTHENTICATE: [answer({}, 401), answer({"accessToken": "t"})], POLICY: [answer({"data": []})]})
    assert policies_of(provider) == ()
    assert (provider.read, len(provider.to(AUTHENTICATE))) == (2, 2)


@pytest.mark.parametrize(("path", "attempts"), [(AUTHENTICATE, 2), (POLICY, 2)])
def test_a_second_refusal_is_the_end(path: str, attempts: int) -> None:
    provider = StandIn({POLICY: [answer({"data": []})]} | {path: [answer({"canary": 1}, 401)]})
    with pytest.raises(ProviderError, match="status 401") as caught:
        policies_of(provider)
    assert caught.value.fault is ProviderFault.REFUSED
    assert (len(provider.to(path)), provider.read) == (attempts, 2)


def test_a_token_that_expires_on_a_later_page_costs_one_new_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "PAGE_SIZE", 1)
    provider = StandIn({USAGE: [answer(listed(a=1)), answer({}, 401), answer(listed(b=2)), answer({"data": []})]})
    assert provider.client().scores(IdentityType.USER) == {"a": 1.0, "b": 2.0}
    assert [body_of(one)["pageInfo"]["pageId"] for one in provider.to(USAGE)] == [1, 2, 2, 3]


def test_an_oversized_answer_is_left_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_BYTES", 100)
    taken: list[int] = []
    stream = Pieces(*[b" " * 60] * 10, before=lambda: taken.append(1))
    response = httpx.Response(200, headers={"content-type": "application/json"}, stream=stream)
    with pytest.raises(ProviderError, match="over 100 bytes") as caught:
        policies_of(StandIn({POLICY: [response]}))
    assert (caught.value.fault, len(taken)) == (ProviderFault.UNUSABLE, 2)


def test_an_answer_that_trickles_is_given_up_when_the_time_is_over() -> None:
    provider = StandIn()

    def wait() -> None:
        provider.seconds += 7

    stream = Pieces(*[b" "] * 100, before=wait)
    response = httpx.Response(200, headers={"content-type": "application/json"}, stream=stream)
    provider.responses[POLICY] = [response]
    with pytest.raises(ProviderError, match="took longer than there was time") as caught:
        policies_of(provider)
    assert caught.value.fault is ProviderFault.UNAVAILABLE
    assert 60 <= provider.seconds < 70


@pytest.mark.parametrize(("remaining", "asked"), [(20.0, 0), (21.0, 2)])
def test_the_functions_own_time_limits_the_answer(remaining: float, asked: int) -> None:
    provider = StandIn({POLICY: [answer({"data": []})]})
    if asked:
        assert policies_of(provider, remaining=remaining) == ()
        assert max(one.extensions["timeout"]["read"] for one in provider.asked) <= 1.0
    else:
        with pytest.raises(ProviderError, match="took longer"):
            policies_of(provider, remaining=remaining)
    assert len(provider.asked) == asked


def test_attempts_end_with_the_time_that_there_is() -> None:
    provider = StandIn({POLICY: [answer({}, 503)]})
    with pytest.raises(ProviderError, match=r"took longer|attempts"):
        policies_of(provider, remaining=25.0, attempts=1000, base_delay_seconds=4.0)
    assert provider.seconds <= 5.0


@pytest.mark.parametrize("account", ["999999999999"])
def test_a_secret_of_another_account_is_refused_before_anything_is_asked(account: str) -> None:
    provider = StandIn(secrets=[json.dumps(SECRET | {"accountId": account})])
    with pytest.raises(ProviderError, match="another account") as caught:
        policies_of(provider)
    assert (caught.value.fault, provider.asked) == (ProviderFault.CREDENTIALS, [])


def test_a_secret_that_cannot_be_read_is_told_as_such() -> None:
    provider = StandIn(secrets=[DependencyError("GetSecretValue: AccessDeniedException")])
    with pytest.raises(ProviderError, match="secret: GetSecretValue: AccessDenied") as caught:
        policies_of(provider)
    assert caught.value.fault is ProviderFault.CREDENTIALS


def test_a_token_that_fits_no_header_is_no_token() -> None:
    provider = StandIn({AUTHENTICATE: [answer({"accessToken": "canary\r\nX-Other: 1"})]})
    with pytest.raises(ProviderError, match=r"accessToken: .*printable ASCII") as caught:
        policies_of(provider)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("response", [answer({"data": []}), answer({}, 401), answer({}, 503), HTML], ids=repr)
def test_no_secret_is_in_any_log(response: httpx.Response, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    provider = StandIn({POLICY: [response]})
    try:
        policies_of(provider)
    except ProviderError as error:
        logging.getLogger("any").exception("failed", exc_info=error)
    assert caplog.records
    assert "canary" not in caplog.text


def test_nothing_of_the_environment_says_where_the_provider_is_or_whom_to_trust(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://canary.example:3128")
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    made: list[dict[str, Any]] = []
    real = httpx.Client

    def noting(**options: Any) -> httpx.Client:
        made.append(options)
        return real(**options)

    monkeypatch.setattr(httpx, "Client", noting)
    assert policies_of(StandIn({POLICY: [answer({"data": []})]})) == ()
    (options,) = made
    assert (options["trust_env"], options["follow_redirects"]) == (False, False)
    assert (options["verify"].verify_mode, options["verify"].check_hostname) == (ssl.CERT_REQUIRED, True)
