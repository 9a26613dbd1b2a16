"""The benchmark of right-sizing: what it counts as a use, what it counts as refused, and that its pages render."""

import json
from datetime import timedelta
from typing import Any

import pytest

from benchmarks.pairs import allow, policy
from benchmarks.right_sizing import quality, speed
from benchmarks.right_sizing.activity import Use, activities
from benchmarks.right_sizing.holders import BROAD, EXAMPLE_KIND, OF_EACH, holders
from benchmarks.right_sizing.holdout import GRANTS, Outcome, allowed, splits
from benchmarks.right_sizing.ways import OURS, PEER, SERVICES, WAYS, last_accessed, whole_services
from benchmarks.right_sizing.worker import AGAIN, FIRST, Lap
from benchmarks.right_sizing.worker import PEER as SPEED_PEER
from benchmarks.scores.runs import Record, Turn
from shared.iam.grants import effective_grants
from shared.knowledge import load_catalogue
from tests.unit.iam_oracle import identity

BUCKET = "arn:aws:s3:::b"


@pytest.mark.parametrize(
    ("action", "arns", "passes"),
    [
        ("s3:getobject", [f"{BUCKET}/x"], True),
        ("s3:getobject", [f"{BUCKET}/x", "arn:aws:s3:::c/x"], False),
        ("s3:getobject", [], True),
        ("s3:putobject", [f"{BUCKET}/x"], False),
        ("s3:putobject", [], False),
    ],
)
def test_a_use_passes_where_every_resource_that_it_names_is_reached(
    action: str, arns: list[str], *, passes: bool
) -> None:
    grants = effective_grants(identity(policy(allow("s3:GetObject", f"{BUCKET}/*"))), load_catalogue())
    assert allowed(grants, Use(action, frozenset(arns))) is passes


def test_the_real_records_give_the_same_identities_and_uses_in_every_run() -> None:
    found = activities(least_uses=10)
    assert [(one.source, one.uses) for one in found[:4]] == [
        ("invictus", 2538),
        ("invictus", 103),
        ("stratus-red-team", 56),
        ("stratus-red-team", 43),
    ]
    for one in found:
        times = [event.record.event_time for event in one.events]
        assert times == sorted(times)


def test_what_is_known_at_a_split_is_nothing_of_the_rest() -> None:
    busy = activities(least_uses=100)[-1]
    (split,) = splits([busy], 0.5, GRANTS[0])
    case = split.case()
    assert len(split.earlier) + len(split.later) == busy.uses
    assert all(span.last <= case.now for entry in case.usage.entries.values() for span in entry.spans.values())
    assert {use.action for use in split.earlier} <= case.usage.entries.keys()
    assert not ({use.action for use in split.later} - {use.action for use in split.earlier}) & {
        key for key, entry in case.usage.entries.items() if entry.used_since(case.now - timedelta(days=90))
    }


def test_made_up_last_accessed_information_lists_what_is_granted_and_times_what_was_tried() -> None:
    (split,) = splits(activities(least_uses=100)[-1:], 0.5, "AdministratorAccess")
    case = split.case()
    report = last_accessed(case)
    tried = {action.split(":")[0] for action in case.usage.entries}
    assert {service for service, access in report.services.items() if access.at} == tried
    assert len(report.services) > 300


def test_removing_whole_services_keeps_the_others_whole() -> None:
    (split,) = splits(activities(least_uses=100)[-1:], 0.5, "AdministratorAccess")
    case = split.case()
    document: Any = whole_services(case)
    kept = effective_grants(identity(document), load_catalogue()).by_action
    tried = {action.split(":")[0] for action in case.usage.entries}
    granted = effective_grants(case.detail, load_catalogue()).by_action
    assert set(kept) == {action for action in granted if action.split(":")[0] in tried}


def test_the_page_of_quality_renders() -> None:
    outcome = Outcome(100, 25, 10, 3, 50, 0, 1000, 100, 90.0, 10.0)
    alone = outcome._replace(later_refused=0, granted_after=1000, reason="too_large")
    found = activities(least_uses=100)
    by_way = {way: [outcome, alone] for way in (*WAYS, PEER)}
    results = quality.Results(
        found, (0.67, 0.5), {(0.67, grants): by_way for grants in GRANTS} | {(0.5, GRANTS[0]): by_way}
    )
    page = quality.render(results)
    row = "| 12.5% (25 of 200) | 30.0% (6 of 20) | 0.0% (0 of 100) | 45.0% | 90 → 10 | 1 of 2 | 1 too_large |"
    for grants in GRANTS:
        for way in (OURS, SERVICES, PEER):
            assert f"| {grants} | {way} {row}" in page
    assert "{" not in page


def test_the_page_of_speed_renders_and_says_what_was_not_met() -> None:
    parts = {Lap(number, EXAMPLE_KIND, "plan").key: 0.001 * number for number in range(200)}
    turn = Turn(ready=1.0, seconds=1.0, processor=1.0, peak_mib=100, counted={}, laps=(), parts=parts)
    records = {name: Record([turn]) for name in (FIRST, AGAIN)} | {SPEED_PEER: Record(problem="no module")}
    page = speed.render(records, rounds=1)
    assert "| derive and prove a plan, over those that get a plan: median ≤ 20 ms | 99.0 ms | **no** |" in page
    assert f"| {EXAMPLE_KIND} | 200 | 200 | 99.0 | 197.0 | 199.0 |" in page
    assert "did not run: no module" in page
    assert speed.problems(records) == ["no module"]


def test_the_holders_are_the_same_in_every_run_and_use_what_they_hold() -> None:
    found, again = list(holders()), list(holders())
    assert json.dumps([sorted(one.case.usage.entries) for one in found]) == json.dumps(
        [sorted(one.case.usage.entries) for one in again]
    )
    assert [one.kind for one in found[-OF_EACH:]] == [BROAD[-1]] * OF_EACH
    for one in found[-3 * OF_EACH :]:
        granted = effective_grants(one.case.detail, load_catalogue()).by_action
        assert one.case.usage.entries.keys() <= granted.keys()
