"""The benchmarks of scores measure on the same accounts in every run, and their page renders. Nothing here is timed."""

import pytest

from benchmarks.managed import Document
from benchmarks.scores.accounts import ADMINISTRATOR, ORDINARY, USUAL, Account, inventory, used_actions
from benchmarks.scores.cold_start import ColdStart, owners
from benchmarks.scores.inputs import NOW
from benchmarks.scores.page import BY_INVENTORY, BY_PATTERN, OURS, PEER, Results, render
from benchmarks.scores.runs import Record, Turn
from shared.iam.authorization import identity_details

DOCUMENTS: dict[str, Document] = {
    name: {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    for name in (*USUAL, *(f"Policy{number}" for number in range(200)))
}
REPORT = """import time: self [us] | cumulative | imported package
import time:      1000 |       1000 |     botocore.compat
import time:      2000 |       3000 |   botocore
import time:       500 |        500 |   _json
import time:       250 |        750 |   json
import time:      4000 |       7750 | services.scorer.handler
import time:      1000 |       1000 | shared.events
"""


def account(identities: int) -> Account:
    return Account(identities, DOCUMENTS)


def test_given_two_runs_when_an_account_is_made_then_it_is_the_same() -> None:
    assert account(50).authorization_details() == account(50).authorization_details()
    assert inventory(500) == inventory(500)
    assert used_actions(["A", "B"]) == used_actions(["A", "B"])


@pytest.mark.parametrize("identities", [25, 200])
def test_given_a_number_of_identities_when_an_account_is_made_then_all_of_them_can_be_read(identities: int) -> None:
    details = account(identities).authorization_details()
    read = list(identity_details(details, read_at=NOW))

    assert len({detail.ref.identity_id for detail in read}) == identities
    assert [detail.ref.name for detail in read[-2:]] == [ADMINISTRATOR, ORDINARY]
    assert len(details["Policies"]) == 100
    assert all(detail.policies for detail in read)


def test_given_an_inventory_when_it_is_made_then_it_is_distinct_and_sorted() -> None:
    arns = inventory(2_000)

    assert len(set(arns)) == 2_000
    assert arns == sorted(arns)


def test_given_a_report_of_imports_when_it_is_summed_up_then_each_module_counts_for_its_owner() -> None:
    assert dict(owners(REPORT)) == {"botocore": 3.0, "Python's library": 0.75, "leastwise": 5.0}


def test_given_a_run_when_it_is_reported_then_every_aim_has_its_answer() -> None:
    text = render(results())

    assert "| 1,000 identities in ≤ 2 s, one core | 1.50 s | yes |" in text
    assert "| linear: an identity of 2,000 costs at most 1.25 × one of 250 | 2.00 × | **no** |" in text
    assert "| score an administrator again: ≤ 5 ms, median | 4.00 ms | yes |" in text
    assert "| 100,000 resources × 500 identities in ≤ 5 s | 6.00 s | **no** |" in text
    assert "| import `services.scorer.handler` in ≤ 500 ms | 600 ms | **no** |" in text
    assert "botocore 90, leastwise 40" in text
    assert "{" not in text


def test_given_a_contender_that_did_not_run_when_it_is_reported_then_the_report_says_why() -> None:
    failing = results()
    failing.whole[PEER].turns.clear()
    failing.whole[PEER].problem = "ImportError: nothing there"

    assert failing.problems() == ["ImportError: nothing there"]
    assert f"| {PEER} | did not run: ImportError: nothing there |" in render(failing)


def results() -> Results:
    return Results(
        identities=1_000,
        reach_identities=500,
        resources=100_000,
        rounds=2,
        whole={OURS: record(1.5, 1_000), PEER: record(3.0, 1_000)},
        growth={250: record(0.5, 250), 2_000: record(8.0, 2_000)},
        single={"an administrator": Record([turn(1.0, 1, laps=[0.003, 0.004, 0.006])] * 2)},
        reach={BY_PATTERN: record(1.0, 500), BY_INVENTORY: record(6.0, 500)},
        imports=[
            ColdStart("services.scorer.handler", [0.6, 0.6], [0.5, 0.5], [("botocore", 90.0), ("leastwise", 40.0)])
        ],
    )


def record(seconds: float, identities: int) -> Record:
    return Record([turn(seconds, identities), turn(seconds, identities)])


def turn(seconds: float, identities: int, laps: list[float] | None = None) -> Turn:
    counted = {"identities": identities, "PCI": 99.9}
    return Turn(0.1, seconds, seconds, 50.0, counted, laps or [], {"decoding": seconds})
