"""Who is never touched, and who is exempt for a time (safety contract, group G): pure rules over what IAM says."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import Reason, ReasonCode
from shared.model.safeguards import Safeguards

EXEMPT_TAG = "leastwise:exempt"
OWNER_TAG = "leastwise:exempt-owner"
REASON_TAG = "leastwise:exempt-reason"
EXPIRY_GRACE = timedelta(days=7)  # from the end of an exemption until something is changed, so that it can be renewed
PROTECTED_PATHS = ("/aws-service-role/", "/aws-reserved/", "/breakglass/", "/leastwise/")
PROTECTED_NAMES = ("AWSServiceRoleFor", "AWSReservedSSO_")
STACK_TAG = "aws:cloudformation:stack-name"
_DAY = re.compile(r"20\d\d-\d\d-\d\d", re.ASCII)
_PATHS = tuple(path.lower() for path in PROTECTED_PATHS)
_NAMES = tuple(name.lower() for name in PROTECTED_NAMES)


class Exempted(NamedTuple):
    """That somebody wants an identity left alone, as `by` says: until the end of the day `until` (UTC), or for good."""

    by: str
    owner: str
    reason: str
    until: date | None

    @property
    def ends_at(self) -> datetime | None:
        """The first moment that is not exempt any more, or None."""
        if self.until is None or self.until == date.max:
            return None  # the safeguards may name any day, also the last one that there is
        return datetime.combine(self.until + timedelta(days=1), time.min, tzinfo=UTC)


def protection_of(
    detail: IdentityDetail,
    *,
    stack_name: str = "",
    safeguards: Safeguards | None = None,
    now: datetime | None = None,
    grace: timedelta = timedelta(0),
) -> Reason | None:
    """Why an identity must not be changed, or None.

    Refused are AWS's own roles, break-glass paths, our own roles (path or stack tag), and whoever is exempt at `now`
    (when it was read, by default) or was until less than `grace` ago.
    """
    ref = detail.ref
    if ref.path.lower().startswith(_PATHS) or ref.name.lower().startswith(_NAMES):
        return Reason(code=ReasonCode.PROTECTED, message=f"{ref.arn} is protected by its path or name")
    if stack_name and detail.tags.get(STACK_TAG) == stack_name:
        return Reason(code=ReasonCode.PROTECTED, message=f"{ref.arn} belongs to the stack {stack_name} itself")
    return _exemption(detail, safeguards, now or detail.read_at, grace)


def exempted(detail: IdentityDetail, safeguards: Safeguards | None = None) -> Exempted | None:
    """The exemption of an identity that lasts longest, ended or not; None where there never was one.

    The tag `leastwise:exempt` exempts with any value but "false": with an ISO date until the end of that day, with all
    others for good, since a misspelt value must not cost access.
    """
    found = [*_by_tag(detail), *_by_list(detail.ref, safeguards or Safeguards())]
    return max(found, key=lambda one: one.until or date.max, default=None)


def _exemption(detail: IdentityDetail, safeguards: Safeguards | None, now: datetime, grace: timedelta) -> Reason | None:
    one = exempted(detail, safeguards)
    if one is None or (one.ends_at is not None and now >= one.ends_at + grace):
        return None
    message = f"{detail.ref.arn} {one.by}"
    if one.ends_at is None:
        return Reason(code=ReasonCode.EXEMPT, message=message)
    message += f" until {one.until}"
    if now >= one.ends_at:
        message += f"; that is over, and it is acted on from {one.ends_at + grace:%Y-%m-%d} on"
    return Reason(code=ReasonCode.EXEMPT, message=message)


def _by_tag(detail: IdentityDetail) -> list[Exempted]:
    # IAM User Guide, "Tags for IAM resources": the keys of tags of users and roles compare without case
    tags = {key.lower(): value for key, value in detail.tags.items()}
    value = tags.get(EXEMPT_TAG, "false").strip()
    if value.lower() == "false":
        return []
    owner, reason = tags.get(OWNER_TAG, ""), tags.get(REASON_TAG, "")
    return [Exempted(f"carries the tag {EXEMPT_TAG}", owner, reason, _day(value))]


def _by_list(ref: IdentityRef, safeguards: Safeguards) -> list[Exempted]:
    return [
        Exempted(f"is exempt by the safeguards ({entry.reason})", entry.owner, entry.reason, entry.until)
        for entry in safeguards.exemptions
        if entry.covers(ref)
    ]


def _day(value: str) -> date | None:
    """The day that a tag names as `2026-12-31`; None for anything else, which exempts for good.

    The functions' IAM policies deny changes of whoever carries a value that is not of this form.
    """
    try:
        return date.fromisoformat(value) if _DAY.fullmatch(value) else None
    except ValueError:
        return None
