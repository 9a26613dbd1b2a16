"""The laws of the Privilege Creep Index: what a score does, whatever is granted, used and known of the account."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.grants import effective_grants
from shared.model.last_accessed import LastAccessed
from shared.model.score import Score
from shared.model.usage import Evidence, Span, Usage, UsageEntry, join_entries
from shared.pci.score import Scoring, Surroundings
from tests.unit.iam_oracle import NOW, identity
from tests.unit.score_cases import (
    ACTIONS,
    CATALOGUE,
    LEVELS,
    PARAMETERS,
    REPORTS,
    RESOURCES,
    RISK,
    SITUATIONS,
    SURROUNDINGS,
    USAGES,
    Body,
    Level,
    Situation,
    bodies,
    statements,
    usage,
    written,
)

LAW = settings(deadline=None, max_examples=60)
ADMINISTRATOR = written({"Effect": "Allow", "Action": "*", "Resource": "*"})
USES = st.builds(
    lambda action, kind: UsageEntry(action, {kind: Span(NOW, NOW)}),
    st.sampled_from(ACTIONS),
    st.sampled_from([Evidence.OBSERVED, Evidence.INFERRED, Evidence.POSSIBLE]),
)


@LAW
@given(bodies(), SITUATIONS)
def test_a_score_is_between_0_and_100_adds_up_and_is_always_the_same(body: Body, situation: Situation) -> None:
    score = situation.score(body)

    assert 0 <= score.pci <= 100
    assert score.granted == score.used + score.unused + score.unobservable
    assert sum(one.unused for one in score.contributions if one.path is None) == score.unused
    assert (score.pci == 0) == (score.unused == 0)
    assert score == situation.score(body)


@settings(deadline=None, max_examples=30)
@given(bodies(), SITUATIONS)
def test_nothing_granted_or_everything_used_is_0(body: Body, situation: Situation) -> None:
    granted = effective_grants(identity(body), CATALOGUE).actions.keys(CATALOGUE)

    assert replace(situation, using=usage(*granted)).pci(body) == 0
    assert situation.pci() == 0


@LAW
@given(bodies(), SITUATIONS, USES)
def test_using_a_permission_never_raises_it(body: Body, situation: Situation, use: UsageEntry) -> None:
    entries = join_entries([*situation.using.entries.values(), use])

    assert replace(situation, using=replace(situation.using, entries=entries)).pci(body) <= situation.pci(body)


@LAW
@given(bodies(), bodies(denies=False), SITUATIONS)
def test_granting_more_never_lowers_it(body: Body, more: Body, situation: Situation) -> None:
    assert situation.pci(body, more) >= situation.pci(body)


@LAW
@given(statements(), st.sampled_from(RESOURCES), bodies(), SITUATIONS)
def test_widening_a_resource_never_lowers_it(statement: Body, wider: str, beside: Body, situation: Situation) -> None:
    found = [situation.pci(written(one), beside) for one in wider_and_wider(statement, wider)]

    assert found == sorted(found)


def wider_and_wider(statement: Body, wider: str) -> list[Body]:
    """A statement, the same with one more resource reached, with every resource, and without its condition."""
    rest = {key: value for key, value in statement.items() if key not in {"Resource", "NotResource"}}
    if "NotResource" in statement:
        middle = rest | {"NotResource": statement["NotResource"][:1]}
    else:
        middle = rest | {"Resource": [*statement["Resource"], wider]}
    everything = rest | {"Resource": "*"}
    return [statement, middle, everything, {key: value for key, value in everything.items() if key != "Condition"}]


@LAW
@given(bodies(), statements("Deny"), bodies(), LEVELS, SITUATIONS)
def test_a_deny_a_boundary_or_a_service_control_policy_never_raises_it(
    body: Body, deny: Body, boundary: Body, level: Level, situation: Situation
) -> None:
    free = replace(situation, boundary=None)
    bounded, denied = replace(free, boundary=boundary), written(*boundary["Statement"], deny)
    levels = situation.around.service_control_policies or ()

    assert situation.pci(body, written(deny)) <= situation.pci(body)
    assert bounded.pci(body) <= free.pci(body)
    assert replace(free, boundary=denied).pci(body) <= bounded.pci(body)
    assert situation.within(*levels, level).pci(body) <= situation.pci(body)
    assert situation.within(*levels, (*level, written(deny))).pci(body) <= situation.within(*levels, level).pci(body)


@LAW
@given(SURROUNDINGS, st.none() | bodies(denies=False))
def test_an_unused_administrator_is_100(around: Surroundings, more: Body | None) -> None:
    situation = Situation(around=replace(around, service_control_policies=None))

    assert round(situation.pci(ADMINISTRATOR, *([more] if more else []))) == 100
    assert round(replace(situation, using=usage("s3:GetObject")).pci(ADMINISTRATOR)) == 100


@LAW
@given(
    st.lists(statements() | statements("Deny"), min_size=1, max_size=3),
    SITUATIONS,
    st.randoms(use_true_random=False),
)
def test_the_way_statements_are_written_does_not_matter(found: list[Body], situation: Situation, order: Random) -> None:
    expected = judged(situation.score(written(*found)))
    pieces = [piece for one in found for piece in split(one)]
    order.shuffle(pieces)

    assert judged(situation.score(written(*pieces))) == expected
    assert judged(situation.score(*(written(piece) for piece in pieces))) == expected
    assert judged(situation.score(written(*found), written(*reversed(found)))) == expected
    assert judged(situation.score(written(*map(expand, found)))) == expected
    assert judged(rewritten(situation, order).score(written(*found))) == expected


def judged(score: Score) -> Score:
    """A score without the wildcards that it says nothing about: `*` is none, but `new:*` that it includes is one."""
    return score.model_copy(update={"coverage": score.coverage.model_copy(update={"unknown_patterns": ()})})


def split(statement: Body) -> list[Body]:
    """One statement for each action and resource, in other letters; what is negated can't be split."""
    pieces = [statement]
    for element in ("Action", "Resource"):
        if element in statement:
            pieces = [{**piece, element: one} for piece in pieces for one in piece[element]]
    return [recased(piece) for piece in pieces]


def recased(statement: Body) -> Body:
    actions = {"Action", "NotAction"}
    return {key: swapped(value) if key in actions else value for key, value in reversed(statement.items())}


def swapped(value: Any) -> Any:
    return value.swapcase() if isinstance(value, str) else [one.swapcase() for one in value]


def expand(statement: Body) -> Body:
    """The same with the known actions that it admits; of unknown ones there is but `new:thing` in these documents."""
    rest = {key: value for key, value in statement.items() if key not in {"Action", "NotAction"}}
    patterns = set(statement.get("Action") or statement["NotAction"])
    known, wild = CATALOGUE.mask_any(patterns), bool(patterns & {"*", "new:*"})
    if "Action" in statement:
        unknown = {"new:Thing"} & patterns | ({"new:*"} if wild else set())
    elif "new:Thing" in patterns:
        return statement  # else nobody would know of it
    else:
        known, unknown = CATALOGUE.everything & ~known, set() if wild else {"new:*"}
    return rest | {"Action": [*CATALOGUE.names_of(known), *unknown] or ["nothing:*"]}


def rewritten(situation: Situation, order: Random) -> Situation:
    """The same with all limits written in another way."""

    def again(body: Mapping[str, Any]) -> Body:
        pieces = [piece for one in body["Statement"] for piece in split(one)]
        order.shuffle(pieces)
        return written(*pieces)

    bounded = replace(situation, boundary=again(situation.boundary) if situation.boundary else None)
    levels = situation.around.service_control_policies
    return bounded.within(*(tuple(map(again, level)) for level in levels)) if levels else bounded


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(bodies(), USAGES, REPORTS), min_size=2, max_size=6), SURROUNDINGS, st.data())
def test_what_identities_share_does_not_change_their_scores(
    found: list[tuple[Body, Usage, LastAccessed | None]], around: Surroundings, data: st.DataObject
) -> None:
    scoring = Scoring(CATALOGUE, RISK, PARAMETERS, now=NOW, window_days=90, surroundings=around)

    for body, using, report in data.draw(st.permutations([*found, *found])):
        alone = Situation(using=using, report=report, around=around).score(body)
        assert scoring.score(identity(body), using, report) == alone
