"""Records as AWS's documentation prints or describes them become the usage that the same pages tell of.

The cases are data, each with its page. `exactly` are resources that must be named, `at_most` ones that may be left open
but never be others, and `any` must be left open: the page shows that the request doesn't name all of them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from services.scorer.trail.reader import record_of
from services.scorer.usage.fold import fold
from services.scorer.usage.folded import Folded
from shared.model.resources import Resources
from shared.model.usage import Evidence, IdentityKey, UsageEntry
from shared.reference import load_operations

CASES = json.loads((Path(__file__).parents[1] / "data" / "cloudtrail" / "documented" / "cases.json").read_text())


def cases(*, counted: bool) -> list[Any]:
    """Cases that count for an identity, or those that count for nobody; what is still open has to fail."""
    chosen = [case for case in CASES if ("identity" in case["expect"]) is counted]
    return [
        pytest.param(
            case["record"],
            case["expect"],
            id=case["id"],
            marks=[pytest.mark.xfail(strict=True, reason=f"{case['open']}: {case['page']}")] if "open" in case else [],
        )
        for case in chosen
    ]


@pytest.mark.parametrize(("record", "expected"), cases(counted=True))
def test_documented_record_is_the_use_that_its_page_tells(record: dict[str, Any], expected: dict[str, Any]) -> None:
    result = fold([record_of(record)], load_operations(), feed="test")

    assert list(result.usages) == [IdentityKey(*expected["identity"])]
    assert [kind.value for kind in result.callers] == [expected["caller"]]
    entries = entries_of(result)
    for evidence in (Evidence.OBSERVED, Evidence.INFERRED):
        told: Mapping[str, Mapping[str, Any]] = expected.get(evidence.value, {})
        assert with_evidence(entries, evidence) == set(told)
        for action, resources in told.items():
            assert agrees(entries[action.lower()].resources, resources), action
    assert set(expected.get("denied", ())) <= with_evidence(entries, Evidence.DENIED)
    assert bool(expected.get("denied")) == bool(with_evidence(entries, Evidence.DENIED))
    assert set(expected.get("possible", ())) <= with_evidence(entries, Evidence.POSSIBLE)


@pytest.mark.parametrize(("record", "expected"), cases(counted=False))
def test_documented_record_of_nobody_to_score_is_skipped(record: dict[str, Any], expected: dict[str, Any]) -> None:
    result = fold([record_of(record)], load_operations(), feed="test")

    assert not result.usages
    assert [reason.value for reason in result.skipped] == [expected["skipped"]]


def entries_of(result: Folded) -> Mapping[str, UsageEntry]:
    (usage,) = result.usages.values()
    return usage.entries


def with_evidence(entries: Mapping[str, UsageEntry], evidence: Evidence) -> set[str]:
    return {entry.action for entry in entries.values() if evidence in entry.spans}


def agrees(resources: Resources, told: Mapping[str, Any]) -> bool:
    """Whether resources are those that a page tells; a page that tells none agrees with all."""
    if "exactly" in told:
        return resources.exact() == frozenset(told["exactly"])
    if "at_most" in told:
        return resources.is_any or resources.exact() == frozenset(told["at_most"])
    return resources.is_any or "any" not in told
