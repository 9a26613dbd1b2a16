"""The secret of an outside provider, read from Secrets Manager as a function does; with moto."""

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from shared.aws import clients
from shared.aws.secrets import read_secret
from shared.errors import NotFoundError, ProviderError, ProviderFault, SettingsError
from shared.model.identity import IdentityType
from shared.model.score import Provider
from shared.providers import choice
from shared.providers.cloudknox.providing import CloudKnoxPolicies, CloudKnoxScores
from shared.providers.interface import Native
from shared.providers.settings import ProviderSettings
from tests.builders import ACCOUNT, ANA, DEPLOYER, a_score

SECRET = {
    "serviceId": "canary-service",
    "apiId": "canary-api",
    "accessKey": "canary-access",
    "secretKey": "canary-secret",
    "accountId": ACCOUNT,
    "url": "https://127.0.0.1:9",
}


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        clients.secretsmanager.cache_clear()
        choice.forget_secrets()
        yield
        choice.forget_secrets()
        clients.secretsmanager.cache_clear()


def keep(text: str) -> str:
    created = clients.secretsmanager().create_secret(Name="cloudknox", SecretString=text)
    return str(created["ARN"])


def settings(arn: str, provider: Provider = Provider.CLOUDKNOX) -> ProviderSettings:
    return ProviderSettings(account_id=ACCOUNT, provider=provider, provider_secret_arn=arn)


def test_a_secret_is_read_in_its_current_version() -> None:
    arn = keep("first")
    clients.secretsmanager().put_secret_value(SecretId=arn, SecretString="second")
    clients.secretsmanager().put_secret_value(SecretId=arn, SecretString="waits", VersionStages=["AWSPENDING"])
    assert read_secret(clients.secretsmanager(), arn) == "second"


def test_a_secret_that_is_not_there_is_an_error() -> None:
    with pytest.raises(NotFoundError):
        read_secret(clients.secretsmanager(), f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:none-AbCdEf")


def test_a_binary_secret_is_no_text() -> None:
    arn = clients.secretsmanager().create_secret(Name="binary", SecretBinary=b"canary")["ARN"]
    with pytest.raises(SettingsError, match="it is binary") as caught:
        read_secret(clients.secretsmanager(), arn)
    assert "canary" not in str(caught.value)


def test_a_secret_about_to_be_deleted_is_not_used() -> None:
    arn = keep("kept")
    clients.secretsmanager().delete_secret(SecretId=arn)
    with pytest.raises(Exception, match="GetSecretValue") as caught:
        read_secret(clients.secretsmanager(), arn)
    assert not isinstance(caught.value, ClientError)


def test_native_needs_no_secret_and_judges_by_our_own_score() -> None:
    native = settings("", Provider.NATIVE)
    scores = choice.score_provider(native, lambda: 300.0)
    policies = choice.policy_provider(native, lambda: 300.0, window_days=90, preserve_reads=False)
    assert isinstance(scores, Native)
    assert scores.judge(a_score()) == a_score()
    assert policies.propose(ANA) is None


def test_the_chosen_provider_is_asked_with_the_secret() -> None:
    chosen = settings(keep(json.dumps(SECRET)))
    assert isinstance(choice.score_provider(chosen, lambda: 300.0), CloudKnoxScores)
    found = choice.policy_provider(chosen, lambda: 300.0, window_days=90, preserve_reads=False)
    assert isinstance(found, CloudKnoxPolicies)


def test_a_warm_function_reads_the_secret_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings(keep(json.dumps(SECRET | {"accountId": "999999999999"})))
    messages = []
    for _ in range(2):  # a secret that can't be used isn't kept
        with pytest.raises(ProviderError) as caught:
            choice.score_provider(chosen, lambda: 300.0).judge(a_score())
        messages.append(str(caught.value))
        assert caught.value.fault is ProviderFault.CREDENTIALS
    clients.secretsmanager().put_secret_value(SecretId=chosen.provider_secret_arn, SecretString=json.dumps(SECRET))
    reads: list[str] = []

    def reading(_: object, arn: str) -> str:
        reads.append(arn)
        return json.dumps(SECRET)

    monkeypatch.setattr(choice, "read_secret", reading)
    choice.forget_secrets()
    for _ in range(2):  # no time is left to ask: only the secret is read
        with pytest.raises(ProviderError, match="took longer"):
            choice.score_provider(chosen, lambda: 0.0).judge(a_score())
    assert messages == [f"the provider's secret is for another account than {ACCOUNT}"] * 2
    assert reads == [chosen.provider_secret_arn]


class Listing:
    """A client that knows one list."""

    def __init__(self) -> None:
        self.asked: list[IdentityType] = []

    def scores(self, identity_type: IdentityType) -> dict[str, float]:
        """Scores by name."""
        self.asked.append(identity_type)
        return {"ana": 71.0}


def test_a_list_is_read_once_for_a_batch_and_who_is_not_in_it_has_no_score() -> None:
    listing = Listing()
    scores = CloudKnoxScores(listing)  # type: ignore[arg-type]
    judged = [scores.judge(a_score(3.0)) for _ in range(3)]
    stranger = ANA.model_copy(update={"arn": f"arn:aws:iam::{ACCOUNT}:user/stranger"})
    unlisted = scores.judge(a_score(3.0, identity=stranger))
    assert {(one.pci, one.provider, one.exempt, one.unused) for one in judged} == {
        (71.0, Provider.CLOUDKNOX, None, 212)
    }
    assert (unlisted.pci, unlisted.provider) == (3.0, Provider.NATIVE)
    assert unlisted.exempt == "cloudknox lists no score of it"
    assert listing.asked == [IdentityType.USER]


class Failing:
    """A client whose every list fails."""

    def __init__(self) -> None:
        self.asked: list[IdentityType] = []

    def scores(self, identity_type: IdentityType) -> dict[str, float]:
        """Nothing."""
        self.asked.append(identity_type)
        raise ProviderError(ProviderFault.UNAVAILABLE, "cloudknox is away")


def test_a_list_that_fails_is_asked_for_once_for_a_batch() -> None:
    failing = Failing()
    scores = CloudKnoxScores(failing)  # type: ignore[arg-type]
    for identity in (ANA, ANA, DEPLOYER):
        with pytest.raises(ProviderError, match="cloudknox is away") as caught:
            scores.judge(a_score(identity=identity))
        assert caught.value.fault is ProviderFault.UNAVAILABLE
    assert failing.asked == [IdentityType.USER, IdentityType.ROLE]
