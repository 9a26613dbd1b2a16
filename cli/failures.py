"""How the command ends when something fails: one line on standard error with a hint, and an exit code."""

import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import typer

from cli.answers import printable
from shared.errors import CallerError, DependencyError, InputError, LeastwiseError

FINDING, UNUSABLE, FAILED = 1, 2, 3
INTERRUPTED = 130  # as a shell says it of a command that Ctrl-C ended
ROOT = Path(__file__).parents[1]


@dataclass
class Frame:
    """What the options before a command's name say to all commands alike."""

    debug: bool = False


def tell(error: BaseException, frame: Frame) -> int:
    """Say what went wrong, with the traceback where that is asked for, and return the exit code."""
    if frame.debug:
        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        _say("interrupted")
        return INTERRUPTED
    if isinstance(error, typer.TyperException):
        return _tell_usage(error)
    if isinstance(error, LeastwiseError):
        _say(str(error))
        return code_of(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        _say(f"{error.filename}: {error.strerror}")
        return UNUSABLE
    _say(
        f"unexpected {type(error).__name__} at {_place(error)}: this is a fault of leastwise; "
        "`leastwise --debug …` shows the traceback"
    )
    return FAILED


def code_of(error: LeastwiseError) -> int:
    """Exit code of an expected error: 2 for what the user has to change, 3 for what failed, 1 for a broken promise."""
    if isinstance(error, InputError | CallerError):
        return UNUSABLE
    return FAILED if isinstance(error, DependencyError) else FINDING


def _tell_usage(error: typer.TyperException) -> int:
    """A usage error in a line; a group that was called without a command has shown its help by then."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return error.exit_code
    message = error.format_message()
    hint = f" (`{context.command_path} --help` tells more)" if context else ""
    _say(f"{message[:1].lower()}{message[1:].rstrip('.')}{hint}")
    return error.exit_code


def _place(error: BaseException) -> str:
    """File and line of our own code where an error came up; never a value, which may be secret."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(ROOT) and ".venv" not in frame.filename]
    if not own:
        return "an unknown place"
    return f"{Path(own[-1].filename).relative_to(ROOT)}:{own[-1].lineno}"


def _say(text: str) -> None:
    lines = [printable(line) for line in text.splitlines()]
    sys.stderr.write("leastwise: " + "\n".join(lines) + "\n")
