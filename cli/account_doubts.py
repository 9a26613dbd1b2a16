"""What somebody should know before relying on an answer from an account's files: a sentence each. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from cli.authorization_files import Listing
from cli.reading_trails.shares import Totals
from services.scorer.usage.folded import Folded
from shared.iam.authorization_items import LISTS, account_of
from shared.model.identity import IdentityDetail
from shared.model.last_accessed import LastAccessed
from shared.model.score import Score
from shared.model.usage import Coverage

TOLD = 3  # places or names in one sentence
SILENT_DAYS = 7  # without a record before the time that is judged, above which somebody should know
UPPER_BOUNDS = "no use is seen there, and its scores are upper bounds"


def doubts_of_records(
    totals: Totals, paths: Sequence[str], files: int, accounts: Iterable[str], *, as_of: datetime, window_days: int
) -> Iterator[str]:
    """What the records cannot tell: of whom or when there are none, and what could not be read."""
    if not paths:
        yield "without --cloudtrail no use is seen: every score is an upper bound"
        return
    if not files:
        yield f"no CloudTrail files in {', '.join(sorted(paths))}"
    if count := totals.unread.count:
        places = "; ".join(f"{one.file}, position {one.position}: {one.reason}" for one in totals.unread.first[:TOLD])
        yield f"{count:,} places in CloudTrail files could not be read, and what they tell is missing: {places}"
    others = ", ".join(sorted({*totals.folded.coverage, *totals.later}.difference(accounts))) or "none"
    for account_id in sorted(accounts):
        if days := totals.folded.coverage.get(account_id, Coverage()).days:
            yield from _doubts_of_end(account_id, max(days), as_of, window_days)
        elif any(key.account_id == account_id for key in totals.folded.usages):
            yield (
                f"no record of account {account_id} shows that its management events were recorded: "
                "no day counts as observed, and its scores are upper bounds"
            )
        elif first := totals.later.get(account_id):
            yield (
                f"every record of account {account_id} is later than the time that is judged, {as_of.isoformat()} "
                f"(the first is of {first.isoformat()}): {UPPER_BOUNDS}"
            )
        else:
            yield f"no record is of account {account_id} (other accounts in the records: {others}): {UPPER_BOUNDS}"


def _doubts_of_end(account_id: str, last: date, as_of: datetime, window_days: int) -> Iterator[str]:
    """What the records of an account leave out that end (UTC) before the window, or long before the time judged."""
    first = as_of.date() - timedelta(days=window_days - 1)
    silent = (as_of.date() - last).days
    if last < first:
        yield (
            f"the records of account {account_id} end on {last}, before the window of {window_days:,} days, "
            f"which begins on {first}: {UPPER_BOUNDS}"
        )
    elif silent > SILENT_DAYS:
        yield (
            f"the records of account {account_id} end on {last}, {silent:,} days before the time that is judged: "
            "what was used since then counts as unused"
        )


def doubts_of_listing(listing: Listing, details: Sequence[IdentityDetail]) -> Iterator[str]:
    """What the authorization details leave out, and accounts that they mix."""
    counts = Counter(detail.ref.account_id for detail in details)
    if len(counts) > 1:
        told = ", ".join(f"{account_id} ({count:,} identities)" for account_id, count in sorted(counts.items()))
        yield f"the authorization details mix accounts: {told}"
    for name in LISTS:
        owners = {account_of(item) for page in listing.pages for item in page.get(name, [])}
        lacking = [] if "" in owners else sorted(set(counts) - owners)
        for account_id in lacking:
            yield (
                f"the authorization details of account {account_id} have nothing in {name}: "
                "is that so, or were they made with --filter?"
            )
    if names := sorted(detail.ref.arn for detail in details if detail.ref.identity_id in listing.stand_ins):
        yield f"unique ids that are not IAM's, so that no record can be matched to them: {some(names)}"


def doubts_of_identities(folded: Folded, details: Sequence[IdentityDetail]) -> Iterator[str]:
    """Records of the same account that name somebody who is not listed, or is no more."""
    ids = {detail.ref.identity_id for detail in details}
    arns = {detail.ref.arn for detail in details}
    accounts = {detail.ref.account_id for detail in details}
    unknown = {key: folded.arns.get(key) for key in folded.usages if key.account_id in accounts}
    unknown = {key: arn for key, arn in unknown.items() if key.identity_id not in ids}
    if again := sorted({arn for arn in unknown.values() if arn in arns and arn is not None}):
        yield f"deleted and created again: what records tell of the former identity doesn't count: {some(again)}"
    if gone := sorted(arn or key.identity_id for key, arn in unknown.items() if arn not in arns):
        yield f"identities in the records that the authorization details don't list: {some(gone)}"


def doubts_of_reports(reports: Mapping[str, LastAccessed], details: Sequence[IdentityDetail]) -> Iterator[str]:
    """Reports of nobody who is listed."""
    if unknown := sorted(set(reports) - {detail.ref.arn for detail in details}):
        yield f"last accessed information of identities that the authorization details don't list: {some(unknown)}"


def doubts_of_scores(scores: Iterable[Score]) -> Iterator[str]:
    """Granted wildcards that no score could count."""
    unknown = sorted({pattern for score in scores for pattern in score.coverage.unknown_patterns})
    if unknown:
        yield f"wildcards in which the catalogue of actions knows none add nothing to a score: {some(unknown)}"


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - TOLD:,} more" if len(names) > TOLD else ""
    return ", ".join(names[:TOLD]) + more
