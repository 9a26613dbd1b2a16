"""The provider that a function's settings choose; what an outside one needs is loaded only where it is chosen."""

import functools
from collections.abc import Callable

from shared.aws import clients
from shared.aws.secrets import read_secret
from shared.model.score import Provider
from shared.providers.cloudknox.credentials import CachedCredentials
from shared.providers.interface import Native, PolicyProvider, ScoreProvider
from shared.providers.settings import ProviderSettings


def score_provider(settings: ProviderSettings, remaining_seconds: Callable[[], float]) -> ScoreProvider:
    """Who scores; `remaining_seconds` are those of the function, within which an outside provider must answer."""
    if settings.provider is Provider.NATIVE:
        return Native()
    from shared.providers.cloudknox.client import CloudKnox  # noqa: PLC0415 httpx is needed for this provider alone
    from shared.providers.cloudknox.providing import CloudKnoxScores  # noqa: PLC0415

    return CloudKnoxScores(
        CloudKnox(_credentials(settings), account_id=settings.account_id, remaining_seconds=remaining_seconds)
    )


def policy_provider(
    settings: ProviderSettings, remaining_seconds: Callable[[], float], *, window_days: int, preserve_reads: bool
) -> PolicyProvider:
    """Who proposes policies, for the history of `window_days`."""
    if settings.provider is Provider.NATIVE:
        return Native()
    from shared.providers.cloudknox.client import CloudKnox  # noqa: PLC0415 as above
    from shared.providers.cloudknox.providing import CloudKnoxPolicies  # noqa: PLC0415

    client = CloudKnox(_credentials(settings), account_id=settings.account_id, remaining_seconds=remaining_seconds)
    return CloudKnoxPolicies(client, window_days=window_days, preserve_reads=preserve_reads)


def forget_secrets() -> None:
    """Drop what a warm function knows of secrets."""
    _cached.cache_clear()


def _credentials(settings: ProviderSettings) -> CachedCredentials:
    return _cached(settings.provider_secret_arn, settings.account_id)


@functools.cache
def _cached(secret_arn: str, account_id: str) -> CachedCredentials:
    """One cache for a warm function, so that a message doesn't cost a call of Secrets Manager."""
    return CachedCredentials(lambda: read_secret(clients.secretsmanager(), secret_arn), account_id=account_id)
