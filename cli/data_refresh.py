"""Rebuild service-reference.json.gz and operations.json.gz from what AWS publishes, checked against what is at hand."""

import gzip
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.aws.service_reference import ServiceReferenceSite
from shared.errors import DependencyError, InputError
from shared.iam import service_reference
from shared.iam.authorized import compile_operations, facts_of
from shared.iam.operations import OperationMap

REFERENCE, OPERATIONS = "service-reference.json.gz", "operations.json.gz"
DESCRIPTIONS = ("SERVICE_REFERENCE_SOURCE.md", "SOURCE.md")
MAY_SHRINK = 0.05  # of what there was: AWS retires operations one by one
TOLD = 5


def refresh_data(site: ServiceReferenceSite, output: Path, *, shipped: Path, force: bool) -> dict[str, Any]:
    """Read, compile, check and replace both files; the answer tells what changed.

    The new reference is compared with the one in `output`, or with the shipped one where there is none. Raises
    DependencyError where AWS can't be read or publishes much less than before, and InputError for files at hand that
    can't be read or written. Nothing is changed then.
    """
    _check_writable(output)
    old = _read_json(output / REFERENCE if (output / REFERENCE).exists() else shipped / REFERENCE)
    old_operations = OperationMap(compile_operations(old, {}))
    published = site.read()
    documents = [document for document in published.documents if document.actions or document.operations]
    new = service_reference.compact(documents, _day(published.modified))
    compiled = compile_operations(new, service_reference.templates_of(documents))
    objections = list(_objections(old, new, old_operations, OperationMap(compiled)))
    if objections and not force:
        raise DependencyError("; ".join(["the new service reference is refused (--force takes it)", *objections]))
    contents = {REFERENCE: _packed(new), OPERATIONS: _packed(compiled)}
    facts = {**_facts_of(new, contents[REFERENCE]), **facts_of(compiled)}
    for path in (output / name for name in DESCRIPTIONS):
        if path.exists():
            contents[path.name] = service_reference.restated(path.read_text(encoding="utf-8"), facts).encode()
    changes = service_reference.changes(old, new)
    return {
        "source": new["source"],
        "counts": service_reference.counts(new),
        "changes": {kind: {"added": [*one.added], "removed": [*one.removed]} for kind, one in changes.items()},
        "objections": objections,
        "written": [str(path) for path in _replace(output, contents)],
    }


def _check_writable(output: Path) -> None:
    """Find out before the work whether its result could be written."""
    if not output.is_dir() or not os.access(output, os.W_OK):
        raise InputError(f"{output} is not a directory that can be written to")


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content: Mapping[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
        service_reference.counts(content)
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} cannot be read: {type(error).__name__}") from None
    return content


def _day(modified: float | None) -> str:
    """The day of the latest change, as AWS dates it; today where AWS does not."""
    try:
        return (datetime.now(UTC) if modified is None else datetime.fromtimestamp(modified, UTC)).date().isoformat()
    except (OverflowError, ValueError, OSError):
        raise DependencyError("the list of services is dated out of range") from None


def _objections(
    old: Mapping[str, Any], new: Mapping[str, Any], old_operations: OperationMap, new_operations: OperationMap
) -> Iterator[str]:
    """Why the new reference is hardly the whole one: services gone, or too few of anything left."""
    if gone := sorted(name for name, had in old["services"].items() if had["actions"] and not _actions(new, name)):
        yield f"{len(gone)} services lost all their actions: {', '.join(gone[:TOLD])}{' …' if gone[TOLD:] else ''}"
    after = service_reference.counts(new)
    for kind, count in service_reference.counts(old).items():
        if after[kind] < count * (1 - MAY_SHRINK):
            yield f"{after[kind]:,} {kind} where there were {count:,}"
    mapped = _mapped(old_operations)
    lost = mapped - _mapped(new_operations)
    if len(lost) > len(mapped) * MAY_SHRINK:
        yield f"{len(lost):,} of {len(mapped):,} operations are no longer mapped to actions"


def _mapped(operations: OperationMap) -> set[str]:
    """Operations for which the map names actions."""
    return {f"{prefix}:{name}" for prefix in operations.services() for name in operations.operations_of(prefix)}


def _actions(reference: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = reference["services"].get(name, {}).get("actions", {})
    return found


def _facts_of(reference: Mapping[str, Any], raw: bytes) -> dict[str, str]:
    """What the description of the reference says of it, by label."""
    counted = ", ".join(f"{count:,} {kind}" for kind, count in service_reference.counts(reference).items())
    published = str(reference["source"]).rsplit(" ", 1)[-1]
    return {"published": published, "sha256": hashlib.sha256(raw).hexdigest(), "content": counted}


def _packed(content: Mapping[str, Any]) -> bytes:
    return gzip.compress(json.dumps(content, separators=(",", ":")).encode(), mtime=0)


def _replace(output: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Write everything beside its place, then move it there: no reader ever sees half a file."""
    with _written_beside(output, contents) as written:
        for beside, path in written.items():
            beside.replace(path)
        return list(written.values())


@contextmanager
def _written_beside(output: Path, contents: Mapping[str, bytes]) -> Iterator[dict[Path, Path]]:
    """New files by the place that they are for; what was not moved is removed."""
    places = {output / f".{name}.{os.getpid()}": output / name for name in contents}
    try:
        for (beside, path), content in zip(places.items(), contents.values(), strict=True):
            beside.write_bytes(content)
            if path.exists():
                beside.chmod(path.stat().st_mode & 0o777)
        yield places
    except OSError as error:
        raise InputError(f"{output} cannot be written to: {error.strerror or error}") from None
    finally:
        for beside in places:
            beside.unlink(missing_ok=True)
