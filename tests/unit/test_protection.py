"""Who is never touched, and that nobody else is protected by accident."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import ReasonCode
from shared.model.safeguards import Exemption, Safeguards
from shared.protection import EXEMPT_TAG, EXPIRY_GRACE, OWNER_TAG, REASON_TAG, STACK_TAG, exempted, protection_of
from tests.builders import ACCOUNT, NOW


def detail(resource: str, **tags: str) -> IdentityDetail:
    prefix = "AIDA" if resource.startswith("user/") else "AROA"
    ref = IdentityRef(account_id=ACCOUNT, identity_id=f"{prefix}EXAMPLE00001", arn=f"arn:aws:iam::{ACCOUNT}:{resource}")
    return IdentityDetail(ref=ref, created_at=NOW, read_at=NOW, tags=tags)


@pytest.mark.parametrize(
    "resource",
    [
        "role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig",
        "role/AWSServiceRoleForConfig",
        "role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef",
        "role/AWSReservedSSO_Admin_0123456789abcdef",
        "user/breakglass/anna",
        "user/breakglass/emea/anna",
        "role/leastwise/remediator",
        "user/BreakGlass/anna",
        "role/awsservicerolefor-lookalike",
    ],
)
def test_aws_own_break_glass_and_our_own_identities_are_protected(resource: str) -> None:
    reason = protection_of(detail(resource))
    assert reason is not None
    assert reason.code is ReasonCode.PROTECTED
    assert resource in reason.message


@pytest.mark.parametrize(
    "resource",
    [
        "role/app",
        "user/team/breakglass",
        "user/team/breakglass/anna",
        "role/leastwise-app",
        "role/service-role/lambda",
        "role/team/aws-service-role/x",
        "user/my-AWSReservedSSO_",
    ],
)
def test_names_and_paths_that_only_look_alike_are_not_protected(resource: str) -> None:
    assert protection_of(detail(resource), stack_name="leastwise") is None


@pytest.mark.parametrize("value", ["true", "True", "yes", "", "treu", " true ", "no", "0", "falsee"])
def test_any_value_but_false_exempts_so_that_a_mistake_never_costs_access(value: str) -> None:
    reason = protection_of(detail("role/app", **{EXEMPT_TAG: value}))
    assert reason is not None
    assert reason.code is ReasonCode.EXEMPT


@pytest.mark.parametrize("value", ["false", "FALSE", " False "])
def test_false_does_not_exempt(value: str) -> None:
    assert protection_of(detail("role/app", **{EXEMPT_TAG: value})) is None


@pytest.mark.parametrize("key", ["Leastwise:Exempt", "LEASTWISE:EXEMPT"])
def test_a_tag_exempts_however_its_key_is_written(key: str) -> None:
    owned = {key: "2030-12-31", "Leastwise:Exempt-Owner": "ana", "leastwise:EXEMPT-reason": "drill"}
    one = exempted(detail("role/app", **owned))
    assert one is not None
    assert (one.until, one.owner, one.reason) == (date(2030, 12, 31), "ana", "drill")


CASES: list[tuple[str, str, bool]] = [("leastwise", "leastwise", True), ("other", "leastwise", False), ("", "", False)]


@pytest.mark.parametrize(("tag", "stack_name", "is_protected"), CASES)
def test_the_stacks_own_identities_are_protected_by_its_name(tag: str, stack_name: str, *, is_protected: bool) -> None:
    tags: dict[str, Any] = {STACK_TAG: tag}
    assert (protection_of(detail("role/app", **tags), stack_name=stack_name) is not None) is is_protected


# ---- exemptions that end


LAST_DAY = date(2026, 6, 30)
MIDNIGHT = datetime(2026, 7, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("now", "grace", "is_exempt"),
    [
        (MIDNIGHT - SECOND, timedelta(0), True),
        (MIDNIGHT, timedelta(0), False),
        (MIDNIGHT, EXPIRY_GRACE, True),
        (MIDNIGHT + EXPIRY_GRACE - SECOND, EXPIRY_GRACE, True),
        (MIDNIGHT + EXPIRY_GRACE, EXPIRY_GRACE, False),
    ],
)
def test_an_exemption_holds_to_the_end_of_its_day_and_of_the_grace(
    now: datetime, grace: timedelta, *, is_exempt: bool
) -> None:
    tagged = detail("role/app", **{EXEMPT_TAG: LAST_DAY.isoformat()})
    reason = protection_of(tagged, now=now, grace=grace)
    assert (reason is not None and reason.code is ReasonCode.EXEMPT) is is_exempt
    if reason and now >= MIDNIGHT:
        assert "2026-07-08" in reason.message, "it says from when on it is acted on"


def test_without_a_time_an_exemption_is_judged_by_when_the_identity_was_read() -> None:
    day = NOW.date()
    assert protection_of(detail("role/app", **{EXEMPT_TAG: day.isoformat()})) is not None
    assert protection_of(detail("role/app", **{EXEMPT_TAG: (day - timedelta(days=1)).isoformat()})) is None


@pytest.mark.parametrize(
    "value", ["2026-06-31", "30.06.2026", "2026-06", "20260630", "2026-W27-1", "1999-12-31", "2026-06-30T12:00Z"]
)
def test_what_is_no_day_exempts_for_good(value: str) -> None:
    one = exempted(detail("role/app", **{EXEMPT_TAG: value}))
    assert one is not None
    assert (one.until, one.ends_at) == (None, None)


def test_an_exemption_names_its_owner_and_reason() -> None:
    tags = {EXEMPT_TAG: "2026-06-30", OWNER_TAG: "ana", REASON_TAG: "migration"}
    one = exempted(detail("role/app", **tags))
    assert one is not None
    assert (one.owner, one.reason, one.until) == ("ana", "migration", LAST_DAY)


def listed(**what: Any) -> Safeguards:
    return Safeguards(exemptions=(Exemption(owner="ben", reason="auditors", **what),))


@pytest.mark.parametrize(
    ("what", "is_exempt"),
    [
        ({"path": "/team/"}, True),
        ({"path": "/"}, True),
        ({"path": "/TEAM/"}, True),
        ({"path": "/team/blue/"}, True),
        ({"path": "/team/b/"}, False),
        ({"path": "/teams/"}, False),
        ({"arn": f"arn:aws:iam::{ACCOUNT}:role/team/blue/App"}, True),
        ({"arn": f"arn:aws:iam::{ACCOUNT}:user/team/blue/app"}, False),
        ({"identity_id": "AROAEXAMPLE00001"}, True),
        ({"identity_id": "AROAEXAMPLE00002"}, False),
        ({"path": "/team/", "until": NOW.date()}, True),
        ({"path": "/team/", "until": NOW.date() - timedelta(days=1)}, False),
    ],
)
def test_the_safeguards_exempt_by_path_arn_or_id(what: dict[str, Any], *, is_exempt: bool) -> None:
    reason = protection_of(detail("role/team/blue/app"), safeguards=listed(**what))
    assert (reason is not None and reason.code is ReasonCode.EXEMPT) is is_exempt


@pytest.mark.parametrize("tag", ["2026-01-01", "true"])
def test_of_two_exemptions_the_longer_one_counts(tag: str) -> None:
    one = exempted(detail("role/team/app", **{EXEMPT_TAG: tag}), listed(path="/team/", until=LAST_DAY))
    assert one is not None
    assert one.until == (LAST_DAY if tag != "true" else None)


def test_the_last_day_of_all_never_ends() -> None:
    one = exempted(detail("role/app"), listed(path="/", until=date.max))
    assert one is not None
    assert one.ends_at is None
