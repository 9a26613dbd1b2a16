"""Every known way to more permissions, against every role of the stack: whether it could be taken, and how far.

A path is open to a role where its policies name every permission that the path needs: no resource and no condition is
counted in the role's favour, so that a path that isn't open is closed for good. The policies name no action by pattern.
Where a path is open, our own engine says which identities it reaches. The paths are those of pathfinding.cloud
(shared/iam/data/SOURCE.md).
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from infra.build.template import ROOT
from shared.iam.evaluate import Policies, compile_policies
from shared.iam.evaluation.decisions import Outcome
from shared.iam.request import Request, context_of
from shared.knowledge import load_risk
from shared.pci.known_paths import TARGET_OF_ACTION as AIMED_AT
from shared.pci.known_paths import EscalationPath, Target
from tests.unit.blast_radius_probes import (
    ADMIN,
    BREAK_GLASS_ROLE,
    BREAK_GLASS_USER,
    GIVES,
    GROUP,
    LINKED,
    OUR_USER,
    OURS,
    OWN,
    POLICY,
    RECONCILES,
    ROLE,
    SSO,
    TAKES,
    THEIRS,
    USER,
)
from tests.unit.rendered_roles import ACCOUNT, ROLE_ARN, Document, Stack
from tests.unit.test_blast_radius import CALLER, allowed

PATHS = {path.id: path for path in load_risk().paths}
STRATEGIES = ("boundary", "replace", "patch")
# Every option that gives a role more.
ALL_OPTIONS = {
    "AccessAnalyzerChecks": "true",
    "InventorySource": "config",
    "NotificationEmail": "a@example.org",
    "Provider": "cloudknox",
    "ProviderSecretArn": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:provider",
    "ProviderSecretKeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/provider",
    "RemediationApprovers": f"arn:aws:iam::{ACCOUNT}:root",
    "TrailLogBucketName": "trail",
}
# With `iam:CreatePolicy` for the document, these make somebody else an administrator: the price of the strategy.
ATTACHING = {"iam-008", "iam-009"}
WRITING = {"iam-005", "iam-007", "iam-013"}
OPEN: Mapping[str, set[str]] = {
    **dict.fromkeys(TAKES, ATTACHING),
    **dict.fromkeys(GIVES, ATTACHING | WRITING),
}
BREAK_GLASS_GROUP = f"arn:aws:iam::{ACCOUNT}:group/breakglass/admins"
PROTECTED = (BREAK_GLASS_USER, BREAK_GLASS_ROLE, BREAK_GLASS_GROUP, OURS, OUR_USER, SSO, LINKED)
TARGETS = {Target.USER: USER, Target.ROLE: ROLE, Target.GROUP: GROUP}
CAPPED = (*TAKES, *GIVES, *RECONCILES)


@cache
def stack(strategy: str) -> Stack:
    return Stack(Strategy=strategy, **ALL_OPTIONS)


def roles() -> list[tuple[str, str]]:
    return [(strategy, role) for strategy in STRATEGIES for role in stack(strategy).roles()]


def open_paths(named: set[str]) -> set[str]:
    """Paths of which every permission is among these actions."""
    held = {action.lower() for action in named}
    return {path.id for path in PATHS.values() if path.required <= held}


def named_by(documents: Mapping[str, Document]) -> set[str]:
    return set().union(*(allowed(document) for document in documents.values()))


def may(role: str, strategy: str, action: str, resource: str, known: Mapping[str, object]) -> bool:
    """Whether a role of the stack may make a call, by its policies and its boundary."""
    policies, boundary = stack(strategy).role(role)
    case: dict[str, Any] = {"identity_policies": list(policies.values())}
    if boundary:
        case["permissions_boundaries"] = list(boundary.values())
    request = Request(CALLER.format(role), action, resource, ACCOUNT, context_of(known))
    return compile_policies(Policies.parse(case)).evaluate(request).outcome is Outcome.ALLOW


def test_all_known_paths_are_looked_at() -> None:
    assert len(PATHS) >= 65


@pytest.mark.parametrize(("strategy", "role"), roles())
def test_no_path_is_open_but_those_that_replacing_is_made_of(strategy: str, role: str) -> None:
    policies, _ = stack(strategy).role(role)
    named = named_by(policies)
    assert named
    assert not [action for action in named if "*" in action or "?" in action]
    assert open_paths(named) == (OPEN.get(role, set()) if strategy == "replace" else set())


@pytest.mark.parametrize("strategy", ["boundary", "patch"])
@pytest.mark.parametrize("role", CAPPED)
def test_given_a_role_that_was_handed_everything_when_nothing_is_replaced_then_its_boundary_closes_every_path(
    strategy: str, role: str
) -> None:
    boundary = stack(strategy).role(role).boundary
    assert boundary  # it decides alone, where the policies allow everything
    assert open_paths(named_by(boundary)) == set()


@pytest.mark.parametrize("role", CAPPED)
def test_given_a_role_that_was_handed_everything_when_policies_are_replaced_then_its_boundary_opens_no_other_path(
    role: str,
) -> None:
    assert open_paths(named_by(stack("replace").role(role).boundary)) == ATTACHING | WRITING


def targets(path: EscalationPath) -> list[tuple[str, Target]]:
    return [(action, AIMED_AT[action]) for action in sorted(path.required)]


@pytest.mark.parametrize("role", [*TAKES, *GIVES])
def test_given_replacing_when_a_path_is_open_then_it_reaches_neither_the_role_itself_nor_anybody_protected(
    role: str,
) -> None:
    aimed = [one for path in sorted(OPEN[role]) for one in targets(PATHS[path])]
    assert aimed
    for action, _ in aimed:
        for resource in (ROLE_ARN.format(role), *PROTECTED):
            assert not may(role, "replace", action, resource, {POLICY: OWN}), (action, resource)


@pytest.mark.parametrize("role", TAKES)
def test_given_replacing_when_who_takes_away_attaches_then_only_policies_of_our_own_path_whatever_they_say(
    role: str,
) -> None:
    """What is left: IAM doesn't look into the document, so a role that was taken over could write its own."""
    made = {"aws:RequestTag/leastwise:plan": "0", "aws:TagKeys": ["leastwise:plan"]}
    assert may(role, "replace", "iam:CreatePolicy", OWN, made)
    for path in sorted(OPEN[role]):
        for action, target in targets(PATHS[path]):
            assert may(role, "replace", action, TARGETS[target], {POLICY: OWN})
            assert not may(role, "replace", action, TARGETS[target], {POLICY: ADMIN})
            assert not may(role, "replace", action, TARGETS[target], {POLICY: THEIRS})
            assert not may(role, "boundary", action, TARGETS[target], {POLICY: OWN})


@pytest.mark.parametrize("role", GIVES)
def test_given_replacing_when_who_gives_back_is_taken_over_then_it_reaches_everybody_who_is_not_protected(
    role: str,
) -> None:
    """What is left: to give back any policy is to be able to give any."""
    for path in sorted(OPEN[role]):
        for action, target in targets(PATHS[path]):
            assert may(role, "replace", action, TARGETS[target], {POLICY: ADMIN})
            assert not may(role, "boundary", action, TARGETS[target], {POLICY: ADMIN})


def test_the_page_tells_of_every_role_and_of_every_path_that_is_open() -> None:
    page = (ROOT / "docs" / "blast-radius.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([^`\n]+)`", page))
    every = {role for _, role in roles()}
    assert every <= named
    assert {name for name in named if name.endswith("Role")} <= every
    assert {name for name in named if re.fullmatch(r"[a-z0-9]+-\d{3}", name)} == ATTACHING | WRITING
