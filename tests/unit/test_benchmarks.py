"""The benchmarks' inputs are the same in every run, and their report renders. Nothing here is timed."""

from collections import Counter
from typing import Any

import pytest

from benchmarks.contenders.load import STARTS
from benchmarks.figures import figure, lap_medians, quantile, rate, ratio, steady_pass
from benchmarks.inputs import CONTENDERS, Extent, Inputs, make_inputs
from benchmarks.machine import Machine
from benchmarks.managed import Document, statements_of
from benchmarks.pairs import Pair, allow, deny, named, pairs, policy
from benchmarks.report import Results, render
from benchmarks.request_mix import IDENTITY, requests
from benchmarks.rounds import Record, StartRecord, Turn
from benchmarks.tables import OURS, settled

EXTENT = Extent(
    rounds=2,
    passes=1,
    budget_s=1.0,
    documents_step=1,
    requests=4,
    pairs_step=1,
    slow_requests=2,
    slow_pairs_step=2,
    starts=2,
)
MANAGED: dict[str, Document] = {
    "AWSConfigUserAccess": policy(allow(["config:Get*", "config:Describe*", "tag:GetResources"])),
    "AdministratorAccess": policy(allow("*")),
    "AmazonS3FullAccess": policy(allow(["s3:*", "s3-object-lambda:*"])),
    "AmazonS3ReadOnlyAccess": policy(allow(["s3:Get*", "s3:List*"])),
    "PowerUserAccess": policy({"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"}),
    "ReadOnlyAccess": policy(allow(["s3:GetObject", "s3:List*", "ec2:DescribeInstances"])),
    "ViewOnlyAccess": policy(allow("s3:List*"), deny("s3:ListBucket")),
}
MACHINE = Machine("a processor", 2, "Linux x86_64", "CPython 3.11.0", {"policy_sentry": "1.0", "moto": "2.0"})


def test_given_two_runs_when_inputs_are_made_then_they_are_the_same() -> None:
    assert make_inputs(MANAGED, EXTENT) == make_inputs(dict(reversed(MANAGED.items())), EXTENT)


def test_given_all_batches_when_requests_are_made_then_no_request_occurs_twice() -> None:
    batches = [requests(500, batch) for batch in range(4)]
    assert len({repr(request) for batch in batches for request in batch}) == 4 * 500
    assert len({(request["action"], request["context"]["aws:CurrentTime"]) for request in batches[0]}) == 500


def test_given_the_evaluated_policy_when_it_is_read_then_it_has_what_the_report_says() -> None:
    statements = statements_of(IDENTITY)
    assert len(statements) == 8
    assert Counter(statement["Effect"] for statement in statements) == {"Allow": 6, "Deny": 2}
    assert any("NotAction" in statement for statement in statements)
    assert any("Condition" in statement for statement in statements)
    assert "${aws:username}" in str(IDENTITY)


def test_given_managed_policies_when_pairs_are_made_then_each_differs_and_has_its_own_name() -> None:
    made = pairs(MANAGED)
    assert all(pair.old != pair.new for pair in made)
    assert max(Counter((pair.kind, pair.name) for pair in made).values()) == 1
    assert {pair.kind for pair in made} == {
        "named",
        "full to read-only",
        "read-only to full",
        "every second action",
        "condition added",
        "condition dropped",
        "deny added",
        "deny dropped",
        "resources narrowed",
        "resources widened",
    }
    assert {pair.expected for pair in made} == {"no_new_access", "new_access", None}


def test_given_the_named_pairs_when_they_are_made_then_there_are_nine_with_a_settled_answer() -> None:
    assert [pair.expected for pair in named(MANAGED)] == [
        "no_new_access",
        "no_new_access",
        "new_access",
        "new_access",
        "no_new_access",
        "new_access",
        "no_new_access",
        "new_access",
        "no_new_access",
    ]


def test_given_a_policy_with_a_deny_when_a_change_is_undone_then_the_answer_is_not_taken_for_settled() -> None:
    only = dict.fromkeys(MANAGED, MANAGED["ViewOnlyAccess"])
    undone = [pair for pair in pairs(only) if pair.kind in {"condition dropped", "deny dropped", "resources widened"}]
    assert undone
    assert {pair.expected for pair in undone} == {None}


def test_given_every_task_when_its_contenders_are_listed_then_we_are_the_first() -> None:
    assert {names[0] for names in CONTENDERS.values()} == {OURS}
    assert next(iter(STARTS)) == OURS


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [((3, 1, 2), 0.5, 2), ((3, 1, 2), 1, 3), (tuple(range(1, 101)), 0.95, 95), ((7,), 0.95, 7), ((4, 8), 0.5, 4)],
)
def test_given_values_when_a_quantile_is_taken_then_that_share_does_not_exceed_it(
    values: tuple[float, ...], share: float, expected: float
) -> None:
    assert quantile(values, share) == expected


def test_given_turns_when_they_are_summed_up_then_medians_are_of_turns_and_ratios_round_by_round() -> None:
    ours = Record([_turn([4.0], [[1.0], [3.0], [2.0]]), _turn([9.0], [[4.0]])])
    theirs = Record([_turn([8.0], [[6.0]]), _turn([10.0], [[4.0]])])
    assert steady_pass(ours) == figure([2.0, 4.0])
    assert ratio(theirs, ours) == 2.0  # between 6 / 2 and 4 / 4
    assert rate(100, figure([2.0, 4.0, 5.0])).median == 25.0
    assert lap_medians(Record([_turn([1.0, 5.0], []), _turn([3.0, 7.0], [])]), first=True) == [2.0, 6.0]
    assert ratio(Record([_turn([8.0], [])]), ours) == 2.0  # no steady pass: the first ones


def test_given_verdicts_when_they_are_held_to_the_settled_ones_then_undecided_is_not_wrong() -> None:
    chosen = [Pair(str(n), "made", {}, {}, expected) for n, expected in enumerate(["new_access"] * 4 + [None])]
    verdicts = ["new_access", "not_proven", "no_new_access", None, "no_new_access"]
    assert settled(verdicts, chosen) == (1, 2, 1)


def test_given_a_run_when_it_is_reported_then_every_contender_has_its_line_and_every_aim_its_answer() -> None:
    text = render(_results(), make_inputs(MANAGED, EXTENT), MACHINE)
    for task, names in CONTENDERS.items():
        for name in names:
            assert f"\n| {name} | " in text, (task, name)
    assert "a processor, 2 cores, Linux x86_64; CPython 3.11.0" in text
    assert "policy_sentry 1.0, moto 2.0" in text
    assert "had its core for 75% of the time" in text
    assert "| import ≤ 60 ms | 40.0 ms | yes |" in text
    assert "| load the catalogue in ≤ 25 ms | 50.0 ms | **no** |" in text
    assert "NotAction not accounted for (in 1 policies); Deny not accounted for (in 1 policies)" in text
    assert "{" not in text.replace("${", "")


def test_given_a_contender_that_did_not_start_when_it_is_reported_then_the_report_says_why() -> None:
    results = _results()
    for name in (OURS, "moto"):
        results.tasks["evaluate"][name].problem = f"ImportError: no {name}"
    text = render(results, make_inputs(MANAGED, EXTENT), MACHINE)
    assert f"{OURS} did not start: `ImportError: no {OURS}`" in text
    assert "moto did not start: `ImportError: no moto`" in text


def _turn(first: list[float], steady: list[list[float]], **counted: Any) -> Turn:
    return Turn(0.75, 0.1, first, steady, counted)


def _results() -> Results:
    """Two rounds in which everybody took as long as everybody else."""
    inputs = make_inputs(MANAGED, EXTENT)
    return Results(
        tasks={task: {name: _record(task, name, inputs) for name in names} for task, names in CONTENDERS.items()},
        starts={name: StartRecord([(0.04, 0.05)] * 2, (3e7, 2e7, 2.5e7)) for name in STARTS},
    )


def _record(task: str, name: str, inputs: Inputs) -> Record:
    given = inputs.for_turn(task, name)
    failures: dict[str, int] = {}
    if task == "expand":
        turn = _turn([0.2], [[0.1]], documents=len(given["documents"]), actions=7, failures=failures)
    elif task == "evaluate":
        count = len(given["batches"][0])
        turn = _turn([0.2], [[0.1]], requests=count, allowed=[True] * count, failures=failures)
    else:
        count = len(given["pairs"])
        verdicts = ["no_new_access"] * count
        turn = _turn([0.2] * count, [[0.1] * count], pairs=count, verdicts=verdicts, failures=failures)
    return Record([turn, turn])
