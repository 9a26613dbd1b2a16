"""Random identities with a ledger over a small catalogue, and what a plan makes of them by a naive reading of IAM."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from services.remediator.deriving.derive import derive_plan
from services.remediator.deriving.inputs import Evidence, Knowledge, Options
from shared.knowledge import DATA
from shared.model.identity import IdentityDetail, Policy
from shared.model.plan import Plan, Reason, ResourceScope, Strategy
from shared.model.resources import ANY_RESOURCE, Resources
from shared.model.sources import PolicyKind, PolicySource
from shared.model.usage import Coverage, Span, Usage, UsageEntry
from shared.model.usage import Evidence as Kind
from shared.pci.risk import RiskTable
from shared.pci.score import ScoreParameters
from tests.unit import iam_oracle
from tests.unit.iam_oracle import REF, REQUEST_ACTIONS, REQUEST_RESOURCES, SMALL, contexts, documents, requests
from tests.unit.remediation_fakes import FORMER

NOW = datetime(2026, 11, 1, tzinfo=UTC)
YESTERDAY = NOW - timedelta(days=1)
RISK = RiskTable(json.loads((DATA / "risk.json").read_text(encoding="utf-8")), SMALL)
KNOWLEDGE = Knowledge(SMALL, RISK, ScoreParameters())
OPTIONS = Options(Strategy.BOUNDARY, 90, threshold=200.0, min_observed_days=1, ttl=timedelta(days=1))
SHOWN = Coverage.of([YESTERDAY.date()], regions=["us-east-1"], feeds=["trail"], data_events=["s3", "sqs"], reads=True)
ARNS = [arn for arn in REQUEST_RESOURCES if arn.startswith("arn:aws:s3")]
KINDS = (PolicyKind.INLINE, PolicyKind.MANAGED, PolicyKind.GROUP_INLINE, PolicyKind.GROUP_MANAGED)

Document = Mapping[str, Any]


def source(kind: PolicyKind, number: int) -> PolicySource:
    """The source of one policy; those of groups share one group of two."""
    arn = f"arn:aws:iam::{REF.account_id}:policy/p{number}" if "managed" in kind else None
    return PolicySource(kind, f"p{number}", arn, "staff" if "group" in kind else None)


def boundary_of(arn: str, document: Document) -> Policy:
    """A policy as permissions boundary."""
    return Policy(source=PolicySource(PolicyKind.MANAGED, arn.rsplit("/", 1)[-1], arn), document=dict(document))


@st.composite
def identities(draw: st.DrawFn, boundaries: Sequence[str | None] = (None, None, FORMER)) -> IdentityDetail:
    """Users with one to four policies of any kind, some with a boundary."""
    found = draw(st.lists(st.tuples(st.sampled_from(KINDS), documents()), min_size=1, max_size=4))
    arn = draw(st.sampled_from(boundaries))
    policies = tuple(Policy(source=source(kind, number), document=body) for number, (kind, body) in enumerate(found))
    return IdentityDetail(
        ref=REF,
        created_at=NOW - timedelta(days=400),
        read_at=NOW,
        policies=policies,
        boundary=boundary_of(arn, draw(documents())) if arn else None,
        groups=("empty", "staff") if any(policy.source.group for policy in policies) else ("empty",),
    )


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Ledgers with a few uses, on resources that are known or not."""
    kinds = st.sampled_from((Kind.OBSERVED, Kind.OBSERVED, Kind.OBSERVED, Kind.DENIED, Kind.POSSIBLE))
    entries: dict[str, UsageEntry] = {}
    for action in draw(st.lists(st.sampled_from(REQUEST_ACTIONS), min_size=1, max_size=5, unique=True)):
        arns = draw(st.one_of(st.none(), st.lists(st.sampled_from(ARNS), min_size=1, max_size=3)))
        resources = ANY_RESOURCE if arns is None else Resources.of(arns)
        entries[action] = UsageEntry(action, {draw(kinds): Span(YESTERDAY, YESTERDAY)}, resources)
    return Usage(REF.identity_id, entries, SHOWN)


def options(strategy: Strategy, scope: ResourceScope = ResourceScope.KEEP, **changes: Any) -> Options:
    """Options of the tests: nothing is too little evidence, and no score too good."""
    return replace(OPTIONS, strategy=strategy, resource_scope=scope, **changes)


def derived(detail: IdentityDetail, usage: Usage, chosen: Options, **evidence: Any) -> Plan | Reason:
    """A plan over the small catalogue, without last accessed information."""
    return derive_plan(detail, Evidence(usage, None, **evidence), KNOWLEDGE, chosen, now=NOW)


def carried_out(detail: IdentityDetail, plan: Plan) -> IdentityDetail:
    """The identity after a plan."""
    new = tuple(
        Policy(
            source=PolicySource(
                PolicyKind.MANAGED, one.name, f"arn:aws:iam::{REF.account_id}:policy/leastwise/{one.name}"
            ),
            document=one.document,
        )
        for one in plan.policies
    )
    if plan.strategy is Strategy.BOUNDARY:
        return detail.model_copy(update={"boundary": new[0]})
    stays = tuple(policy for policy in detail.policies if policy.source in plan.stays)
    return detail.model_copy(update={"policies": (*stays, *new)})


def may_do(detail: IdentityDetail) -> set[tuple[str, str, int]]:
    """Every sample request, with the number of its context, that an identity may make."""
    own = _allowed_by(detail.policies)
    return own & _allowed_by((detail.boundary,)) if detail.boundary else own


def _allowed_by(policies: Iterable[Policy]) -> set[tuple[str, str, int]]:
    """What policies allow together; each statement is matched once."""
    matched: dict[str, set[tuple[str, str, int]]] = {"Allow": set(), "Deny": set()}
    for statement in (one for policy in policies for one in policy.document["Statement"]):
        alone = [{"Statement": [{**statement, "Effect": "Allow"}]}]
        holding = [
            number for number, held in enumerate(contexts()) if statement.get("Condition", held) in (held, *held)
        ]
        matched[statement["Effect"]] |= {
            (action, resource, number)
            for action, resource in requests()
            if iam_oracle.allowed(alone, action, resource, [statement.get("Condition")])
            for number in holding
        }
    return matched["Allow"] - matched["Deny"]


def uses(usage: Usage) -> Iterable[tuple[str, str]]:
    """Recorded uses as requests; of those without a resource any could have been meant."""
    for key, entry in usage.used_since(NOW - timedelta(days=90)).items():
        exact = entry.resources.exact()
        yield from ((key, resource) for resource in (REQUEST_RESOURCES if exact is None else sorted(exact)))
