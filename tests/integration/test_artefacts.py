"""Builds real Lambda artefacts from the lock and runs them alone, as Lambda would: nothing missing, none too much."""

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from infra.build.artefact import build_artefact, main
from infra.build.licences import load_facts
from infra.build.prune import prune_wheels, read_aws_services
from infra.build.sbom import content_digest, describe
from infra.build.template import ROOT, environment_of, functions_of, handler_of, load_template
from infra.build.wheels import LAMBDA_PLATFORM, LAMBDA_PYTHON, BuildError, Target, find_uv, install_wheels

X86_64 = Target(LAMBDA_PYTHON, "x86_64-manylinux2014")
ARM64 = Target(LAMBDA_PYTHON, LAMBDA_PLATFORM)
ELF_MACHINES = {62: "x86_64", 183: "aarch64"}  # e_machine of the ELF specification
MAX_ZIPPED_BYTES = 15_000_000
FUNCTIONS = sorted(functions_of(load_template()))
SERVICES = ("auditor", "evaluator", "remediator", "remediator.reconciling", "remediator.watching", "scorer")

# -I and -S: neither this project's environment nor the interpreter's own packages can stand in for a missing wheel.
IMPORT_ALONE = """
import sys
sys.path.insert(0, sys.argv[1])
import importlib
module = importlib.import_module(sys.argv[2])
assert callable(getattr(module, sys.argv[3]))
import boto3
from shared.aws.clients import AWS_SERVICES
for service in AWS_SERVICES:
    boto3.client(service, region_name="us-east-1")
outside = [m.__file__ for m in sys.modules.values()
           if "site-packages" in (getattr(m, "__file__", None) or "")]
assert not outside, outside
"""


def function_of(service: str) -> str:
    """A function of a service, or of a room of it: all of one share one artefact but for the handler's name."""
    template = load_template()
    return next(name for name in FUNCTIONS if handler_of(template, name)[0] == f"services.{service}.handler")


def built(tmp_path_factory: pytest.TempPathFactory, function: str, target: Target) -> Path:
    output = tmp_path_factory.mktemp(function)
    build_artefact(function, output, target)
    return output


@pytest.fixture(scope="module")
def arm64(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory, "RemediateFunction", ARM64)


@pytest.fixture(scope="session")
def python313() -> str:
    """The interpreter of the Lambda runtime, from PATH or among pyenv's."""
    on_path = [shutil.which(f"python{LAMBDA_PYTHON}")]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    candidates = [*filter(None, on_path), *map(str, sorted(pyenv.glob(f"{LAMBDA_PYTHON}*/bin/python{LAMBDA_PYTHON}")))]
    for candidate in candidates:
        if subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
            return candidate
    pytest.skip(f"no python{LAMBDA_PYTHON}, the Lambda runtime, on this machine")


def lambda_environment(function: str) -> dict[str, str]:
    """What Lambda sets, and what the template sets, with a harmless text for what only a deployment knows."""
    numbers = {name: parameter["Default"] for name, parameter in load_template()["Parameters"].items()}

    def plain(value: Any) -> str:
        name = value.get("Ref", "") if isinstance(value, dict) else ""
        return str(numbers.get(name, "111122223333" if name == "AWS::AccountId" else "x"))

    values = environment_of(load_template(), function)
    return {
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_REGION": "us-east-1",
        "LAMBDA_TASK_ROOT": "/var/task",
        **{name: plain(value) if isinstance(value, dict) else str(value) for name, value in values.items()},
    }


@pytest.mark.parametrize("service", SERVICES)
def test_given_the_lambda_runtime_when_a_handler_is_imported_then_its_artefact_holds_all_it_needs(
    service: str, python313: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    function = function_of(service)
    artefact = built(tmp_path_factory, function, X86_64)
    module, handler = handler_of(load_template(), function)
    done = subprocess.run(
        [python313, "-I", "-S", "-B", "-W", "error", "-c", IMPORT_ALONE, str(artefact), module, handler],
        capture_output=True,
        text=True,
        env=lambda_environment(function),
        cwd=artefact,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_given_arm64_when_wheels_are_installed_then_every_binary_is_for_it_and_for_the_runtime(arm64: Path) -> None:
    binaries = sorted(arm64.rglob("*.so"))
    assert binaries, "pydantic-core is one"
    for binary in binaries:
        header = binary.read_bytes()[:20]
        assert header[:4] == b"\x7fELF"
        (machine,) = struct.unpack_from("<H", header, 18)
        assert ELF_MACHINES[machine] == "aarch64", binary.name
        assert "cpython-313-aarch64-linux-gnu" in binary.name or ".abi3." in binary.name


def test_given_an_artefact_when_it_is_listed_then_nothing_unneeded_is_in_it(arm64: Path) -> None:
    names = [path.relative_to(arm64) for path in arm64.rglob("*") if path.is_file()]
    assert sorted(path.name for path in (arm64 / "services").iterdir()) == ["remediator"]
    assert not {"cli", "infra", "tests", "docs", "benchmarks", "bin"} & {name.parts[0] for name in names}
    assert not [name for name in names if {"tests", "test", "__pycache__"} & set(name.parts)]
    assert not [name for name in names if name.suffix in {".pyi", ".pyc", ".md"} and "licenses" not in name.parts]
    assert not list((arm64 / "shared").rglob("data/*.py"))
    for package in ("boto3", "botocore"):
        models = {path.name for path in (arm64 / package / "data").iterdir() if path.is_dir()}
        assert models <= read_aws_services(ROOT)
    assert {path.name for path in (arm64 / "botocore" / "data").iterdir() if path.is_dir()} == read_aws_services(ROOT)
    assert {"endpoints.json", "partitions.json", "_retry.json", "sdk-default-configuration.json"} <= {
        path.name for path in (arm64 / "botocore" / "data").iterdir()
    }
    assert not list(arm64.glob("typer*")), "the command's packages are not the functions'"


def test_given_our_sources_when_they_are_copied_then_none_is_lost_or_changed(arm64: Path) -> None:
    for package in (Path("shared"), Path("services", "remediator")):
        for source in (ROOT / package).rglob("*"):
            script = source.parent.name == "data" and source.suffix == ".py"
            left_out = script or source.name == "service-reference.json.gz"  # what is compiled from it is there
            if source.is_file() and source.suffix not in {".md", ".pyc"} and not left_out:
                assert (arm64 / source.relative_to(ROOT)).read_bytes() == source.read_bytes()


def zip_of(folder: Path, target: Path) -> bytes:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return target.read_bytes()


def test_given_the_same_tree_when_it_is_built_again_then_the_zip_is_the_same_and_small(
    arm64: Path, tmp_path: Path
) -> None:
    build_artefact("RemediateFunction", tmp_path / "again", ARM64)
    first, again = (zip_of(folder, tmp_path / f"{n}.zip") for n, folder in enumerate((arm64, tmp_path / "again")))
    assert hashlib.sha256(first).digest() == hashlib.sha256(again).digest()
    assert len(first) < MAX_ZIPPED_BYTES


def test_given_a_host_build_when_it_runs_here_then_it_suits_this_interpreter(tmp_path: Path) -> None:
    output = tmp_path / "host"
    assert main(["--function", "AuditFunction", "--output", str(output), "--host"]) == 0
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-B",
            "-c",
            "import sys; sys.path.insert(0, sys.argv[1]); import shared.events",
            output,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("function", FUNCTIONS)
def test_given_make_when_sam_asks_for_a_function_then_a_target_builds_it(function: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", f"build-{function}"],  # noqa: S607 make is on PATH
        cwd=ROOT,
        env=os.environ | {"ARTIFACTS_DIR": "/nowhere", "LEASTWISE_BUILD_TARGET": "arm64"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"--function {function} " in done.stdout
    assert LAMBDA_PLATFORM in done.stdout


def test_given_an_artefact_when_it_is_described_then_the_bill_lists_every_pin_and_lies_beside_it(arm64: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    before = content_digest(arm64)
    text = describe("RemediateFunction", arm64, load_facts(), project)
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = sorted(line.split()[0] for line in lines if "==" in line and not line.startswith((" ", "#")))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert sorted(f"{one['name']}=={one['version']}" for one in json.loads(text)["components"]) == pinned
    assert content_digest(arm64) == before
    assert not list(arm64.rglob("*.cdx.json"))


# ---- what must not build


def test_given_an_unknown_function_when_it_is_built_then_the_command_fails_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--function", "NoSuchFunction", "--output", str(tmp_path)]) == 1
    assert "NoSuchFunction" in capsys.readouterr().err


def test_given_a_hash_that_does_not_match_when_wheels_are_installed_then_nothing_is_built(tmp_path: Path) -> None:
    pins = tmp_path / "requirements.txt"
    pins.write_text(f"six==1.17.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    with pytest.raises(BuildError, match=r"(?i)hash"):
        install_wheels(pins, tmp_path / "out", ARM64, ROOT)


def test_given_a_pin_without_hash_when_wheels_are_installed_then_nothing_is_built(tmp_path: Path) -> None:
    pins = tmp_path / "requirements.txt"
    pins.write_text("six==1.17.0\n", encoding="utf-8")
    with pytest.raises(BuildError, match=r"(?i)hash"):
        install_wheels(pins, tmp_path / "out", ARM64, ROOT)


def test_given_no_requirements_when_wheels_are_installed_then_the_error_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="make build"):
        install_wheels(tmp_path / "requirements.txt", tmp_path / "out", ARM64, ROOT)


def test_given_an_output_that_holds_something_when_it_is_built_then_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep", encoding="utf-8")
    with pytest.raises(BuildError, match="not empty"):
        build_artefact("UsageFunction", tmp_path, ARM64)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_given_no_uv_when_it_is_looked_for_then_the_error_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(BuildError, match="make setup"):
        find_uv(tmp_path)


@pytest.mark.parametrize("source", ["", "AWS_SERVICES = list_services()", "AWS_SERVICES = ['iam']", "AWS_SERVICES = ("])
def test_given_clients_without_a_literal_list_when_services_are_read_then_the_build_stops(
    source: str, tmp_path: Path
) -> None:
    (tmp_path / "shared" / "aws").mkdir(parents=True)
    (tmp_path / "shared" / "aws" / "clients.py").write_text(source, encoding="utf-8")
    with pytest.raises(BuildError, match="AWS_SERVICES"):
        read_aws_services(tmp_path)


def test_given_a_service_that_botocore_does_not_know_when_models_are_pruned_then_the_build_stops(
    tmp_path: Path,
) -> None:
    (tmp_path / "botocore" / "data" / "iam").mkdir(parents=True)
    with pytest.raises(BuildError, match="imaginary"):
        prune_wheels(tmp_path, frozenset({"iam", "imaginary"}))


def test_given_the_lock_when_requirements_are_exported_then_every_pin_is_locked_and_the_command_is_not_in_it() -> None:
    pins = [line.split()[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    for pin in pins:
        name, version = pin.split("==")
        assert f"name = {json.dumps(name)}\nversion = {json.dumps(version)}" in lock
    assert not {"typer", "rich", "jinja2", "moto", "pytest"} & {pin.split("==")[0] for pin in pins}
