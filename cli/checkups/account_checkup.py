"""The checks that an account can be asked for before anything is deployed, and afterwards as well."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from cli.asking import Place
from cli.checkups import log_files, permissions, quotas, recorder, trails
from cli.checkups.finding import Finding, Where, examine
from shared.aws.cloudtrail import TrailReader
from shared.aws.config_setup import read_recorder
from shared.aws.deployed_account import DeployedAccount, StackFacts
from shared.aws.iam_quotas import read_quotas
from shared.aws.lambda_quotas import read_concurrency
from shared.aws.permission_simulation import principal_of, simulate
from shared.model.account_setup import Permission, TrailSetup

if TYPE_CHECKING:
    from types_boto3_cloudtrail import CloudTrailClient

Task = Callable[[], list[Finding]]


def tasks(
    account: DeployedAccount, place: Place, stack: StackFacts | None, where: Where, caller: str, *, now: datetime
) -> Iterator[Task]:
    """What to ask, each by itself; a stack's parameters say what it needs."""
    parameters = stack.parameters if stack else {}
    yield partial(_trails, account, place, where, parameters, is_deployed=stack is not None)
    if stack is None or parameters.get("EnableConfig") == "true" or parameters.get("InventorySource") == "config":
        is_required = stack is not None and parameters.get("EnableConfig") == "true"
        yield partial(
            examine,
            recorder.RECORDER_CHECKS,
            lambda: read_recorder(account.client("config"), recorder.TYPES),
            partial(recorder.judge_recorder, where=where, is_required=is_required),
        )
    yield partial(
        examine,
        quotas.IAM_CHECKS,
        lambda: read_quotas(account.client("iam")),
        partial(quotas.judge_policies, where=where),
    )
    yield partial(
        examine,
        (quotas.CONCURRENCY,),
        lambda: read_concurrency(account.client("lambda"), account.client("cloudwatch"), now=now),
        partial(quotas.judge_concurrency, where=where),
    )
    yield partial(_permissions, account, stack, where, caller)


def _trails(
    account: DeployedAccount, place: Place, where: Where, parameters: Mapping[str, str], *, is_deployed: bool
) -> list[Finding]:
    """Trails are asked about in their home regions, and judged under three headings."""

    def client_in(region: str | None) -> "CloudTrailClient":
        there = account if region in {None, where.region} else place._replace(region=region).account
        client: CloudTrailClient = there.client("cloudtrail")
        return client

    def judge(found: Sequence[TrailSetup]) -> Iterator[Finding]:
        yield from trails.judge_trails(found, where)
        yield from log_files.judge_data_events(found)
        yield from log_files.judge_log_files(found, parameters, needs_deployment=not is_deployed)

    return examine((*trails.CHECKS, *log_files.TRAIL_CHECKS), TrailReader(client_in).setups, judge)


def _permissions(account: DeployedAccount, stack: StackFacts | None, where: Where, caller: str) -> list[Finding]:
    needs = (*permissions.OFFLINE, *(permissions.DEPLOYED if stack else permissions.DEPLOYING))
    resources = permissions.resources_of(stack.outputs if stack else {}, where)

    def ask() -> list[Permission]:
        iam = account.client("iam")
        return simulate(iam, principal_of(iam, caller), permissions.asked_of(needs, resources))

    return examine((permissions.CHECK,), ask, partial(permissions.judge_permissions, needs, resources))
