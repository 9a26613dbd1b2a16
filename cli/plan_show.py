"""One plan of the deployed system: read from its journal, and told in the form that was asked for."""

import json
from enum import StrEnum
from typing import NamedTuple

from cli.asking import Place
from cli.plan_answer import Json, record_value
from services.remediator.deriving.patch_text import patch_text
from shared.errors import InputError
from shared.model.plan import PlanRecord


class Form(StrEnum):
    """What of a plan is told to programs."""

    JSON = "json"
    POLICY = "policy"
    TERRAFORM = "terraform"
    CLOUDFORMATION = "cloudformation"


class Found(NamedTuple):
    """A plan of the journal, and its answer."""

    record: PlanRecord
    answer: Json


def find(place: Place, plan_id: str) -> Found:
    """Read a plan with its calls. Raises InputError where there is none of this id."""
    journal = place.account.journal
    record = journal.get(plan_id)
    if record is None:
        raise InputError(f"there is no plan {plan_id}: `leastwise plans` lists those that there are")
    return Found(record, record_value(record, journal.steps(plan_id)))


def text_of(place: Place, plan_id: str, form: Form) -> str:
    """A plan as text for programs, with an end of line."""
    found = find(place, plan_id)
    match form:
        case Form.JSON:
            return json.dumps(found.answer) + "\n"
        case Form.POLICY:
            return "".join(json.dumps(policy.document) + "\n" for policy in found.record.plan.policies)
        case Form.TERRAFORM | Form.CLOUDFORMATION:
            text = patch_text(found.record.plan, found.record.snapshot, form.value)
            return text if text.endswith("\n") else text + "\n"
