"""Start the local AWS: `python -m infra.local.emulator`, in the environment that has ministack and nothing else.

Everything comes from environment variables, set by infra/local/local_aws.py: GATEWAY_PORT, MINISTACK_ACCOUNT_ID,
TMPDIR, LEASTWISE_LOCAL_MANAGED_POLICIES (a file, optional) and LEASTWISE_LOCAL_SAM_PYTHON.
"""

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PINNED_VERSION = "1.5.33"
MANAGED_POLICIES_VARIABLE = "LEASTWISE_LOCAL_MANAGED_POLICIES"


def main() -> None:
    """Check the version, add what ministack lacks, and serve until stopped."""
    try:
        installed = version("ministack")
    except PackageNotFoundError:
        installed = "none"
    if installed != PINNED_VERSION:
        sys.exit(f"The local AWS is written for ministack {PINNED_VERSION}, found {installed}: run `make setup`.")
    # Not at the top: these modules need ministack, in exactly the version that was just checked.
    from ministack import app  # noqa: PLC0415

    from infra.local.emulator import lifetime  # noqa: PLC0415
    from infra.local.emulator.assembly import assemble  # noqa: PLC0415

    path = os.environ.get(MANAGED_POLICIES_VARIABLE)
    assemble(Path(path) if path else None)
    lifetime.end_with_parent()
    app.main()


if __name__ == "__main__":
    main()
