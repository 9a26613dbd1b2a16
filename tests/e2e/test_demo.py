"""`leastwise demo`, as a user runs it."""

import os
import signal
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
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")  # the name of a vocabulary, not an address


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demonstration_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [str(Path(sys.executable).with_name("leastwise")), "demo", "--report", str(tmp_path / "report.html")]
    # A shell's background job ignores SIGINT, and its children with it: here they get the default again.
    with subprocess.Popen(
        command,
        env=os.environ | {"TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 nothing else runs
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "building and deploying" in line:
                break
        process.send_signal(number)
        assert process.wait(timeout=60) != 0

    assert list(scratch.iterdir()) == []
