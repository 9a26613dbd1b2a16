"""The inputs of a run, the same for every contender, and how much of them a run takes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.contenders import compare, evaluate, expand
from benchmarks.managed import Document
from benchmarks.pairs import Pair, pairs
from benchmarks.request_mix import POLICIES, requests


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a run does. A slow contender takes part in one round, with the first requests or each n-th pair."""

    rounds: int
    passes: int
    budget_s: float
    documents_step: int
    requests: int
    pairs_step: int
    slow_requests: int
    slow_pairs_step: int
    starts: int


FULL = Extent(5, 10, 3.0, 1, 2000, 1, 100, 40, 11)
QUICK = Extent(1, 2, 0.5, 50, 200, 20, 10, 200, 2)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is measured: documents to expand, batches of requests, pairs of policies."""

    extent: Extent
    documents: Mapping[str, Document]
    batches: Sequence[Sequence[Mapping[str, Any]]]
    pairs: Sequence[Pair]

    def pairs_for(self, contender: str) -> Sequence[Pair]:
        """All pairs, or for a slow contender the named ones and some others."""
        if contender not in compare.SLOW:
            return self.pairs
        others = [pair for pair in self.pairs if pair.kind != "named"]
        return [*(pair for pair in self.pairs if pair.kind == "named"), *others[:: self.extent.slow_pairs_step]]

    def for_turn(self, task: str, contender: str) -> dict[str, Any]:
        """What a worker gets, JSON-able."""
        bounds = {"passes": self.extent.passes, "budget_s": self.extent.budget_s}
        if task == "expand":
            return {**bounds, "documents": self.documents}
        if task == "evaluate":
            count = self.extent.slow_requests if contender in evaluate.SLOW else self.extent.requests
            return {**bounds, "policies": POLICIES, "batches": [batch[:count] for batch in self.batches]}
        return {**bounds, "pairs": [asdict(pair) for pair in self.pairs_for(contender)]}


def make_inputs(managed: Mapping[str, Document], extent: Extent) -> Inputs:
    """Inputs from the AWS managed policies (name → document); the same in every run."""
    every = pairs(managed)
    special = [pair for pair in every if pair.kind == "named"]
    others = [pair for pair in every if pair.kind != "named"]
    return Inputs(
        extent=extent,
        documents={name: managed[name] for name in sorted(managed)[:: extent.documents_step]},
        batches=[requests(extent.requests, batch) for batch in range(extent.passes + 1)],
        pairs=[*special, *others[:: extent.pairs_step]],
    )


CONTENDERS: Mapping[str, Sequence[str]] = {
    "expand": tuple(expand.EXPANDERS),
    "evaluate": tuple(evaluate.DECIDERS),
    "compare": tuple(compare.COMPARERS),
}
SLOW: Mapping[str, frozenset[str]] = {"expand": expand.SLOW, "evaluate": evaluate.SLOW, "compare": compare.SLOW}
