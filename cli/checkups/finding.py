"""What a check of `leastwise doctor` comes to: a level, what was found, and how to fix it."""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from shared.errors import CallerError, LeastwiseError

Facts = TypeVar("Facts")
LONGEST = 500  # characters of a reason


class Level(StrEnum):
    """How bad it is, the worst first."""

    FAIL = "fail"
    UNKNOWN = "unknown"
    WARN = "warn"
    OK = "ok"


class Finding(NamedTuple):
    """One check's outcome. `advice` says in words how to fix it, `commands` are lines for a shell."""

    check: "Check"
    level: Level
    found: str
    advice: str = ""
    commands: tuple[str, ...] = ()

    def fields(self) -> Mapping[str, Any]:
        """The finding as JSON has it."""
        return {
            "id": self.check.id,
            "subject": self.check.id.partition(".")[0],
            "title": self.check.title,
            "level": self.level.value,
            "found": self.found,
            "why": self.check.why,
            "advice": self.advice,
            "commands": list(self.commands),
            "see": self.check.see,
        }


class Check(NamedTuple):
    """One question about the setup: `<subject>.<name>`, why it matters, and a section of the documentation.

    Where an essential one can't be asked, nothing can be said of the whole.
    """

    id: str
    title: str
    why: str
    see: str
    is_essential: bool = False

    def ok(self, found: str) -> Finding:
        """It is as it should be."""
        return Finding(self, Level.OK, found)

    def warn(self, found: str, advice: str, *commands: str) -> Finding:
        """It works, but less well than it could."""
        return Finding(self, Level.WARN, found, advice, commands)

    def fail(self, found: str, advice: str, *commands: str) -> Finding:
        """It does not work."""
        return Finding(self, Level.FAIL, found, advice, commands)

    def unknown(self, reason: str, advice: str = "") -> Finding:
        """It could not be asked: that is not "fine"."""
        return Finding(self, Level.UNKNOWN, reason[:LONGEST], advice or "Ask with credentials that may read this.")


class Where(NamedTuple):
    """The place that commands name, so that they can be copied: a region, and an AWS profile if one was named."""

    partition: str
    account_id: str
    region: str
    profile: str | None = None

    def aws(self, *words: str) -> str:
        """A command of the AWS CLI as a line for a shell."""
        profile = ("--profile", self.profile) if self.profile else ()
        return shlex.join(("aws", *words, "--region", self.region, *profile))

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"


def examine(
    checks: Sequence[Check], read: Callable[[], Facts], judge: Callable[[Facts], Iterable[Finding]]
) -> list[Finding]:
    """Read facts and judge them; where they can't be read, each of the checks is unknown, with the reason.

    Raises CallerError: without credentials there is no answer to anything.
    """
    try:
        facts = read()
    except CallerError:
        raise
    except LeastwiseError as error:
        return [check.unknown(f"could not ask: {error}") for check in checks]
    return list(judge(facts))


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """In the order in which they are worth reading; equal ones stay as they are."""
    order = list(Level)
    return sorted(findings, key=lambda finding: order.index(finding.level))
