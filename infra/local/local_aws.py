"""Start and stop the local AWS: an emulator in a process, an environment and a folder of its own."""

import atexit
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_INTERPRETER = REPOSITORY / ".venv-local" / "bin" / "python"
SAM_FOLDER = REPOSITORY / ".venv-sam" / "bin"
INTERPRETER_VARIABLE = "LEASTWISE_LOCAL_PYTHON"
ACCOUNT_ID = "111122223333"
REGION = "us-east-1"
ROOT_KEY = "test"  # the emulator takes this key for the account's root user

START_SECONDS = 60.0
STOP_SECONDS = 10.0
START_ATTEMPTS = 5
_LOG_TAIL_CHARACTERS = 3000
_PORT_TAKEN = "already in use"
_ALLOWED_CALLS = "allowed_calls.jsonl"  # as infra/local/emulator/allowed_calls.py names it
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class LocalAwsError(Exception):
    """The local AWS could not be started or used; the message says why and what to do."""


class LocalAws:
    """A running local AWS. Use it as a context manager, or call `stop`; it also ends when this process does."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", reservation: socket.socket, folder: Path, log_file: Path
    ) -> None:
        self.endpoint_url = f"http://127.0.0.1:{reservation.getsockname()[1]}"
        self.region = REGION
        self.account_id = ACCOUNT_ID
        self.process_id = process.pid
        self.folder = folder
        self.log_file = log_file
        self._process = process
        self._reservation = reservation
        self._clients: dict[tuple[str, str, str | None], Any] = {}
        atexit.register(self.stop)

    @classmethod
    def start(
        cls,
        *,
        managed_policies: Path | None = None,
        log_file: Path | None = None,
        interpreter: Path | None = None,
        enforce_permissions: bool = False,
    ) -> Self:
        """Start the emulator on a free port of 127.0.0.1 and wait until it answers.

        `managed_policies` is a file of AWS managed policies (see infra/local/emulator/managed_policies.py). With
        `enforce_permissions` every call is checked against the caller's policies, a function's against its role's.
        Raises LocalAwsError with the end of the emulator's log when it doesn't come up within a minute.
        """
        python = interpreter or Path(os.environ.get(INTERPRETER_VARIABLE, DEFAULT_INTERPRETER))
        if not python.is_file():
            raise LocalAwsError(f"The local AWS has no interpreter at {python}: run `make setup`.")
        for _ in range(START_ATTEMPTS):
            local = cls._launch(python, managed_policies, log_file, enforce_permissions=enforce_permissions)
            try:
                if local.wait_until_healthy():
                    return local
            except BaseException:
                local.stop()
                raise
            local.stop()
        raise LocalAwsError(f"No free port was left for the local AWS after {START_ATTEMPTS} attempts.")

    @classmethod
    def _launch(
        cls, python: Path, managed_policies: Path | None, log_file: Path | None, *, enforce_permissions: bool
    ) -> Self:
        folder = Path(tempfile.mkdtemp(prefix="leastwise-local-"))
        log = log_file or folder / "emulator.log"
        reservation = _reserve_port()
        port = reservation.getsockname()[1]
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 the interpreter is the project's own
                [str(python), "-m", "infra.local.emulator"],
                cwd=REPOSITORY,
                env=_emulator_environment(port, folder, managed_policies, enforce_permissions=enforce_permissions),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(process, reservation, folder, log)

    def environment(self) -> dict[str, str]:
        """The whole environment for child processes that call this AWS: none of the caller's AWS settings is left."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return kept | {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def allowed_calls(self) -> list[dict[str, Any]]:
        """Every distinct call that a role was allowed so far: its role's name, action, resource and condition keys.

        Only with `enforce_permissions`: who isn't asked is allowed nothing.
        """
        file = self.folder / _ALLOWED_CALLS
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [json.loads(line) for line in lines]

    def client(
        self,
        service: str,
        *,
        access_key: str = ROOT_KEY,
        secret_key: str = ROOT_KEY,
        session_token: str | None = None,
    ) -> Any:
        """A boto3 client of this AWS as the account's root user, or as whoever else's credentials are given."""
        key = (service, access_key, session_token)
        if key not in self._clients:
            session: Any = boto3.Session(access_key, secret_key, session_token, self.region)
            # No retries: what fails here fails for a reason, and its reason should be seen at once.
            config = Config(proxies={}, retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=300)
            self._clients[key] = session.client(service, endpoint_url=self.endpoint_url, config=config)
        return self._clients[key]

    def log_tail(self) -> str:
        """The end of the emulator's log."""
        if not self.log_file.is_file():
            return ""
        return self.log_file.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL_CHARACTERS:]

    def stop(self) -> None:
        """End the emulator with all its processes and remove its files. Calling it again does nothing."""
        atexit.unregister(self.stop)
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._reservation.close()
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            _kill_group(self._process.pid)
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def wait_until_healthy(self) -> bool:
        """Wait for the first answer; False when the port was taken by another process in the meantime."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                if _PORT_TAKEN in self.log_tail().lower():
                    return False
                raise LocalAwsError(f"The local AWS ended with status {self._process.returncode}:\n{self.log_tail()}")
            if self._answers():
                self._reservation.close()
                return True
            time.sleep(0.05)
        raise LocalAwsError(f"The local AWS did not answer within {START_SECONDS:.0f} s:\n{self.log_tail()}")

    def _answers(self) -> bool:
        try:
            with _DIRECT.open(f"{self.endpoint_url}/_ministack/health", timeout=2) as answer:
                return bool(answer.status == HTTPStatus.OK)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


def _reserve_port() -> socket.socket:
    """A free port, held by a socket that is bound but doesn't listen: no other search for a free port finds it.

    The emulator may bind it all the same, because both sockets allow the address to be reused.
    """
    reservation = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reservation.bind(("127.0.0.1", 0))
    return reservation


def _emulator_environment(
    port: int, folder: Path, managed_policies: Path | None, *, enforce_permissions: bool
) -> dict[str, str]:
    """Everything the emulator gets to see: nothing of the caller's settings or credentials reaches a function."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "MINISTACK_REGION": REGION,
        "S3_DATA_DIR": str(folder / "s3"),
        "STATE_DIR": str(folder / "state"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "AUTH": "true" if enforce_permissions else "false",
        "LEASTWISE_LOCAL_SAM_PYTHON": _transform_interpreter(),
    }
    if managed_policies:
        environment["LEASTWISE_LOCAL_MANAGED_POLICIES"] = str(managed_policies.resolve())
    return environment


def _transform_interpreter() -> str:
    """An interpreter with aws-sam-translator: our own, where cfn-lint has brought it, else the one that runs sam."""
    if importlib.util.find_spec("samtranslator"):
        return sys.executable
    return str(SAM_FOLDER / "python")


def _kill_group(process_id: int) -> None:
    try:
        os.killpg(process_id, signal.SIGKILL)
    except ProcessLookupError:
        return
