"""Build the real template with `sam build` and deploy it with `sam deploy` to the local AWS."""

import shutil
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from infra.local.local_aws import SAM_FOLDER, LocalAws, LocalAwsError

Progress = Callable[[str], None]

BUILD_SECONDS = 300.0
DEPLOY_SECONDS = 300.0
_TAIL_LINES = 60


class DeployError(LocalAwsError):
    """sam failed; the message ends with the end of its output, and of the emulator's log where it deployed."""


def deploy(
    local: LocalAws,
    *,
    template: Path,
    parameters: Mapping[str, str],
    stack_name: str = "leastwise",
    progress: Progress = lambda _line: None,
    sam: Path | None = None,
) -> dict[str, str]:
    """Build and deploy a template and return the stack's outputs by their keys.

    `progress` gets each line that sam prints. `sam` is by default the one of .venv-sam, or beside our interpreter.
    Functions are built for this machine (LEASTWISE_BUILD_TARGET=host), because here it runs them. Raises DeployError.
    """
    binary = sam or _find_sam()
    build_folder = Path(tempfile.mkdtemp(prefix="leastwise-build-"))
    try:
        build = ["build", "--template-file", str(template), "--build-dir", str(build_folder)]
        environment = _sam_environment(local)
        _run([str(binary), *build], template.parent, environment, BUILD_SECONDS, progress)
        bucket = f"{stack_name}-artifacts-{local.account_id}"
        local.client("s3").create_bucket(Bucket=bucket)
        command = [str(binary), *_deploy_arguments(build_folder, stack_name, bucket, parameters)]
        try:
            _run(command, build_folder, environment, DEPLOY_SECONDS, progress)
        except DeployError as error:
            raise DeployError(f"{error}\nThe local AWS said:\n{local.log_tail()}") from None
    finally:
        shutil.rmtree(build_folder, ignore_errors=True)
    _check_parameters(local, stack_name, parameters)
    return stack_outputs(local, stack_name)


def stack_outputs(local: LocalAws, stack_name: str = "leastwise") -> dict[str, str]:
    """The outputs of a deployed stack by their keys."""
    (stack,) = local.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def delete(local: LocalAws, stack_name: str = "leastwise") -> None:
    """Delete a stack and wait until it is gone."""
    client = local.client("cloudformation")
    client.delete_stack(StackName=stack_name)
    client.get_waiter("stack_delete_complete").wait(StackName=stack_name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def _find_sam() -> Path:
    for folder in (SAM_FOLDER, Path(sys.executable).parent):
        if (folder / "sam").is_file():
            return folder / "sam"
    raise DeployError(f"There is no sam in {SAM_FOLDER}: run `make setup`.")


def _check_parameters(local: LocalAws, stack_name: str, parameters: Mapping[str, str]) -> None:
    """Raise DeployError for a parameter that the template doesn't have: sam leaves it out without a word."""
    (stack,) = local.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    unknown = set(parameters) - {parameter["ParameterKey"] for parameter in stack.get("Parameters", [])}
    if unknown:
        raise DeployError(f"The template has no parameters {sorted(unknown)}.")


def _deploy_arguments(build_folder: Path, stack_name: str, bucket: str, parameters: Mapping[str, str]) -> list[str]:
    arguments = ["deploy", "--template-file", str(build_folder / "template.yaml"), "--stack-name", stack_name]
    arguments += ["--s3-bucket", bucket, "--region", "us-east-1", "--capabilities", "CAPABILITY_IAM"]
    arguments += ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND", "--no-confirm-changeset", "--no-progressbar"]
    arguments += ["--no-fail-on-empty-changeset"]
    if parameters:
        arguments += ["--parameter-overrides", *(f"{name}={_quoted(value)}" for name, value in parameters.items())]
    return arguments


def _quoted(value: str) -> str:
    """A parameter's value as sam's own parser of NAME=VALUE takes it, whatever it holds."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _sam_environment(local: LocalAws) -> dict[str, str]:
    return local.environment() | {
        "LEASTWISE_BUILD_TARGET": "host",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.5",
        "NO_COLOR": "1",
        # sam keeps a configuration of its own in the home directory.
        "__SAM_CLI_APP_DIR": str(local.folder / "sam"),
    }


def _run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout_seconds: float, progress: Progress
) -> None:
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    with subprocess.Popen(  # noqa: S603 the command is sam, from the project's own environment
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        timer = threading.Timer(timeout_seconds, process.kill)
        timer.start()
        try:
            assert process.stdout is not None  # noqa: S101 for the type checker: it is a pipe
            for line in process.stdout:
                if line.strip():
                    tail.append(line.rstrip())
                    progress(line.rstrip())
            status = process.wait()
        finally:
            timer.cancel()
            process.kill()
    if status != 0:
        raise DeployError(f"`sam {command[1]}` failed with status {status}:\n" + "\n".join(tail))
