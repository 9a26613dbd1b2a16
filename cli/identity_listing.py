"""The identities of the deployed system with what is stored of each: score, verdict and plan; chosen and sorted."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from cli.answers import printable
from cli.identities import Sort
from cli.identity_names import resource_of
from cli.score_answer import moment_text
from shared.aws.deployed_account import DeployedAccount
from shared.errors import InputError
from shared.model.identity import TYPE_OF_PREFIX, IdentityRef, IdentityType
from shared.model.plan import Compliance, PlanRecord, PlanStatus
from shared.model.score import Band, Score

ALIVE = (  # states of plans that say something of an identity as it is
    PlanStatus.PROPOSED,
    PlanStatus.APPLYING,
    PlanStatus.ROLLING_BACK,
    PlanStatus.APPLIED,
    PlanStatus.QUARANTINED,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One identity. Who has no score could not be scored: `problem` says why, and its ARN may be unknown."""

    identity_id: str
    identity: IdentityRef | None = None
    score: Score | None = None
    compliance: Compliance | None = None
    plan: PlanRecord | None = None
    problem: str = ""

    @property
    def type(self) -> IdentityType | None:
        """User or role."""
        return TYPE_OF_PREFIX.get(self.identity_id[:4])

    @property
    def called(self) -> str:
        """How tables call it: `user/ana`, or its id where nothing else is known."""
        return resource_of(self.identity) if self.identity else self.identity_id


@dataclass(frozen=True, slots=True)
class Choice:
    """Which identities are told of; None stands for all, and `name` is a pattern with * and ?."""

    type: IdentityType | None = None
    band: Band | None = None
    compliance: Compliance | None = None
    min_pci: float | None = None
    name: str | None = None

    def takes(self, row: Row) -> bool:
        """Whether a row is to be told of; who has no score has no band and no PCI."""
        score = row.score
        return (
            self.type in {None, row.type}
            and (self.band is None or (score is not None and score.band is self.band))
            and self.compliance in {None, row.compliance}
            and (self.min_pci is None or (score is not None and score.pci >= self.min_pci))
            and (self.name is None or _fits(row, self.name))
        )


def rows_of(account: DeployedAccount, unreadable: Callable[[InputError], None]) -> list[Row]:
    """Everybody who has a score, and whom the last sweep could not score; a plan that can't be read is told of."""
    account_id = account.stack.account_id
    verdicts = {verdict.identity.identity_id: verdict.compliance for verdict in account.scores.verdicts(account_id)}
    sweep = account.sweeps.get(account_id)
    failed = dict(sweep.failed) if sweep else {}
    plans = _latest(_alive(account, unreadable))
    scored = {stored.score.identity.identity_id: stored.score for stored in account.scores.scores(account_id)}
    return [
        *(
            Row(
                identity_id=key,
                identity=score.identity,
                score=score,
                compliance=verdicts.get(key) or Compliance.of(score.pci, account.stack.threshold, score.exempt),
                plan=plans.get(key),
                problem=failed.get(key, ""),
            )
            for key, score in scored.items()
        ),
        *(
            Row(identity_id=key, problem=why or "see the sweep's log")
            for key, why in failed.items()
            if key not in scored
        ),
    ]


def chosen(rows: Iterable[Row], choice: Choice, order: Sort) -> list[Row]:
    """The rows that are asked for, in order; those without a score come last."""
    keys: Mapping[Sort, Callable[[Score], float]] = {
        Sort.PCI: lambda score: -score.pci,
        Sort.UNUSED: lambda score: -score.unused,
        Sort.GRANTED: lambda score: -score.granted,
        Sort.SCORED: lambda score: -score.scored_at.timestamp(),
        Sort.NAME: lambda _: 0,
    }
    key = keys[order]
    return sorted(
        (row for row in rows if choice.takes(row)),
        key=lambda row: (row.score is None, key(row.score) if row.score else 0, _name(row), row.identity_id),
    )


def answer_of(rows: Sequence[Row], found: int) -> dict[str, Any]:
    """The identities that are told of, and how many there are of them in all."""
    return {"found": found, "identities": [_value(row) for row in rows]}


def _value(row: Row) -> dict[str, Any]:
    score, plan = row.score, row.plan
    return {
        "arn": row.identity.arn if row.identity else None,
        "id": row.identity_id,
        "type": row.type.value if row.type else None,
        "pci": score.pci if score else None,
        "band": score.band.value if score else None,
        "compliance": row.compliance.value if row.compliance else None,
        "exempt": printable(score.exempt) if score and score.exempt is not None else None,
        "granted": score.granted if score else None,
        "used": score.used if score else None,
        "unused": score.unused if score else None,
        "unobservable": score.unobservable if score else None,
        "observed_days": score.coverage.observed_days if score else None,
        "scored_at": moment_text(score.scored_at) if score else None,
        "plan_id": plan.plan.plan_id if plan else None,
        "plan_status": plan.status.value if plan else None,
        "problem": printable(row.problem) or None,
    }


def _alive(account: DeployedAccount, unreadable: Callable[[InputError], None]) -> Iterator[PlanRecord]:
    for status in ALIVE:
        yield from account.journal.with_status(account.stack.account_id, status, unreadable=unreadable)


def _latest(records: Iterable[PlanRecord]) -> dict[str, PlanRecord]:
    latest: dict[str, PlanRecord] = {}
    for record in records:
        key = record.plan.identity.identity_id
        if key not in latest or latest[key].updated_at < record.updated_at:
            latest[key] = record
    return latest


def _fits(row: Row, pattern: str) -> bool:
    """By name or by `role/path/name`; IAM tells no names apart that differ in case alone."""
    texts = (row.called, row.identity.name if row.identity else row.identity_id)
    return any(fnmatchcase(text.lower(), pattern.lower()) for text in texts)


def _name(row: Row) -> str:
    return row.identity.name.lower() if row.identity else row.identity_id
