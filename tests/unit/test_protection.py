"""Who is never touched, and that nobody else is protected by accident."""

from typing import Any

import pytest

from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import ReasonCode
from shared.protection import EXEMPT_TAG, STACK_TAG, protection_of
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


CASES: list[tuple[str, str, bool]] = [("leastwise", "leastwise", True), ("other", "leastwise", False), ("", "", False)]


@pytest.mark.parametrize(("tag", "stack_name", "is_protected"), CASES)
def test_the_stacks_own_identities_are_protected_by_its_name(tag: str, stack_name: str, *, is_protected: bool) -> None:
    tags: dict[str, Any] = {STACK_TAG: tag}
    assert (protection_of(detail("role/app", **tags), stack_name=stack_name) is not None) is is_protected
