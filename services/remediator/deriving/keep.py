"""What an identity keeps, and why: unknown is not unused, denied is not used, no evidence means no change. Pure."""

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.remediator.deriving.inputs import Evidence, Options
from shared.evidence import weigh
from shared.iam import actions
from shared.iam.catalogue import AccessLevel, Catalogue
from shared.iam.patterns import globs
from shared.iam.policy import Effect, parse_document
from shared.model.finding import EvidenceCode, Standing, Window
from shared.model.identity import IdentityDetail, Policy
from shared.model.last_accessed import LastAccessed
from shared.model.plan import ResourceScope
from shared.model.usage import Evidence as Kind
from shared.model.usage import Usage, UsageEntry

# Calls that AWS allows everyone, whatever the policies say: nothing in a policy ever granted them.
ALWAYS_ALLOWED = frozenset({"sts:getcalleridentity", "sts:getsessiontoken"})
KEPT = (Standing.USED, Standing.POSSIBLE, Standing.UNOBSERVABLE)


@dataclass(frozen=True, slots=True)
class KeepSet:
    """Lower-case actions to keep, and those among them that are proven uses.

    `observed` are the resource patterns of those kept actions that need no others, by action.
    """

    keep: frozenset[str]
    used: frozenset[str]
    observed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def keep_set(
    granted: Iterable[str], usage: Usage, last_accessed: LastAccessed | None, catalogue: Catalogue, *, window: Window
) -> KeepSet:
    """Decide by the evidence alone for every granted action whether it stays.

    It stays if it was or may have been used in the window, if nobody could know (shared/evidence.py), or if a used
    action depends on it. Used actions outside the catalogue stay, granted by name or not.
    """
    held = frozenset(granted)
    used = frozenset(usage.used_since(window.start))
    kept = weigh(held, usage, catalogue, window, last_accessed).standing(*KEPT)
    unknown = used - catalogue.keys
    return KeepSet(kept | (held & _needed(used, catalogue)) | unknown, used)


def keep_by_options(
    granted: frozenset[str],
    detail: IdentityDetail,
    evidence: Evidence,
    options: Options,
    catalogue: Catalogue,
    *,
    now: datetime,
) -> KeepSet:
    """Decide by the evidence and the options what stays; no option ever makes that less.

    `observed` is empty unless the resource scope asks for it.
    """
    window = Window.before(now, options.window_days)
    plain = keep_set(granted, evidence.usage, evidence.last_accessed, catalogue, window=window)
    asked_for = _reads(catalogue) if options.preserve_reads else frozenset[str]()
    asked_for |= frozenset(_matching(granted, options.always_keep))
    asked_for |= _of_young(granted, young_policies(detail, evidence, options, now), catalogue)
    peers = frozenset(key for usage in evidence.peers for key in usage.used_since(window.start))
    peers |= _needed(peers, catalogue)
    keep = plain.keep | (granted & (asked_for | peers))
    if options.resource_scope is ResourceScope.KEEP:
        return KeepSet(keep, plain.used)
    exact = (granted & plain.used) - asked_for - _needed(plain.used | peers, catalogue)
    return KeepSet(keep, plain.used, _observed(exact, evidence, catalogue, window))


def young_policies(detail: IdentityDetail, evidence: Evidence, options: Options, now: datetime) -> tuple[Policy, ...]:
    """Policies in force for less than the grace period: nobody can judge yet what they are for (safety.md F62)."""
    youngest = now - timedelta(days=options.grace_days)
    since = evidence.granted_since
    return tuple(policy for policy in detail.policies if since.get(policy.source, youngest) > youngest)


def _of_young(granted: frozenset[str], young: Iterable[Policy], catalogue: Catalogue) -> frozenset[str]:
    """Actions of young policies: these are kept whole."""
    unknown = granted - catalogue.keys
    statements = (statement for policy in young for statement in parse_document(policy.document))
    allowed = (actions.action_set(one, catalogue, unknown) for one in statements if one.effect is Effect.ALLOW)
    return frozenset(key for own in allowed for key in own.keys(catalogue))


def _needed(used: Iterable[str], catalogue: Catalogue) -> frozenset[str]:
    """What used actions depend on, by the service authorization reference."""
    found = (catalogue.get(action) for action in used)
    return frozenset(key.lower() for known in found if known for key in known.depends_on)


@functools.lru_cache(maxsize=4)
def _reads(catalogue: Catalogue) -> frozenset[str]:
    mask = catalogue.level_mask(AccessLevel.READ) | catalogue.level_mask(AccessLevel.LIST)
    return frozenset(catalogue.keys_of(mask))


def _matching(granted: frozenset[str], patterns: Iterable[str]) -> Iterator[str]:
    for pattern in map(str.lower, patterns):
        yield from (key for key in granted if globs.matches(pattern, key))


def _observed(
    candidates: frozenset[str], evidence: Evidence, catalogue: Catalogue, window: Window
) -> dict[str, tuple[str, ...]]:
    """Resource patterns of those used actions of which the trail would have shown any other use, too."""
    entries = evidence.usage.entries
    sure = {key for key in candidates if not entries[key].possible_since(window.start)}
    found: dict[str, tuple[str, ...]] = {}
    for key in sorted(_fully_shown(sure, evidence, catalogue, window)):
        patterns = _joined(key, entries[key], evidence.peers).resources.patterns()
        if patterns:
            found[key] = patterns
    return found


def _fully_shown(candidates: set[str], evidence: Evidence, catalogue: Catalogue, window: Window) -> frozenset[str]:
    """Actions that would count as unused if their recorded uses were not there: so no other use was missed.

    What IAM saw tried is kept under other names: it tells where the trail was away, but not of these actions' uses.
    """
    elsewhere = evidence.last_accessed and replace(
        evidence.last_accessed, actions={f"{key} ": access for key, access in evidence.last_accessed.actions.items()}
    )
    rest = {key: entry for key, entry in evidence.usage.entries.items() if key not in candidates}
    findings = weigh(candidates, replace(evidence.usage, entries=rest), catalogue, window, elsewhere)
    return findings.of_code(EvidenceCode.NOT_IN_TRAIL)


def _joined(key: str, entry: UsageEntry, peers: Iterable[Usage]) -> UsageEntry:
    """One entry with those of the peers that AWS let pass."""
    allowed = (Kind.OBSERVED, Kind.INFERRED, Kind.POSSIBLE)
    for peer in peers:
        other = peer.entries.get(key)
        if other is not None and any(kind in other.spans for kind in allowed):
            entry = entry.join(other)
    return entry
