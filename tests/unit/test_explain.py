"""Explanations: exact by hand, by the laws of what changes would do, and readable in what they say."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import PolicyDocumentError
from shared.iam.catalogue import Catalogue
from shared.iam.grants import effective_grants
from shared.iam.permissions import Permission, read_permissions
from shared.model.explanation import Affects, Change, ChangeKind, ConfidenceCode, ConfidenceLevel, Explanation
from shared.model.finding import EvidenceCode
from shared.model.identity import IdentityDetail, Policy
from shared.model.plan import Compliance
from shared.model.principals import Principal, Principals
from shared.model.score import RiskClass
from shared.model.sources import PolicyKind, PolicySource
from shared.model.usage import Coverage, Evidence, Span, UsageEntry
from shared.pci.applicable import applicable_of
from shared.pci.explanation.candidates import candidates_of
from shared.pci.explanation.changes import RANKED_OF_A_KIND
from shared.pci.explanation.explain import Explainer, Judgement
from shared.pci.explanation.stored_score import compare_to_stored
from shared.pci.score import Scoring, Surroundings
from tests.unit.iam_oracle import NOW, document, identity
from tests.unit.score_cases import (
    CATALOGUE,
    OPERATIONS,
    PARAMETERS,
    RISK,
    SITUATIONS,
    WATCHED,
    Body,
    Situation,
    bodies,
    usage,
)

LAW = settings(deadline=None, max_examples=25)
FEW = settings(deadline=None, max_examples=12)
EXACT = 1e-5  # of the PCI, which is rounded to 6 digits
UNSEEN, USUAL = Situation(), Judgement()
EVERYTHING: Body = document({"Action": "*"})
ADMIN_ARN = "arn:aws:iam::aws:policy/AdministratorAccess"
OWN_ARN = "arn:aws:iam::111122223333:policy/own"


def explained(
    detail: IdentityDetail, situation: Situation = UNSEEN, judgement: Judgement = USUAL, top: int = 10
) -> Explanation:
    scoring = Scoring(CATALOGUE, RISK, PARAMETERS, now=NOW, window_days=90, surroundings=situation.around)
    return Explainer(scoring).explain(detail, situation.using, situation.report, judgement=judgement, contributors=top)


def held(*found: Body, situation: Situation) -> IdentityDetail:
    return identity(*found, boundary=situation.boundary)


def using(*actions: str, **more: Any) -> Situation:
    return Situation(using=usage(*actions, **more))


def holding(*policies: Policy, groups: tuple[str, ...] = ()) -> IdentityDetail:
    return identity().model_copy(update={"policies": policies, "groups": groups})


def managed(body: Mapping[str, Any], arn: str = OWN_ARN, group: str | None = None) -> Policy:
    kind = PolicyKind.GROUP_MANAGED if group else PolicyKind.MANAGED
    return Policy(source=PolicySource(kind, arn.rsplit("/", 1)[-1], arn=arn, group=group), document=dict(body))


def change(explanation: Explanation, title: str) -> Change:
    return next(one for one in explanation.changes.ranked if one.title == title)


@LAW
@given(bodies(), SITUATIONS)
def test_the_pci_can_be_redone_from_the_json_alone(body: Body, situation: Situation) -> None:
    told = json.loads(explained(held(body, situation=situation), situation).model_dump_json())
    arithmetic = told["arithmetic"]

    survival = 1.0
    for term in arithmetic["classes"]:
        by_mass = term["alpha"] * (1 - math.exp(-((term["mass"] / term["kappa"]) ** arithmetic["gamma"])))
        chance = max(by_mass, term["alpha"] if term["by_path"] else 0)
        assert term["chance"] == pytest.approx(chance, abs=1e-9)
        survival *= 1 - chance
    assert told["pci"] == pytest.approx(100 * (1 - survival), abs=1e-6)
    assert any(term["by_path"] for term in arithmetic["classes"]) == bool(told["paths"])


@LAW
@given(bodies(), SITUATIONS)
def test_an_explanation_says_what_the_score_says(body: Body, situation: Situation) -> None:
    explanation, score = explained(held(body, situation=situation), situation), situation.score(body)

    assert explanation.pci == score.pci
    assert (explanation.granted, explanation.used, explanation.unused) == (score.granted, score.used, score.unused)
    assert explanation.possible + explanation.unobservable == score.unobservable
    assert {path.id for path in explanation.paths} == {one.path for one in score.contributions if one.path}
    terms = {term.risk: (term.unused, term.mass) for term in explanation.arithmetic.classes if term.unused}
    assert terms == {one.risk: (one.unused, one.mass) for one in score.contributions if one.path is None}
    assert sum(one.granted for one in explanation.services) == score.granted
    for one in explanation.services:
        assert one.granted == one.used + one.unused + one.possible + one.unobservable
        assert len(one.used_actions) == one.used
    assert sum(one.permissions for one in explanation.evidence) == score.granted
    assert compare_to_stored(score, explanation).same
    assert not compare_to_stored(score, explanation).differences


@FEW
@given(bodies(), SITUATIONS)
def test_each_contributor_adds_what_denying_it_takes_away(body: Body, situation: Situation) -> None:
    explanation = explained(held(body, situation=situation), situation, top=3)

    assert len(explanation.contributors) == min(3, explanation.unused)
    for one in explanation.contributors:
        without = situation.pci(body, document({"Effect": "Deny", "Action": one.action}))
        assert one.marginal == pytest.approx(explanation.pci - without, abs=EXACT)
        assert 0 <= one.marginal <= explanation.pci
        assert one.alone <= explanation.pci + EXACT
        assert one.sources
        assert all(source.policy == "p0" for source in one.sources)


@FEW
@given(bodies(), SITUATIONS)
def test_a_contributor_alone_is_the_score_where_all_others_are_used(body: Body, drawn: Situation) -> None:
    situation = replace(drawn, report=None)  # uses that IAM doesn't tell of would make its report worthless
    detail = held(body, situation=situation)
    granted = effective_grants(detail, CATALOGUE, situation.around.service_control_policies).actions.keys(CATALOGUE)
    used = Span(NOW, NOW)

    for one in explained(detail, situation, top=2).contributors:
        others = set(granted) - {one.action.lower()}
        entries = {key: UsageEntry(key, {Evidence.OBSERVED: used}) for key in others}
        own = {key: entry for key, entry in situation.using.entries.items() if key not in others}
        ledger = replace(situation.using, entries=entries | own)
        assert replace(situation, using=ledger).pci(body) == pytest.approx(one.alone, abs=EXACT)


@FEW
@given(bodies(), bodies(), SITUATIONS)
def test_each_change_of_policies_gives_the_score_of_the_changed_identity(
    first: Body, second: Body, situation: Situation
) -> None:
    explanation = explained(held(first, second, situation=situation), situation)
    names = {"p0": first, "p1": second}

    for one in explanation.changes.ranked:
        left = dict(names)
        if one.kind is ChangeKind.DELETE_INLINE_POLICY:
            del left[one.title.rsplit(" ", 1)[1]]
        elif one.kind is ChangeKind.REMOVE_STATEMENT:
            _, _, number, _, name = one.title.split()
            kept = [body for place, body in enumerate(left[name]["Statement"], 1) if place != int(number)]
            left[name] = {**left[name], "Statement": kept}
        else:
            continue
        assert one.pci_after == pytest.approx(situation.pci(*left.values()), abs=EXACT)
        assert one.lowers_by == pytest.approx(explanation.pci - one.pci_after)
        controls = situation.around.service_control_policies
        granted = effective_grants(identity(*left.values(), boundary=situation.boundary), CATALOGUE, controls)
        after = applicable_of(CATALOGUE, OPERATIONS).narrowed(granted).actions
        assert not {name.lower() for name in one.loses_used} & set(after.keys(CATALOGUE))


@FEW
@given(bodies(), SITUATIONS)
def test_each_removal_of_unused_permissions_gives_the_score_with_them_denied(body: Body, situation: Situation) -> None:
    detail = held(body, situation=situation)
    scoring = Scoring(CATALOGUE, RISK, PARAMETERS, now=NOW, window_days=90, surroundings=situation.around)
    parts = scoring.weigh(detail, situation.using, situation.report).unused
    unused = {key for part in parts for key in part.actions.keys(CATALOGUE)}
    explanation = explained(detail, situation)

    for one in explanation.changes.ranked:
        last = one.title.rsplit("unused permissions of ", 1)[-1]
        if one.kind is ChangeKind.REMOVE_UNUSED_OF_SERVICE:
            removed = {key for key in unused if key.startswith(f"{last}:")}
        elif one.kind is ChangeKind.REMOVE_UNUSED_OF_CLASS:
            risk = RiskClass(last.removeprefix("class ").replace(" ", "_"))
            removed = {key for key in unused if RISK.risk_of(key) is risk}
        else:
            continue
        assert one.removes == len(removed)
        denied = document({"Effect": "Deny", "Action": sorted(removed)})
        assert one.pci_after == pytest.approx(situation.pci(body, denied), abs=EXACT)
    assert explanation.changes.all_unused is not None
    assert explanation.changes.all_unused.pci_after == 0


@LAW
@given(st.lists(bodies(), min_size=1, max_size=3), SITUATIONS)
def test_changes_that_lose_nothing_used_come_first_and_then_those_that_lower_most(
    found: list[Body], situation: Situation
) -> None:
    explanation = explained(held(*found, situation=situation), situation)
    changes = explanation.changes

    keeps = [one.keeps_all_used for one in changes.ranked]
    assert keeps == sorted(keeps, reverse=True)
    safe = [one.pci_after for one in changes.ranked if one.keeps_all_used]
    assert safe == sorted(safe)
    assert all(one.pci_after < explanation.pci for one in changes.ranked)
    assert bool(changes.ranked) == bool(explanation.pci)
    assert all([one.kind for one in changes.ranked].count(kind) <= RANKED_OF_A_KIND for kind in ChangeKind)
    if changes.strongest is not None:
        assert changes.strongest.pci_after <= min(one.pci_after for one in changes.ranked)


@LAW
@given(bodies(), SITUATIONS)
def test_the_pci_is_never_above_its_bound(body: Body, situation: Situation) -> None:
    explanation = explained(held(body, situation=situation), situation)

    assert explanation.pci <= explanation.confidence.pci_at_most <= 100
    levels = [ConfidenceLevel.LOW, ConfidenceLevel.MEDIUM, ConfidenceLevel.HIGH]
    allowed = [levels.index(reason.at_most) for reason in explanation.confidence.reasons]
    assert levels.index(explanation.confidence.level) == min(allowed)


def test_a_change_tells_what_used_permissions_it_would_lose_or_narrow() -> None:
    reads = document({"Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::logs/*"})
    writes = document({"Action": ["s3:GetObject", "iam:PutUserPolicy", "ec2:TerminateInstances", "sqs:SendMessage"]})
    explanation = explained(identity(reads, writes), using("s3:GetObject", "sqs:SendMessage"))

    deletion = change(explanation, "delete the inline policy p1")
    assert deletion.loses_used == ("sqs:SendMessage",)
    assert deletion.narrows_used == ("s3:GetObject",)
    assert not deletion.keeps_all_used
    assert explanation.changes.ranked[0].keeps_all_used
    assert explanation.changes.ranked[0].pci_after > deletion.pci_after
    assert explanation.changes.strongest == deletion
    other = change(explanation, "delete the inline policy p0")
    assert other.keeps_all_used  # what p1 grants covers the use of p0's
    assert other.removes == 1


def test_nobody_knows_what_a_change_would_cost_where_use_cannot_be_observed() -> None:
    management_only = Coverage.of([NOW.date()])
    situation = Situation(using=usage(coverage=management_only))
    explanation = explained(identity(document({"Action": ["s3:GetObject", "iam:CreateUser"]})), situation)

    assert change(explanation, "delete the inline policy p0").loses_unobservable == 1
    assert change(explanation, "remove the unused permissions of iam").loses_unobservable == 0
    assert explanation.unobservable == 1
    (reason,) = [one for one in explanation.evidence if one.code is EvidenceCode.DATA_EVENTS_OFF]
    assert (reason.permissions, reason.counted_unused) == (1, False)


def test_what_comes_through_a_group_says_whom_a_change_would_affect() -> None:
    one, two = document({"Action": "iam:CreateUser"}), document({"Action": "s3:DeleteBucket"})
    inline = Policy(source=PolicySource(PolicyKind.GROUP_INLINE, "limits", group="devs"), document=two)
    explanation = explained(holding(managed(one, group="devs"), inline, groups=("devs",)))

    leaving = change(explanation, "leave the group devs")
    assert (leaving.affects, leaving.pci_after) == (Affects.IDENTITY, 0)
    assert change(explanation, "detach the managed policy own from the group devs").affects is Affects.GROUP
    assert change(explanation, "delete the inline policy limits of the group devs").affects is Affects.GROUP
    assert {source.group for one in explanation.contributors for source in one.sources} == {"devs"}


def test_a_policy_that_is_held_twice_has_to_go_everywhere() -> None:
    detail = holding(managed(EVERYTHING, ADMIN_ARN), managed(EVERYTHING, ADMIN_ARN, group="admins"), groups=("admins",))
    changes = explained(detail).changes

    assert changes.ranked[0].title == "detach the managed policy AdministratorAccess wherever it is attached (2 times)"
    assert changes.ranked[0].pci_after == 0
    assert {one.title for one in changes.without_effect} == {
        "detach the managed policy AdministratorAccess",
        "detach the managed policy AdministratorAccess from the group admins",
        "leave the group admins",
    }


def test_the_order_of_policies_says_nothing() -> None:
    arns = [f"arn:aws:iam::111122223333:policy/{path}own" for path in ("", "a/", "b/", "c/", "d/", "e/")]
    bodies = [document({"Action": action}) for action in ("iam:CreateUser", "s3:DeleteBucket")]
    policies = [managed(bodies[place % 2], arn, group) for place, arn in enumerate(arns) for group in (None, "devs")]
    as_filed, reversed_, rotated = (
        holding(*found, groups=("devs",)) for found in (policies, policies[::-1], policies[5:] + policies[:5])
    )

    first = explained(as_filed)
    assert explained(reversed_) == explained(rotated) == first
    titles = [one.title for one in first.changes.without_effect]
    assert titles == sorted(titles)
    assert titles


@pytest.mark.parametrize("order", [1, -1])
def test_what_a_set_holds_comes_in_an_order(order: int) -> None:
    names = [f"p{number}" for number in range(8)]
    found = [managed(EVERYTHING, f"{OWN_ARN}/{name}", group) for name in names for group in (None, "devs")]
    scoring = Scoring(CATALOGUE, RISK, PARAMETERS, now=NOW, window_days=90)
    weighed = scoring.weigh(holding(*found[::order], groups=("devs",)), UNSEEN.using)

    everywhere = [one.title for one in candidates_of(weighed) if "wherever" in one.title]
    wanted = "detach the managed policy {} wherever it is attached (2 times)"
    assert everywhere == [wanted.format(name) for name in names]


def test_the_more_grants_there_are_the_fewer_changes_are_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    body = document(*({"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::b{number}/*"} for number in range(20)))
    whole = explained(identity(body)).changes
    monkeypatch.setattr("shared.pci.explanation.changes.MAX_GRANTS_WEIGHED", 100)
    bounded = explained(identity(body)).changes

    assert (whole.left_out, bounded.left_out) == (0, 16)  # of the policy and its 20 statements
    assert bounded.considered == whole.considered - 16
    assert change(explained(identity(body)), "delete the inline policy p0").pci_after == 0


def test_a_policy_is_read_once_to_name_the_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    body = document(*({"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::b{number}/*"} for number in range(20)))
    read: list[object] = []

    def counted(document: Mapping[str, Any], catalogue: Catalogue) -> tuple[Permission, ...]:
        read.append(document)
        return read_permissions(document, catalogue)

    monkeypatch.setattr("shared.pci.explanation.provenance.read_permissions", counted)
    (one,) = explained(identity(body)).contributors
    assert (len(one.sources), len(read)) == (20, 1)


def test_a_listed_action_that_the_catalogue_does_not_know_has_the_class_of_its_list() -> None:
    unlisted, listed = "new:Thing", "workmail:ResetUserPassword"
    assert not {unlisted.lower(), listed.lower()} & CATALOGUE.keys
    body = document({"Action": [unlisted, listed]})
    explanation = explained(identity(body))

    assert explanation.pci == UNSEEN.pci(body)
    assert {one.risk for one in explanation.contributors} == {RiskClass.WRITE, RiskClass.RESOURCE_EXPOSURE}


def test_a_statement_of_a_shared_policy_affects_all_holders_and_one_of_aws_cannot_be_edited() -> None:
    body = document({"Action": "iam:CreateUser"}, {"Action": "s3:DeleteBucket"})

    own = explained(holding(managed(body)))
    assert change(own, "remove statement 1 of own").affects is Affects.HOLDERS
    of_aws = explained(holding(managed(body, ADMIN_ARN)))
    assert not [one for one in of_aws.changes.ranked if one.kind is ChangeKind.REMOVE_STATEMENT]


def test_a_policy_that_is_boundary_as_well_is_edited_in_both_places() -> None:
    body = document({"Action": "iam:CreateUser"}, {"Action": "s3:DeleteBucket"})
    detail = holding(managed(body)).model_copy(update={"boundary": managed(body)})

    assert change(explained(detail), "remove statement 1 of own").removes == 1


def test_contributors_name_policy_statement_and_sid_and_say_where_conditions_hold() -> None:
    body = document(
        {"Action": "ec2:DescribeVpcs"},
        {
            "Sid": "Risky",
            "Action": "iam:CreateUser",
            "Resource": [f"arn:aws:iam::111122223333:user/u{number}" for number in range(7)],
            "Condition": {"Bool": {"aws:SecureTransport": "true"}},
        },
    )
    (worst,) = [one for one in explained(holding(managed(body))).contributors if one.action == "iam:CreateUser"]

    assert (worst.conditional, worst.risk) == (True, RISK.risk_of("iam:createuser"))
    (source,) = worst.sources
    assert (source.policy, source.arn, source.statement, source.sid) == ("own", OWN_ARN, 2, "Risky")
    assert (len(source.resources), source.resources_left_out, source.conditional) == (5, 2, True)


def test_a_completed_path_tells_which_of_its_permissions_are_unused_and_where_they_come_from() -> None:
    actions = ["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"]
    detail = identity(document({"Action": actions[0]}), document({"Action": actions[1:]}))
    explanation = explained(detail, using("lambda:InvokeFunction"))

    (path,) = [one for one in explanation.paths if {each.action for each in one.permissions} == set(actions)]
    assert {one.action for one in path.permissions if one.unused} == set(actions[:2])
    assert [source.policy for one in path.permissions for source in one.sources] == ["p0", "p1", "p1"]
    assert path.name
    assert explanation.contributors[0].action == "iam:PassRole"
    broken = change(explanation, "remove the unused permissions of the completed escalation paths")
    assert broken.pci_after == 0


def test_what_a_path_needs_beside_its_own_permissions_counts_as_well() -> None:
    group = Principal(arn="arn:aws:iam::111122223333:group/admins")
    known = Surroundings(principals=Principals(account_id="111122223333", groups=(group,)))
    body = document({"Action": ["iam:PutGroupPolicy", "iam:AddUserToGroup"]})
    explanation = explained(identity(body), Situation(around=known))

    through_group = ["iam:PutGroupPolicy"]  # of a group that the user isn't a member of, and can join
    assert [[one.action for one in path.permissions] for path in explanation.paths] == [through_group]
    marginal = {one.action: one.marginal for one in explanation.contributors}
    without_joining = Situation(around=known).pci(document({"Action": through_group}))
    assert without_joining < 60 < explanation.pci
    assert marginal["iam:AddUserToGroup"] == pytest.approx(explanation.pci - without_joining)


def test_an_identity_that_holds_nothing_has_nothing_to_explain() -> None:
    explanation = explained(identity(), using())

    assert (explanation.pci, explanation.granted) == (0, 0)
    assert explanation.arithmetic.classes == ()
    assert explanation.arithmetic.survival == 1
    assert (explanation.changes.ranked, explanation.changes.strongest) == ((), None)
    assert (explanation.contributors, explanation.paths, explanation.services) == ((), (), ())


def test_a_policy_that_cannot_be_read_is_named() -> None:
    broken = {"Version": "2012-10-17", "Statement": [{"Effect": "Alow", "Action": "*", "Resource": "*"}]}

    with pytest.raises(PolicyDocumentError, match=r"inline p1: \$\.Statement\[0\]"):
        explained(identity(EVERYTHING, broken))
    with pytest.raises(PolicyDocumentError, match="inline boundary: "):
        explained(identity(EVERYTHING, boundary=broken))


@pytest.mark.parametrize(
    ("judgement", "expected"),
    [
        (Judgement(99.0), Compliance.NON_COMPLIANT),
        (Judgement(100.0), Compliance.COMPLIANT),
        (Judgement(60.0, "it is protected"), Compliance.NOT_APPLICABLE),
    ],
)
def test_the_verdict_is_by_threshold_and_exemption(judgement: Judgement, expected: Compliance) -> None:
    assert explained(identity(EVERYTHING), judgement=judgement).compliance is expected


WHOLE = Coverage.of(
    [NOW.date().fromordinal(NOW.toordinal() - back) for back in range(91)], feeds=["trail"], data_events=["s3"]
)
HALF = Coverage.of(
    [NOW.date().fromordinal(NOW.toordinal() - back) for back in range(0, 91, 2)], feeds=["trail"], data_events=["s3"]
)
NO_READS = Coverage({day: replace(seen, reads=False) for day, seen in WHOLE.seen.items()})


@pytest.mark.parametrize(
    ("actions", "coverage", "level", "code"),
    [
        (["iam:CreateUser", "s3:GetObject"], WHOLE, ConfidenceLevel.HIGH, ConfidenceCode.DAYS_OBSERVED),
        (["iam:CreateUser"], HALF, ConfidenceLevel.MEDIUM, ConfidenceCode.DAYS_OBSERVED),
        (["iam:CreateUser"], WATCHED, ConfidenceLevel.LOW, ConfidenceCode.DAYS_OBSERVED),
        (["iam:CreateUser"], Coverage(), ConfidenceLevel.LOW, ConfidenceCode.NOTHING_OBSERVED),
        (["iam:CreateUser"], NO_READS, ConfidenceLevel.MEDIUM, ConfidenceCode.READS_NOT_RECORDED),
        (["iam:CreateUser", "new:*"], WHOLE, ConfidenceLevel.MEDIUM, ConfidenceCode.UNKNOWN_PERMISSIONS),
        (["iam:AttachUserPolicy"], WHOLE, ConfidenceLevel.MEDIUM, ConfidenceCode.PREREQUISITES_ASSUMED),
        (["dynamodb:*"], WHOLE, ConfidenceLevel.LOW, ConfidenceCode.COULD_BE_HIGHER),
    ],
)
def test_confidence_is_the_lowest_that_a_reason_leaves(
    actions: list[str], coverage: Coverage, level: ConfidenceLevel, code: ConfidenceCode
) -> None:
    confidence = explained(identity(document({"Action": actions})), using(coverage=coverage)).confidence

    assert confidence.level is level
    assert [reason.at_most for reason in confidence.reasons if reason.code is code] == [level]


def test_a_stored_score_that_differs_says_why() -> None:
    before = using().score(document({"Action": "iam:CreateUser"}))
    explanation = explained(identity(EVERYTHING), using("iam:GetRole"))
    comparison = compare_to_stored(before, explanation)

    assert not comparison.same
    assert f"granted: 1 then, {explanation.granted} now" in comparison.differences
    assert "used: 0 then, 1 now" in comparison.differences
    narrowed = identity(document({"Action": "iam:CreateUser", "Resource": "arn:aws:iam::111122223333:user/one"}))
    (only,) = compare_to_stored(before, explained(narrowed, using())).differences
    assert only.startswith("the same counts")
