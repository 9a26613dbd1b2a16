"""Installs and prunes the wheels once for all functions: they share their pins, and copying is much faster."""

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from infra.build.prune import prune_wheels
from infra.build.wheels import Target, install_wheels

ZIP_EPOCH = 315_532_800  # 1980-01-01T00:00:00Z, the oldest time that a zip can hold
_STAGING = Path("build", "wheels")
_FILE_MODE = 0o644
_EXECUTABLE_MODE = 0o755


def stage_wheels(root: Path, target: Target, aws_services: frozenset[str]) -> Path:
    """Folder with the pruned wheels for `target`, named by everything that decides its content.

    It appears by a rename, so that a build that was stopped or that runs at the same time never leaves half of it.
    Raises BuildError as install_wheels does.
    """
    staging = root / _STAGING
    ready = staging / _digest(root, target, aws_services)
    if ready.is_dir():
        return ready
    staging.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=staging) as scratch:
        wheels = Path(scratch) / "wheels"
        install_wheels(root / "requirements.txt", wheels, target, root)
        prune_wheels(wheels, aws_services)
        normalise(wheels)
        try:
            wheels.rename(ready)
        except OSError:
            if not ready.is_dir():  # else another build was first, with the same content
                raise
    return ready


def normalise(folder: Path) -> None:
    """Give every file the same time and one of two modes: what a zip's bytes depend on beside the content."""
    for path in [folder, *folder.rglob("*")]:
        executable = path.is_dir() or path.suffix == ".so"
        path.chmod(_EXECUTABLE_MODE if executable else _FILE_MODE)
        os.utime(path, (ZIP_EPOCH, ZIP_EPOCH))


def copy_normalised(source: Path, output: Path) -> None:
    """Copy what was normalised, times and modes included, into an existing folder."""
    shutil.copytree(source, output, dirs_exist_ok=True)


def _digest(root: Path, target: Target, aws_services: frozenset[str]) -> str:
    requirements = root / "requirements.txt"
    parts = [
        requirements.read_bytes() if requirements.is_file() else b"",
        repr((target.options, sys.version, sorted(aws_services))).encode(),
        *(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))),
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
