"""What a person may ask to be given back: a whole plan, or some of the actions that it took. Pure."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.envelope import describe
from shared.errors import InputError
from shared.model.plan import Plan

MAX_ACTIONS = 1000  # of one request
MAX_NAMED = 5  # actions that an error repeats

ActionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}:[A-Za-z0-9]{1,128}$")]


class GiveBack(BaseModel):
    """`rollback` undoes a plan, `restore` gives some `actions` back; `by` is who asks, as they call themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["rollback", "restore"]
    plan_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    actions: tuple[ActionName, ...] = Field(default=(), max_length=MAX_ACTIONS)
    trigger: str = Field(default="request", pattern=r"^[a-z0-9_.:-]{1,40}$")
    by: str = Field(default="", max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")


def parse_give_back(event: dict[str, object]) -> GiveBack:
    """Read a request. Raises InputError that names what is wrong or missing."""
    try:
        request = GiveBack.model_validate(event)
    except ValidationError as error:
        raise InputError(f"not a request to give back: {describe(error)}") from None
    if (request.action == "restore") != bool(request.actions):
        raise InputError("a request to restore names the actions, one to roll back names none")
    return request


def wanted_of(plan: Plan, actions: Sequence[str]) -> tuple[str, ...]:
    """The actions as the plan that took them spells them; raises InputError for those that it did not take."""
    taken = {name.lower(): name for name in (*plan.narrows, *plan.removes)}
    foreign = [action for action in actions if action.lower() not in taken]
    if foreign:
        raise InputError(f"plan {plan.plan_id} did not take: {', '.join(foreign[:MAX_NAMED])}")
    return tuple(sorted({taken[action.lower()] for action in actions}))
