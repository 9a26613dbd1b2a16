"""Who says whether a policy grants more than another: our engine; no peer has such a function.

iamprover has all that one needs for it, an encoding of a policy's meaning for the solver z3, so its encoding is asked
the same question. That is our use of it, not a command that it offers.
"""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.managed import Document

Comparer = Callable[[Document, Document], str]
SOLVER_LIMIT_MS = 2000


def leastwise() -> Comparer:
    """Our engine, from parsed JSON to the verdict."""
    from shared.iam.compare import compare  # noqa: PLC0415 what a contender imports is part of its time
    from shared.knowledge import load_catalogue  # noqa: PLC0415

    catalogue = load_catalogue()
    return lambda old, new: compare([old], [new], catalogue).verdict.value


def iamprover() -> Comparer:
    """Is there a request that iamprover's encoding of `new` allows and that of `old` doesn't? Bounded per pair."""
    import z3  # noqa: PLC0415
    from iamprover.engine.context import Context  # noqa: PLC0415
    from iamprover.engine.encoder import allowed  # noqa: PLC0415
    from iamprover.model import Principal  # noqa: PLC0415
    from iamprover.parsers.iam import parse_policy_document  # noqa: PLC0415

    verdicts = {"unsat": "no_new_access", "sat": "new_access", "unknown": "not_proven"}

    def compare(old: Document, new: Document) -> str:
        solver, context = z3.Solver(), Context()
        solver.set("timeout", SOLVER_LIMIT_MS)
        action, resource = z3.String("action"), z3.String("resource")

        def permits(document: Document) -> Any:
            holder = Principal("arn:aws:iam::111122223333:user/one", [parse_policy_document("policy", document)])
            return allowed(holder, action, resource, context)

        solver.add(permits(new), z3.Not(permits(old)))
        return verdicts[str(solver.check())]

    return compare


COMPARERS: Mapping[str, Callable[[], Comparer]] = {"leastwise": leastwise, "iamprover": iamprover}
SLOW = frozenset({"iamprover"})  # asked a part of the pairs
