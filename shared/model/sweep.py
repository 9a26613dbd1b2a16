"""How far a sweep over an account came: what it needs to go on after a pause or a crash."""

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict


class SweepProgress(BaseModel):
    """The current or last sweep of an account.

    `marker` is where the next page of the listing begins. `listed` says that all pages are done and only the end of the
    sweep is not; `finished_at` that nothing is left. Until `lease_until` somebody is at work on it. `attempts` counts
    the invocations that began at the page that is next. `found` counts the scores that no event had brought up to date.
    `failed` names by unique id all identities that could not be scored, and of the first ones says why.
    """

    model_config = ConfigDict(frozen=True)

    account_id: str
    started_at: AwareDatetime
    version: int = 0  # of the stored item: a writer that read an older one loses
    marker: str | None = None
    listed: bool = False
    pages: int = 0
    identities: int = 0  # seen so far, whether they could be scored or not
    found: int = 0
    failed: dict[str, str] = {}
    attempts: int = 0
    seconds: float = 0.0  # of work, over all invocations
    lease_until: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    finished_by: str = ""  # id of the invocation's request

    @property
    def failures(self) -> int:
        """How many identities could not be scored."""
        return len(self.failed)

    def is_leased(self, now: datetime) -> bool:
        """Whether somebody is at work on it at this time."""
        return self.lease_until is not None and self.lease_until > now
