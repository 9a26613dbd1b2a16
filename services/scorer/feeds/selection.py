"""Which objects of a trail's bucket hold records that count; what else lies beside them is left out, by reason."""

from enum import StrEnum

from services.scorer.feeds.notifications import NewObject
from services.scorer.trail.objects import ObjectKind, parse_log_key


class LeftOut(StrEnum):
    """Why an object was not read."""

    EMPTY = "empty"  # what consoles create as a folder
    DIGEST = "digest"  # of the trail's integrity validation
    INSIGHTS = "insights"  # unusual activity, by CloudTrail's own reckoning
    OTHER = "other"  # logs of another service, or no log at all
    OTHER_ACCOUNT = "other_account"  # of an organization trail, where only our own account counts

    @property
    def metric(self) -> str:
        """The end of the metric's name: `OtherAccount`."""
        return self.value.title().replace("_", "")


_BY_KIND = {
    ObjectKind.DIGEST: LeftOut.DIGEST,
    ObjectKind.INSIGHT: LeftOut.INSIGHTS,
    ObjectKind.OTHER: LeftOut.OTHER,
}


def why_left_out(one: NewObject, *, only_account: str | None) -> LeftOut | None:
    """Say why an object isn't read, or None where it is; `only_account` None means that every account counts."""
    log = parse_log_key(one.key)
    if log.kind in _BY_KIND:
        return _BY_KIND[log.kind]
    if one.size == 0:
        return LeftOut.EMPTY
    if only_account not in {None, log.account_id}:
        return LeftOut.OTHER_ACCOUNT
    return None
