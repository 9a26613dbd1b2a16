"""The report on the account of a deployed stack, read with the caller's own permissions; changes nothing."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta

from cli.auditing.trends import alarm_of
from cli.deployed_account import OLD, stored_surroundings
from cli.reporting.model import Report, ReportKind, TrendValue
from cli.reporting.parts import names_of_paths, some
from cli.reporting.readings import Held, held_by_all, known_of
from cli.reporting.refusals import refusals_of
from cli.reporting.stored_identities import StoredIdentities, unplanned
from cli.score_answer import account_score, worst_first
from shared.aws.deployed_account import DeployedAccount
from shared.aws.ssm import read_mode
from shared.errors import DeniedError, InputError
from shared.knowledge import load_catalogue, load_risk
from shared.model.identity import IdentityRef
from shared.model.score import Score
from shared.model.sweep import SweepProgress
from shared.model.usage import Coverage
from shared.pci.score import ScoreParameters, Scoring

HISTORY = 20  # entries of the audit trail that are shown of each identity
NOTHING_HELD = Held({}, (), ())


def report_of_account(
    account: DeployedAccount, *, now: datetime, history: int = HISTORY, quick: bool = False
) -> Report:
    """Scores and verdicts as they are stored, with the latest plan, the history and the trend of each identity.

    What is held by service is worked out anew from IAM and the usage ledger. `quick` leaves out all that takes a
    question an identity, but plans. Raises DependencyError, and InputError where nobody has a score yet.
    """
    facts = account.stack
    with _refused_items() as refused:
        scores = worst_first(one.score for one in account.scores.scores(facts.account_id))
        verdicts = {one.identity.identity_id: one for one in account.scores.verdicts(facts.account_id)}
    if not scores:
        raise InputError(f"the stack {account.stack_name} has no scores yet: `leastwise sweep` makes them")
    since = now - timedelta(days=facts.window_days)
    warnings: list[str] = []
    coverage = account.ledger.read_coverage(facts.account_id, since=since)
    held = NOTHING_HELD if quick else _held(account, coverage, now, warnings)
    scores, gone = _in_iam(scores, held)
    known = known_of(
        account, [score.identity for score in scores], now=now, history=0 if quick else history, trends=not quick
    )
    sweep = account.sweeps.get(facts.account_id)
    total = account_score(scores, facts.account_id, now)
    refusals = refusals_of(account, unplanned(scores, verdicts, known), since=since)
    paths = names_of_paths(load_risk())
    identities = StoredIdentities(verdicts, known, held, refusals, facts.threshold, paths)
    alarm = alarm_of(facts)
    return Report(
        kind=ReportKind.DEPLOYED,
        account_id=facts.account_id,
        as_of=now,
        window_days=facts.window_days,
        threshold=facts.threshold,
        model_version=_versions(score.model_version for score in scores),
        catalogue_version=_versions(score.catalogue_version for score in scores),
        account_pci=total.pci,
        excluded=total.excluded,
        bands={band.value: count for band, count in total.by_band.items()},
        identities=tuple(map(identities.of, scores)),
        trend=_trend(account, since.date(), now.date()),
        facts=tuple(_facts(account, scores, coverage, sweep, since.date())),
        warnings=(*warnings, *_doubts(scores, gone, held, sweep, now)),
        errors=(
            *refused,
            *held.problems,
            *(text for one in known.values() for text in one.problems),
            *refusals.problems,
        ),
        account_alarm=alarm.pci if alarm else None,
    )


def _held(account: DeployedAccount, coverage: Coverage, now: datetime, warnings: list[str]) -> Held:
    scoring = Scoring(
        load_catalogue(),
        load_risk(),
        ScoreParameters(),
        now=now,
        window_days=account.stack.window_days,
        surroundings=stored_surroundings(account, now, warnings),
    )
    return held_by_all(account, scoring, coverage)


def _in_iam(scores: Sequence[Score], held: Held) -> tuple[list[Score], list[Score]]:
    """Scores of those whom IAM lists, and of those whom it doesn't any more; without a whole listing all count."""
    listed = {ref.identity_id for ref in held.listed}
    there: list[Score] = []
    gone: list[Score] = []
    for score in scores:
        (there if not held.everyone or score.identity.identity_id in listed else gone).append(score)
    return there, gone


def _trend(account: DeployedAccount, first: date, last: date) -> tuple[TrendValue, ...]:
    points = account.trend.points(account.stack.account_id, since=first, until=last)
    return tuple(TrendValue(point.day, point.last.pci) for point in points)


def _facts(
    account: DeployedAccount, scores: Sequence[Score], coverage: Coverage, sweep: SweepProgress | None, before: date
) -> Iterator[tuple[str, str]]:
    facts = account.stack
    yield "Stack", f"{account.stack_name} in {facts.region}"
    yield "Mode", _mode(account)
    yield "Last sweep", _sweep(sweep)
    if made := sorted(score.scored_at for score in scores):
        yield "Scores made", f"from {made[0]:%Y-%m-%d %H:%M} to {made[-1]:%Y-%m-%d %H:%M} UTC"
    yield "Days with records", f"{sum(day > before for day in coverage.days):,} of {facts.window_days:,}"
    yield "Regions seen", some(sorted(coverage.regions)) or "none"


def _mode(account: DeployedAccount) -> str:
    """How far the remediator may go; a report is worth having without it."""
    name = account.stack.outputs.get("ModeParameterName")
    if not name:
        return "the stack doesn't say"
    try:
        return read_mode(account.client("ssm"), name).value
    except (DeniedError, InputError) as error:
        return f"can't be read: {error}"


def _sweep(sweep: SweepProgress | None) -> str:
    if sweep is None:
        return "never"
    if sweep.finished_at is None:
        return f"began {sweep.started_at:%Y-%m-%d %H:%M} UTC, {sweep.identities:,} identities so far"
    failed = f", {sweep.failures:,} could not be scored" if sweep.failures else ""
    return f"{sweep.finished_at:%Y-%m-%d %H:%M} UTC, {sweep.identities:,} identities{failed}"


def _doubts(
    scores: Sequence[Score], gone: Sequence[Score], held: Held, sweep: SweepProgress | None, now: datetime
) -> Iterator[str]:
    """What somebody should know before relying on the figures."""
    if gone:
        arns = some(score.identity.arn for score in gone)
        yield f"scores of identities that IAM no longer lists, which count nowhere here: {arns}"
    if old := [score.identity.arn for score in scores if now - score.scored_at > OLD]:
        yield f"scores that no sweep renewed for {OLD.days} days: {some(old)}"
    scored = {score.identity.identity_id for score in scores}
    if new := [ref.arn for ref in _sorted(held.listed) if ref.identity_id not in scored]:
        yield f"identities without a score that can be read, which the next sweep makes: {some(new)}"
    if sweep is not None and sweep.failed:
        yield f"identities that the last sweep could not score: {some(sorted(sweep.failed))}"


def _sorted(refs: Sequence[IdentityRef]) -> list[IdentityRef]:
    return sorted(refs, key=lambda ref: ref.arn)


def _versions(versions: Iterator[str]) -> str:
    """The version that all scores are of, or each, while a sweep goes from one to the next."""
    return ", ".join(sorted(set(versions)))


@contextmanager
def _refused_items() -> Iterator[list[str]]:
    """What the table of scores logs of items that it can't read and leaves out: a report must name them."""
    refused: list[str] = []

    class Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            refused.append(record.getMessage())

    logger, handler = logging.getLogger("shared.aws.score_table"), Noting(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield refused
    finally:
        logger.removeHandler(handler)
