"""Audit trails made to order, with their anchors, as they are stored."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from services.auditor.anchoring.anchors import AnchorWalk
from services.auditor.anchoring.core import Looked, next_anchor
from services.auditor.chain import BEFORE_ALL, verify_on
from services.auditor.core import entry_of
from services.auditor.verifying import CheckSignature, TrailReport, verify_trail
from shared.events import IdentityScored
from shared.model.anchor import AnchorPlace, StoredAnchor
from shared.model.identity import IdentityRef
from shared.model.stored_entry import StoredEntry, hash_of
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW, scored

Chain = tuple[StoredEntry, ...]
ANAS, DEPLOYERS = (f"{ACCOUNT}/{identity.identity_id}" for identity in (ANA, DEPLOYER))


def event_about(identity: IdentityRef, number: int) -> IdentityScored:
    """The score of an identity, for the given time."""
    told = scored(60.0 + number / 4, version=number, top=("iam:PutUserPolicy",)).model_dump(mode="json")
    fields = {
        name: told[name] for name in told.keys() - {"event_id", "account_id", "identity", "occurred_at", "version"}
    }
    return IdentityScored.about(identity, number, occurred_at=NOW + timedelta(minutes=number), **fields)


def stored_of(chain: Sequence[StoredEntry], event: IdentityScored) -> StoredEntry:
    """The item that records an event behind a chain."""
    head = chain[-1].head if chain else None
    return StoredEntry.of(entry_of(event, head, now=event.occurred_at).fields())


def chain_of(length: int, identity: IdentityRef = ANA, *, after: Chain = ()) -> Chain:
    """A chain that nobody touched; `after` is one that it goes on with."""
    entries = list(after)
    for number in range(len(entries) + 1, length + 1):
        entries.append(stored_of(entries, event_about(identity, number)))
    return tuple(entries)


def sealed(entry: StoredEntry, **changes: Any) -> StoredEntry:
    """An entry with some fields changed, and with the keys and the hash that they make: a well-made forgery."""
    fields = {**entry.fields, **changes}
    probe = StoredEntry.of(fields)
    return StoredEntry({**probe.attributes, "entry_hash": hash_of(fields)})


def edited(entry: StoredEntry, **changes: Any) -> StoredEntry:
    """An entry with some attributes changed and nothing else; None takes one away."""
    attributes = {**entry.attributes, **changes}
    return StoredEntry({name: value for name, value in attributes.items() if value is not None})


def anchored(
    stages: Iterable[Mapping[str, Chain]], *, before: Sequence[StoredAnchor] = (), listed: Iterable[str] | None = None
) -> tuple[StoredAnchor, ...]:
    """One anchor for each stage of a trail, as the schedule makes them."""
    anchors = list(before)
    for chains in stages:
        walk = walk_of(anchors)
        reports = {}
        for chain in {*chains, *walk.heads}:
            proven = walk.heads.get(chain, BEFORE_ALL)
            rest = [entry for entry in chains.get(chain, ()) if entry.head.sequence >= proven.sequence]
            reports[chain] = verify_on(rest, chain=chain, proven=proven)
        number = len(anchors) + 1
        looked = Looked(reports, frozenset(chains if listed is None else listed))
        anchor = next_anchor(walk, looked, account_id=ACCOUNT, number=number, now=NOW + timedelta(hours=number))
        content = json.loads(json.dumps({**anchor.fields(), "digest": anchor.digest}))
        anchors.append(StoredAnchor(AnchorPlace(ACCOUNT, number, f"v{number}"), content))
    return tuple(anchors)


def walk_of(anchors: Iterable[StoredAnchor]) -> AnchorWalk:
    """What anchors say together."""
    walk = AnchorWalk()
    for stored in anchors:
        walk.add(stored)
    return walk


def verified(
    chains: Mapping[str, Chain],
    anchors: Iterable[StoredAnchor] = (),
    *,
    registry: Iterable[str] | None = None,
    shown: Iterable[StoredEntry] = (),
    signed: CheckSignature | None = None,
) -> TrailReport:
    """Outcome of verifying a trail that is in memory; all its chains are listed unless said otherwise."""
    listed = chains if registry is None else registry
    return verify_trail(lambda chain: chains.get(chain, ()), anchors, listed, shown=shown, signed=signed)
