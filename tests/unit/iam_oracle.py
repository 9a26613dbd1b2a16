"""A second, naive reading of IAM to hold the policy engine to: enumerate requests, and evaluate each by brute force."""

import functools
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from shared.iam.catalogue import Catalogue
from shared.iam.scopes import Scope
from shared.model.identity import IdentityDetail, IdentityRef, Policy
from shared.model.sources import PolicyKind, PolicySource

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
REF = IdentityRef(
    account_id="111122223333", identity_id="AIDAEXAMPLE0001", arn="arn:aws:iam::111122223333:user/team/alice"
)

SMALL = Catalogue(
    {
        "version": "small",
        "names": "iam:AttachUserPolicy iam:GetRole iam:PassRole s3:DeleteObject s3:GetObject s3:GetObjectTagging "
        "s3:ListBucket s3:PutObject s3:PutObjectAcl sqs:SendMessage",
        "levels": "prwwrrlwpw",
        "observability": "mmmddddddn",
        "depends_on": "s3:getobject s3:getobjecttagging",
    }
)

ACTION_PATTERNS = (
    "*",
    "s3:*",
    "s3:Get*",
    "S3:getobject*",
    "s3:GetObject",
    "s3:Put*",
    "s3:DeleteObject",
    "s3:*Object",
    "s3:?etObject",
    "iam:*",
    "iam:PassRole",
    "new:*",
    "new:Thing",
    "sqs:SendMessage",
)
RESOURCE_PATTERNS = (
    "*",
    "arn:aws:s3:::a",
    "arn:aws:s3:::a*",
    "arn:aws:s3:::a/*",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::?/*",
    "arn:aws:s3:::*/x",
)
CONDITIONS: tuple[dict[str, Any], ...] = (
    {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    {"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1"]}},
)
REQUEST_ACTIONS = (*sorted(SMALL.keys), "new:thing", "new:other", "s3:getfuture", "s3:putfuture", "iam:future", "x:y")
REQUEST_RESOURCES = (
    "arn:aws:s3:::a",
    "arn:aws:s3:::ab",
    "arn:aws:s3:::a/x",
    "arn:aws:s3:::b/x",
    "arn:aws:s3:::b/y",
    "arn:aws:s3:::c/x/x",
    "arn:aws:iam::111122223333:role/r",
)


def one_or_more(values: Sequence[str]) -> st.SearchStrategy[list[str]]:
    """Lists of up to three different values."""
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


@st.composite
def statements(draw: st.DrawFn, effect: str | None = None, *, conditions: bool = True) -> dict[str, Any]:
    """Statements with every element that an identity policy has."""
    chosen = effect or draw(st.sampled_from(("Allow", "Allow", "Deny")))
    statement: dict[str, Any] = {"Effect": chosen}
    statement[draw(st.sampled_from(("Action", "Action", "Action", "NotAction")))] = draw(one_or_more(ACTION_PATTERNS))
    statement[draw(st.sampled_from(("Resource", "Resource", "Resource", "NotResource")))] = draw(
        one_or_more(RESOURCE_PATTERNS)
    )
    condition = draw(st.sampled_from((None, None, *CONDITIONS))) if conditions else None
    return statement | ({"Condition": condition} if condition else {})


def documents(effect: str | None = None, *, conditions: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """Documents of up to four statements."""
    listed = st.lists(statements(effect, conditions=conditions), min_size=1, max_size=4)
    return listed.map(lambda found: {"Version": "2012-10-17", "Statement": found})


def document(*found: Mapping[str, Any]) -> dict[str, Any]:
    """A document of these statements; Effect Allow and Resource "*" unless said otherwise."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", **({} if "NotResource" in one else {"Resource": "*"}), **one} for one in found
        ],
    }


def policy(body: Mapping[str, Any], name: str = "p") -> Policy:
    """An inline policy."""
    return Policy(source=PolicySource(PolicyKind.INLINE, name), document=dict(body))


def identity(*bodies: Mapping[str, Any], boundary: Mapping[str, Any] | None = None) -> IdentityDetail:
    """A user with these policies."""
    return IdentityDetail(
        ref=REF,
        created_at=NOW,
        read_at=NOW,
        policies=tuple(policy(body, f"p{place}") for place, body in enumerate(bodies)),
        boundary=None if boundary is None else policy(boundary, "boundary"),
    )


def allowed(bodies: Iterable[Mapping[str, Any]], action: str, resource: str, holding: Sequence[Any]) -> bool:
    """Whether IAM would allow a request if exactly the conditions `holding` held."""
    matching = [
        one["Effect"]
        for body in bodies
        for one in body["Statement"]
        if _matches(one, "Action", action)
        and _matches(one, "Resource", resource)
        and ("Condition" not in one or one["Condition"] in holding)
    ]
    return "Allow" in matching and "Deny" not in matching


def reaches(scope: Scope, resource: str) -> bool:
    """Whether a scope reaches a resource."""
    if scope.resources:
        return any(_matches_pattern(pattern, resource, ignore_case=False) for pattern in scope.resources)
    return not any(_matches_pattern(pattern, resource, ignore_case=False) for pattern in scope.not_resources)


def contexts() -> list[tuple[Any, ...]]:
    """Every combination of conditions that could hold."""
    return [chosen for size in range(len(CONDITIONS) + 1) for chosen in itertools.combinations(CONDITIONS, size)]


def requests() -> Iterable[tuple[str, str]]:
    """Every sample request."""
    return itertools.product(REQUEST_ACTIONS, REQUEST_RESOURCES)


def _matches(statement: Mapping[str, Any], element: str, value: str) -> bool:
    negated = f"Not{element}" in statement
    raw = statement[f"Not{element}" if negated else element]
    patterns = [raw] if isinstance(raw, str) else raw
    return negated != any(_matches_pattern(pattern, value, element == "Action") for pattern in patterns)


@functools.cache
def _matches_pattern(pattern: str, value: str, ignore_case: bool) -> bool:  # noqa: FBT001 a cache key of its own
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, value, re.IGNORECASE if ignore_case else 0) is not None
