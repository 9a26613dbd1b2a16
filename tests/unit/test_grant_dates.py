"""Since when an identity has had its policies: what counts as new, and that no look makes a grant older than it is."""

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.grant_dates import SeenGrants, granted_since, key_of
from shared.model.identity import IdentityDetail, Policy
from shared.model.sources import PolicyKind, PolicySource
from tests.builders import ANA, NOW

DAY = timedelta(days=1)
READ = PolicySource(PolicyKind.MANAGED, "read", arn="arn:aws:iam::aws:policy/read")
OWN = PolicySource(PolicyKind.INLINE, "own")
OF_GROUP = PolicySource(PolicyKind.GROUP_INLINE, "own", group="devs")


def document(action: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


def held(*policies: tuple[PolicySource, str], day: int = 0) -> IdentityDetail:
    return IdentityDetail(
        ref=ANA,
        created_at=NOW - 400 * DAY,
        read_at=NOW + day * DAY,
        policies=tuple(Policy(source=source, document=document(action)) for source, action in policies),
    )


def days(seen: SeenGrants | None, detail: IdentityDetail, today: int) -> dict[PolicySource, int]:
    since = granted_since(seen, detail, now=NOW + today * DAY)
    return {source: (moment - NOW).days for source, moment in since.items()}


def test_everything_of_an_identity_that_was_never_seen_counts_from_the_first_look() -> None:
    detail = held((READ, "s3:Get*"), (OWN, "s3:*"))
    assert days(SeenGrants.noted(None, detail), detail, 9) == {READ: 0, OWN: 0}


def test_a_look_that_finds_the_same_notes_nothing() -> None:
    seen = SeenGrants.noted(None, held((READ, "s3:Get*"), (OWN, "s3:*")))
    assert SeenGrants.noted(seen, held((OWN, "s3:*"), (READ, "s3:Get*"), day=5)) is seen


def test_what_is_added_or_rewritten_counts_from_the_look_that_found_it() -> None:
    seen = SeenGrants.noted(None, held((READ, "s3:Get*"), (OWN, "s3:*")))
    later = held((READ, "s3:Get*"), (OWN, "ec2:*"), (OF_GROUP, "s3:*"), day=5)
    assert days(SeenGrants.noted(seen, later), later, 9) == {READ: 0, OWN: 5, OF_GROUP: 5}


def test_what_was_taken_off_and_comes_back_is_new() -> None:
    seen = SeenGrants.noted(None, held((READ, "s3:Get*"), (OWN, "s3:*")))
    seen = SeenGrants.noted(seen, held((READ, "s3:Get*"), day=1))
    back = held((READ, "s3:Get*"), (OWN, "s3:*"), day=2)
    assert days(SeenGrants.noted(seen, back), back, 9) == {READ: 0, OWN: 2}


def test_what_nobody_has_noted_yet_counts_as_given_just_now() -> None:
    detail = held((READ, "s3:Get*"), (OWN, "s3:*"))
    assert days(None, detail, 7) == {READ: 7, OWN: 7}
    assert days(SeenGrants.noted(None, held((READ, "s3:Get*"))), detail, 7) == {READ: 0, OWN: 7}


def test_an_earlier_look_changes_nothing() -> None:
    seen = SeenGrants.noted(None, held((READ, "s3:Get*"), day=3))
    assert SeenGrants.noted(seen, held((OWN, "s3:*"), day=2)) is seen


def test_the_same_name_from_somewhere_else_is_another_grant() -> None:
    sources = (OWN, OF_GROUP, OF_GROUP._replace(group="ops"), READ, READ._replace(arn="arn:aws:iam::aws:policy/x/read"))
    keys = {key_of(Policy(source=source, document=document("s3:*"))) for source in sources}
    assert len(keys) == len(sources)


POLICIES = st.lists(
    st.tuples(st.sampled_from([READ, OWN, OF_GROUP]), st.sampled_from(["s3:*", "ec2:*"])),
    unique_by=lambda pair: pair[0],
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), POLICIES), min_size=1, max_size=8))
def test_no_grant_is_ever_taken_for_older_than_its_first_look_in_a_row(
    looks: list[tuple[int, list[tuple[PolicySource, str]]]],
) -> None:
    """Whatever is seen in whatever order: a policy counts from the first of the last looks in a row that saw it."""
    seen: SeenGrants | None = None
    taken: list[IdentityDetail] = []  # the looks that counted: those that were not earlier than what was known
    for day, policies in looks:
        detail = held(*policies, day=day)
        if seen is None or detail.read_at >= seen.seen_at:
            taken.append(detail)
        seen = SeenGrants.noted(seen, detail)
    assert seen is not None
    last = taken[-1]
    for policy in last.policies:
        first = seen.first_seen[key_of(policy)]
        steady = []
        for detail in reversed(taken):
            if policy not in detail.policies:
                break
            steady.append(detail.read_at)
        assert first == steady[-1]
    assert seen.first_seen.keys() == {key_of(policy) for policy in last.policies}
