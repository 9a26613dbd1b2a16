"""`aws:branch`: which step comes next."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from infra.local.emulator.runbook_values import RunbookError

_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "EqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
    "Contains": lambda value, wanted: wanted in value,
}


def next_step(inputs: Mapping[str, Any]) -> str | None:
    """The step of the first choice that holds, else the default one; None goes on with the step that follows.

    Raises RunbookError for a choice of another kind than one comparison of texts.

    >>> choices = [{"NextStep": "ask", "Variable": "approve", "StringEquals": "approve"}]
    >>> next_step({"Choices": choices, "Default": "act"})
    'ask'
    """
    choices = inputs.get("Choices")
    if not isinstance(choices, Sequence) or not choices:
        raise RunbookError("aws:branch needs Choices")
    for choice in choices:
        if _holds(dict(choice)):
            return str(choice["NextStep"])
    default = inputs.get("Default")
    return None if default is None else str(default)


def _holds(choice: dict[str, Any]) -> bool:
    choice.pop("NextStep", None)
    value = choice.pop("Variable", None)
    tests = [(_TESTS[name], wanted) for name, wanted in choice.items() if name in _TESTS]
    if value is None or len(tests) != 1 or len(choice) != 1:
        raise RunbookError(f"the choice {sorted(choice)} is not supported by the local AWS")
    ((test, wanted),) = tests
    return test(str(value), str(wanted))
