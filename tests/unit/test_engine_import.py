"""The policy engine starts fast: it imports neither the models' validation nor an SDK."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLOW = {"aws_lambda_powertools", "boto3", "botocore", "httpx", "pydantic", "pydantic_core"}
MODULES = [
    *(f"shared.iam.{name}" for name in ("compare", "evaluate", "grants", "minimise", "narrow", "replay", "validate")),
    "shared.knowledge",
]


def imported_by(module: str) -> set[str]:
    """Top-level packages that a fresh interpreter holds after importing a module."""
    source = f"import {module}, sys; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("module", MODULES)
def test_the_engine_imports_nothing_slow(module: str) -> None:
    assert imported_by(module) & SLOW == set()


def test_a_slow_import_would_be_seen() -> None:
    assert "pydantic" in imported_by("shared.model.identity") & SLOW
