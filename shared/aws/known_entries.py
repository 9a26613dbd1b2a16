"""What a warm process knows to be stored in the usage ledger, so that what says nothing new costs no call at all."""

from collections import OrderedDict

from shared.aws.dynamodb import Key
from shared.aws.ledger_items import Fact
from shared.model.usage import DaySeen

FACT_BYTES = 1_800  # of memory: an entry without its ARNs, measured on CPython 3.11 and rounded up
FAMILY_BYTES = 400  # of memory: one family's name and set, besides its ARNs
ARN_BYTES = 120  # of memory: one ARN's object and its places in sets, besides its characters


class KnownEntries:
    """The facts of one table that this process last read or wrote, the least recently needed ones dropped first.

    Sound because a stored fact only grows: whatever it covered once, it covers for good, whoever wrote to it since. Two
    things could take from it behind our back. Expiry concerns facts that were last seen a retention ago, and says that
    nobody needs them. A table that is restored in place, or edited by hand, loses what this process then takes for
    stored, until its first write of a new day, which starts from what is really there: restore into a new table, as
    DynamoDB does by itself, or start the functions anew.

    One process keeps one of these for one table. Not for several threads.
    """

    def __init__(self, *, max_facts: int = 20_000, max_bytes: int = 48 * 1024 * 1024) -> None:
        self._max_facts = max_facts
        self._max_bytes = max_bytes
        self._facts: OrderedDict[Key, Fact] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._facts)

    def get(self, key: Key) -> Fact | None:
        """What is known to be stored under a key, at least."""
        fact = self._facts.get(key)
        if fact is not None:
            self._facts.move_to_end(key)
        return fact

    def put(self, key: Key, fact: Fact) -> None:
        """Remember what was just read or written under a key."""
        self._drop(key)
        self._facts[key] = fact
        self._bytes += _size(fact)
        while len(self._facts) > self._max_facts or self._bytes > self._max_bytes:
            self._drop(next(iter(self._facts)))

    def _drop(self, key: Key) -> None:
        fact = self._facts.pop(key, None)
        if fact is not None:
            self._bytes -= _size(fact)


def _size(fact: Fact) -> int:
    """Bytes of memory, roughly."""
    if isinstance(fact, DaySeen):
        return FACT_BYTES
    patterns = fact.resources.patterns() or ()
    families = len(fact.resources.families or ())
    return FACT_BYTES + families * FAMILY_BYTES + len(patterns) * ARN_BYTES + sum(map(len, patterns))
