"""Which calls each role was allowed: a line of JSON for each distinct one, so that tests see what a policy is for."""

import json
import tempfile
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator

FILE_NAME = "allowed_calls.jsonl"
_SESSION = "AssumedRole"


def install() -> None:
    """Wrap the check of permissions. The file is in the emulator's own folder, which goes when the emulator does.

    A line: `{"role": name, "action", "resource", "context": {key in lower case: value or [values]}}`. Calls by users
    or by root, and those that were refused, leave none.
    """
    evaluate = iam_evaluator.evaluate
    file, seen = Path(tempfile.gettempdir()) / FILE_NAME, set[str]()

    def evaluate_and_note(request: Any, *policies: Any) -> Any:
        result = evaluate(request, *policies)
        if result.decision == "Allow" and request.principal_type == _SESSION:
            line = as_line(request)
            if line not in seen:
                seen.add(line)
                with file.open("a", encoding="utf-8") as lines:
                    lines.write(f"{line}\n")
        return result

    iam_evaluator.evaluate = evaluate_and_note


def as_line(request: Any) -> str:
    """A request as one line; the same request always as the same one."""
    context = {str(key).lower(): value for key, value in request.service_context.items() if value is not None}
    call = {
        "role": request.principal_arn.split("/")[1],
        "action": request.action,
        "resource": request.resource_arn,
        "context": context,
    }
    return json.dumps(call, sort_keys=True, default=str)
