"""Questions that IAMSpy's authors answered: the same accounts, organizations and resources give the same answers here.

A question is (principal, action, resource), then optionally the known context keys as `key=value`, a file that is never
given, and whether all other keys are absent. Where that isn't said, the question is whether any context would do.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.iam.authorization import identity_details, merge_pages
from shared.iam.evaluate import Outcome, Policies, evaluate
from shared.iam.request import Request, context_of

DATA = Path(__file__).parents[1] / "data" / "iamspy"
READ_AT = datetime(2024, 12, 12, tzinfo=UTC)


def _read(name: str) -> Any:
    return json.loads((DATA / "files" / name).read_text(encoding="utf-8"))


def _questions() -> Iterator[Any]:
    cases = json.loads((DATA / "cases.json").read_text(encoding="utf-8"))["test_can_i"]["cases"]
    for number, (files, question, answer) in enumerate(cases):
        names = [name.removesuffix(".json") for group in files.values() for name in group]
        yield pytest.param(files, question, answer, id=f"{number}-{'-'.join(names)}")


@pytest.mark.parametrize(("files", "question", "answer"), list(_questions()))
def test_a_question_is_answered_as_iamspy_answers_it(
    files: dict[str, list[str]], question: list[Any], *, answer: bool
) -> None:
    options: list[Any] = [[], None, False]
    principal, action, resource, known, _file, strict = question + options[len(question) - 3 :]
    case = _identity(files["gaads"], principal) | _resource(files.get("resources", []), resource)
    scps = [_service_control(_read(name), principal.split(":")[4]) for name in files.get("scps", [])]
    case |= {"service_control_policies": scps[0]} if scps and scps[0] is not None else {}
    context = dict(item.split("=", 1) for item in known)
    if not strict:
        context = _asked_for(case) | context

    request = Request(principal, action, resource, case.pop("resource_account", None), context_of(context))
    decision = evaluate(request, Policies.parse(case))

    assert (decision.outcome is Outcome.ALLOW) is answer, decision.as_json()


def _identity(files: list[str], principal: str) -> dict[str, Any]:
    details = identity_details(merge_pages(_read(name) for name in files), read_at=READ_AT)
    found = next((detail for detail in details if detail.ref.arn == principal), None)
    if found is None:
        return {}
    case: dict[str, Any] = {"identity_policies": [policy.document for policy in found.policies]}
    return case | ({"permissions_boundaries": [found.boundary.document]} if found.boundary else {})


def _resource(files: list[str], resource: str) -> dict[str, Any]:
    for file in files:
        for entry in _read(file):
            if entry["Resource"] == resource:
                return {"resource_policy": _with_kinds(entry["Policy"]), "resource_account": entry["Account"]}
    return {}


def _with_kinds(policy: Mapping[str, Any]) -> dict[str, Any]:
    """IAM wants a principal's kind, which the files leave out."""
    statements = [dict(statement) for statement in policy["Statement"]]
    for statement in statements:
        if isinstance(statement["Principal"], str) and statement["Principal"] != "*":
            statement["Principal"] = {"AWS": statement["Principal"]}
    return {**policy, "Statement": statements}


def _service_control(node: Mapping[str, Any], account: str) -> list[list[Any]] | None:
    """The documents of each level down to the account; None for the organization's management account."""
    if node["Arn"].split(":")[4] == account:
        return None
    level = [policy["Content"] for policy in node.get("Policies", [])]
    if node["Id"] == account:
        return [level]
    below = [_service_control(child, account) for child in node.get("Children", [])]
    return next(([level, *levels] for levels in below if levels), [])


def _asked_for(case: Mapping[str, Any]) -> dict[str, str]:
    """For every condition of the identity a value that it asks for."""
    statements = [statement for document in case.get("identity_policies", []) for statement in document["Statement"]]
    tests = [keys for statement in statements for keys in statement.get("Condition", {}).values()]
    return {key: values[0] for keys in tests for key, values in keys.items()}
