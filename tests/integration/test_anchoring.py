"""Anchoring on moto: what the schedule writes to the bucket, what it finds, and what it does when its time is over."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.auditor.anchoring.edge import Anchoring
from services.auditor.anchoring.handler import handle_schedule
from services.auditor.core import chain_of, entry_of
from services.auditor.settings import AnchorSettings
from services.auditor.verifying import TrailReport, verify_trail
from shared.aws import clients
from shared.aws.anchor_bucket import AnchorBucket
from shared.aws.audit_table import AuditTable
from shared.aws.kms import AnchorKey
from shared.errors import ConflictError, DependencyError
from shared.events import AuditTrailBroken, DomainEvent
from shared.model.anchor import Anchor, FaultKind
from shared.model.identity import IdentityRef
from shared.model.stored_entry import LAST
from shared.observability import metrics
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW, scored
from tests.conftest import REGION, LogLines, Stack, in_threads
from tests.unit.trail import ANAS, DEPLOYERS, event_about

BUCKET = "anchors"
PREFIX = f"anchors/{ACCOUNT}/"
ANCHORS = f"{ACCOUNT}/anchors"


@dataclass
class Place:
    """The trail on moto with its bucket, and what can be done to both."""

    aws: Stack
    context: LambdaContext
    audit: AuditTable
    bucket: AnchorBucket

    def record(self, *events: DomainEvent) -> None:
        """Append events to the trail."""
        for event in events:
            self.audit.append(event.event_id, chain_of(event), partial(entry_of, event, now=event.occurred_at))

    def anchor(self) -> dict[str, Any]:
        """Let the schedule run once."""
        answer: dict[str, Any] = handle_schedule({}, self.context)
        return answer

    def verify(self, key: AnchorKey | None = None) -> TrailReport:
        """Verify the trail as the command does."""
        anchors, registry = self.bucket.anchors(ACCOUNT), self.audit.chains(ACCOUNT)
        return verify_trail(self.audit.raw_chain, anchors, registry, signed=key.verify if key else None)

    def faults(self) -> list[tuple[str, FaultKind, int | None]]:
        """What verification finds."""
        return [fault.place for fault in self.verify().faults]

    def key(self, chain: str, place: int) -> dict[str, Any]:
        """Key of an entry."""
        return {"pk": {"S": f"CHAIN#{chain}"}, "sk": {"S": f"{place:012d}"}}

    def edit(self, chain: str, place: int) -> None:
        """Change what an entry says."""
        clients.dynamodb().update_item(
            TableName=self.aws.audit_table,
            Key=self.key(chain, place),
            UpdateExpression="SET summary = :summary",
            ExpressionAttributeValues={":summary": {"S": "nothing happened"}},
        )

    def drop(self, chain: str, *places: int) -> None:
        """Delete entries."""
        for place in places:
            clients.dynamodb().delete_item(TableName=self.aws.audit_table, Key=self.key(chain, place))

    def unlist(self, identity: IdentityRef) -> None:
        """Take a chain off the list of chains."""
        key = {"pk": {"S": f"CHAINS#{ACCOUNT}"}, "sk": {"S": identity.identity_id}}
        clients.dynamodb().delete_item(TableName=self.aws.audit_table, Key=key)

    def swap(self, chain: str, one: int, other: int) -> None:
        """Exchange what two entries say, and leave them their keys."""
        table, dynamodb = self.aws.audit_table, clients.dynamodb()
        items = [dynamodb.get_item(TableName=table, Key=self.key(chain, place))["Item"] for place in (one, other)]
        for item, place in zip(items, (other, one), strict=True):
            dynamodb.put_item(TableName=table, Item={**item, **self.key(chain, place)})

    def content(self, number: int) -> dict[str, Any]:
        """An anchor as it is in the bucket."""
        answer = clients.s3().get_object(Bucket=BUCKET, Key=f"{PREFIX}{number:012d}.json")
        content: dict[str, Any] = json.loads(answer["Body"].read())
        return content

    def overwrite(self, number: int, content: Any) -> None:
        """Put another version of an anchor."""
        clients.s3().put_object(Bucket=BUCKET, Key=f"{PREFIX}{number:012d}.json", Body=json.dumps(content).encode())

    def remove(self, number: int, *, for_good: bool) -> None:
        """Put a delete marker over an anchor, or remove its versions."""
        key = f"{PREFIX}{number:012d}.json"
        if not for_good:
            clients.s3().delete_object(Bucket=BUCKET, Key=key)
            return
        for version in clients.s3().list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]:
            clients.s3().delete_object(Bucket=BUCKET, Key=key, VersionId=version["VersionId"])


@pytest.fixture
def place(aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A trail of two chains, five entries of one and two of the other, that was anchored once at the third."""
    monkeypatch.setattr(metrics, "namespace", "leastwise")
    bucket = AnchorBucket(clients.s3(), BUCKET, owner_account_id=ACCOUNT)
    made = Place(aws, context, AuditTable(aws.table(aws.audit_table)), bucket)
    made.record(*(event_about(ANA, number) for number in (1, 2, 3)))
    assert made.anchor() == {"number": 1, "written": True, "faults": 0, "finished": True}
    made.record(*(event_about(ANA, number) for number in (4, 5)), *(event_about(DEPLOYER, number) for number in (1, 2)))
    return made


def test_an_anchor_holds_the_ends_of_all_chains_and_the_next_ones_what_moved(place: Place) -> None:
    assert list(place.content(1)["heads"]) == [ANAS]
    assert place.content(1)["heads"][ANAS][0] == 3
    place.anchor()
    second = place.content(2)
    assert {chain: head[0] for chain, head in second["heads"].items()} == {ANAS: 5, DEPLOYERS: 2}
    assert (second["chains"], second["entries"], second["complete"]) == (2, 7, False)
    assert second["previous_digest"] == place.content(1)["digest"]
    place.anchor()
    assert place.content(3)["heads"] == {}
    report = place.verify()
    assert (report.whole, report.entries, report.chains, report.anchors, report.unanchored) == (True, 7, 2, 3, 0)


def test_every_24th_anchor_holds_all_chains_so_that_the_others_read_no_further_back(place: Place) -> None:
    reads: list[str] = []
    clients.s3().meta.events.register("before-call.s3.GetObject", lambda **_: reads.append("x"))
    most = 0
    for number in range(2, 28):
        reads.clear()
        place.anchor()
        most = max(most, len(reads))
        assert place.content(number)["complete"] is (number == 25)
    assert most == 24, "and the 25th reads all 24 before"
    assert place.content(25)["heads"].keys() == {ANAS, DEPLOYERS}
    assert place.verify().whole


TAMPERINGS: list[tuple[str, Callable[[Place], None], list[tuple[str, FaultKind, int | None]]]] = [
    ("an edited entry", lambda p: p.edit(ANAS, 4), [(ANAS, FaultKind.EDITED, 4)]),
    ("a dropped entry", lambda p: p.drop(ANAS, 4), [(ANAS, FaultKind.MISSING, 4)]),
    ("two swapped entries", lambda p: p.swap(ANAS, 4, 5), [(ANAS, FaultKind.EDITED, 4)]),
    ("a cut end", lambda p: p.drop(ANAS, 4, 5), [(ANAS, FaultKind.TRUNCATED, 4)]),
    ("a removed chain", lambda p: p.drop(DEPLOYERS, 1, 2), [(DEPLOYERS, FaultKind.REMOVED, 1)]),
    ("a chain off the list", lambda p: p.unlist(DEPLOYER), [(DEPLOYERS, FaultKind.UNREGISTERED, None)]),
    ("an overwritten anchor", lambda p: p.overwrite(2, {}), [(ANCHORS, FaultKind.ANCHOR_OVERWRITTEN, 2)]),
    ("a hidden anchor", lambda p: p.remove(2, for_good=False), [(ANCHORS, FaultKind.ANCHOR_DELETED, 2)]),
    ("a removed anchor", lambda p: p.remove(2, for_good=True), [(ANCHORS, FaultKind.ANCHOR_MISSING, 2)]),
]


@pytest.mark.parametrize(("what", "tamper", "expected"), TAMPERINGS, ids=[case[0] for case in TAMPERINGS])
def test_each_kind_of_tampering_is_found_by_verification(
    place: Place, what: str, tamper: Callable[[Place], None], expected: list[tuple[str, FaultKind, int | None]]
) -> None:
    for _ in range(2):
        place.anchor()
    assert place.faults() == []
    tamper(place)
    assert place.faults() == expected


@pytest.mark.parametrize(("what", "tamper", "expected"), TAMPERINGS, ids=[case[0] for case in TAMPERINGS])
def test_each_kind_of_tampering_is_found_by_the_schedule_told_as_one_event_and_stays(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    tamper: Callable[[Place], None],
    expected: list[tuple[str, FaultKind, int | None]],
) -> None:
    """At once where it concerns what is new or the newest, else when it is the chain's turn: here once in four runs."""
    monkeypatch.setattr("services.auditor.anchoring.core.COMPLETE_EVERY", 4)
    for _ in range(2):
        place.anchor()
    tamper(place)
    place.aws.published()
    answers = [place.anchor() for _ in range(5)]
    told = place.aws.told(AuditTrailBroken.type_name())
    assert {one["chain"] for one in told} == {expected[0][0]}
    assert len({one["event_id"] for one in told}) == 1
    assert len(told) == 2, "once more by the next run: nobody knows whether the first was cut short"
    assert answers[-1]["faults"] or expected[0][1] in {FaultKind.EDITED, FaultKind.MISSING}
    anchors = [place.content(one["number"]) for one in answers]
    recorded = [(anchor["complete"], {fault["kind"] for fault in anchor.get("faults", ())}) for anchor in anchors]
    kinds = {one["fault"] for one in told}
    assert next(faults for _, faults in recorded if faults) == kinds, "the first anchor that has it"
    assert all(faults == kinds for complete, faults in recorded[3:] if complete), "and all that hold everything"
    assert {fault[0] for fault in place.faults()} == {expected[0][0]}


def test_what_is_behind_a_fault_is_not_anchored_and_the_other_chains_are(place: Place) -> None:
    place.edit(ANAS, 4)
    place.anchor()
    assert {chain: head[0] for chain, head in place.content(2)["heads"].items()} == {DEPLOYERS: 2}
    (fault,) = place.content(2)["faults"]
    assert (fault["chain"], fault["sequence"]) == (ANAS, 4)


def test_a_fault_that_was_repaired_is_still_told_by_the_anchors(place: Place) -> None:
    before = clients.dynamodb().get_item(TableName=place.aws.audit_table, Key=place.key(ANAS, 4))["Item"]
    place.edit(ANAS, 4)
    place.anchor()
    clients.dynamodb().put_item(TableName=place.aws.audit_table, Item=before)
    assert place.anchor()["faults"] == 0
    (fault,) = place.verify().faults
    assert fault.message == f"{ANAS} #4: this entry was edited (an anchor recorded this)"


def test_a_fault_that_cannot_be_told_is_recorded_all_the_same_and_the_next_run_tells_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise DependencyError("PutEvents: refused")

    place.edit(ANAS, 4)
    with monkeypatch.context() as patch:
        patch.setattr("shared.aws.eventbridge.Publisher.publish", refuse)
        with pytest.raises(DependencyError):
            place.anchor()
    assert place.content(2)["new_faults"] == 1
    place.anchor()
    assert len(place.aws.told(AuditTrailBroken.type_name())) == 1
    assert place.content(3)["new_faults"] == 0


def run(remaining: Callable[[], float], *, now: datetime = NOW) -> dict[str, Any]:
    return Anchoring(AnchorSettings.load(), now, remaining).run()


def test_a_run_whose_time_is_over_anchors_what_it_proved_and_the_next_one_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With time for one entry more at each look, chains move on by at least one entry a run, and all get their turn."""
    monkeypatch.setattr("services.auditor.anchoring.edge.READERS", 1)
    place.record(*(event_about(ANA, number) for number in range(6, 12)))
    runs = []
    for _ in range(20):
        left = iter([99.0] * 3)
        runs.append(run(partial(next, left, 0.0)))
        if runs[-1]["finished"]:
            break
    assert [one["written"] for one in runs] == [True] * len(runs)
    assert 1 < len(runs) < 20
    report = place.verify()
    assert (report.whole, report.entries, report.unanchored) == (True, 13, 0)


def test_a_run_without_any_time_says_so_and_loses_nothing(place: Place) -> None:
    before = place.content(1)
    assert run(lambda: 0.0) == {"number": 2, "written": True, "faults": 0, "finished": False}
    assert (place.content(2)["heads"], place.content(2)["entries"]) == ({}, before["entries"])
    assert place.anchor()["finished"]
    assert place.verify().unanchored == 0


def test_of_two_runs_at_the_same_time_one_wins(place: Place, atomic_calls: None) -> None:
    answers: list[dict[str, Any]] = []

    def once() -> None:
        answers.append(run(lambda: 99.0, now=NOW + timedelta(seconds=next(seconds))))

    seconds = iter(range(0, 90, 10))
    in_threads(once, once, once)
    assert sorted(stored.number for stored in place.bucket.places(ACCOUNT)) == list(
        range(1, 2 + sum(one["written"] for one in answers))
    )
    assert place.verify().whole


def an_anchor(**changes: Any) -> Anchor:
    fields = {
        "account_id": ACCOUNT,
        "number": 2,
        "anchored_at": NOW,
        "previous_digest": "0" * 64,
        "complete": True,
        "chains": 0,
        "entries": 0,
        "heads": {},
    }
    return Anchor.model_validate(fields | changes)


def test_an_anchor_is_written_once_and_never_over_another(place: Place) -> None:
    place.bucket.write(an_anchor())
    place.bucket.write(an_anchor())
    with pytest.raises(ConflictError):
        place.bucket.write(an_anchor(entries=1))
    assert [(stored.number, stored.overwritten) for stored in place.bucket.places(ACCOUNT)] == [(1, False), (2, False)]


def test_the_first_version_of_an_anchor_counts_whatever_came_later(place: Place) -> None:
    place.anchor()
    first = place.content(2)
    place.overwrite(2, {"number": 2})
    place.remove(2, for_good=False)
    stored = list(place.bucket.anchors(ACCOUNT))[1]
    assert stored.content == first
    assert (stored.place.overwritten, stored.place.deleted) == (True, True)
    assert place.anchor()["number"] == 3
    assert place.content(3)["previous_digest"] == first["digest"]


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000, b'{"number": 2}'])
def test_an_anchor_that_cannot_be_read_is_a_fault_and_the_next_one_stands_by_itself(place: Place, body: bytes) -> None:
    clients.s3().put_object(Bucket=BUCKET, Key=f"{PREFIX}{2:012d}.json", Body=body)
    assert place.faults() == [(ANCHORS, FaultKind.ANCHOR_EDITED, 2)]
    place.anchor()
    assert place.content(3)["complete"]
    assert place.faults() == [(ANCHORS, FaultKind.ANCHOR_EDITED, 2)]


def test_an_object_that_is_planted_far_ahead_does_not_end_the_row(place: Place) -> None:
    clients.s3().put_object(Bucket=BUCKET, Key=f"{PREFIX}{999_999_999_999}.json", Body=b"x")
    place.record(scored(version=901))
    answers = [place.anchor() for _ in range(2)]
    assert [(one["number"], one["written"]) for one in answers] == [(2, True), (3, True)]
    assert place.verify().unanchored == 0
    assert place.faults() == [(ANCHORS, FaultKind.ANCHOR_UNLINKED, 999_999_999_999)]


def plant(place: Place, number: int, **changes: Any) -> None:
    """Put a well-made anchor, as the newest one would have it but for the changes."""
    last = place.content(max(one.number for one in place.bucket.places(ACCOUNT)))
    fields = {name: value for name, value in last.items() if name not in {"digest", "signature"}}
    made = Anchor.model_validate({**fields, "complete": True, "number": number, **changes})
    place.overwrite(number, {**made.fields(), "digest": made.digest})


def test_a_well_made_anchor_at_the_last_number_does_not_end_the_row(place: Place) -> None:
    plant(place, 999_999_999_999)
    answers = [place.anchor() for _ in range(2)]
    assert [(one["number"], one["written"]) for one in answers] == [(2, True), (3, True)]
    assert place.faults() == [(ANCHORS, FaultKind.ANCHOR_UNLINKED, 999_999_999_999)]
    assert {one["sequence"] for one in place.aws.told(AuditTrailBroken.type_name())} == {999_999_999_999}


def test_an_anchor_that_the_key_did_not_sign_is_not_gone_on_from(place: Place, key: AnchorKey) -> None:
    place.anchor()
    ends = {chain: [1, "f" * 64] for chain in (ANAS, DEPLOYERS)}
    plant(place, 3, previous_digest=place.content(2)["digest"], heads=ends)
    place.anchor()
    assert place.content(4)["previous_digest"] == place.content(2)["digest"]
    assert {chain: head[0] for chain, head in place.content(4)["heads"].items()} == {ANAS: 5, DEPLOYERS: 2}
    assert [one["fault"] for one in place.aws.told(AuditTrailBroken.type_name())] == [FaultKind.ANCHOR_UNSIGNED]
    assert place.verify(key).signed is False


def test_without_a_key_a_forged_anchor_is_found_by_the_run_that_reads_all(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.auditor.anchoring.core.COMPLETE_EVERY", 4)
    place.anchor()
    plant(place, 3, previous_digest="0" * 64, heads={ANAS: [3, "f" * 64]})
    answers = [place.anchor() for _ in range(3)]
    assert [one["number"] for one in answers] == [4, 5, 6]
    told = place.aws.told(AuditTrailBroken.type_name())
    assert (ANCHORS, "anchor_unlinked", 3) in {(one["chain"], one["fault"], one["sequence"]) for one in told}
    assert place.content(5)["heads"][ANAS][0] == 5, "it goes on from what the good ones say"


def test_an_object_in_the_very_place_of_the_next_anchor_is_no_racing_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = place.bucket.write

    def late(bucket: AnchorBucket, anchor: Anchor, signature: object = None) -> None:
        plant(place, anchor.number, previous_digest="0" * 64)
        write(anchor)

    monkeypatch.setattr("shared.aws.anchor_bucket.AnchorBucket.write", late)
    with pytest.raises(ConflictError):
        place.anchor()


def test_each_anchor_is_named_in_the_log_as_a_witness_elsewhere(place: Place, log: LogLines) -> None:
    place.anchor()
    written = log.entries("anchor written")
    assert [(line["number"], line["digest"]) for line in written][-1:] == [(2, place.content(2)["digest"])]


def test_an_item_at_the_last_place_of_a_chain_does_not_stop_it(place: Place) -> None:
    item = place.aws.table(place.aws.audit_table).get(f"CHAIN#{ANAS}", f"{1:012d}")
    assert item
    place.aws.table(place.aws.audit_table).put({**item, "sk": f"{LAST:012d}", "sequence": LAST})
    event = event_about(ANA, 6)
    place.record(event)
    found = place.audit.of_event(event.event_id)
    assert found is not None
    assert found.sequence == 6
    assert place.faults() == [(ANAS, FaultKind.FOREIGN, None)]
    place.anchor()
    assert place.content(2)["heads"][ANAS][0] == 6
    assert {one["fault"] for one in place.aws.told(AuditTrailBroken.type_name())} == {FaultKind.FOREIGN}


def test_an_object_in_a_chain_that_is_no_entry_does_not_stop_it(place: Place) -> None:
    event = scored(version=902)
    place.aws.table(place.aws.audit_table).put({"pk": f"CHAIN#{chain_of(event)}", "sk": "zzz"})
    place.record(event)
    assert place.audit.of_event(event.event_id) is not None


def test_what_is_not_an_anchor_is_not_read_as_one(place: Place) -> None:
    for name in ("note.txt", "2.json", "000000000002.json.bak", "deep/000000000002.json"):
        clients.s3().put_object(Bucket=BUCKET, Key=f"{PREFIX}{name}", Body=b"x")
    assert [stored.number for stored in place.bucket.places(ACCOUNT)] == [1]
    assert place.verify().whole


def test_more_anchors_than_a_page_are_listed(place: Place) -> None:
    for number in range(2, 1_103):
        place.overwrite(number, {})
    assert [stored.number for stored in place.bucket.places(ACCOUNT)] == list(range(1, 1_103))


@pytest.fixture
def key(place: Place, monkeypatch: pytest.MonkeyPatch) -> AnchorKey:
    """A key that signs from now on."""
    clients.kms.cache_clear()
    key_id = clients.kms().create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["KeyId"]
    monkeypatch.setenv("LEASTWISE_SIGNING_KEY_ID", key_id)
    return AnchorKey(clients.kms(), key_id)


def test_a_signed_anchor_is_verified_with_the_key_that_the_stack_names(place: Place, key: AnchorKey) -> None:
    place.anchor()
    signature = place.content(2)["signature"]
    assert signature["key"].startswith(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/")
    report = place.verify(key)
    assert (report.whole, report.signed) == (True, True)
    other = clients.kms().create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["KeyId"]
    (fault,) = place.verify(AnchorKey(clients.kms(), other)).faults
    assert fault.place == (ANCHORS, FaultKind.ANCHOR_UNSIGNED, 2)


@pytest.mark.parametrize("value", ["", "no base64!", "AAAA"])
def test_a_signature_that_is_none_is_not_the_keys(key: AnchorKey, value: str) -> None:
    signature = key.sign("ab" * 32)
    assert key.verify("ab" * 32, signature)
    assert not key.verify("cd" * 32, signature)
    assert not key.verify("ab" * 32, signature.model_copy(update={"value": value}))


def test_an_anchor_that_nobody_signed_after_signed_ones_is_found(
    place: Place, key: AnchorKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.anchor()
    monkeypatch.setenv("LEASTWISE_SIGNING_KEY_ID", "")
    place.anchor()
    assert [fault.place for fault in place.verify(key).faults] == [(ANCHORS, FaultKind.ANCHOR_UNSIGNED, 3)]
