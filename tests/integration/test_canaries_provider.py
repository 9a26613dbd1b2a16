"""No function tells a provider's secret or what the provider answers, whatever it answers (I11, F67, F68)."""

import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from shared.aws import clients
from shared.aws.score_table import ScoreTable
from shared.model.score import Provider
from shared.providers import choice
from tests.builders import ACCOUNT, cloudtrail_body, sqs_event
from tests.conftest import FakeContext
from tests.integration.canary_ears import Ears, canary, ears
from tests.integration.remediator_house import House
from tests.integration.test_canaries import Events, invoke, record, verdicts, went_wrong

__all__ = ["ears"]  # a fixture

SECRET = {
    "serviceId": canary("service"),
    "apiId": canary("api"),
    "accessKey": canary("access"),
    "secretKey": canary("secret"),
    "accountId": ACCOUNT,
    "url": "https://provider.example",
}
TOKEN = {"accessToken": canary("token")}
Answer = Callable[[httpx.Request], httpx.Response]


def raising(error: type[httpx.TransportError]) -> Answer:
    """A connection that breaks; some errors of the library repeat headers."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise error(f"headers {dict(request.headers)} {request.content!r}")

    return answer


def always(status: int, text: str, **headers: str) -> Answer:
    """The same answer to everything after a token was given."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/authenticate") and status != 401:
            return httpx.Response(200, json=TOKEN)
        return httpx.Response(status, text=text, headers={"content-type": "application/json", **headers})

    return answer


def unread(made: httpx.Response) -> httpx.Response:
    """The same answer as it comes from a socket: nobody has read its body yet."""
    return httpx.Response(made.status_code, headers=made.headers, stream=httpx.ByteStream(made.content))


ECHO = json.dumps({"data": canary("answer"), "request": canary("token")})
ANSWERS: dict[str, Answer] = {
    "connection": raising(httpx.ConnectError),
    "protocol": raising(httpx.LocalProtocolError),
    "5xx": always(503, ECHO),
    "redirect": always(302, ECHO, location=f"https://elsewhere.example/{canary('answer')}"),
    "refused": always(401, ECHO),
    "HTML": always(200, f"<html>{canary('answer')}</html>", **{"content-type": "text/html"}),
    "no JSON": always(200, f"{{{canary('answer')}"),
    "another shape": always(200, ECHO),
    "error code": always(200, json.dumps({"data": [], "errorCode": f"no: {canary('answer')}"})),
    "another policy": always(
        200, json.dumps({"data": [{"policyName": canary("answer"), "policy": {"Statement": canary("answer")}}]})
    ),
    "a wrong score": always(
        200, json.dumps({"data": [{"name": canary("answer"), "pciScore": {"privilegeCreepIndex": canary("answer")}}]})
    ),
}
SECRETS = (json.dumps(SECRET), canary("secret"), json.dumps({"secretKey": canary("secret")}), json.dumps([SECRET]))
HANDLERS: dict[str, Events] = {
    "services.scorer.handler.handle_score_requests": lambda house: [sqs_event(cloudtrail_body(record(house)))],
    "services.scorer.handler.handle_sweep": lambda house: [{}],
    "services.remediator.handler.handle_verdicts": verdicts,
    "services.remediator.handler.handle_request": lambda house: [
        {"action": "propose", "resource_id": house.role.identity_id, "trigger": "ssm", "by": "ana"}
    ],
}


@pytest.fixture
def asked(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Have the functions ask the provider; the paths that it was asked for."""
    secret = clients.secretsmanager().create_secret(Name="provider", SecretString=SECRETS[0])
    monkeypatch.setenv("LEASTWISE_PROVIDER", "cloudknox")
    monkeypatch.setenv("LEASTWISE_PROVIDER_SECRET_ARN", secret["ARN"])
    monkeypatch.setattr(FakeContext, "get_remaining_time_in_millis", lambda _: 300_000)
    monkeypatch.setattr("time.sleep", lambda _: None)
    score = ScoreTable(house.stack.table(house.stack.scores_table))
    known = score.get(ACCOUNT, house.role.identity_id)
    assert known
    score.put(replace(known, score=known.score.model_copy(update={"provider": Provider.CLOUDKNOX})))
    yield []
    choice.forget_secrets()


@pytest.mark.parametrize("handler", sorted(HANDLERS))
def test_nothing_of_a_providers_secret_or_answer_is_told(
    handler: str, house: House, asked: list[str], ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    importlib.import_module(handler.rpartition(".")[0])
    house.mode("auto")
    wrong = 0
    for number, secret in enumerate(SECRETS):
        clients.secretsmanager().put_secret_value(SecretId="provider", SecretString=secret)
        for answer in ANSWERS.values() if not number else [ANSWERS["5xx"]]:

            def handle(_: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
                asked.append(request.url.path)
                return unread(answer(request))  # noqa: B023 called within this round

            choice.forget_secrets()
            with monkeypatch.context() as patch:
                patch.setattr(httpx.HTTPTransport, "handle_request", handle)
                wrong += went_wrong(invoke(house, ears, handler, HANDLERS[handler](house)))

    assert asked
    assert wrong or house.skipped()
    assert house.changes == []
    assert ears.leaks() == {}


def test_the_secret_is_in_what_is_sent_to_the_provider(
    house: House, asked: list[str], ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the test above would look for what nobody had."""
    sent: list[Any] = []

    def handle(_: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        sent.append(request.read().decode() + str(request.headers.raw))
        return unread(ANSWERS["HTML"](request))

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", handle)
    invoke(house, ears, "services.scorer.handler.handle_score_requests", [sqs_event(cloudtrail_body(record(house)))])

    assert canary("secret") in sent[0]
    assert any(canary("token") in one for one in sent)
