"""The client of CloudKnox's REST API against a real server: what it makes of good answers, and of every bad one."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.errors import ProviderError, ProviderFault
from shared.model.identity import IdentityRef, IdentityType
from shared.providers.cloudknox.client import CloudKnox, Patience
from shared.providers.cloudknox.credentials import CachedCredentials
from tests.builders import ACCOUNT, ANA, DEPLOYER, OTHER_ACCOUNT
from tests.cloudknox.certificates import Identification
from tests.cloudknox.misbehaviours import ELSEWHERE, Misbehaviour
from tests.cloudknox.server import Provider, running
from tests.cloudknox.tenant import Account, Endpoint, Tenant
from tests.integration.chosen_provider import HURRIED, PATIENCE

READS: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}],
}
MANY = {f"arn:aws:iam::{ACCOUNT}:user/many-{number:04d}": 20.0 for number in range(1_099)}
ATTEMPTS = PATIENCE.attempts
AUTHENTICATE, USAGE, POLICY = Endpoint.AUTHENTICATE, Endpoint.USAGE, Endpoint.POLICY
UNAVAILABLE, REFUSED, UNUSABLE = ProviderFault.UNAVAILABLE, ProviderFault.REFUSED, ProviderFault.UNUSABLE

# What goes wrong at any endpoint -> the fault that is told, and how often the provider is asked.
ANYWHERE: list[tuple[Misbehaviour, ProviderFault, int]] = [
    (Misbehaviour.SERVER_ERROR, UNAVAILABLE, ATTEMPTS),
    (Misbehaviour.THROTTLED, UNAVAILABLE, ATTEMPTS),
    (Misbehaviour.NO_ANSWER, UNAVAILABLE, ATTEMPTS),
    (Misbehaviour.SLOW, UNAVAILABLE, ATTEMPTS),
    (Misbehaviour.CUT_OFF, UNAVAILABLE, ATTEMPTS),
    (Misbehaviour.TRICKLING, UNAVAILABLE, 1),
    (Misbehaviour.HTML, UNUSABLE, 1),
    (Misbehaviour.HTML_AS_JSON, UNUSABLE, 1),
    (Misbehaviour.OTHER_CONTENT_TYPE, UNUSABLE, 1),
    (Misbehaviour.OVERSIZED, UNUSABLE, 1),
    (Misbehaviour.REDIRECT, UNUSABLE, 1),
    (Misbehaviour.OTHER_SHAPE, UNUSABLE, 1),
    (Misbehaviour.EXPIRED_TOKEN, REFUSED, 2),
    (Misbehaviour.ERROR_CODE, REFUSED, 1),
]
FAILURES: list[tuple[Endpoint, Misbehaviour, ProviderFault, int]] = [
    *((endpoint, *case) for endpoint in Endpoint for case in ANYWHERE),
    (AUTHENTICATE, Misbehaviour.EMPTY, UNUSABLE, 1),
    (USAGE, Misbehaviour.REPEATED_PAGE, UNUSABLE, 2),
    (USAGE, Misbehaviour.CONTRADICTION, UNUSABLE, 1),
    (USAGE, Misbehaviour.IMPOSSIBLE_SCORE, UNUSABLE, 1),
    (USAGE, Misbehaviour.ENDLESS, UNUSABLE, 100),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    with running(Tenant(ACCOUNT)) as server:
        yield server


@pytest.fixture
def provider(server: Provider) -> Provider:
    """A provider that knows 1,100 users, one role and one policy, and behaves until it is told not to."""
    server.behave()
    server.asked.clear()
    server.tenant.service_account = Account()
    server.tenant.scores = {ANA.arn: 88.5, DEPLOYER.arn: 91.0, **MANY}
    server.tenant.policies = {DEPLOYER.arn: [READS]}
    return server


def client_of(provider: Provider, patience: Patience = PATIENCE) -> CloudKnox:
    """A client with the provider's secret."""
    return client_with(lambda: json.dumps(provider.secret()), patience)


def client_with(read: Callable[[], str], patience: Patience = PATIENCE) -> CloudKnox:
    return CloudKnox(
        CachedCredentials(read, account_id=ACCOUNT),
        account_id=ACCOUNT,
        remaining_seconds=lambda: 60.0,
        patience=patience,
        sleep=lambda _: None,
    )


def policies(client: CloudKnox, identity: IdentityRef = DEPLOYER) -> tuple[dict[str, Any], ...]:
    return client.policies(identity, window_days=90, preserve_reads=False)


def ask(client: CloudKnox, endpoint: Endpoint) -> None:
    """Ask for what needs this endpoint."""
    if endpoint is USAGE:
        client.scores(IdentityType.ROLE)
    else:
        policies(client)


def test_scores_are_read_to_the_end_of_the_list(provider: Provider) -> None:
    found = client_of(provider).scores(IdentityType.USER)

    assert len(found) == 1_100
    assert found["ana"] == 88.5
    assert [asked.body["pageInfo"]["pageId"] for asked in provider.asked_for(USAGE)] == [1, 2, 3]
    assert len(provider.asked_for(AUTHENTICATE)) == 1


def test_policies_are_those_of_the_identity(provider: Provider) -> None:
    assert policies(client_of(provider)) == (READS,)
    assert policies(client_of(provider), ANA) == ()


@pytest.mark.parametrize(("endpoint", "misbehaviour", "fault", "times"), FAILURES)
def test_a_bad_answer_is_an_error_that_says_its_kind_and_shows_nothing(
    provider: Provider, endpoint: Endpoint, misbehaviour: Misbehaviour, fault: ProviderFault, times: int
) -> None:
    provider.misbehave(endpoint, misbehaviour)

    with pytest.raises(ProviderError) as caught:
        ask(client_of(provider, HURRIED.get(misbehaviour, PATIENCE)), endpoint)

    assert caught.value.fault is fault
    assert "canary" not in f"{caught.value!r} {caught.value}"
    assert len(provider.asked_for(endpoint)) == times
    assert ELSEWHERE not in {asked.path for asked in provider.asked}


def test_no_data_is_an_empty_list_and_never_a_score_or_a_policy(provider: Provider) -> None:
    for endpoint in (USAGE, POLICY):
        provider.misbehave(endpoint, Misbehaviour.EMPTY)

    assert client_of(provider).scores(IdentityType.ROLE) == {}
    assert policies(client_of(provider)) == ()


def test_whoever_a_short_page_hides_has_no_score(provider: Provider) -> None:
    provider.misbehave(USAGE, Misbehaviour.SHORT_PAGE)

    assert client_of(provider).scores(IdentityType.USER) == {"many-0000": 20.0}


def test_a_stranger_of_another_account_is_nobody_here(provider: Provider) -> None:
    provider.misbehave(USAGE, Misbehaviour.WRONG_ACCOUNT)

    assert DEPLOYER.name not in client_of(provider).scores(IdentityType.ROLE)


PASSING = (Misbehaviour.SERVER_ERROR, Misbehaviour.THROTTLED, Misbehaviour.NO_ANSWER, Misbehaviour.CUT_OFF)


@pytest.mark.parametrize("endpoint", list(Endpoint))
@pytest.mark.parametrize("misbehaviour", PASSING)
def test_what_is_over_at_the_next_attempt_does_no_harm(
    provider: Provider, endpoint: Endpoint, misbehaviour: Misbehaviour
) -> None:
    provider.misbehave(endpoint, misbehaviour, times=1)

    ask(client_of(provider), endpoint)

    assert len(provider.asked_for(endpoint)) == 2


def test_a_token_that_expires_within_a_list_is_renewed_once_and_no_page_is_lost(provider: Provider) -> None:
    client = client_of(provider)
    asked = provider.asked_for(AUTHENTICATE)
    provider.misbehave(USAGE, Misbehaviour.EXPIRED_TOKEN, times=1)

    assert len(client.scores(IdentityType.USER)) == 1_100

    assert len(provider.asked_for(AUTHENTICATE)) == len(asked) + 2
    assert [one.body["pageInfo"]["pageId"] for one in provider.asked_for(USAGE)] == [1, 1, 2, 3]


def test_a_rotated_secret_is_read_again_once(provider: Provider) -> None:
    reads: list[str] = []

    def read() -> str:
        reads.append(json.dumps(provider.secret()))
        return reads[-1]

    client = client_with(read)
    assert policies(client) == (READS,)
    provider.tenant.service_account = Account(secret_key="canary-new-key")  # noqa: S106 made up

    assert policies(client) == (READS,)

    assert len(reads) == 2


# A client that has nothing but the secret: whom it talks to, and that nothing was sent to anybody else.
@pytest.mark.parametrize("identification", [one for one in Identification if one is not Identification.VALID])
def test_nothing_is_told_to_a_server_that_is_not_who_it_says(identification: Identification) -> None:
    with running(Tenant(ACCOUNT), identification) as stranger:
        with pytest.raises(ProviderError) as caught:
            policies(client_of(stranger))

        assert caught.value.fault is UNAVAILABLE
        assert stranger.asked == []


def test_an_authority_of_its_own_counts_only_if_the_secret_says_so(provider: Provider) -> None:
    secret = provider.secret()
    del secret["caCertificate"]

    with pytest.raises(ProviderError, match="certificate"):
        policies(client_with(lambda: json.dumps(secret)))

    assert provider.asked == []


WRONG_SECRETS: list[tuple[str, dict[str, str], str]] = [
    ("another account", {"accountId": OTHER_ACCOUNT}, "another account"),
    ("no TLS", {"url": "http://127.0.0.1:1"}, "https"),
    ("credentials in the URL", {"url": "https://canary:canary@127.0.0.1"}, "url"),
    ("no authority", {"caCertificate": "canary"}, "caCertificate"),
    ("an empty key", {"secretKey": ""}, "secretKey"),
]


@pytest.mark.parametrize(("changes", "told"), [pytest.param(*case, id=what) for what, *case in WRONG_SECRETS])
def test_a_wrong_secret_is_told_before_anything_is_asked(
    provider: Provider, changes: dict[str, str], told: str
) -> None:
    with pytest.raises(ProviderError, match=told) as caught:
        policies(client_with(lambda: json.dumps(provider.secret(**changes))))

    assert caught.value.fault is ProviderFault.CREDENTIALS
    assert "canary" not in str(caught.value)
    assert provider.asked == []
