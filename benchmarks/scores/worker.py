"""One piece of work, timed in a process of its own.

    python -m benchmarks.scores.worker TASK FOLDER

FOLDER holds what `benchmarks.scores.inputs` wrote. Prints `{"ready", "seconds", "processor", "peak_mib", "counted",
"laps", "parts"}`: seconds of imports and data, of the work, processor's seconds of it, peak memory, what the answer
counts, seconds of each repetition and of each part where the work has these. What a task needs is imported by its own
function, so that each runs in its own environment.
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.scores.accounts import ADMINISTRATOR, ORDINARY
from benchmarks.scores.inputs import DETAILS, INVENTORY, NOW, USAGE, WINDOW_DAYS

REPETITIONS = 300


@dataclass(slots=True)
class Done:
    """What a piece of work has to tell."""

    counted: Mapping[str, float] = field(default_factory=dict)
    laps: Sequence[float] = ()
    parts: Mapping[str, float] = field(default_factory=dict)


Job: TypeAlias = Callable[[], Done]


class _Watch:
    """Seconds of each part of one piece of work."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self._since = time.perf_counter()

    def part(self, name: str) -> None:
        """End a part."""
        now = time.perf_counter()
        self.parts[name] = now - self._since
        self._since = now


def score_all(folder: Path, *, with_inventory: bool = False) -> Job:
    """The file's bytes to a score of every identity and of the account, as `leastwise score` does it."""
    from shared.iam.authorization import identity_details  # noqa: PLC0415 the peer's environment lacks it
    from shared.iam.grants import effective_grants  # noqa: PLC0415
    from shared.knowledge import load_catalogue, load_risk  # noqa: PLC0415
    from shared.model.inventory import Inventory  # noqa: PLC0415
    from shared.pci.applicable import applicable_of  # noqa: PLC0415
    from shared.pci.escalation.principals import principals_of  # noqa: PLC0415
    from shared.pci.score import ScoreParameters, Scoring, Surroundings, score_account  # noqa: PLC0415
    from shared.reference import load_operations  # noqa: PLC0415

    catalogue, risk, usages, parameters = load_catalogue(), load_risk(), _usages(folder), ScoreParameters()
    content = (folder / DETAILS).read_bytes()
    arns = tuple(json.loads((folder / INVENTORY).read_bytes())) if with_inventory else ()

    def run() -> Done:
        watch = _Watch()
        raw = json.loads(content)
        watch.part("decoding")
        details = list(identity_details(raw, read_at=NOW))
        watch.part("identities")
        account, groups = details[0].ref.account_id, {one["GroupName"]: one["Arn"] for one in raw["GroupDetailList"]}
        applicable = applicable_of(catalogue, load_operations())
        granted = ((detail, applicable.narrowed(effective_grants(detail, catalogue))) for detail in details)
        principals = principals_of(account, granted, groups, risk)
        watch.part("whom paths lead to")
        found = Inventory(account, arns, NOW) if with_inventory else None
        around = Surroundings(inventory=found, templates=load_operations(), principals=principals)
        scoring = Scoring(catalogue, risk, parameters, now=NOW, window_days=WINDOW_DAYS, surroundings=around)
        scores = [scoring.score(detail, usages[detail.ref.identity_id]) for detail in details]
        total = score_account(scores, account, 0, NOW)
        watch.part("scores")
        unused = sum(score.unused for score in scores)
        counted: dict[str, float] = {"identities": len(scores), "account PCI": total.pci, "unused permissions": unused}
        if with_inventory:
            counted["resources in an identity's reach, median"] = statistics.median(
                one.resources or 0 for one in scores
            )
        return Done(counted, parts=watch.parts)

    return run


def score_one(folder: Path, name: str, *, first: bool) -> Job:
    """One identity again and again, each time from what IAM answers: what a change of it costs a warm process.

    The first of a batch also pays for sorting out whom paths lead to in the account.
    """
    from shared.iam.authorization import identity_details  # noqa: PLC0415 as above
    from shared.iam.grants import effective_grants  # noqa: PLC0415
    from shared.knowledge import load_catalogue, load_risk  # noqa: PLC0415
    from shared.pci.applicable import applicable_of  # noqa: PLC0415
    from shared.pci.escalation.principals import principals_of  # noqa: PLC0415
    from shared.pci.score import ScoreParameters, Scoring, Surroundings  # noqa: PLC0415
    from shared.reference import load_operations  # noqa: PLC0415

    catalogue, risk, usages = load_catalogue(), load_risk(), _usages(folder)
    raw = json.loads((folder / DETAILS).read_bytes())
    everyone = list(identity_details(raw, read_at=NOW))
    groups = {one["GroupName"]: one["Arn"] for one in raw["GroupDetailList"]}
    operations = load_operations()
    applicable = applicable_of(catalogue, operations)
    granted = ((detail, applicable.narrowed(effective_grants(detail, catalogue))) for detail in everyone)
    principals = principals_of(everyone[0].ref.account_id, granted, groups, risk)
    around = Surroundings(templates=operations, principals=principals)
    alone = {**raw, "UserDetailList": [], "RoleDetailList": [r for r in raw["RoleDetailList"] if r["RoleName"] == name]}

    def begin() -> Scoring:
        parameters = ScoreParameters()
        return Scoring(catalogue, risk, parameters, now=NOW, window_days=WINDOW_DAYS, surroundings=around)

    def once(scoring: Scoring) -> float:
        (detail,) = identity_details(alone, read_at=NOW)
        return scoring.score(detail, usages[detail.ref.identity_id]).pci

    def run() -> Done:
        batch, laps = begin(), []
        pci = once(batch)
        for _ in range(REPETITIONS):
            started = time.perf_counter()
            once(begin() if first else batch)
            laps.append(time.perf_counter() - started)
        return Done({"PCI": pci}, laps=laps)

    return run


def cloudsplaining(folder: Path) -> Job:
    """The file's bytes to findings of every policy, with who holds it."""
    from cloudsplaining.scan.authorization_details import AuthorizationDetails  # noqa: PLC0415 as above

    content = (folder / DETAILS).read_bytes()

    def run() -> Done:
        watch = _Watch()
        raw = json.loads(content)
        watch.part("decoding")
        scan = AuthorizationDetails(raw)
        watch.part("reading policies")
        results = scan.results
        watch.part("findings")
        policies = ("aws_managed_policies", "customer_managed_policies", "inline_policies")
        identities = len(results["users"]) + len(results["roles"])
        return Done(
            {"identities": identities, "policies": sum(len(results[kind]) for kind in policies)}, parts=watch.parts
        )

    return run


def _usages(folder: Path) -> Mapping[str, Any]:
    """Each identity's ledger, as the usage feeds would have filled it over the window."""
    from shared.knowledge import load_catalogue  # noqa: PLC0415 as above
    from shared.model.usage import Coverage, Evidence, Span, Usage, UsageEntry  # noqa: PLC0415

    days = [(NOW - timedelta(days=ago)).date() for ago in range(WINDOW_DAYS)]
    coverage = Coverage.of(days, regions=["us-east-1"], feeds=["trail"], data_events=load_catalogue().services)
    span = Span(NOW - timedelta(days=30), NOW - timedelta(days=1))
    used = json.loads((folder / USAGE).read_bytes())
    return {
        identity: Usage(
            identity, {name.lower(): UsageEntry(name, {Evidence.OBSERVED: span}) for name in names}, coverage
        )
        for identity, names in used.items()
    }


TASKS: Mapping[str, Callable[[Path], Job]] = {
    "all": score_all,
    "inventory": lambda folder: score_all(folder, with_inventory=True),
    "ordinary": lambda folder: score_one(folder, ORDINARY, first=False),
    "ordinary-first": lambda folder: score_one(folder, ORDINARY, first=True),
    "administrator": lambda folder: score_one(folder, ADMINISTRATOR, first=False),
    "administrator-first": lambda folder: score_one(folder, ADMINISTRATOR, first=True),
    "cloudsplaining": cloudsplaining,
}


def main() -> None:
    """Take one turn and print it."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    began = time.perf_counter()
    job = TASKS[name](folder)
    started, processor = time.perf_counter(), time.process_time()
    done = job()
    answer = {
        "ready": started - began,
        "seconds": time.perf_counter() - started,
        "processor": time.process_time() - processor,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "counted": done.counted,
        "laps": done.laps,
        "parts": done.parts,
    }
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
