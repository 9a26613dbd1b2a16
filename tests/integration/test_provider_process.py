"""What a function loads for an outside provider, and what its traces follow: in a process of its own, as on Lambda."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HANDLERS = "import services.remediator.handler, services.scorer.handler"


def test_the_http_client_is_neither_loaded_nor_traced_where_no_outside_provider_is_chosen() -> None:
    """A tracer that follows everything would load it at each cold start, and put calls of the provider into traces."""
    check = f"{HANDLERS}, sys; print(sorted({{'httpx', 'botocore'}} & sys.modules.keys()))"
    ran = subprocess.run(
        [sys.executable, "-c", check],
        cwd=ROOT,
        env=os.environ | {"LAMBDA_TASK_ROOT": str(ROOT), "POWERTOOLS_TRACE_DISABLED": "false"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.strip() == "['botocore']", ran.stderr
