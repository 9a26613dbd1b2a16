"""Claims and whether they held: what the demonstration prints, and what its exit code rests on."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

POLL_SECONDS = 0.25


class Check(NamedTuple):
    """One claim, whether it held, and the figure or reason behind that."""

    claim: str
    held: bool
    detail: str = ""


@dataclass(slots=True)
class Checks:
    """Collects checks and prints each as it is made."""

    console: Console
    made: list[Check] = field(default_factory=list)

    def hold(self, claim: str, held: object, detail: object = "") -> bool:
        """Note whether a claim held."""
        check = Check(claim, bool(held), str(detail))
        self.made.append(check)
        mark = ("  ✔ ", "green") if check.held else ("  ✘ ", "bold red")
        text = claim + (f": {detail}" if check.detail else "")
        self.console.print(Text.assemble(mark, text), soft_wrap=True)
        return check.held

    def hold_soon(self, claim: str, condition: Callable[[], object], *, seconds: float) -> bool:
        """Note that a claim holds as soon as it does, or that it did not within `seconds`."""
        start = time.monotonic()
        while not condition():
            if time.monotonic() - start > seconds:
                return self.hold(claim, held=False, detail=f"not within {seconds:.0f} s")
            time.sleep(POLL_SECONDS)
        return self.hold(claim, held=True)

    @property
    def all_held(self) -> bool:
        """Whether every claim held, and there was one."""
        return bool(self.made) and all(check.held for check in self.made)
