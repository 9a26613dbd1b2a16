"""The Makefile's own errors: what is missing, and what to install."""

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout as it is before anything was set up."""
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    (tmp_path / "infra" / "build").mkdir(parents=True)
    shutil.copy(REPOSITORY / "infra" / "build" / "functions.mk", tmp_path / "infra" / "build")
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(REPOSITORY / name, tmp_path)
    return tmp_path


def run_make(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60, check=False)


def test_a_missing_python_is_named_with_what_to_install(checkout: Path) -> None:
    ran = run_make(checkout, "setup", "PYTHON=python-that-is-not-there")

    assert ran.returncode != 0
    assert "python-that-is-not-there is missing: install Python 3.11 or later" in ran.stderr


def test_an_old_python_is_refused_with_the_version_that_is_needed(checkout: Path, tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\ncase $1 in -V) echo Python 3.9.2 ;; *) exit 1 ;; esac\n", encoding="utf-8")
    old.chmod(0o755)

    ran = run_make(checkout, "setup", f"PYTHON={old}")

    assert ran.returncode != 0
    assert "is Python 3.9.2: Python 3.11 or later is needed" in ran.stderr


def test_a_python_that_cannot_make_environments_says_which_package_it_lacks(checkout: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare-python"
    bare.write_text('#!/bin/sh\ncase "$1 $2" in "-m venv") exit 1 ;; *) exit 0 ;; esac\n', encoding="utf-8")
    bare.chmod(0o755)

    ran = run_make(checkout, "setup", f"PYTHON={bare}")

    assert ran.returncode != 0
    assert "install its venv package (python3-venv)" in ran.stderr
    assert not (checkout / ".uv").exists()


def test_help_lists_every_target_that_people_use() -> None:
    ran = run_make(REPOSITORY)

    assert ran.returncode == 0
    for target in ("setup", "demo", "test", "lint", "check", "build", "audit", "clean"):
        assert f"make {target} " in ran.stdout
