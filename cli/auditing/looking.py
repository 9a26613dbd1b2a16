"""How far a long look came, on standard error where that is a terminal."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OFTEN = 200  # counts between two updates


@contextmanager
def counted_aloud(what: str) -> Iterator[Callable[[int, str], None]]:
    """Gives a function that is told how many of what were read since, and shows the sums."""
    if not sys.stderr.isatty():
        yield lambda _number, _of: None
        return
    from rich.console import Console  # noqa: PLC0415 only a terminal needs it

    counts: Counter[str] = Counter()
    with Console(file=sys.stderr).status(what) as status:

        def step(number: int, of: str) -> None:
            counts[of] += number
            if counts[of] % OFTEN == 0 or counts[of] == 1:
                status.update(f"{what} " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))

        yield step
