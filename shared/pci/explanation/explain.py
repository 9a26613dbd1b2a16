"""From an identity, its usage and the parameters to an explanation of its score: pure, and exact to the last digit."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from shared.errors import PolicyDocumentError
from shared.iam.actions import NO_ACTIONS, ActionSet, actions_of
from shared.iam.catalogue import Catalogue
from shared.iam.permissions import read_permissions
from shared.iam.policy import VERSION
from shared.model.explanation import (
    Arithmetic,
    EvidenceReason,
    ExplainedPath,
    Explanation,
    PathPermission,
    ReachSummary,
    ServicePermissions,
)
from shared.model.finding import CATALOGUE_OF_REASONS, EvidenceCode, Standing
from shared.model.identity import IdentityDetail, Policy
from shared.model.last_accessed import LastAccessed
from shared.model.plan import Compliance
from shared.model.score import Band
from shared.model.sources import PolicyKind, PolicySource
from shared.model.usage import Coverage, Evidence, Usage
from shared.pci.escalation.paths import CompletedPath
from shared.pci.explanation.changes import Asked, changes_of
from shared.pci.explanation.confidence import confidence_of
from shared.pci.explanation.contributors import Contributors
from shared.pci.explanation.provenance import Provenance
from shared.pci.explanation.whatif import WhatIf, survival_of
from shared.pci.known_paths import ADDUSERTOGROUP
from shared.pci.reach.reaches import Reaches
from shared.pci.score import Scoring, Weighed

CONTRIBUTORS = 10
_USES = frozenset({Evidence.OBSERVED, Evidence.INFERRED})


class Judgement(NamedTuple):
    """What a PCI is held to: `threshold` as AWS Config shows it, `exempt` why the identity is left out, if it is."""

    threshold: float = 60.0
    exempt: str | None = None


class Explainer:
    """Explains the scores of one account at one time; remembers what they share."""

    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring
        around = scoring.surroundings
        self._reaches = Reaches(scoring.catalogue, around.inventory, around.templates)

    def explain(
        self,
        detail: IdentityDetail,
        usage: Usage,
        last_accessed: LastAccessed | None = None,
        *,
        judgement: Judgement,
        contributors: int = CONTRIBUTORS,
    ) -> Explanation:
        """Explain the score of one identity. Raises PolicyDocumentError, which names the policy that can't be read."""
        scoring, catalogue = self._scoring, self._scoring.catalogue
        _check_policies(detail, catalogue)

        def weigh(one: IdentityDetail) -> Weighed:
            return scoring.weigh(one, usage, last_accessed)

        weighed = weigh(detail)
        what_if = self._what_if(weighed, _joining(weighed, weigh))
        terms, pci = what_if.terms(), what_if.pci()
        provenance = Provenance(detail, weighed.grants)
        possible = _of_standing(weighed, Standing.POSSIBLE)
        asked = Asked(weighed, what_if, weigh, self._what_if, catalogue, pci=pci)
        return Explanation(
            arn=detail.ref.arn,
            identity_id=detail.ref.identity_id,
            identity_type=detail.ref.type,
            pci=pci,
            band=Band.of(pci),
            threshold=judgement.threshold,
            compliance=Compliance.of(pci, *judgement),
            exempt=judgement.exempt,
            model_version=scoring.parameters.version,
            catalogue_version=catalogue.version,
            scored_at=scoring.now,
            granted=weighed.grants.actions.size,
            used=weighed.used.size,
            unused=what_if.unused.size,
            possible=possible.size,
            unobservable=weighed.unobservable.size - possible.size,
            unknown_patterns=weighed.grants.unknown_patterns,
            arithmetic=Arithmetic(gamma=scoring.parameters.gamma, classes=terms, survival=survival_of(terms), pci=pci),
            paths=tuple(_path(one, what_if, provenance, catalogue) for one in weighed.paths),
            contributors=Contributors(weighed, what_if, provenance, self._reaches, catalogue).top(contributors),
            services=tuple(_services(weighed, what_if.unused, possible, catalogue)),
            evidence=tuple(_evidence(weighed, what_if.unused)),
            reach=_reach(weighed),
            coverage=weighed.coverage,
            confidence=confidence_of(weighed, pci=pci, pci_at_most=max(pci, self._pci_at_most(detail, usage))),
            changes=changes_of(asked),
        )

    def _what_if(self, weighed: Weighed, joining: frozenset[str] = frozenset()) -> WhatIf:
        return WhatIf(weighed, self._scoring.risk, self._scoring.parameters, joining)

    def _pci_at_most(self, detail: IdentityDetail, usage: Usage) -> float:
        """The PCI if nothing was used that nobody saw used: only proven uses count, and no trail hides anything."""
        proven = {
            key: replace(entry, spans={kind: span for kind, span in entry.spans.items() if kind in _USES})
            for key, entry in usage.entries.items()
        }
        return self._what_if(self._scoring.weigh(detail, Usage(usage.identity_id, proven, Coverage()))).pci()


def _check_policies(detail: IdentityDetail, catalogue: Catalogue) -> None:
    for policy in (*detail.policies, *([detail.boundary] if detail.boundary else [])):
        try:
            read_permissions(policy.document, catalogue)
        except PolicyDocumentError as error:
            raise PolicyDocumentError(error.code, f"{policy.source}: {error.path}", error.reason) from error


def _joining(weighed: Weighed, weigh: Callable[[IdentityDetail], Weighed]) -> frozenset[str]:
    """Ids of the paths that are completed only because the identity can join a group."""
    if not weighed.paths or not weighed.coverage.principals:
        return frozenset()
    statement = {"Effect": "Deny", "Action": ADDUSERTOGROUP, "Resource": "*"}
    denial = Policy(
        source=PolicySource(PolicyKind.INLINE, "may join no group"),
        document={"Version": VERSION, "Statement": [statement]},
    )
    held = weighed.detail.policies
    left = {one.path.id for one in weigh(weighed.detail.model_copy(update={"policies": (*held, denial)})).paths}
    return frozenset(one.path.id for one in weighed.paths) - left


def _of_standing(weighed: Weighed, standing: Standing) -> ActionSet:
    found = NO_ACTIONS
    for code, (stands, _) in CATALOGUE_OF_REASONS.items():
        if stands is standing:
            found |= weighed.codes.get(code, NO_ACTIONS)
    return found


def _path(completed: CompletedPath, what_if: WhatIf, provenance: Provenance, catalogue: Catalogue) -> ExplainedPath:
    def permission(key: str) -> PathPermission:
        unused = bool(actions_of(frozenset({key}), catalogue) & what_if.unused)
        sources = provenance.of(provenance.grants_of(key))
        return PathPermission(action=catalogue.name(key), unused=unused, sources=sources)

    path = completed.path
    required = sorted(path.required)
    return ExplainedPath(
        id=path.id,
        name=path.name or " + ".join(map(catalogue.name, required)),
        category=path.category,
        via=completed.via,
        permissions=tuple(map(permission, required)),
    )


def _services(
    weighed: Weighed, unused: ActionSet, possible: ActionSet, catalogue: Catalogue
) -> Iterator[ServicePermissions]:
    """Permissions by service, those with the most unused ones first."""
    hidden = weighed.unobservable - possible
    sets = (weighed.grants.actions, weighed.used, unused, possible, hidden)
    counts = [_by_service(actions.keys(catalogue)) for actions in sets]
    used_names = weighed.used.names(catalogue)
    for service in sorted(counts[0], key=lambda one: (-counts[2][one], one)):
        granted, used, left, maybe, unknown = (count[service] for count in counts)
        yield ServicePermissions(
            service=service,
            granted=granted,
            used=used,
            unused=left,
            possible=maybe,
            unobservable=unknown,
            used_actions=tuple(name for name in used_names if name.lower().startswith(f"{service}:")),
        )


def _by_service(keys: Iterable[str]) -> Counter[str]:
    return Counter(key.partition(":")[0] for key in keys)


def _evidence(weighed: Weighed, unused: ActionSet) -> Iterator[EvidenceReason]:
    """Why permissions stand as they do, strongest reason first."""
    for code in EvidenceCode:
        if found := weighed.codes.get(code, NO_ACTIONS):
            standing, text = CATALOGUE_OF_REASONS[code]
            hidden = standing in {Standing.POSSIBLE, Standing.UNOBSERVABLE}
            yield EvidenceReason(
                code=code,
                standing=standing,
                text=text,
                permissions=found.size,
                counted_unused=hidden and not (found - unused),
            )


def _reach(weighed: Weighed) -> ReachSummary:
    coverage = weighed.coverage
    return ReachSummary(
        source=coverage.reach,
        mean=weighed.reach,
        resources=weighed.resources,
        resources_in_account=coverage.resources,
        by_pattern=coverage.by_pattern,
    )
