"""What an identity keeps, and why: unknown is not unused, denied is not used, no evidence means no change. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.evidence import weigh
from shared.iam.catalogue import Catalogue
from shared.model.finding import Standing, Window
from shared.model.last_accessed import LastAccessed
from shared.model.usage import Usage

# Calls that AWS allows everyone, whatever the policies say: nothing in a policy ever granted them.
ALWAYS_ALLOWED = frozenset({"sts:getcalleridentity", "sts:getsessiontoken"})
KEPT = (Standing.USED, Standing.POSSIBLE, Standing.UNOBSERVABLE)


@dataclass(frozen=True, slots=True)
class KeepSet:
    """Lower-case actions to keep, and those among them that are proven uses."""

    keep: frozenset[str]
    used: frozenset[str]


def keep_set(
    granted: Iterable[str], usage: Usage, last_accessed: LastAccessed | None, catalogue: Catalogue, *, window: Window
) -> KeepSet:
    """Decide for every granted action whether it stays.

    It stays if it was or may have been used in the window, if nobody could know (shared/evidence.py), or if a used
    action depends on it. Used actions outside the catalogue stay, granted by name or not.
    """
    actions = frozenset(granted)
    used = frozenset(usage.used_since(window.start))
    needed = {key.lower() for action in used if (known := catalogue.get(action)) for key in known.depends_on}
    kept = weigh(actions, usage, catalogue, window, last_accessed).standing(*KEPT)
    unknown = used - catalogue.keys
    return KeepSet(kept | (actions & needed) | unknown, used)
