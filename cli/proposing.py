"""Plans for the identities of an account's files, by the derivation of the deployed system."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from cli.account_files import AccountFiles
from cli.scoring import Scorings
from cli.shared_work import work_on_all
from services.remediator.deriving.derive import derive_plan
from services.remediator.deriving.inputs import Evidence, Knowledge, Options
from services.remediator.deriving.managed_as_code import tool_of
from shared.errors import InputError
from shared.evidence import weigh
from shared.knowledge import load_catalogue, load_risk
from shared.model.finding import Standing, Window
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import HYSTERESIS, Plan, Reason, ReasonCode, ResourceScope, Strategy
from shared.model.safeguards import Safeguards
from shared.pci.score import ScoreParameters
from shared.protection import protection_of

MANY = 40  # identities: fewer take less time than it takes to read a progress bar
GOOD_FOR = timedelta(hours=24)  # as a plan of the deployed system by default
ANY_PCI = 100 + HYSTERESIS + 1  # the PCI that a plan must get below: a person decides whether one is worth it
TERRAFORM = "terraform"
BY_EVIDENCE = (Standing.USED, Standing.POSSIBLE, Standing.UNOBSERVABLE)
OTHERWISE = "otherwise"


@dataclass(frozen=True, slots=True)
class Wishes:
    """How plans are to be made, and for whom.

    Without a `strategy` it is a boundary, or a patch for an identity that is managed as code; `tool` says how patches
    are written where no tag does. `everyone` wants plans for those who comply as well. `peer_groups` are sets of
    identities that keep what any of them used.
    """

    threshold: float
    strategy: Strategy | None = None
    tool: str | None = None
    resource_scope: ResourceScope = ResourceScope.KEEP
    preserve_reads: bool = False
    always_keep: tuple[str, ...] = ()
    min_observed_days: int = 0
    grace_days: int = 0
    safeguards: Safeguards = field(default_factory=Safeguards)
    peer_groups: tuple[frozenset[IdentityRef], ...] = ()
    everyone: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proven plan, the identity that it is for, and the tool that its patch is written for (None: it has none).

    `kept_because` counts what it keeps by standing; OTHERWISE is what was not used, but was asked for, or is needed by
    what was used, or shares a service or a pattern with it.
    """

    plan: Plan
    detail: IdentityDetail
    tool: str | None
    enough: bool  # the identity complies afterwards
    kept_because: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Skipped:
    """An identity without a plan, its PCI, and why."""

    ref: IdentityRef
    pci: float
    reason: Reason
    is_over: bool  # it does not comply, and nobody exempted it


@dataclass(frozen=True, slots=True)
class Proposed:
    """What became of each identity that was looked at; errors by unique id."""

    proposals: tuple[Proposal, ...]
    skipped: tuple[Skipped, ...]
    errors: dict[str, InputError]


def propose_all(
    files: AccountFiles,
    wishes: Wishes,
    wanted: Collection[IdentityRef],
    *,
    scorings: Scorings | None = None,
    jobs: int = 1,
) -> Proposed:
    """Plan for the wanted identities, or, where nobody is named, for everyone who does not comply.

    Up to `jobs` processes share the work. `scorings` of these files may know scores already.
    """
    proposer = _Proposer(files, wishes, frozenset(wanted), scorings or Scorings(files))
    chosen = [detail for detail in files.details if not wanted or detail.ref in wanted]
    found = work_on_all(chosen, proposer.try_to_propose, jobs=jobs, what="planning", many=MANY)
    return Proposed(
        proposals=tuple(one for one in found if isinstance(one, Proposal)),
        skipped=tuple(one for one in found if isinstance(one, Skipped)),
        errors={
            detail.ref.identity_id: error
            for detail, error in zip(chosen, found, strict=True)
            if isinstance(error, InputError)
        },
    )


class _Proposer:
    """Plans for one identity after the other; what the identities of an account share is worked out once."""

    def __init__(self, files: AccountFiles, wishes: Wishes, wanted: frozenset[IdentityRef], scorings: Scorings) -> None:
        self._files = files
        self._wishes = wishes
        self._wanted = wanted
        self._scorings = scorings
        self._knowledge = Knowledge(load_catalogue(), load_risk(), ScoreParameters())

    def propose(self, detail: IdentityDetail) -> Proposal | Skipped:
        """Plan for one identity, or say why there is no plan. Raises InputError for a policy that can't be read."""
        ref, wishes = detail.ref, self._wishes
        score = self._scorings.score(detail)
        if protection := protection_of(detail, safeguards=wishes.safeguards, now=self._files.as_of):
            return Skipped(ref, score.pci, protection, is_over=False)
        is_over = score.pci >= wishes.threshold
        if not (is_over or wishes.everyone or ref in self._wanted):
            message = f"PCI {score.pci:.0f} is below {wishes.threshold:g}"
            return Skipped(ref, score.pci, Reason(code=ReasonCode.COMPLIANT, message=message), is_over=False)
        tool = tool_of(detail.tags, wishes.safeguards.managed_as_code)
        plan = self._derive(detail, wishes.strategy or (Strategy.PATCH if tool else Strategy.BOUNDARY))
        if isinstance(plan, Reason):
            return Skipped(ref, score.pci, plan, is_over=is_over)
        enough, kept = is_enough(plan, wishes.threshold), self._kept_because(plan)
        if plan.strategy is not Strategy.PATCH:
            return Proposal(_warned(plan, tool), detail, None, enough, kept)
        return Proposal(plan, detail, wishes.tool or tool or TERRAFORM, enough, kept)

    def try_to_propose(self, detail: IdentityDetail) -> Proposal | Skipped | InputError:
        """The same, with why there is neither: an error that is answered, and can be sent to another process."""
        try:
            return self.propose(detail)
        except InputError as error:
            return InputError(f"{detail.ref.arn}: {error}")

    def _derive(self, detail: IdentityDetail, strategy: Strategy) -> Plan | Reason:
        return derive_plan(
            detail,
            self._evidence(detail),
            self._knowledge,
            self._options(strategy),
            now=self._files.as_of,
            surroundings=self._files.surroundings_of(detail.ref),
            scoring=self._scorings.of(detail.ref),
        )

    def _kept_because(self, plan: Plan) -> Mapping[str, int]:
        files, ref = self._files, plan.identity
        keys = frozenset(map(str.lower, plan.keeps))
        window = Window.before(files.as_of, files.window_days)
        found = weigh(keys, files.usage_of(ref), self._knowledge.catalogue, window, files.last_accessed_of(ref))
        counts = {standing.value: len(found.standing(standing)) for standing in BY_EVIDENCE}
        return {**counts, OTHERWISE: len(keys) - sum(counts.values())}

    def _evidence(self, detail: IdentityDetail) -> Evidence:
        files, ref = self._files, detail.ref
        return Evidence(
            files.usage_of(ref),
            files.last_accessed_of(ref),
            peers=tuple(files.usage_of(peer) for peer in self._peers_of(ref)),
            granted_since=files.granted_since(detail),
        )

    def _peers_of(self, ref: IdentityRef) -> Iterator[IdentityRef]:
        """The others of its peer groups, in the order of their unique ids."""
        ids = set(self._wishes.safeguards.peers_of(ref.identity_id))
        ids |= {peer.identity_id for group in self._wishes.peer_groups if ref in group for peer in group}
        yield from (
            peer
            for peer in _by_id(detail.ref for detail in self._files.details)
            if peer.identity_id in ids - {ref.identity_id}
        )

    def _options(self, strategy: Strategy) -> Options:
        wishes = self._wishes
        return Options(
            strategy=strategy,
            window_days=self._files.window_days,
            threshold=ANY_PCI,
            min_observed_days=wishes.min_observed_days,
            ttl=GOOD_FOR,
            resource_scope=wishes.resource_scope,
            preserve_reads=wishes.preserve_reads,
            always_keep=(*wishes.always_keep, *wishes.safeguards.always_keep),
            grace_days=wishes.grace_days,
            max_gap_days=None,
            max_silent_days=None,
        )


def is_enough(plan: Plan, threshold: float) -> bool:
    """Whether the identity complies afterwards; one that does not now must get clearly below the threshold."""
    margin = HYSTERESIS if plan.pci_before >= threshold else 0.0
    return plan.pci_after < threshold - margin


def _by_id(refs: Iterable[IdentityRef]) -> Sequence[IdentityRef]:
    return sorted(refs, key=lambda ref: ref.identity_id)


def _warned(plan: Plan, tool: str | None) -> Plan:
    """Say of an identity that is managed as code that its next deployment would undo what the plan does."""
    if tool is None:
        return plan
    note = f"it is managed by {tool}, whose next deployment may undo this: --strategy patch says what to change there"
    return plan.model_copy(update={"notes": (*plan.notes, note)})
