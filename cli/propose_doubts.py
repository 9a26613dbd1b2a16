"""What somebody should know before relying on plans that were made from files. Pure."""

from collections.abc import Iterator, Sequence

from cli.account_doubts import some
from cli.account_files import AccountFiles
from cli.proposing import Proposal, Proposed, Wishes
from shared.knowledge import load_catalogue
from shared.model.plan import ReasonCode
from shared.model.safeguards import Exemption, ManagedAsCode

ENOUGH_DAYS = 30  # the default of the stack's parameter MinObservedDays


def doubts_of(files: AccountFiles, proposed: Proposed, wishes: Wishes) -> tuple[str, ...]:
    """A sentence each: thin records, reports that would help, and safeguards that protect nobody."""
    return (
        *_of_records(proposed.proposals),
        *_of_reports(files, proposed),
        *_of_patterns(wishes),
        *_of_safeguards(files, wishes),
    )


def _of_records(proposals: Sequence[Proposal]) -> Iterator[str]:
    days = sorted({one.plan.coverage.observed_days for one in proposals})
    few = [day for day in days if day < ENOUGH_DAYS]
    if few:
        span = f"{few[0]}" if few[0] == days[-1] else f"{few[0]} to {days[-1]}"
        yield (
            f"plans rest on {span} observed {'day' if span == '1' else 'days'}: what is done monthly, or at the end of "
            f"a year, may not be seen; the deployed system waits for {ENOUGH_DAYS} days by default"
        )


def _of_reports(files: AccountFiles, proposed: Proposed) -> Iterator[str]:
    """Who keeps too much, with nobody having asked IAM what was left alone."""
    too_much = [one.ref for one in proposed.skipped if one.reason.code in {ReasonCode.TOO_LARGE, ReasonCode.QUOTA}]
    too_much += [one.plan.identity for one in proposed.proposals if not one.enough]
    if unasked := sorted(ref.arn for ref in too_much if files.last_accessed_of(ref) is None):
        yield (
            "what IAM last saw was not given (--last-accessed), so that whatever the records can't show is kept; with "
            f"it there may be plans that are enough for: {some(unasked)}"
        )


def _of_patterns(wishes: Wishes) -> Iterator[str]:
    catalogue = load_catalogue()
    patterns = dict.fromkeys((*wishes.always_keep, *wishes.safeguards.always_keep))
    if unknown := [pattern for pattern in patterns if not catalogue.mask_any((pattern.lower(),))]:
        yield f"actions to keep that the catalogue doesn't know (are they misspelt?): {some(unknown)}"


def _of_safeguards(files: AccountFiles, wishes: Wishes) -> Iterator[str]:
    """Entries that are about nobody of the account, and those that plans don't know."""
    safeguards, refs = wishes.safeguards, [detail.ref for detail in files.details]
    about = ((_named(one), any(map(one.covers, refs))) for one in safeguards.exemptions)
    if idle := [name for name, is_met in about if not is_met]:
        yield f"exemptions that nobody who is listed has: {some(idle)}"
    ids = {ref.identity_id for ref in refs}
    members = dict.fromkeys(member for group in safeguards.peer_groups for member in group.members)
    if gone := [member for member in members if member not in ids]:
        yield f"members of peer groups who are not listed: {some(gone)}"
    carried = {(tag.lower(), value.lower()) for detail in files.details for tag, value in detail.tags.items()}
    if absent := [mark.tag for mark in safeguards.managed_as_code if not any(_marks(mark, *tag) for tag in carried)]:
        yield f"tags of managed_as_code that nobody carries with such a value: {some(absent)}"
    if safeguards.holds:
        yield "holds were not applied: they stop changes, and these are only plans"


def _marks(mark: ManagedAsCode, tag: str, value: str) -> bool:
    return mark.tag.lower() == tag and (not mark.values or value in map(str.lower, mark.values))


def _named(one: Exemption) -> str:
    return one.path or one.arn or one.identity_id or ""
