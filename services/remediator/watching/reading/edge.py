"""Reads from the ledger what the identity of a line of plans was refused, and had before."""

from services.remediator.watching.lines import Line
from services.remediator.watching.regrets import regrets_of
from services.remediator.wiring.edge import Wiring
from shared.knowledge import load_catalogue
from shared.model.plan import Regret
from shared.model.usage import Coverage, IdentityKey


def read_regrets(wiring: Wiring, line: Line) -> tuple[Regret, ...]:
    """The regrets of a line, by one query. Raises InputError or DependencyError where the ledger can't be read."""
    identity, applied_at = line.root.plan.identity, line.root.applied_at
    if applied_at is None:
        return ()
    key = IdentityKey(wiring.settings.account_id, identity.identity_id)
    usage = wiring.ledger.read(key, since=applied_at, coverage=Coverage())
    return regrets_of(line.in_force, usage, load_catalogue(), root=line.root)
