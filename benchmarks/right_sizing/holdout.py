"""Temporal hold-out: narrow by the first part of what an identity did, then see what of the rest would be refused."""

import gzip
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.managed import managed_policies
from benchmarks.right_sizing.activity import Activity, Use
from benchmarks.right_sizing.peer import policies_of
from benchmarks.right_sizing.ways import PEER, WAYS, WINDOW_DAYS, Case, Document, Way, knowledge
from benchmarks.startup import environment
from shared.iam import scopes
from shared.iam.grants import Grant, Grants, effective_grants
from shared.model.identity import IdentityDetail, IdentityRef, IdentityType, Policy
from shared.model.sources import PolicyKind, PolicySource
from shared.model.unique_ids import ROLE_ID_PREFIX
from shared.pci.score import Scoring

PARTS = (0.50, 0.67, 0.80)
LEAST_USES = 10  # of an identity, so that both parts have some
OLDER = timedelta(days=400)  # an identity's age: no record tells it
FULL_ACCESS = "full access to each service it used"
GRANTS = ("AdministratorAccess", "PowerUserAccess", FULL_ACCESS)


class Outcome(NamedTuple):
    """What one way did to one identity: of its later uses how many were granted before, and would be refused after.

    `refused` also counts uses that are in the first part: nobody should refuse these. `reason` says why nothing was
    narrowed; then everything stays as it was.
    """

    later: int
    later_refused: int
    actions: int
    actions_refused: int
    earlier: int
    earlier_refused: int
    granted_before: int
    granted_after: int
    pci_before: float
    pci_after: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """An identity whose first `count` records are known, and the rest of whose records is to come."""

    activity: Activity
    count: int
    grants: str

    @property
    def earlier(self) -> list[Use]:
        """The uses that are known."""
        return [use for event in self.activity.events[: self.count] for use in event.uses]

    @property
    def later(self) -> list[Use]:
        """The uses that are to come."""
        return [use for event in self.activity.events[self.count :] for use in event.uses]

    @property
    def name(self) -> str:
        """Name of a file for its records."""
        return f"{self.activity.key.identity_id}-{self.count}.json.gz"

    def case(self) -> Case:
        """The identity just after the last known record."""
        now = self.activity.time(self.count) + timedelta(seconds=1)
        detail = _detail(self.activity, self.grants).model_copy(update={"created_at": now - OLDER, "read_at": now})
        return Case(detail, self.activity.usage(self.count), now)


def splits(found: Sequence[Activity], part: float, grants: str) -> list[Split]:
    """Each identity at the record that ends its first part."""
    return [Split(one, max(1, round(part * len(one.events))), grants) for one in found]


def measure(cases: Sequence[Split], peers: Mapping[str, Document]) -> Iterator[tuple[str, Outcome]]:
    """The outcome of each way for each case."""
    for split in cases:
        case = split.case()
        by_peer: Way = partial(_given, peers[split.name])
        for name, way in {**WAYS, PEER: by_peer}.items():
            yield name, _outcome(split, case, way(case))


def peers_policies(cases: Iterable[Split]) -> dict[str, Document]:
    """What the peer makes of the records that are known, by name of their file."""
    with tempfile.TemporaryDirectory() as folder:
        for split in cases:
            records = [event.raw for event in split.activity.events[: split.count]]
            Path(folder, split.name).write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
        return policies_of(Path(folder), environment())


def _given(document: Document, _: Case) -> Document | str:
    return document if document["Statement"] else "no statement"


def _outcome(split: Split, case: Case, answer: Document | str) -> Outcome:
    after = case.detail if isinstance(answer, str) else _bounded(case.detail, answer)
    catalogue = knowledge().catalogue
    old, new = effective_grants(case.detail, catalogue), effective_grants(after, catalogue)
    later = [use for use in split.later if allowed(old, use)]
    earlier = [use for use in split.earlier if allowed(old, use)]
    refused = [use for use in later if not allowed(new, use)]
    scoring = Scoring(catalogue, knowledge().risk, knowledge().parameters, now=case.now, window_days=WINDOW_DAYS)
    return Outcome(
        later=len(later),
        later_refused=len(refused),
        actions=len({use.action for use in later}),
        actions_refused=len({use.action for use in refused}),
        earlier=len(earlier),
        earlier_refused=sum(not allowed(new, use) for use in earlier),
        granted_before=len(old.by_action),
        granted_after=len(new.by_action),
        pci_before=scoring.score(case.detail, case.usage).pci,
        pci_after=scoring.score(after, case.usage).pci,
        reason=answer if isinstance(answer, str) else "",
    )


def allowed(grants: Grants, use: Use) -> bool:
    """Whether a use would pass, in doubt for it: a use that names no resource passes wherever its action is granted."""
    granting = grants.by_action.get(use.action, ())
    if not use.arns:
        return bool(granting)
    return all(any(_reaches(grant, arn) for grant in granting) for arn in use.arns)


def _reaches(grant: Grant, arn: str) -> bool:
    return scopes.might_reach(grant, arn) and all(scopes.might_reach(scope, arn) for scope in grant.within)


@cache
def _managed() -> Mapping[str, Document]:
    """Read once, since it takes a while."""
    return managed_policies()


def _bounded(detail: IdentityDetail, document: Document) -> IdentityDetail:
    boundary = Policy(source=PolicySource(PolicyKind.MANAGED, "plan"), document=dict(document))
    return detail.model_copy(update={"boundary": boundary})


def _detail(activity: Activity, grants: str) -> IdentityDetail:
    kind = IdentityType.ROLE if activity.key.identity_id.startswith(ROLE_ID_PREFIX) else IdentityType.USER
    arn = f"arn:aws:iam::{activity.key.account_id}:{kind}/{activity.key.identity_id}"
    ref = IdentityRef(account_id=activity.key.account_id, identity_id=activity.key.identity_id, arn=arn)
    if grants == FULL_ACCESS:
        actions = [f"{service}:*" for service in sorted(activity.services())]
        document: Document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
        }
    else:
        document = _managed()[grants]
    now = activity.time(1)
    policy = Policy(source=PolicySource(PolicyKind.MANAGED, grants), document=dict(document))
    return IdentityDetail(ref=ref, created_at=now - OLDER, read_at=now, policies=(policy,))
