"""trailscraper's turn, in its own environment: a policy for each folder of records.

    .venv-bench-usage/bin/python -m benchmarks.right_sizing.peer FOLDER

FOLDER holds a file of records (`*.json.gz`) for each case; prints `{file name: policy document}`.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PYTHON = Path(__file__).parents[2] / ".venv-bench-usage" / "bin" / "python"


def policies_of(folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Run the peer over a folder, from our environment. Raises CalledProcessError where it fails."""
    done = subprocess.run(  # noqa: S603 our own module
        [str(PYTHON), "-m", "benchmarks.right_sizing.peer", str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env=dict(environment),
        cwd=Path(__file__).parents[2],
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(folder: Path) -> None:
    """What `trailscraper select` and `trailscraper generate` do, for each file by itself."""
    from trailscraper.cloudtrail import LogFile, filter_records  # noqa: PLC0415 our environment lacks it
    from trailscraper.policy_generator import generate_policy  # noqa: PLC0415

    first, last = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    policies = {}
    for file in sorted(folder.glob("*.json.gz")):
        records = filter_records(LogFile(str(file)).records(), None, first, last)
        policies[file.name] = json.loads(generate_policy(records).to_json())
    sys.stdout.write(json.dumps(policies) + "\n")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    main(Path(sys.argv[1]))
