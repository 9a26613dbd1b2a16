"""The AWS::Serverless transform, run by another interpreter so that its packages stay out of this environment.

ministack imports `samtranslator` for it. That package needs pydantic, boto3 and more, and Lambda functions run on this
environment's interpreter: a package missing from a function's zip would be found here and the mistake go unnoticed.
"""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

INTERPRETER_VARIABLE = "LEASTWISE_LOCAL_SAM_PYTHON"
_SCRIPT = Path(__file__).resolve().parents[1] / "sam_transform.py"
_TIMEOUT_SECONDS = 120


def install() -> None:
    """Put a module with the one function that ministack imports in the place of `samtranslator`."""
    module = ModuleType("samtranslator.translator.transform")
    module.transform = transform  # type: ignore[attr-defined]
    for name in ("samtranslator", "samtranslator.translator"):
        sys.modules[name] = ModuleType(name)
    sys.modules[module.__name__] = module


def transform(template: dict[str, Any], parameters: dict[str, Any], _policies: Any) -> dict[str, Any]:
    """Expand a template. Raises ValueError with the transform's own words, which become the stack's reason."""
    expanded: dict[str, Any] = json.loads(_expand(json.dumps({"template": template, "parameters": parameters})))
    return expanded


@functools.lru_cache(maxsize=16)
def _expand(request: str) -> str:
    finished = subprocess.run(  # noqa: S603 the interpreter and the script are the project's own
        [os.environ[INTERPRETER_VARIABLE], str(_SCRIPT)],
        input=request,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if finished.returncode != 0:
        raise ValueError(f"Transform AWS::Serverless-2016-10-31 failed with: {finished.stderr.strip()[-2000:]}")
    return finished.stdout
