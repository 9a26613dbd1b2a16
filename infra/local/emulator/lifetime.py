"""The emulator lives as long as the process that started it, and takes everything it made with it."""

import os
import select
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

from ministack.core import lambda_runtime

_POLL_SECONDS = 0.5
PRIVATE_FOLDER_PREFIX = "leastwise-local-"


def end_with_parent() -> None:
    """Stop when the parent closes our standard input or dies, even by SIGKILL."""
    watcher = threading.Thread(target=_watch, args=(os.getppid(),), name="parent-watch", daemon=True)
    watcher.start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin.fileno()], [], [], _POLL_SECONDS)
        if readable and not os.read(sys.stdin.fileno(), 1024):
            break
    stop_everything()


def stop_everything() -> None:
    """End the Lambda workers, remove the temporary folder and end this process with whatever it still has started.

    Without workers nothing writes to the folder any more. The parent made a process group for us; SIGKILL to all of it
    leaves no child behind.
    """
    lambda_runtime.reset()
    folder = Path(tempfile.gettempdir())
    if folder.name.startswith(PRIVATE_FOLDER_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)
