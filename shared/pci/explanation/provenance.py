"""Where a permission comes from, for people: policy, statement and Sid of each grant. Pure."""

from collections.abc import Iterable, Mapping

from shared.iam.grants import Grant, Grants
from shared.iam.permissions import Permission, read_permissions
from shared.model.explanation import Source
from shared.model.identity import IdentityDetail
from shared.model.sources import PolicySource

RESOURCES_SHOWN = 5


class Provenance:
    """Tells the sources of an identity's grants."""

    def __init__(self, detail: IdentityDetail, grants: Grants) -> None:
        self._catalogue = grants.catalogue
        self._classes = grants.classes
        self._statements: Mapping[PolicySource, tuple[Permission, ...]] = {
            policy.source: read_permissions(policy.document, grants.catalogue) for policy in detail.policies
        }

    def of(self, grants: Iterable[Grant]) -> tuple[Source, ...]:
        """Statements behind some grants, each once, unconditional ones first."""
        found = {
            (grant.source, grant.statement, grant.conditional): grant
            for grant in sorted(grants, key=_breadth)  # of one statement, the widest
        }
        return tuple(map(self._source, sorted(found.values(), key=_order)))

    def grants_of(self, key: str) -> tuple[Grant, ...]:
        """The grants of one lower-case action; none where it is not granted."""
        known = self._catalogue.mask_of_keys([key])
        holds = (part for part in self._classes if part.actions.known & known or key in part.actions.unknown)
        return next((part.grants for part in holds), ())

    def _source(self, grant: Grant) -> Source:
        patterns = grant.resources or tuple(f"not {pattern}" for pattern in grant.not_resources)
        return Source(
            kind=grant.source.kind,
            policy=grant.source.name,
            arn=grant.source.arn,
            group=grant.source.group,
            statement=grant.statement + 1,
            sid=self._sid(grant),
            resources=patterns[:RESOURCES_SHOWN],
            resources_left_out=max(0, len(patterns) - RESOURCES_SHOWN),
            conditional=grant.conditional,
        )

    def _sid(self, grant: Grant) -> str | None:
        statements = self._statements.get(grant.source)
        return statements[grant.statement].statement.sid if statements else None


def _breadth(grant: Grant) -> tuple[int, tuple[str, ...]]:
    return len(grant.resources), grant.resources


def _order(grant: Grant) -> tuple[bool, str, str, str, str, int]:
    source = grant.source
    return (grant.conditional, source.kind, source.group or "", source.name, source.arn or "", grant.statement)
