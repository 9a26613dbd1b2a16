"""An account from local files: what is in them, what they leave out, and nothing of that told as "not used"."""

import gzip
import io
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.account_files import AccountFiles, TimeSource, read_account
from shared.errors import InputError
from shared.model.identity import IdentityRef
from shared.model.usage import Evidence
from tests.unit.test_authorization import attached, group, inline, managed, role, user
from tests.unit.test_cli_usage import record

ACCOUNT, OTHER = "123456789012", "111122223333"
READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:*", "Resource": "*"}]}
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/read"
USER = user(UserPolicyList=[inline("p", READ)], GroupList=[])
ROLE = role(CreateDate="2024-01-02T00:00:00Z", AttachedManagedPolicies=attached(POLICY))
GROUP = group(Arn=f"arn:aws:iam::{ACCOUNT}:group/devs")
PAGE = {"UserDetailList": [USER], "RoleDetailList": [ROLE], "GroupDetailList": [GROUP], "Policies": [managed(POLICY)]}
ANA = IdentityRef(account_id=ACCOUNT, identity_id=USER["UserId"], arn=USER["Arn"])
WHO = {"type": "IAMUser", "principalId": USER["UserId"], "arn": USER["Arn"], "accountId": ACCOUNT}


def used(time: str, event: str = "sns:ListTopics", **more: Any) -> dict[str, Any]:
    return record(time, event, WHO, f"id of {time}", **{"recipientAccountId": ACCOUNT, "readOnly": True, **more})


def put(folder: Path, name: str, content: object) -> str:
    path = folder / name
    raw = content if isinstance(content, bytes) else str(content).encode() if isinstance(content, str) else None
    path.write_bytes(json.dumps(content).encode() if raw is None else raw)
    return str(path)


def account(folder: Path, *pages: object, records: list[dict[str, Any]] | None = None, **options: Any) -> AccountFiles:
    names = [put(folder, f"details-{number}.json", page) for number, page in enumerate(pages or (PAGE,))]
    trails = [] if records is None else [put(folder, "trail.json", {"Records": records})]
    return read_account(names, trails, **options)


def identities(files: AccountFiles) -> list[str]:
    return [detail.ref.name for detail in files.details]


def test_usage_and_coverage_are_those_of_the_records_of_the_account(tmp_path: Path) -> None:
    records = [
        used("2026-05-01T12:00:00Z"),
        used("2026-05-03T09:30:00Z"),
        used("2026-05-09T00:00:00Z", recipientAccountId=OTHER),
    ]
    files = account(tmp_path, records=records)
    usage = files.usage_of(ANA)
    assert list(usage.entries) == ["sns:listtopics"]
    assert [day.day for day in sorted(usage.coverage.seen)] == [1, 3]
    assert usage.coverage.regions == {"eu-west-1"}
    assert files.usage_of(files.details[1].ref).coverage == usage.coverage
    assert not files.usage_of(files.details[1].ref).entries
    assert not files.errors


TIMES: list[tuple[list[dict[str, Any]], dict[str, Any], datetime, TimeSource]] = [
    (
        [used("2026-05-03T09:30:00Z"), used("2026-05-01T12:00:00Z")],
        {},
        datetime(2026, 5, 3, 9, 30, tzinfo=UTC),
        TimeSource.RECORDS,
    ),
    (
        [
            used("2026-05-03T09:30:00Z"),
            record("2026-05-04T12:00:00Z", "config:PutEvaluations", {"type": "AWSService"}, "s"),
        ],
        {},
        datetime(2026, 5, 3, 9, 30, tzinfo=UTC),
        TimeSource.RECORDS,
    ),
    (
        [used("2026-05-03T09:30:00Z")],
        {"as_of": datetime(2026, 5, 2, tzinfo=UTC)},
        datetime(2026, 5, 2, tzinfo=UTC),
        TimeSource.OPTION,
    ),
    ([], {}, datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), TimeSource.AUTHORIZATION_DETAILS),
]


@pytest.mark.parametrize(("records", "options", "at", "source"), TIMES)
def test_the_time_that_is_judged_is_told_or_that_of_the_newest_record(
    tmp_path: Path, records: list[dict[str, Any]], options: dict[str, Any], at: datetime, source: TimeSource
) -> None:
    files = account(tmp_path, records=records, **options)
    assert (files.as_of, files.as_of_source) == (at, source)
    assert {detail.read_at for detail in files.details} == {at}
    assert any("no record tells a time" in one for one in files.warnings) is (
        source is TimeSource.AUTHORIZATION_DETAILS
    )


def test_where_services_alone_act_on_the_last_day_its_end_is_judged(tmp_path: Path) -> None:
    service = record(
        "2026-05-04T12:00:00Z", "config:PutEvaluations", {"type": "AWSService"}, "s", recipientAccountId=ACCOUNT
    )
    files = account(tmp_path, records=[used("2026-05-03T09:30:00Z"), service])
    assert files.as_of == datetime(2026, 5, 4, 23, 59, 59, 999_999, UTC)


def test_records_after_the_time_do_not_count_and_one_at_the_time_does(tmp_path: Path) -> None:
    records = [used("2026-05-03T09:30:00Z"), used("2026-05-03T09:30:01Z", "sns:ListSubscriptions")]
    files = account(tmp_path, records=records, as_of=datetime(2026, 5, 3, 9, 30, tzinfo=UTC))
    assert list(files.usage_of(ANA).entries) == ["sns:listtopics"]
    assert Evidence.OBSERVED in files.usage_of(ANA).entries["sns:listtopics"].spans


def test_records_of_another_account_are_told_and_prove_nothing_of_this_one(tmp_path: Path) -> None:
    elsewhere = {"accountId": OTHER, "principalId": "AIDAEXAMPLEOTHER00001", "arn": f"arn:aws:iam::{OTHER}:user/ana"}
    foreign = record(
        "2026-05-03T09:30:00Z", "sns:ListTopics", {"type": "IAMUser", **elsewhere}, "1", recipientAccountId=OTHER
    )
    files = account(tmp_path, records=[foreign])
    assert not files.usage_of(ANA).coverage.seen
    assert any(
        f"no record is of account {ACCOUNT} (other accounts in the records: {OTHER})" in one for one in files.warnings
    )


UNMANAGED: dict[str, Any] = {"managementEvent": False, "eventCategory": "Data"}
ENDS: list[tuple[list[dict[str, Any]], dict[str, Any], str]] = [
    (
        [used("2026-05-03T09:30:00Z"), used("2026-05-02T09:30:00Z")],
        {"as_of": datetime(2026, 5, 1, tzinfo=UTC)},
        (
            f"every record of account {ACCOUNT} is later than the time that is judged, 2026-05-01T00:00:00+00:00 "
            "(the first is of 2026-05-02T09:30:00+00:00): no use is seen there, and its scores are upper bounds"
        ),
    ),
    (
        [used("2026-05-03T09:30:00Z")],
        {"as_of": datetime(2026, 5, 5, tzinfo=UTC), "window_days": 2},
        (
            f"the records of account {ACCOUNT} end on 2026-05-03, before the window of 2 days, which begins on "
            "2026-05-04: no use is seen there, and its scores are upper bounds"
        ),
    ),
    ([used("2026-05-03T09:30:00Z")], {"as_of": datetime(2026, 5, 5, tzinfo=UTC), "window_days": 3}, ""),
    ([used("2026-05-03T09:30:00Z")], {"as_of": datetime(2026, 5, 10, 23, 59, tzinfo=UTC)}, ""),
    (
        [used("2026-05-03T09:30:00Z")],
        {"as_of": datetime(2026, 5, 11, tzinfo=UTC)},
        (
            f"the records of account {ACCOUNT} end on 2026-05-03, 8 days before the time that is judged: "
            "what was used since then counts as unused"
        ),
    ),
    (
        [used("2026-05-03T09:30:00Z", **UNMANAGED)],
        {},
        (
            f"no record of account {ACCOUNT} shows that its management events were recorded: "
            "no day counts as observed, and its scores are upper bounds"
        ),
    ),
    ([used("2026-05-03T09:30:00Z"), used("2026-06-03T09:30:00Z", recipientAccountId=OTHER)], {}, ""),
]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(("records", "options", "told"), ENDS)
def test_why_the_records_tell_nothing_of_the_window_is_said_rightly(
    tmp_path: Path, records: list[dict[str, Any]], options: dict[str, Any], told: str, jobs: int
) -> None:
    details = put(tmp_path, "details.json", PAGE)
    trails = [put(tmp_path, f"{number}.json", {"Records": [one]}) for number, one in enumerate(records)]
    files = read_account([details], trails, jobs=jobs, **options)
    assert [one for one in files.warnings if "record" in one and ACCOUNT in one] == ([told] if told else [])


def test_an_account_with_later_records_alone_is_named_among_the_others(tmp_path: Path) -> None:
    files = account(
        tmp_path,
        records=[used("2026-05-03T09:30:00Z", recipientAccountId=OTHER)],
        as_of=datetime(2026, 5, 1, tzinfo=UTC),
    )
    assert any(
        f"no record is of account {ACCOUNT} (other accounts in the records: {OTHER})" in one for one in files.warnings
    )


def test_without_records_everything_is_said_to_be_an_upper_bound(tmp_path: Path) -> None:
    assert any("every score is an upper bound" in one for one in account(tmp_path).warnings)


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda text: text,
    "gzip": gzip.compress,
    "utf-8 with mark": lambda text: b"\xef\xbb\xbf" + text,
    "utf-16 of a Windows shell": lambda text: text.decode().encode("utf-16"),
    "twice the same page": lambda text: text + b"\n" + text,
    "an array of pages": lambda text: b"[" + text + b"," + text + b"]",
    "blanks around": lambda text: b"\r\n\t " + text + b"\n\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_is_read_in_each_form(tmp_path: Path, form: str) -> None:
    files = account(tmp_path, FORMS[form](json.dumps(PAGE).encode()))
    assert identities(files) == ["ana", "deployer"]
    assert not files.errors


def test_pages_of_several_files_and_of_standard_input_belong_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {"UserDetailList": [USER], "IsTruncated": True, "Marker": "m"}
    last = {"RoleDetailList": [ROLE], "GroupDetailList": [], "Policies": [managed(POLICY)], "IsTruncated": False}
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(json.dumps(last).encode())))
    files = read_account([put(tmp_path, "first.json", first), "-"])
    assert identities(files) == ["ana", "deployer"]


BAD: dict[str, tuple[object, str]] = {
    "empty": (b"", "details-0.json: the file is empty"),
    "truncated": (json.dumps(PAGE)[:-9], r"details-0.json: line 1, column \d+: not JSON"),
    "no JSON": ("canary", r"details-0.json: line 1, column 1: not JSON"),
    "truncated gzip": (gzip.compress(json.dumps(PAGE).encode())[:-9], "details-0.json: not whole gzip"),
    "binary": (b"\xff\xfe\xff\x00\xd8", "details-0.json: not UTF-16"),
    "array": ([1, 2], r"details-0.json: \$\[0\]: not an object"),
    "empty array": ([], "details-0.json: line 1: an empty array"),
    "text": ('"canary"', "details-0.json: line 1: not an object"),
    "another shape": ({"Users": ["canary"]}, "details-0.json: line 1: none of UserDetailList, RoleDetailList"),
    "list of another type": ({"UserDetailList": {}}, "details-0.json: line 1: UserDetailList: not a list"),
    "nobody": ({"UserDetailList": [], "RoleDetailList": []}, "list no user and no role"),
    "key twice": ('{"UserDetailList": [], "UserDetailList": []}', "details-0.json: a key is given twice"),
    "deep": ("[" * 100_000, "details-0.json: .*nested too deeply"),
    "endless number": (
        '{"UserDetailList": ' + "9" * 5000 + "}",
        "details-0.json: line 1: not JSON: a number is too long",
    ),
    "goes on": (
        {**PAGE, "IsTruncated": True, "Marker": "canary"},
        f"IsTruncated: the listing of account {ACCOUNT} goes on",
    ),
    "goes on by the CLI's limit": (
        {**PAGE, "NextToken": "canary"},
        f"NextToken: the listing of account {ACCOUNT} goes on",
    ),
    "all broken": ({"UserDetailList": [user(GroupList=["gone"])]}, "no identity can be read: .*group 'gone' is not in"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_used_is_an_error_that_says_where(tmp_path: Path, name: str) -> None:
    content, complaint = BAD[name]
    with pytest.raises(InputError, match=complaint) as caught:
        account(tmp_path, content)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "nowhere.json", "a\0b", "."])
def test_a_file_that_cannot_be_opened_is_an_error(name: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_account([name])


@pytest.mark.parametrize("moment", [datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_a_time_without_room_for_a_window_is_an_error(tmp_path: Path, moment: datetime) -> None:
    with pytest.raises(InputError, match="is no time that can be judged"):
        account(tmp_path, as_of=moment)
    for time in ("0001-01-01T00:00:00Z", "9999-12-31T23:00:00Z"):
        old = {**PAGE, "RoleDetailList": [{**ROLE, "CreateDate": time}], "UserDetailList": []}
        with pytest.raises(InputError, match="is no time that can be judged"):
            account(tmp_path, old)


def test_standard_input_is_one_of_the_files_at_most() -> None:
    with pytest.raises(InputError, match="only one"):
        read_account(["-"], ["-"])


def test_who_cannot_be_read_is_told_and_whom_others_could_become_is_taken_as_given(tmp_path: Path) -> None:
    broken = inline("bad", {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": 7, "Resource": "*"}]})
    files = account(tmp_path, {**PAGE, "RoleDetailList": [role(RolePolicyList=[broken], CreateDate="2024-01-02")]})
    assert identities(files) == ["ana"]
    [(name, error)] = files.errors.items()
    assert name == "AROAEXAMPLEROLE00001"
    assert str(error).startswith(f"arn:aws:iam::{ACCOUNT}:role/deployer: inline bad: $.Statement[0]")
    assert files.surroundings_of(ANA).principals is None
    assert any("taken as given" in one for one in files.warnings)


def elsewhere(**changes: Any) -> dict[str, Any]:
    """A whole listing of another account."""
    ana = user(UserId="AIDAEXAMPLEOTHER00001", Arn=f"arn:aws:iam::{OTHER}:user/ana")
    deployer = role(RoleId="AROAEXAMPLEOTHER00001", Arn=f"arn:aws:iam::{OTHER}:role/deployer", CreateDate="2024-01-02")
    devs, policy = group(Arn=f"arn:aws:iam::{OTHER}:group/devs"), managed(f"arn:aws:iam::{OTHER}:policy/read")
    details = {"UserDetailList": [ana], "RoleDetailList": [deployer], "GroupDetailList": [devs], "Policies": [policy]}
    return details | changes


INCOMPLETE: dict[str, dict[str, Any]] = {
    "no role": elsewhere(RoleDetailList=[]),
    "one who can't be read": elsewhere(
        RoleDetailList=[*elsewhere()["RoleDetailList"], {"RoleId": "AROABROKEN", "Arn": f"arn:aws:iam::{OTHER}:role/x"}]
    ),
}


@pytest.mark.parametrize("name", INCOMPLETE)
def test_identities_that_an_account_lacks_do_not_count_as_known_by_another_ones(tmp_path: Path, name: str) -> None:
    files = account(tmp_path, PAGE, INCOMPLETE[name])
    known = {detail.ref.account_id: files.surroundings_of(detail.ref).principals for detail in files.details}
    assert known[OTHER] is None
    assert known[ACCOUNT] is not None
    assert any(f"identities of account {OTHER} are missing" in one for one in files.warnings)
    assert not any(f"identities of account {ACCOUNT} are missing" in one for one in files.warnings)
    lacking = [one for one in files.warnings if "have nothing in" in one]
    assert [f"account {OTHER} have nothing in RoleDetailList" in one for one in lacking] == [True] * (name == "no role")


def test_somebody_of_no_account_is_missing_in_each(tmp_path: Path) -> None:
    files = account(tmp_path, PAGE, elsewhere(UserDetailList=[{"UserId": "AIDAEXAMPLENOBODY0001"}]))
    assert [files.surroundings_of(detail.ref).principals for detail in files.details] == [None] * 3


AWS_OWN = {"Policies": [managed("arn:aws:iam::aws:policy/ReadOnlyAccess")]}
OPEN, OPEN_ELSEWHERE = {**PAGE, "IsTruncated": True}, elsewhere(IsTruncated=True)
PAGES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "another account's is whole": ([PAGE, OPEN_ELSEWHERE], OTHER),
    "by the CLI's limit": ([elsewhere(), {**PAGE, "NextToken": "n"}], ACCOUNT),
    "AWS's policies end one of two": ([OPEN, OPEN_ELSEWHERE, AWS_OWN], f"{OTHER}, {ACCOUNT}"),
    "the same end twice": ([OPEN, OPEN_ELSEWHERE, AWS_OWN, AWS_OWN], f"{OTHER}, {ACCOUNT}"),
    "AWS's policies go on": ([OPEN, {**AWS_OWN, "IsTruncated": True}], ACCOUNT),
    "each has its last": ([OPEN, PAGE, OPEN_ELSEWHERE, elsewhere()], ""),
    "AWS's policies are the last": ([OPEN, AWS_OWN], ""),
    "AWS's policies are the last of one": ([OPEN, AWS_OWN, elsewhere()], ""),
}


@pytest.mark.parametrize("name", PAGES)
def test_each_account_needs_the_last_page_of_its_listing(tmp_path: Path, name: str) -> None:
    pages, without_end = PAGES[name]
    for order in (pages, pages[::-1]):
        if not without_end:
            assert account(tmp_path, *order).details
            continue
        with pytest.raises(InputError, match=f"the listing of account {without_end} goes on"):
            account(tmp_path, *order)


def test_of_a_whole_listing_it_is_known_whom_others_could_become(tmp_path: Path) -> None:
    principals = account(tmp_path).surroundings_of(ANA).principals
    assert principals is not None
    assert principals.account_id == ACCOUNT
    assert [role.arn for role in principals.roles] == [ROLE["Arn"]]
    assert [group.arn for group in principals.groups] == [GROUP["Arn"]]


DOUBTS: dict[str, tuple[Mapping[str, Any], str]] = {
    "accounts": (
        {"RoleDetailList": [role(Arn=f"arn:aws:iam::{OTHER}:role/deployer", CreateDate="2024-01-02")]},
        f"mix accounts: {OTHER} \\(1 identities\\), {ACCOUNT} \\(1 identities\\)",
    ),
    "made-up ids": ({"UserDetailList": [user(UserId="ana")]}, "not IAM's, so that no record .*user/team/ana"),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_what_somebody_should_know_is_a_warning(tmp_path: Path, name: str) -> None:
    change, told = DOUBTS[name]
    files = account(tmp_path, {**PAGE, **change}, records=[used("2026-05-03T09:30:00Z")])
    assert len(files.details) == 2
    assert re.search(told, "; ".join(files.warnings))


def test_a_list_that_no_file_has_is_told_and_without_roles_nobody_is_taken_for_harmless(tmp_path: Path) -> None:
    files = account(tmp_path, {"UserDetailList": [USER], "GroupDetailList": [GROUP]})
    told = " ".join(files.warnings)
    assert "nothing in RoleDetailList" in told
    assert "nothing in Policies" in told
    assert "nothing in UserDetailList" not in told
    assert files.surroundings_of(ANA).principals is None


@pytest.mark.parametrize("who", ["AROAEXAMPLEROLE00001", ROLE["Arn"], "deployer"])
def test_why_somebody_cannot_be_read_is_found_by_each_name(tmp_path: Path, who: str) -> None:
    files = account(tmp_path, {**PAGE, "Policies": []})
    assert f"the default version of {POLICY}" in str(files.error_of(who))
    assert files.error_of(ANA.arn) is None
    assert files.error_of("loyer") is None


def test_made_up_ids_have_stand_ins_without_usage_and_without_coverage(tmp_path: Path) -> None:
    records = [used("2026-05-03T09:30:00Z")]
    files = account(tmp_path, {**PAGE, "UserDetailList": [user(UserId="ana")]}, records=records)
    ref = next(detail.ref for detail in files.details if detail.ref.name == "ana")
    assert ref.identity_id.startswith("AIDA")
    assert not files.usage_of(ref).entries
    assert not files.usage_of(ref).coverage.seen
    assert files.usage_of(files.details[1].ref).coverage.seen
