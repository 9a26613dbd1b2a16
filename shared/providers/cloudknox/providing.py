"""CloudKnox as a provider of scores and of proposals."""

from collections.abc import Mapping

from shared.errors import ProviderError
from shared.model.identity import IdentityRef, IdentityType
from shared.model.proposal import Proposal
from shared.model.score import Provider, Score
from shared.providers.cloudknox.client import CloudKnox


class CloudKnoxScores:
    """The PCI by CloudKnox. A list is read once, or fails once for all, so one of these is for one batch or sweep."""

    def __init__(self, client: CloudKnox) -> None:
        self._client = client
        self._listed: dict[IdentityType, Mapping[str, float]] = {}
        self._failed: dict[IdentityType, ProviderError] = {}

    def judge(self, own: Score) -> Score:
        """Our own evidence with CloudKnox's PCI; who isn't listed has none. Raises ProviderError."""
        listed = self._list(own.identity.type)
        return own.from_outside(Provider.CLOUDKNOX, listed.get(own.identity.name))

    def _list(self, kind: IdentityType) -> Mapping[str, float]:
        """The list; where it failed it fails at once for everybody else: waiting again would cost a minute each."""
        if failed := self._failed.get(kind):
            raise ProviderError(failed.fault, str(failed))
        if kind not in self._listed:
            try:
                self._listed[kind] = self._client.scores(kind)
            except ProviderError as error:
                self._failed[kind] = error
                raise
        return self._listed[kind]


class CloudKnoxPolicies:
    """What CloudKnox would leave to an identity, by the last `window_days`."""

    def __init__(self, client: CloudKnox, *, window_days: int, preserve_reads: bool) -> None:
        self._client = client
        self._window_days = window_days
        self._preserve_reads = preserve_reads

    def propose(self, identity: IdentityRef) -> Proposal:
        """A proposal, maybe without a document. Raises ProviderError."""
        documents = self._client.policies(identity, window_days=self._window_days, preserve_reads=self._preserve_reads)
        return Proposal(provider=Provider.CLOUDKNOX, documents=documents)
