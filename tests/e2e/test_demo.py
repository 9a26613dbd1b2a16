"""`leastwise demo`, as a user runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e


def test_the_demonstration_holds_every_claim(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    command = [str(Path(sys.executable).with_name("leastwise")), "demo", "--report", str(report)]

    ran = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "✘" not in ran.stdout
    assert "checks held" in ran.stdout
    html = report.read_text(encoding="utf-8")
    assert "legacy-batch" in html
    assert "http://" not in html
