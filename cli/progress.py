"""A bar on standard error for work that takes long, where there is a terminal to show it."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def progress(items: Sequence[T], what: str, *, many: int) -> Iterable[T]:
    """The same items, with a bar that says `what` is done to them where there are at least `many`."""
    return items if len(items) < many or not sys.stderr.isatty() else _shown(items, what)


def _shown(items: Sequence[T], what: str) -> Iterator[T]:
    from rich.console import Console  # noqa: PLC0415 only a terminal needs it
    from rich.progress import track  # noqa: PLC0415

    yield from track(items, what, console=Console(file=sys.stderr), transient=True)
