"""One contender's turn at making every holder's policy, in a process of its own.

    python -m benchmarks.right_sizing.worker CONTENDER INPUTS

Prints what `benchmarks.scores.runs.Turn` holds; `parts` are processor's seconds of each holder by number, kind and what
came of it (`Lap`). INPUTS is a file of kinds and used actions, for the peer, whose environment lacks ours.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

Job: TypeAlias = tuple[str, Callable[[], str]]
"""The kind of a holder, and what makes its policy and says what came of it."""
PLANNED = "plan"

FIRST, AGAIN, PEER = "leastwise", "leastwise, again", "policy_sentry"


class Lap(NamedTuple):
    """One holder's turn: its place, its kind, and what came of it."""

    number: int
    kind: str
    outcome: str

    @property
    def key(self) -> str:
        """As a name."""
        return f"{self.number}|{self.kind}|{self.outcome}"

    @classmethod
    def of(cls, key: str) -> "Lap":
        """From a name."""
        number, kind, outcome = key.split("|")
        return cls(int(number), kind, outcome)


def leastwise(_: Path) -> Sequence[Job]:
    """Derive and prove each plan, from what IAM and the ledger answer, with last accessed information."""
    from benchmarks.right_sizing.holders import holders  # noqa: PLC0415 the peer's environment lacks it
    from benchmarks.right_sizing.ways import Case, knowledge, last_accessed, options  # noqa: PLC0415
    from services.remediator.deriving.derive import derive_plan  # noqa: PLC0415
    from services.remediator.deriving.inputs import Evidence  # noqa: PLC0415
    from shared.model.plan import Reason  # noqa: PLC0415

    def run(case: Case, evidence: Evidence) -> str:
        plan = derive_plan(case.detail, evidence, knowledge(), options(), now=case.now)
        return plan.code.value if isinstance(plan, Reason) else PLANNED

    return [
        (kind, partial(run, case, Evidence(case.usage, last_accessed=last_accessed(case)))) for kind, case in holders()
    ]


def policy_sentry(inputs: Path) -> Sequence[Job]:
    """A policy that allows the same used actions, as `policy_sentry write-policy` writes it."""
    from policy_sentry.command.write_policy import write_policy_with_template  # noqa: PLC0415 as above

    def run(actions: Sequence[str]) -> str:
        try:
            write_policy_with_template({"mode": "actions", "name": "policy", "actions": list(actions)})
        except IndexError:  # of an empty list
            return "nothing used"
        except KeyError:  # of a service that its data doesn't know
            return "unknown service"
        return PLANNED

    used: Sequence[tuple[str, Sequence[str]]] = json.loads(inputs.read_bytes())
    return [(kind, partial(run, actions)) for kind, actions in used]


CONTENDERS: Mapping[str, Callable[[Path], Sequence[Job]]] = {
    FIRST: leastwise,
    AGAIN: leastwise,
    PEER: policy_sentry,
}


def turn(contender: str, inputs: Path) -> dict[str, Any]:
    """Get ready, go through all holders once (twice for `again`, of which the second counts), and tell how long."""
    began = time.process_time()
    jobs = CONTENDERS[contender](inputs)
    ready = time.process_time() - began
    if contender == AGAIN:
        for _, job in jobs:
            job()
    parts: dict[str, float] = {}
    started = time.perf_counter()
    for number, (kind, job) in enumerate(jobs):
        before = time.process_time()
        outcome = job()
        parts[Lap(number, kind, outcome).key] = time.process_time() - before
    return {
        "ready": ready,
        "seconds": time.perf_counter() - started,
        "processor": sum(parts.values()),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "counted": {},
        "laps": [],
        "parts": parts,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(turn(sys.argv[1], Path(sys.argv[2]))) + "\n")
