"""The scorer's handlers with an outside provider: its scores are stored as its own, and no bad answer stores any."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.scorer.handler import handle_score_requests, handle_sweep
from shared.aws import clients
from shared.aws.score_table import ScoreTable
from shared.errors import ProviderError
from shared.events import ScoreRequested
from shared.model.identity import IdentityRef
from shared.model.score import Provider as Who
from shared.model.score import StoredScore
from shared.providers.choice import forget_secrets
from tests.builders import ACCOUNT, ANA, NOW, domain_body, failed, sqs_event
from tests.cloudknox.misbehaviours import Misbehaviour
from tests.cloudknox.server import Provider, running
from tests.cloudknox.tenant import Endpoint, Tenant
from tests.conftest import LogLines, Stack
from tests.integration.chosen_provider import FAILING, choose, wait_for

DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
GONE = domain_body(ScoreRequested.about(ANA, "gone", occurred_at=NOW, reason="a message that has nothing to do"))


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    with running(Tenant(ACCOUNT)) as server:
        yield server


@dataclass(frozen=True)
class House:
    """The account on moto with the user `zoe`, who holds sqs:* and never used it."""

    stack: Stack
    context: LambdaContext
    user: IdentityRef

    def stored(self) -> StoredScore | None:
        """The user's score as it is stored now."""
        return ScoreTable(self.stack.table(self.stack.scores_table)).get(ACCOUNT, self.user.identity_id)

    def score(self) -> list[str]:
        """Have the user scored; returns the messages that go back."""
        body = domain_body(ScoreRequested.about(self.user, "k", occurred_at=NOW, reason="somebody asked"))
        return failed(handle_score_requests(sqs_event(body, GONE), self.context))

    def sweep(self) -> str:
        """Have everybody scored; returns the outcome."""
        return str(handle_sweep({}, self.context)["outcome"])


@pytest.fixture
def house(aws: Stack, context: LambdaContext) -> House:
    found = clients.iam().create_user(UserName="zoe")["User"]
    clients.iam().put_user_policy(UserName="zoe", PolicyName="own", PolicyDocument=json.dumps(DOCUMENT))
    return House(aws, context, IdentityRef(account_id=ACCOUNT, identity_id=found["UserId"], arn=found["Arn"]))


@pytest.fixture
def provider(house: House, server: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """The chosen provider, which lists the user with PCI 73 behind somebody else."""
    server.behave()
    server.asked.clear()
    server.tenant.scores = {ANA.arn: 12.0, house.user.arn: 73.0}
    choose(server.secret(), monkeypatch)
    yield server
    forget_secrets()


def test_a_listed_identity_has_the_score_of_the_provider_beside_our_own_evidence(
    house: House, provider: Provider
) -> None:
    assert house.score() == []

    found = house.stored()
    assert found
    assert (found.score.pci, found.score.provider, found.score.exempt) == (73.0, Who.CLOUDKNOX, None)
    assert found.score.unused == found.score.granted > 0
    (told,) = house.stack.told("IdentityScored")
    assert (told["pci"], told["provider"]) == (73.0, "cloudknox")


def test_a_sweep_asks_for_a_list_once_and_stores_everybody(house: House, provider: Provider) -> None:
    assert house.sweep() == "completed"

    found = house.stored()
    assert found
    assert (found.score.pci, found.score.provider) == (73.0, Who.CLOUDKNOX)
    assert len(provider.asked_for(Endpoint.USAGE)) == 1


BAD_ANSWERS = {
    Endpoint.AUTHENTICATE: (*FAILING, Misbehaviour.EMPTY),
    Endpoint.USAGE: (*FAILING, Misbehaviour.REPEATED_PAGE, Misbehaviour.CONTRADICTION, Misbehaviour.IMPOSSIBLE_SCORE),
}


@pytest.mark.parametrize("endpoint", list(BAD_ANSWERS))
def test_a_bad_answer_stores_no_score_and_the_message_goes_back(
    house: House, provider: Provider, log: LogLines, monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint
) -> None:
    for misbehaviour in BAD_ANSWERS[endpoint]:
        wait_for(misbehaviour, monkeypatch)
        provider.misbehave(endpoint, misbehaviour)
        assert house.score() == ["m0"], misbehaviour
        assert (house.stored(), house.stack.published()) == (None, []), misbehaviour

    assert len(provider.asked_for(endpoint)) >= len(BAD_ANSWERS[endpoint])
    assert "canary" not in log.text


def test_a_stored_score_outlasts_bad_answers_as_it_is(house: House, provider: Provider) -> None:
    house.score()
    before = house.stored()
    house.stack.published()

    provider.misbehave(Endpoint.USAGE, Misbehaviour.HTML)
    assert house.score() == ["m0"]
    with pytest.raises(ProviderError):
        house.sweep()

    assert house.stored() == before
    assert house.stack.published() == []


HIDING = (Misbehaviour.EMPTY, Misbehaviour.SHORT_PAGE, Misbehaviour.WRONG_ACCOUNT)


@pytest.mark.parametrize("misbehaviour", HIDING)
def test_whoever_is_not_listed_is_not_judged_by_any_score(
    house: House, provider: Provider, misbehaviour: Misbehaviour
) -> None:
    provider.misbehave(Endpoint.USAGE, misbehaviour)

    assert house.score() == []

    found = house.stored()
    assert found
    assert (found.score.provider, found.score.exempt) == (Who.NATIVE, "cloudknox lists no score of it")
