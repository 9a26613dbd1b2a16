"""What the deployed system knows of each identity beside its score: its plan, its history, its trend, what it holds."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from pydantic import ValidationError

from cli.progress import progress
from cli.proposing import is_enough
from cli.reporting.model import HistoryEntry, ProposedPlan, ServiceUse, TrendValue
from cli.reporting.parts import plan_of
from cli.reporting.services import ServiceCounts
from shared.aws.account_listing import AccountListing
from shared.aws.deployed_account import DeployedAccount
from shared.aws.journal import Current
from shared.errors import InputError
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import PlanRecord
from shared.model.usage import Coverage, IdentityKey, Usage
from shared.pci.score import Scoring
from shared.validation import describe

READERS = 8  # questions that are asked at the same time, fewer than a client's connections (botocore: 10)
MANY = 50  # identities: fewer take less time than it takes to read a progress bar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one identity; `problems` say what could not be read of it, a sentence each."""

    plan: ProposedPlan | None = None
    history: tuple[HistoryEntry, ...] = ()
    trend: tuple[TrendValue, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """What identities hold by service, by unique id, and who they are that IAM lists; `problems` as above.

    `everyone` says that nobody but the listed is in IAM, which isn't known where it wasn't asked or wasn't understood.
    """

    services: dict[str, tuple[ServiceUse, ...]]
    listed: tuple[IdentityRef, ...]
    problems: tuple[str, ...]
    everyone: bool = False


def known_of(
    account: DeployedAccount, refs: Sequence[IdentityRef], *, now: datetime, history: int, trends: bool
) -> dict[str, Known]:
    """What is known of each, by unique id: its plan, its newest `history` entries and, if wanted, its trend.

    Two to four small queries an identity: fewer than one over the whole account would read, whose history of a window
    holds everything that happened to everyone. Raises DependencyError.
    """
    journal, audit, trend = account.journal, account.audit, account.trend  # made before threads share them
    threshold, account_id = account.stack.threshold, account.stack.account_id
    first = (now - timedelta(days=account.stack.window_days)).date()

    def plan(ref: IdentityRef) -> ProposedPlan | None:
        current = journal.current(ref)
        record = journal.get(current.plan_id) if current else None
        return _plan_of(record, current, threshold) if record and current else None

    def entries(ref: IdentityRef) -> tuple[HistoryEntry, ...]:
        newest = audit.of_identity(account_id, ref.identity_id, newest_first=True)
        return tuple(HistoryEntry(one.occurred_at, one.event_type, one.summary) for one in islice(newest, history))

    def points(ref: IdentityRef) -> tuple[TrendValue, ...]:
        found = trend.points(account_id, since=first, until=now.date(), identity_id=ref.identity_id)
        return tuple(TrendValue(point.day, point.last.pci) for point in found)

    def known(ref: IdentityRef) -> Known:
        problems: list[str] = []
        return Known(
            _tried(lambda: plan(ref), None, ref, problems),
            _tried(lambda: entries(ref), (), ref, problems) if history else (),
            _tried(lambda: points(ref), (), ref, problems) if trends else (),
            tuple(problems),
        )

    found = _asked(known, refs, "reading plans and histories")
    return {ref.identity_id: one for ref, one in zip(refs, found, strict=True)}


def held_by_all(account: DeployedAccount, scoring: Scoring, coverage: Coverage) -> Held:
    """What everyone holds now and used, by service: one listing of the account, and a query an identity.

    Raises DependencyError.
    """
    account_id, ledger = account.stack.account_id, account.ledger
    since = scoring.now - timedelta(days=scoring.window_days)
    counts = ServiceCounts(scoring.catalogue)
    services: dict[str, tuple[ServiceUse, ...]] = {}
    listed: list[IdentityRef] = []
    problems: list[str] = []
    everyone = True

    def usage(detail: IdentityDetail) -> Usage | None:
        ref = detail.ref
        key = IdentityKey(account_id, ref.identity_id)
        return _tried(lambda: ledger.read(key, since=since, coverage=coverage), None, ref, problems)

    for page in AccountListing(account.iam, now=scoring.now).pages():
        problems += (f"{identity_id}: {error}" for identity_id, error in page.unreadable.items())
        listed += (*(detail.ref for detail in page.details), *page.named.values())
        everyone = everyone and page.unreadable.keys() <= page.named.keys()
        for detail, used in zip(page.details, _asked(usage, page.details, "reading what was used"), strict=True):
            if used is not None:
                weighed = _tried(lambda: scoring.weigh(detail, used), None, detail.ref, problems)  # noqa: B023 at once
                if weighed is not None:
                    services[detail.ref.identity_id] = counts.of(weighed)
    return Held(services, tuple(listed), tuple(problems), everyone)


def _plan_of(record: PlanRecord, current: Current, threshold: float) -> ProposedPlan:
    """The latest plan of an identity, beside what was in force when it was made."""
    notes = [*([record.reason.message] if record.reason else []), *record.drift]
    if current.parked:
        notes.append(f"the identity is left alone for now: {current.parked}")
    if record.approved_by:
        notes.append(f"approved by {record.approved_by}")
    return plan_of(
        record.plan,
        record.snapshot.policies,
        record.snapshot.boundary,
        status=record.status.value,
        enough=is_enough(record.plan, threshold),
        notes=notes,
    )


def _asked(ask: Callable[[T], R], about: Sequence[T], what: str) -> list[R]:
    """The answer about each, some at the same time, in their order."""
    with ThreadPoolExecutor(READERS) as pool:
        answers: Iterable[R] = pool.map(ask, about)
        return list(_counted(answers, about, what))


def _counted(answers: Iterable[R], about: Sequence[object], what: str) -> Iterator[R]:
    for _, answer in zip(progress(about, what, many=MANY), answers, strict=True):
        yield answer


def _tried(read: Callable[[], T], otherwise: T, ref: IdentityRef, problems: list[str]) -> T:
    """What can be read of an identity; what is stored in a form that can't be read is a problem of this one alone."""
    try:
        return read()
    except InputError as error:
        problems.append(f"{ref.arn}: {error}")
    except ValidationError as error:
        problems.append(f"{ref.arn}: {describe(error)}")
    return otherwise
