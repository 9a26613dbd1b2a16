"""One contender's turn at reading a folder of trail logs, in a process of its own.

    python -m benchmarks.usage.worker CONTENDER FOLDER

Prints `{"seconds", "ready", "records", "counted"}`: seconds from the first file to the answer, and before that those of
imports and data. What a contender needs is imported by its own function, so that each runs in its own environment.
"""

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

Job: TypeAlias = Callable[[list[Path]], tuple[int, Mapping[str, int]]]
"""Reads files; returns how many records they held, and what its answer counts."""


def leastwise() -> Job:
    """Files to the ledger's entries: which identity used which action on which resources, when."""
    from cli.garbage import rare_garbage  # noqa: PLC0415 the peers' environments lack it
    from services.scorer.trail.reader import read_batches  # noqa: PLC0415 the peers' environments lack it
    from services.scorer.usage.tally import Tally  # noqa: PLC0415
    from shared.reference import load_operations  # noqa: PLC0415

    operations = load_operations()

    def run(files: list[Path]) -> tuple[int, Mapping[str, int]]:
        with rare_garbage():
            tally = Tally(operations, feed="files")
            for file in files:
                with file.open("rb") as stream:
                    for batch in read_batches(stream, file.name):
                        tally.add(batch.records)
            folded = tally.folded()
        entries = sum(len(usage.entries) for usage in folded.usages.values())
        return folded.records, {"identities": len(folded.usages), "ledger entries": entries}

    return run


def sharing(jobs: int) -> Job:
    """What the command does between its start and its output: the same, event ids compared, in so many processes."""
    from cli.reading_trails.files import find_trails  # noqa: PLC0415 as above
    from cli.reading_trails.reading import Window  # noqa: PLC0415
    from cli.reading_trails.shares import read_all  # noqa: PLC0415
    from shared.reference import load_operations  # noqa: PLC0415

    operations = load_operations()

    def run(files: list[Path]) -> tuple[int, Mapping[str, int]]:
        totals = read_all(find_trails(map(str, files)).files, jobs, operations, Window(None, None))
        return totals.records, {"identities": len(totals.folded.usages), "duplicates": totals.duplicates}

    return run


def reading() -> Job:
    """Our reader alone: files to checked records."""
    from services.scorer.trail.reader import read_batches  # noqa: PLC0415 as above

    def run(files: list[Path]) -> tuple[int, Mapping[str, int]]:
        records = 0
        for file in files:
            with file.open("rb") as stream:
                records += sum(len(batch.records) for batch in read_batches(stream, file.name))
        return records, {}

    return run


def floor() -> Job:
    """The floor: isal and msgspec on whole files, one typed decode each, nothing checked, nothing kept."""
    import msgspec  # noqa: PLC0415 as above
    from isal import igzip  # noqa: PLC0415

    from services.scorer.trail.record import Record  # noqa: PLC0415

    class Log(msgspec.Struct, gc=False):
        Records: list[Record]

    decode = msgspec.json.Decoder(Log).decode
    decompress: Callable[[bytes], bytes] = igzip.decompress

    def run(files: list[Path]) -> tuple[int, Mapping[str, int]]:
        return sum(len(decode(decompress(file.read_bytes())).Records) for file in files), {}

    return run


def standard_library() -> Job:
    """What reading costs without any library: gzip and json on whole files."""
    import gzip  # noqa: PLC0415 as above

    def run(files: list[Path]) -> tuple[int, Mapping[str, int]]:
        return sum(len(json.loads(gzip.decompress(file.read_bytes()))["Records"]) for file in files), {}

    return run


def trailscraper() -> Job:
    """Files to one policy for everybody, as its commands `select` and `generate` do, without the text between them."""
    from trailscraper.cloudtrail import LogFile, filter_records  # noqa: PLC0415 as above
    from trailscraper.policy_generator import generate_policy  # noqa: PLC0415

    first, last = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

    def run(files: list[Path]) -> tuple[int, Mapping[str, int]]:
        records = [record for file in files for record in LogFile(str(file)).records()]
        policy = generate_policy(filter_records(records, None, first, last))
        return len(records), {"statements": len(policy.Statement)}

    return run


CONTENDERS: Mapping[str, Callable[[], Job]] = {
    "leastwise": leastwise,
    "leastwise, 1 process": partial(sharing, 1),
    "leastwise, 2 processes": partial(sharing, 2),
    "leastwise, reading alone": reading,
    "isal + msgspec, decoding alone": floor,
    "gzip + json, decoding alone": standard_library,
    "trailscraper": trailscraper,
}


def turn(contender: str, folder: Path) -> dict[str, Any]:
    """Get ready, run once, and say how long each took."""
    began = time.perf_counter()
    job = CONTENDERS[contender]()
    started = time.perf_counter()
    records, counted = job(sorted(folder.rglob("*.json.gz")))
    ended = time.perf_counter()
    return {"ready": started - began, "seconds": ended - started, "records": records, "counted": dict(counted)}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    sys.stdout.write(json.dumps(turn(sys.argv[1], Path(sys.argv[2]))) + "\n")
