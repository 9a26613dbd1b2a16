"""Whose plans are timed: identities of a real file of authorization details, and holders of AWS's broad policies."""

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from benchmarks.managed import Document, managed_policies
from benchmarks.right_sizing.ways import WINDOW_DAYS, Case, knowledge
from benchmarks.scores.accounts import USED
from benchmarks.startup import ROOT
from shared.errors import InputError
from shared.iam.authorization import identity_details
from shared.iam.grants import effective_grants
from shared.model.identity import IdentityDetail, IdentityRef, Policy
from shared.model.resources import ANY_RESOURCE
from shared.model.sources import PolicyKind, PolicySource
from shared.model.usage import Coverage, Evidence, Span, Usage, UsageEntry

EXAMPLE = ROOT / "tests" / "data" / "authorization-details" / "example.json.gz"
EXAMPLE_KIND = "the example file's identities"
BROAD = ("AdministratorAccess", "PowerUserAccess", "ReadOnlyAccess")
OF_EACH = 10
NOW = datetime(2026, 7, 1, tzinfo=UTC)
ACCOUNT = "123456789012"
REGION = "us-east-1"


class Holder(NamedTuple):
    """One identity to plan for, and which row of the page it belongs to."""

    kind: str
    case: Case


def holders() -> Iterator[Holder]:
    """Always the same ones, in the same order."""
    chance = random.Random(8)  # noqa: S311 made up data
    account = json.loads(gzip.decompress(EXAMPLE.read_bytes()))
    for detail in identity_details(account, read_at=NOW, on_error=_left_out):
        granted = list(effective_grants(detail, knowledge().catalogue).by_action)
        used = chance.sample(granted, min(len(granted) // 2, chance.randint(5, 25)))
        yield Holder(EXAMPLE_KIND, Case(detail, _usage(detail, used), NOW))
    for kind in BROAD:
        for number in range(OF_EACH):
            detail = _holder(kind, number)
            granted = list(effective_grants(detail, knowledge().catalogue).by_action)
            usual = [action for action in USED if action.lower() in granted]
            used = chance.sample(usual, min(len(usual), chance.randint(5, 25)))
            yield Holder(kind, Case(detail, _usage(detail, used), NOW))


@cache
def _managed() -> dict[str, Document]:
    """Read once, since it takes a while."""
    return managed_policies()


def _left_out(_identity_id: str, _error: InputError) -> None:
    """Pass over the six identities of the file that are made up, whose unique ids are none."""


def _holder(name: str, number: int) -> IdentityDetail:
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}{number}"
    source = PolicySource(PolicyKind.MANAGED, name, arn=f"arn:aws:iam::aws:policy/{name}")
    document: dict[str, Any] = dict(_managed()[name])
    return IdentityDetail(
        ref=IdentityRef(account_id=ACCOUNT, identity_id=f"AIDA{number:017d}", arn=arn),
        created_at=NOW - timedelta(days=400),
        read_at=NOW,
        policies=(Policy(source=source, document=document),),
    )


def _usage(detail: IdentityDetail, used: Sequence[str]) -> Usage:
    """A trail that was seen every day of the window, with reads, and the uses spread over it."""
    days = [(NOW - timedelta(days=ago)).date() for ago in range(WINDOW_DAYS)]
    spans = {Evidence.OBSERVED: Span(NOW - timedelta(days=60), NOW - timedelta(days=1))}
    entries = {
        action.lower(): UsageEntry(action, spans, resources=ANY_RESOURCE, regions=frozenset({REGION}))
        for action in used
    }
    coverage = Coverage.of(days, regions=[REGION], feeds=["trail"])
    return Usage(detail.ref.identity_id, entries, coverage)
