"""CloudKnox's REST API v2, as far as it is used: a token, lists of scores, and policies by what an identity did.

Source: the calls that public automation for CloudKnox made; decision 26 says what of the interface is not known.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx

from shared.errors import ProviderError, ProviderFault
from shared.model.identity import IdentityRef, IdentityType
from shared.observability import utc_now
from shared.providers.cloudknox.credentials import CachedCredentials
from shared.providers.cloudknox.session import Session
from shared.providers.cloudknox.shapes import PolicyList, ScorePage, policy_request, read_shape, usage_request
from shared.providers.cloudknox.transport import Deadline, Patience

__all__ = ["DEFAULT_PATIENCE", "CloudKnox", "Patience"]

USAGE = "/api/v2/identity/usage"
POLICY = "/api/v2/role-policy/new"
FIRST_PAGE = 1
PAGE_SIZE = 500
MAX_PAGES = 100
DEFAULT_PATIENCE = Patience()


class CloudKnox:
    """Asks the provider about one account; `remaining_seconds` are those of the function. Answers are not kept.

    The secret's account is held against ours before anything is asked.
    """

    def __init__(
        self,
        credentials: CachedCredentials,
        *,
        account_id: str,
        remaining_seconds: Callable[[], float],
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        network: httpx.BaseTransport | None = None,
    ) -> None:
        """Connect later; `network` stands in for sockets in tests."""
        self._credentials = credentials
        self._account_id = account_id
        self._remaining_seconds = remaining_seconds
        self._patience = patience or DEFAULT_PATIENCE
        self._sleep = sleep
        self._clock = clock
        self._monotonic = monotonic
        self._network = network

    def scores(self, identity_type: IdentityType) -> dict[str, float]:
        """The PCI, 0 to 100, of every user or every role that the provider lists, by name.

        Raises ProviderError: also for a list that repeats a page, has no end, or says two things of one name.
        """
        found: dict[str, float] = {}
        with self._session() as session:
            for page in self._pages(session, identity_type):
                for entry in page.data:
                    if found.setdefault(entry.name, entry.score.index) != entry.score.index:
                        message = f"cloudknox {USAGE}: the list has two scores of one {identity_type}"
                        raise ProviderError(ProviderFault.UNUSABLE, message)
        return found

    def policies(self, identity: IdentityRef, *, window_days: int, preserve_reads: bool) -> tuple[dict[str, Any], ...]:
        """The policy documents that are proposed by the last `window_days`; maybe none. Raises ProviderError."""
        body = policy_request(
            self._account_id,
            identity.type,
            identity.arn,
            window_days=window_days,
            preserve_reads=preserve_reads,
        )
        with self._session() as session:
            answer = read_shape(session.ask(POLICY, body), PolicyList, what=POLICY)
        return tuple(one.policy for one in answer.data)

    def _pages(self, session: Session, identity_type: IdentityType) -> Iterator[ScorePage]:
        """Page after page, up to one that is not full."""
        previous: ScorePage | None = None
        for number in range(FIRST_PAGE, FIRST_PAGE + MAX_PAGES):
            body = usage_request(self._account_id, identity_type, page=number, page_size=PAGE_SIZE)
            page = read_shape(session.ask(USAGE, body), ScorePage, what=USAGE)
            if len(page.data) > PAGE_SIZE:
                message = f"cloudknox {USAGE}: a page has more entries than were asked for"
                raise ProviderError(ProviderFault.UNUSABLE, message)
            if page.data and page == previous:
                raise ProviderError(ProviderFault.UNUSABLE, f"cloudknox {USAGE}: a page came twice")
            yield page
            if len(page.data) < PAGE_SIZE:
                return
            previous = page
        raise ProviderError(ProviderFault.UNUSABLE, f"cloudknox {USAGE}: the list has no end in {MAX_PAGES} pages")

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """One question with its own deadline, within the function's time."""
        patience = self._patience
        seconds = min(patience.total_seconds, self._remaining_seconds() - patience.reserve_seconds)
        session = Session(
            self._credentials,
            Deadline(seconds, self._monotonic),
            patience,
            sleep=self._sleep,
            clock=self._clock,
            network=self._network,
        )
        try:
            yield session
        finally:
            session.close()
