"""`leastwise policy evaluate`: decides one case after another."""

import json
from collections.abc import Mapping
from typing import Any

from shared.errors import InputError
from shared.iam.documents import read_json
from shared.iam.evaluate import Evaluator, compile_policies
from shared.iam.evaluation.cases import parse_case, parse_request
from shared.iam.evaluation.policies import FIELDS

EVALUATORS_KEPT = 64


class Cases:
    """Decides cases, each given as JSON text; policies that cases have in common are compiled once."""

    def __init__(self) -> None:
        self._evaluators: dict[str, Evaluator] = {}

    def __call__(self, text: str) -> dict[str, Any]:
        """`{"decision", "reasons"}` of one case. Raises InputError with the path into the case."""
        raw = read_json(text)
        if not isinstance(raw, Mapping):
            raise InputError("a case must be a JSON object")
        return self._evaluator(raw).evaluate(parse_request(raw)).as_json()

    def _evaluator(self, raw: Mapping[str, Any]) -> Evaluator:
        key = json.dumps({field: raw.get(field) for field in FIELDS})
        if key not in self._evaluators:
            if len(self._evaluators) >= EVALUATORS_KEPT:
                self._evaluators.clear()
            self._evaluators[key] = compile_policies(parse_case(raw).policies)
        return self._evaluators[key]
