"""Kinds of faults for the saga's tests: what fails, crashes, lags, or is done by somebody else around one call."""

from collections.abc import Callable
from dataclasses import dataclass

from services.remediator.changing.steps import is_ours
from shared.errors import ConflictError, DeniedError, DependencyError, NotFoundError
from tests.unit.remediation_fakes import FOREIGN, FORMER, NAMESAKE, Crash, Lab, allow

Act = Callable[[Lab], None]
BY_HAND = f"{FOREIGN}-by-hand"  # a managed policy that somebody attaches


def nothing(lab: Lab) -> None:
    pass


def raising(error: BaseException) -> Act:
    def act(lab: Lab) -> None:
        raise error

    return act


def delete_user(lab: Lab) -> None:
    lab.world.delete_user()


def recreate_user(lab: Lab) -> None:
    lab.world.delete_user()
    lab.world.ref = NAMESAKE


def put_inline(lab: Lab) -> None:
    lab.world.inline["by-hand"] = allow("sqs:SendMessage")


def attach(lab: Lab) -> None:
    lab.world.managed[BY_HAND] = allow("sqs:SendMessage")
    lab.world.attached.add(BY_HAND)


def detach(lab: Lab) -> None:
    """Take an old policy off, if it isn't the plan's turn already."""
    for arn in sorted(lab.world.attached):
        if not is_ours(arn) and arn != FOREIGN and ("detach_policy", arn) not in lab.intended:
            lab.world.attached.discard(arn)
            lab.by_hand = arn


def delete_inline(lab: Lab) -> None:
    """Delete an inline policy, if it isn't the plan's turn already."""
    for name in sorted(lab.world.inline):
        if ("delete_inline", name) not in lab.intended:
            del lab.world.inline[name]
            lab.by_hand = name


def detach_ours(lab: Lab) -> None:
    lab.world.attached = {arn for arn in lab.world.attached if not is_ours(arn)}


def set_foreign_boundary(lab: Lab) -> None:
    lab.world.boundary = FOREIGN


def remove_boundary(lab: Lab) -> None:
    lab.world.boundary = None


def delete_group(lab: Lab) -> None:
    lab.world.groups.clear()
    lab.world.member_of.clear()


def delete_unused(lab: Lab) -> None:
    """Delete the managed policies of others that nobody holds."""
    for arn in [arn for arn in lab.world.managed if not is_ours(arn) and not lab.world.holders(arn)]:
        del lab.world.managed[arn]


def remember_state(lab: Lab) -> None:
    """Reads lag: the next two show what is now, whatever is changed meanwhile."""
    if lab.world.ref:
        lab.stale = [lab.world.detail(lab.clock())] * 2


def tidy_former(lab: Lab) -> None:
    if not lab.world.holders(FORMER):
        lab.world.managed.pop(FORMER, None)


def throw_kill_switch(lab: Lab) -> None:
    lab.off = True


def lose_lock(lab: Lab) -> None:
    lab.token += 1


@dataclass(frozen=True)
class Kind:
    """A kind of fault: what happens around the call it hits, and to which port it can happen."""

    name: str
    before: Act = nothing
    after: Act = nothing
    only: frozenset[str] = frozenset({"read", "iam", "journal"})
    by_others: bool = False


IAM, READ, JOURNAL = frozenset({"iam"}), frozenset({"read"}), frozenset({"journal"})
FAULTS = (
    Kind("throttled", before=raising(DependencyError("Throttling"))),
    Kind("denied", before=raising(DeniedError("AccessDenied")), only=IAM),
    Kind("concurrent modification", before=raising(ConflictError("ConcurrentModification")), only=IAM),
    Kind("not found for a moment", before=raising(NotFoundError("NoSuchEntity")), only=IAM | READ),
    Kind("changed while it was read", before=raising(ConflictError("changed while it was read")), only=READ),
    Kind("crash before", before=raising(Crash())),
    Kind("crash after", after=raising(Crash())),
    Kind("lost response", after=raising(DependencyError("ConnectionClosed"))),
    Kind("journal refuses", before=raising(DependencyError("InternalServerError")), only=JOURNAL),
    Kind("conditional write lost after effect", after=raising(ConflictError("ConditionalCheckFailed")), only=JOURNAL),
    Kind("lock lost", before=lose_lock),
    Kind("stale reads", before=remember_state),
    Kind("stale reads and crash", before=remember_state, after=raising(Crash())),
    Kind("kill switch", before=throw_kill_switch),
)
BY_OTHERS = (
    Kind("user deleted", before=delete_user, by_others=True),
    Kind("user deleted and crash", before=delete_user, after=raising(Crash()), by_others=True),
    Kind("user re-created", before=recreate_user, by_others=True),
    Kind("inline policy by hand", before=put_inline, by_others=True),
    Kind("inline policy by hand and crash", before=put_inline, after=raising(Crash()), by_others=True),
    Kind("policy attached by hand", before=attach, by_others=True),
    Kind("policy detached by hand", before=detach, by_others=True),
    Kind("inline policy deleted by hand", before=delete_inline, by_others=True),
    Kind("our policy detached by hand", before=detach_ours, by_others=True),
    Kind("foreign boundary by hand", before=set_foreign_boundary, by_others=True),
    Kind("boundary removed by hand", before=remove_boundary, by_others=True),
    Kind("group deleted", before=delete_group, by_others=True),
    Kind("unused policies deleted", before=delete_unused, by_others=True),
    Kind("former policy tidied away", before=tidy_former, by_others=True),
)
KINDS = FAULTS + BY_OTHERS
