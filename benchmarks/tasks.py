"""The tasks that contenders are timed on: what one pass does, and what is counted of its answers.

A task yields laps: the pieces of work that are timed one by one (all documents; all requests; each pair).
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from benchmarks.contenders.compare import COMPARERS
from benchmarks.contenders.evaluate import DECIDERS
from benchmarks.contenders.expand import EXPANDERS

_T = TypeVar("_T")
Inputs = Mapping[str, Any]
Pass = Callable[[int], tuple[list[float], Any]]
"""Does pass number n (from 0) and gives the seconds of each lap, and the answers."""
Count = Callable[[Any], dict[str, Any]]
"""Counts of a pass's answers, JSON-able; not timed."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A contender ready to run, and the seconds that its imports, its load and its compiling of policies took."""

    seconds: float
    one_pass: Pass
    count: Count


Task = Callable[[str, Inputs], Ready]


def expand(contender: str, inputs: Inputs) -> Ready:
    """One lap: every document, expanded to actions."""
    seconds, expander = _timed(EXPANDERS[contender])
    documents = [expander.prepare(document) for document in inputs["documents"].values()]

    def one_pass(_number: int) -> tuple[list[float], list[Any]]:
        started = time.perf_counter()
        answers = [_attempt(expander.expand, document) for document in documents]
        return [time.perf_counter() - started], answers

    def count(answers: Sequence[Any]) -> dict[str, Any]:
        done = [answer for answer in answers if not isinstance(answer, _Failure)]
        actions = sum(len({name.lower() for name in expander.names(answer)}) for answer in done)
        return {"documents": len(answers), "actions": actions, "failures": _failures(answers)}

    return Ready(seconds, one_pass, count)


def evaluate(contender: str, inputs: Inputs) -> Ready:
    """One lap: every request of a batch; each pass asks a batch that was never asked before."""
    seconds, decider = _timed(DECIDERS[contender], inputs["policies"])
    batches = [[decider.prepare(raw) for raw in batch] for batch in inputs["batches"]]

    def one_pass(number: int) -> tuple[list[float], list[Any]]:
        batch, decide = batches[number % len(batches)], decider.decide
        started = time.perf_counter()
        answers = [_attempt(decide, request) for request in batch]
        return [time.perf_counter() - started], answers

    def count(answers: Sequence[Any]) -> dict[str, Any]:
        done = [None if isinstance(answer, _Failure) else decider.allowed(answer) for answer in answers]
        return {"requests": len(answers), "allowed": done, "failures": _failures(answers)}

    return Ready(seconds, one_pass, count)


def compare(contender: str, inputs: Inputs) -> Ready:
    """A lap a pair of policies."""
    seconds, comparer = _timed(COMPARERS[contender])
    pairs = [(pair["old"], pair["new"]) for pair in inputs["pairs"]]

    def one_pass(_number: int) -> tuple[list[float], list[Any]]:
        laps, answers = [], []
        for old, new in pairs:
            started = time.perf_counter()
            answer = _attempt(comparer, old, new)
            laps.append(time.perf_counter() - started)
            answers.append(answer)
        return laps, answers

    def count(answers: Sequence[Any]) -> dict[str, Any]:
        verdicts = [None if isinstance(answer, _Failure) else answer for answer in answers]
        return {"pairs": len(answers), "verdicts": verdicts, "failures": _failures(answers)}

    return Ready(seconds, one_pass, count)


TASKS: Mapping[str, Task] = {"expand": expand, "evaluate": evaluate, "compare": compare}


class _Failure(str):
    """What a contender answered where it raised: the error's name."""

    __slots__ = ()


def _timed(make: Callable[..., _T], *arguments: Any) -> tuple[float, _T]:
    started = time.perf_counter()
    made = make(*arguments)
    return time.perf_counter() - started, made


def _attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001 whatever a peer does with an input it can't read is counted
        return _Failure(type(error).__name__)


def _failures(answers: Iterable[Any]) -> dict[str, int]:
    return dict(Counter(str(answer) for answer in answers if isinstance(answer, _Failure)))
