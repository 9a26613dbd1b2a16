"""Athena's adapter: what is asked, how long it waits, and that nothing runs on when nobody waits any more."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from shared.aws import athena as adapter
from shared.aws.athena import Athena, FinishedQuery, Place
from shared.errors import DependencyError, InputError

if TYPE_CHECKING:
    from types_boto3_athena import AthenaClient

QUERY = "SELECT 1"
ID = "0123abcd"
RESULT = "s3://results/backfill/0123abcd.csv"


class Sleeper:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.interrupt = False

    def sleep(self, seconds: float) -> None:
        """As time.sleep; with `interrupt`, somebody presses Ctrl-C meanwhile."""
        if self.interrupt:
            raise KeyboardInterrupt
        self.waits.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        """As time.monotonic."""
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Sleeper:
    sleeper = Sleeper()
    monkeypatch.setattr(adapter, "time", sleeper)
    return sleeper


@pytest.fixture
def client(time: Sleeper) -> "AthenaClient":
    return boto3.client("athena")


@pytest.fixture
def stub(client: "AthenaClient") -> Iterator[Stubber]:
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def execution(state: str, **more: Any) -> dict[str, Any]:
    """An answer of GetQueryExecution."""
    reason = {"StateChangeReason": more.pop("reason")} if "reason" in more else {}
    return {"QueryExecution": {"QueryExecutionId": ID, "Status": {"State": state, **reason}, **more}}


def expect(stub: Stubber, *answers: Mapping[str, Any], **request: Any) -> None:
    """One query that is started with a request and answers so when asked about."""
    wanted = {
        "QueryString": QUERY,
        "ClientRequestToken": ANY,
        "QueryExecutionContext": {"Catalog": "AwsDataCatalog"},
        "WorkGroup": "primary",
        **request,
    }
    stub.add_response("start_query_execution", {"QueryExecutionId": ID}, wanted)
    for answer in answers:
        stub.add_response("get_query_execution", dict(answer), {"QueryExecutionId": ID})


SUCCEEDED = execution(
    "SUCCEEDED", ResultConfiguration={"OutputLocation": RESULT}, Statistics={"DataScannedInBytes": 1_234}
)


def test_it_waits_longer_each_time_until_the_query_is_done(
    client: "AthenaClient", stub: Stubber, time: Sleeper
) -> None:
    running = execution("RUNNING", Statistics={"DataScannedInBytes": 7})
    expect(
        stub,
        *([execution("QUEUED")] * 2 + [running] * 10 + [SUCCEEDED]),
        WorkGroup="security",
        QueryExecutionContext={"Catalog": "AwsDataCatalog", "Database": "leastwise"},
        ResultConfiguration={"OutputLocation": "s3://results/backfill/"},
    )
    told: list[tuple[float, int]] = []
    athena = Athena(client, workgroup="security", output_location="s3://results/backfill")
    done = athena.run(QUERY, database="leastwise", on_progress=lambda *progress: told.append(progress))
    assert done == FinishedQuery(ID, Place("results", "backfill/0123abcd.csv"), 1_234)
    assert len(time.waits) == 12
    assert time.waits[0] <= adapter.FIRST_WAIT_SECONDS
    assert max(time.waits) <= adapter.LONGEST_WAIT_SECONDS
    assert time.waits[-1] >= adapter.LONGEST_WAIT_SECONDS / 2
    assert [scanned for _, scanned in told] == [0, 0, *[7] * 10]
    assert told == sorted(told)


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_failed_query_is_an_error_with_athenas_reason(client: "AthenaClient", stub: Stubber, state: str) -> None:
    expect(stub, execution(state, reason="HIVE_BAD_DATA: not JSON"))
    with pytest.raises(DependencyError, match=f"{ID}: {state}: HIVE_BAD_DATA: not JSON"):
        Athena(client).run(QUERY)


def test_a_refused_query_is_an_error(client: "AthenaClient", stub: Stubber) -> None:
    stub.add_client_error("start_query_execution", "InvalidRequestException", "No output location provided")
    with pytest.raises(DependencyError, match="No output location"):
        Athena(client).run(QUERY)


def test_a_query_that_takes_too_long_is_stopped(client: "AthenaClient", stub: Stubber, time: Sleeper) -> None:
    expect(stub, *[execution("RUNNING")] * 3)
    time.sleep = lambda seconds: setattr(time, "now", time.now + 40)  # type: ignore[method-assign]
    stub.add_response("stop_query_execution", {}, {"QueryExecutionId": ID})
    with pytest.raises(DependencyError, match="not finished after 60 s, stopped"):
        Athena(client, patience_seconds=60).run(QUERY)


def test_ctrl_c_stops_the_query(client: "AthenaClient", stub: Stubber, time: Sleeper) -> None:
    expect(stub, execution("RUNNING"))
    time.interrupt = True
    stub.add_response("stop_query_execution", {}, {"QueryExecutionId": ID})
    with pytest.raises(KeyboardInterrupt):
        Athena(client).run(QUERY)


def test_the_reason_to_stop_outweighs_a_failure_to_stop(client: "AthenaClient", stub: Stubber, time: Sleeper) -> None:
    expect(stub)
    stub.add_client_error("get_query_execution", "AccessDeniedException", "not allowed")
    stub.add_client_error("stop_query_execution", "AccessDeniedException", "neither")
    with pytest.raises(DependencyError, match=r"GetQueryExecution .*not allowed"):
        Athena(client).run(QUERY)


def test_every_query_has_a_token_of_its_own(client: "AthenaClient", time: Sleeper) -> None:
    """The client's retries repeat the token, so that a lost answer starts nothing twice."""
    tokens: list[str] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        tokens.append(params["ClientRequestToken"])

    client.meta.events.register("provide-client-params.athena.StartQueryExecution", note)
    with Stubber(client) as stub:
        for _ in range(2):
            expect(stub, SUCCEEDED)
            Athena(client).run(QUERY)
    assert len(set(tokens)) == 2
    assert all(32 <= len(token) <= 128 for token in tokens)  # Athena's limits


def test_ddl_has_no_result_file(client: "AthenaClient", stub: Stubber) -> None:
    expect(stub, execution("SUCCEEDED", ResultConfiguration={"OutputLocation": "s3://results/x/0123abcd.txt"}))
    assert Athena(client).run(QUERY).result is None


@pytest.mark.parametrize("location", ["", "results/x/", "s3://", "s3://Results/x", "s3://results/x y/", "s3://results"])
def test_a_wrong_output_location_is_refused(client: "AthenaClient", location: str) -> None:
    with pytest.raises(InputError, match="output location"):
        Athena(client, output_location=location)


@pytest.mark.parametrize("workgroup", ["", "a b", "x" * 129])
def test_a_wrong_workgroup_is_refused(client: "AthenaClient", workgroup: str) -> None:
    with pytest.raises(InputError, match="workgroup"):
        Athena(client, workgroup=workgroup)
