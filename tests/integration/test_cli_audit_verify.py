"""`leastwise audit verify`: each kind of tampering is found through the command, and named, with exit code 1."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.auditing.verification import patience_with
from services.auditor.anchoring.edge import Anchoring
from services.auditor.settings import AnchorSettings
from shared.aws import clients
from shared.errors import DependencyError
from shared.model.plan import Compliance
from shared.model.stored_entry import StoredEntry, hash_of
from tests.builders import ACCOUNT, ANA
from tests.conftest import Stack
from tests.integration.audited import (
    ANAS,
    BUCKET,
    DEPLOYERS,
    OPTIONS,
    STORY,
    deployed,
    describe,
    ended,
    failing,
    judged,
    record,
    run,
    swept,
    told,
)
from tests.integration.stack_stand_in import Stacks

ANCHORS = f"{ACCOUNT}/anchors"


@pytest.fixture(autouse=True)
def stacks(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    """The deployed stack, with a trail that was anchored twice."""
    found = deployed(aws, monkeypatch, AnchorSchedule="rate(1 hour)")
    record(aws, *STORY[:5])
    anchor(aws, ago=timedelta(hours=1))
    record(aws, *STORY[5:])
    anchor(aws)
    return found


def anchor(aws: Stack, *, ago: timedelta = timedelta(0), signing_key_id: str = "") -> None:
    """One run of the schedule."""
    settings = AnchorSettings(
        account_id=ACCOUNT,
        audit_table=aws.audit_table,
        anchor_bucket=BUCKET,
        event_bus=aws.event_bus,
        signing_key_id=signing_key_id,
    )
    Anchoring(settings, datetime.now(UTC) - ago, lambda: 300.0).run()


def key_of(number: int) -> str:
    """Where an anchor is."""
    return f"anchors/{ACCOUNT}/{number:012d}.json"


def first_version(number: int) -> str:
    """The version of an anchor that counts."""
    listed = clients.s3().list_object_versions(Bucket=BUCKET, Prefix=key_of(number))
    return listed["Versions"][-1]["VersionId"]


def entry(aws: Stack, chain: str, number: int) -> dict[str, Any]:
    """One item of the table."""
    item = aws.table(aws.audit_table).get(f"CHAIN#{chain}", f"{number:012d}")
    assert item
    return item


def delete(aws: Stack, pk: str, sk: str) -> None:
    """Take an item away, as no role of the stack can."""
    clients.dynamodb().delete_item(TableName=aws.audit_table, Key={"pk": {"S": pk}, "sk": {"S": sk}})


def flip_a_byte(aws: Stack) -> None:
    item = entry(aws, ANAS, 2)
    aws.table(aws.audit_table).put({**item, "summary": item["summary"].replace("N", "M", 1)})


def flip_and_reseal(aws: Stack) -> None:
    """Edit an entry as somebody would who knows how hashes are made."""
    fields = {**StoredEntry(entry(aws, ANAS, 4)).fields, "summary": "nothing happened"}
    sealed = StoredEntry.of({**fields, "entry_hash": hash_of(fields)})
    aws.table(aws.audit_table).put(sealed.attributes)


def drop_an_entry(aws: Stack) -> None:
    delete(aws, f"CHAIN#{ANAS}", f"{2:012d}")


def swap_two(aws: Stack) -> None:
    second, third = (StoredEntry(entry(aws, ANAS, number)).fields for number in (2, 3))
    for fields, place in ((second, 3), (third, 2)):
        moved = {**fields, "sequence": place}
        sealed = StoredEntry.of({**moved, "entry_hash": hash_of(moved)})
        aws.table(aws.audit_table).put(sealed.attributes)


def truncate_the_tail(aws: Stack) -> None:
    delete(aws, f"CHAIN#{DEPLOYERS}", f"{3:012d}")


def remove_a_chain(aws: Stack) -> None:
    for number in (1, 2, 3):
        delete(aws, f"CHAIN#{DEPLOYERS}", f"{number:012d}")


def remove_a_chain_and_its_name(aws: Stack) -> None:
    remove_a_chain(aws)
    delete(aws, f"CHAINS#{ACCOUNT}", DEPLOYERS.split("/")[1])


def take_off_the_list(aws: Stack) -> None:
    delete(aws, f"CHAINS#{ACCOUNT}", DEPLOYERS.split("/")[1])


def replaced(number: int, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Put another object in the place of an anchor's only version, as if the lock were off."""
    s3, key = clients.s3(), key_of(number)
    content = json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    s3.delete_object(Bucket=BUCKET, Key=key, VersionId=first_version(number), BypassGovernanceRetention=True)
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(change(content)).encode())


def edit_an_anchor(aws: Stack) -> None:
    replaced(1, lambda content: {**content, "entries": 1})


def remove_an_anchor(aws: Stack) -> None:
    clients.s3().delete_object(Bucket=BUCKET, Key=key_of(1), VersionId=first_version(1), BypassGovernanceRetention=True)


def overwrite_an_anchor(aws: Stack) -> None:
    clients.s3().put_object(Bucket=BUCKET, Key=key_of(1), Body=b"{}")


def delete_an_anchor(aws: Stack) -> None:
    clients.s3().delete_object(Bucket=BUCKET, Key=key_of(2))


def plant_an_entry(aws: Stack) -> None:
    fields = {**StoredEntry(entry(aws, ANAS, 1)).fields, "chain": f"{ACCOUNT}/AIDAPLANTED"}
    aws.table(aws.audit_table).put(StoredEntry.of({**fields, "entry_hash": hash_of(fields)}).attributes)


TAMPERING: list[tuple[Callable[[Stack], None], tuple[str, str, int | None]]] = [
    (flip_a_byte, (ANAS, "edited", 2)),
    (flip_and_reseal, (ANAS, "replaced", 4)),
    (drop_an_entry, (ANAS, "missing", 2)),
    (swap_two, (ANAS, "broken", 2)),
    (truncate_the_tail, (DEPLOYERS, "truncated", 3)),
    (remove_a_chain, (DEPLOYERS, "removed", 1)),
    (remove_a_chain_and_its_name, (DEPLOYERS, "removed", 1)),
    (plant_an_entry, (f"{ACCOUNT}/AIDAPLANTED", "foreign", None)),
    (take_off_the_list, (DEPLOYERS, "unregistered", None)),
    (edit_an_anchor, (ANCHORS, "anchor_edited", 1)),
    (remove_an_anchor, (ANCHORS, "anchor_missing", 1)),
    (overwrite_an_anchor, (ANCHORS, "anchor_overwritten", 1)),
    (delete_an_anchor, (ANCHORS, "anchor_deleted", 2)),
]


@pytest.mark.parametrize(("tamper", "expected"), TAMPERING, ids=lambda each: getattr(each, "__name__", ""))
def test_given_tampering_when_verified_then_it_is_named_and_the_exit_code_is_1(
    tamper: Callable[[Stack], None], expected: tuple[str, str, int | None], aws: Stack
) -> None:
    tamper(aws)
    answer = told("verify", code=1)
    assert answer["whole"] is False
    assert expected in [(fault["chain"], fault["kind"], fault["sequence"]) for fault in answer["faults"]]

    text = run("verify")
    assert text.exit_code == 1
    assert "does NOT verify" in text.stdout
    assert expected[1] in text.stdout
    place = f"anchor {expected[2]}" if expected[0] == ANCHORS else expected[0]
    assert place in text.stdout


def test_given_an_untouched_trail_when_verified_then_it_is_whole_and_limits_are_told(aws: Stack) -> None:
    record(aws, swept(90), swept(91))
    answer = told("verify")
    assert (answer["whole"], answer["faults"], answer["findings"]) == (True, [], [])
    assert (answer["entries"], answer["chains"], answer["anchors"], answer["unanchored"]) == (11, 3, 2, 2)
    assert answer["recorded_from"] == "2026-03-01T12:00:00+00:00"
    assert answer["first_anchored_at"] < answer["anchored_at"]

    text = run("verify").stdout
    assert "The audit trail is whole." in text
    assert "11 good entries in 3 chains" in text
    assert "2 entries are newer than the newest anchor" in text
    assert "before the first anchor" in text


def test_given_an_entry_behind_the_newest_anchor_when_it_is_cut_off_then_nobody_can_tell(aws: Stack) -> None:
    """The window that the documentation names."""
    record(aws, judged(ANA, Compliance.COMPLIANT, 80))
    delete(aws, f"CHAIN#{ANAS}", f"{5:012d}")
    assert told("verify")["whole"] is True


def test_given_one_identity_when_verified_then_only_its_chain_counts(aws: Stack) -> None:
    truncate_the_tail(aws)
    answer = told("verify", "--identity", ANA.identity_id)
    assert (answer["whole"], answer["entries"], answer["chains"]) == (True, 4, 1)
    assert told("verify", "--identity", DEPLOYERS.split("/")[1], code=1)["faults"][0]["kind"] == "truncated"


def test_given_a_chain_that_is_gone_when_its_id_is_named_then_that_is_found(aws: Stack) -> None:
    remove_a_chain_and_its_name(aws)
    answer = told("verify", "--identity", DEPLOYERS.split("/")[1], code=1)
    assert "removed" in [fault["kind"] for fault in answer["faults"]]


def empty_the_bucket(aws: Stack) -> None:
    for number in (1, 2):
        version = first_version(number)
        clients.s3().delete_object(Bucket=BUCKET, Key=key_of(number), VersionId=version, BypassGovernanceRetention=True)


def test_given_an_old_trail_without_anchors_when_verified_then_that_is_a_finding(aws: Stack, stacks: Stacks) -> None:
    empty_the_bucket(aws)
    answer = told("verify", code=1)
    assert answer["findings"] == [
        "no anchor covers the trail, which began 2026-03-01 12:00:00 UTC: anchors were never written, or were removed"
    ]
    assert "as long as there is no anchor" in run("verify").stdout


def test_given_the_newest_anchors_removed_when_verified_then_their_age_is_a_finding(aws: Stack) -> None:
    empty_the_bucket(aws)
    anchor(aws, ago=timedelta(hours=4))
    (finding,) = told("verify", code=1)["findings"]
    assert "anchors stopped, or newer ones were removed" in finding


def test_given_a_time_without_anchors_when_verified_then_that_is_not_proven(aws: Stack) -> None:
    empty_the_bucket(aws)
    anchor(aws, ago=timedelta(hours=9))
    anchor(aws)
    answer = told("verify")
    assert (answer["whole"], len(answer["gaps"])) == (True, 1)
    assert "was removed: the schedule should have made some" in run("verify").stdout


def test_given_nothing_recorded_when_verified_then_it_says_so(aws: Stack) -> None:
    empty_the_bucket(aws)
    for chain, length in ((ANAS, 4), (DEPLOYERS, 3), (f"{ACCOUNT}/account", 2)):
        for number in range(1, length + 1):
            delete(aws, f"CHAIN#{chain}", f"{number:012d}")
        delete(aws, f"CHAINS#{ACCOUNT}", chain.split("/")[1])
    result = run("verify")
    assert result.exit_code == 0
    assert "Nothing is recorded yet" in result.stdout


@pytest.mark.parametrize("operation", ["ListObjectVersions", "GetObject", "Query"])
def test_given_something_that_cannot_be_read_when_verified_then_it_is_never_fine(
    operation: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    failing(operation, "AccessDenied", monkeypatch)
    code, said = ended(("verify", *OPTIONS), monkeypatch, capfd)
    assert code == 3
    assert operation in said
    assert said.count("\n") == 1


def test_given_a_stack_without_anchors_when_verified_then_it_is_never_fine(stacks: Stacks) -> None:
    describe(stacks, AuditAnchorBucketName="")
    result = run("verify")
    assert isinstance(result.exception, DependencyError)
    assert "AuditAnchorBucketName" in str(result.exception)
    describe(stacks, AuditAnchorBucketName="no-such-bucket")
    assert isinstance(run("verify").exception, DependencyError)


def test_given_a_signing_key_when_verified_then_the_signature_is_checked(aws: Stack, stacks: Stacks) -> None:
    made = clients.kms().create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    other = clients.kms().create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    describe(stacks, AnchorSigningKeyId=made)
    assert "none has a signature" in told("verify", code=1)["findings"][0]
    anchor(aws, signing_key_id=made)
    answer = told("verify")
    assert (answer["signed"], answer["whole"]) == (True, True)
    assert "with the key's signature" in run("verify").stdout

    replaced(3, lambda content: {name: value for name, value in content.items() if name != "signature"})
    assert told("verify", code=1)["signed"] is False
    describe(stacks, AnchorSigningKeyId=other)
    anchor(aws, signing_key_id=made)
    describe(stacks, AnchorSigningKeyId="")
    assert "Not proven: the signatures that anchors carry" in run("verify").stdout
    describe(stacks, AnchorSigningKeyId=other)
    assert "anchor_unsigned" in [fault["kind"] for fault in told("verify", code=1)["faults"]]


@pytest.mark.parametrize(
    ("schedule", "patience"),
    [
        ("rate(1 hour)", timedelta(hours=3)),
        ("rate(5 minutes)", timedelta(hours=1)),
        ("rate(2 days)", timedelta(days=6)),
        ("cron(0 3 * * ? *)", timedelta(days=1, hours=6)),
        ("", timedelta(days=1, hours=6)),
    ],
)
def test_how_old_the_newest_anchor_may_be_follows_the_schedule(schedule: str, patience: timedelta) -> None:
    assert patience_with(schedule) == patience
