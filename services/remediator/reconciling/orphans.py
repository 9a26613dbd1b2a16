"""Policies of ours that belong to no plan any more (I12): left over by a crash between two calls, or by hand. Pure."""

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from services.remediator.changing.steps import is_ours
from shared.model.plan import PlanRecord, PlanStatus

OWN_NAME = re.compile(r"[0-9a-f]{16}(-r?[0-9]+)?")  # as plans name their policies; any other name is somebody's choice
MIN_AGE = timedelta(days=1)  # longer than any plan is under way
ENDED = frozenset({PlanStatus.SKIPPED, PlanStatus.ROLLED_BACK})  # in these states nothing of a plan is left in IAM


class OwnPolicy(Protocol):
    """A managed policy as IAM lists it: what hangs on it, and since when it exists."""

    @property
    def arn(self) -> str:
        """Its ARN."""

    @property
    def attached(self) -> int:
        """How many identities and groups it is attached to."""

    @property
    def boundaries(self) -> int:
        """How many identities it is the permissions boundary of."""

    @property
    def created_at(self) -> datetime:
        """When it was created."""


class Belonging(StrEnum):
    """Whose a listed policy is."""

    NEEDED = "needed"
    ORPHAN = "orphan"
    DESERTED = "deserted"  # its plan is in force, but nobody holds it: the identity is gone, or somebody took it off


def may_be_idle(policy: OwnPolicy, *, now: datetime) -> bool:
    """Whether a policy is worth asking the journal about: of our making, held by nobody, and not just being created."""
    is_of_a_plan = is_ours(policy.arn) and OWN_NAME.fullmatch(policy.arn.rsplit("/", 1)[-1]) is not None
    return is_of_a_plan and not policy.attached and not policy.boundaries and now - policy.created_at >= MIN_AGE


def belonging_of(record: PlanRecord | None, *, is_on_top: bool) -> Belonging:
    """Whose an idle policy is, by the record of the plan that its name tells.

    A plan under another one holds its policy for the day that the other is taken back. One that is QUARANTINED is left
    to the person who must look.
    """
    if record is None or record.status in ENDED:
        return Belonging.ORPHAN
    if record.status is PlanStatus.APPLIED and is_on_top:
        return Belonging.DESERTED
    return Belonging.NEEDED
