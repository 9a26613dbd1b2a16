"""What a run ran on: machine, Python and the versions of everything that was measured."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PEERS = ("policy_sentry", "policyuniverse", "parliament", "cloudsplaining", "moto", "iamprover", "z3-solver")
CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine, as the report names it; `versions` are those of the peers, by package."""

    processor: str
    cores: int
    system: str
    python: str
    versions: Mapping[str, str]


def this_machine(packages: Sequence[str] = PEERS) -> Machine:
    """The machine that this runs on, with the installed versions of `packages`."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions={name: importlib.metadata.version(name) for name in packages},
    )


def _processor() -> str:
    lines = CPU_INFO.read_text(encoding="utf-8").splitlines() if CPU_INFO.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or "unknown processor")


def pinned(name: str, requirements: Path) -> str:
    """A contender as it is pinned, name and version: it is not installed where reports are written."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    return next(line.replace("==", " ") for line in lines if line.startswith(name))
