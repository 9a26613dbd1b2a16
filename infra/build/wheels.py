"""Installs the locked wheels for the machine that will run them, which need not be the one that builds."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LAMBDA_PYTHON = "3.13"
LAMBDA_PLATFORM = "aarch64-manylinux2014"


class BuildError(Exception):
    """The artefact could not be built; nothing of it may be deployed."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which interpreter and platform the wheels are for; both None: the interpreter that builds.

    `python` is `3.13`; `platform` is one of uv's names, `aarch64-manylinux2014` or `x86_64-manylinux2014`.
    """

    python: str | None = LAMBDA_PYTHON
    platform: str | None = LAMBDA_PLATFORM

    @property
    def options(self) -> list[str]:
        """Options of `uv pip install` that choose this target."""
        chosen = ["--python", sys.executable]
        if self.python:
            chosen += ["--python-version", self.python]
        if self.platform:
            chosen += ["--python-platform", self.platform]
        return chosen


HOST = Target(python=None, platform=None)


def install_wheels(requirements: Path, output: Path, target: Target, root: Path) -> None:
    """Install every pin of `requirements` into `output`: wheels only, each checked against its hash.

    No dependency is resolved here: the lock file already did, and what it doesn't name is not installed.
    Raises BuildError with uv's own message where a pin, a hash or a wheel for the target is missing.
    """
    if not requirements.is_file():
        raise BuildError(f"{requirements.name} is missing: run `make build`")
    _run(
        [
            *(str(find_uv(root)), "pip", "install", "--quiet", "--no-config", "--no-progress"),
            *("--target", str(output), "--requirements", str(requirements)),
            *("--no-deps", "--require-hashes", "--only-binary", ":all:", "--link-mode", "copy"),
            *target.options,
        ]
    )


def find_uv(root: Path) -> Path:
    """Find uv beside the running interpreter, on PATH or in `.uv/bin` of the checkout, in this order."""
    beside = Path(sys.executable).parent / "uv"
    on_path = shutil.which("uv")
    for candidate in (beside, Path(on_path) if on_path else None, root / ".uv" / "bin" / "uv"):
        if candidate is not None and candidate.is_file():
            return candidate
    raise BuildError("uv was not found beside the interpreter, on PATH or in .uv/bin: run `make setup`")


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 the command is ours
    if done.returncode:
        raise BuildError(f"uv could not install the wheels (exit {done.returncode}):\n{done.stderr.strip()}")
