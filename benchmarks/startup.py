"""Import and load, each in a fresh interpreter: seconds, and in another one the memory that they keep."""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.contenders.load import Start

ROOT = Path(__file__).parents[1]

# Nothing is imported before the clock starts but what an interpreter has anyway.
_TIMED = """
from time import perf_counter
a = perf_counter()
{importing}
b = perf_counter()
{loading}
c = perf_counter()
import sys
sys.stderr.write(f"\\n[{{b - a}}, {{c - b}}]\\n")
"""
_TRACED = """
import tracemalloc
tracemalloc.start()
{importing}
a, _ = tracemalloc.get_traced_memory()
tracemalloc.reset_peak()
{loading}
b, peak = tracemalloc.get_traced_memory()
import sys
sys.stderr.write(f"\\n[{{b}}, {{b - a}}, {{peak - a}}]\\n")
"""


def timed(start: Start) -> tuple[float, float]:
    """Seconds of the import and of the load."""
    importing, loading = _run(_TIMED.format(importing=start.importing, loading=start.loading))
    return importing, loading


def traced(start: Start) -> tuple[float, float, float]:
    """Bytes that Python objects hold after import and load; of these the load's; and the load's peak."""
    kept, loaded, peak = _run(
        _TRACED.format(importing=start.importing, loading=start.loading and f"kept = {start.loading}")
    )
    return kept, loaded, peak


def _run(source: str) -> list[float]:
    done = subprocess.run(  # noqa: S603 our own interpreter and source
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, env=environment(), cwd=ROOT
    )
    numbers: list[float] = json.loads(done.stderr.splitlines()[-1])
    return numbers


def environment() -> dict[str, str]:
    """What every measured process runs in: ours, without peers' warnings on the error output.

    Bytecode is written and kept, as it is of installed packages, whatever the caller's environment says.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
