"""`leastwise demo`: the main job on the local AWS, step by step, every claim checked against what is really there."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from cli.reporting.deployed import report_of_account
from infra.local.demonstration.checks import Checks
from infra.local.demonstration.report import write_report
from infra.local.demonstration.stage import Stage, Step, announce
from infra.local.demonstration.steps.changing import automate, remediate_by_queue, remediate_by_ssm, remediate_the_rest
from infra.local.demonstration.steps.observing import create_identities, judge, propose, record_usage, score
from infra.local.demonstration.steps.telling import read_the_inbox, verify_audit
from infra.local.demonstration.steps.undoing import roll_back, stop_everything, watch
from infra.local.demonstration.summary import print_summary
from infra.local.demonstration.system import System
from infra.local.deploy import deploy
from infra.local.local_aws import LocalAws
from shared.model.score import Provider

if TYPE_CHECKING:
    from infra.local.demonstration.provider import Outside

REPOSITORY = Path(__file__).resolve().parents[3]
MANAGED_POLICIES = REPOSITORY / "infra" / "local" / "managed_policies.json"
PARAMETERS = {
    "Mode": "approve",
    "ReevaluationDelaySeconds": "1",
    "ReadBackDwellSeconds": "0",
    "UsageBatchingWindowSeconds": "1",
    # In an account of its own: grants are a minute old, and nobody waits three days.
    "GracePeriodDays": "0",
    "NoticePeriodHours": "0",
    "MaxChangedPercent": "100",
    "OnRegret": "restore",
    "RefusalDelaySeconds": "3",
}
STORY: tuple[Step, ...] = (
    create_identities,
    record_usage,
    score,
    judge,
    propose,
    remediate_by_ssm,
    remediate_by_queue,
    remediate_the_rest,
    roll_back,
    watch,
    stop_everything,
    verify_audit,
    read_the_inbox,
)


@dataclass(frozen=True, slots=True)
class Setting:
    """Whose scores and policies count, what the deployment needs for that, and the steps."""

    story: tuple[Step, ...] = STORY
    outside: "Outside | None" = None
    parameters: Mapping[str, str] = field(default_factory=dict)


def demonstrate(*, report_path: str, provider: Provider = Provider.NATIVE) -> bool:
    """Run the demonstration; returns whether every check held."""
    console = Console()
    if not console.is_terminal:
        console.width = 120
    started = time.monotonic()
    whose = "" if provider is Provider.NATIVE else f"; scores and policies by a stand-in for {provider}"
    console.print(f"[bold]leastwise[/] on the local AWS, with 2,900 real CloudTrail records{whose}\n", highlight=False)
    log_file = Path(report_path).with_name("local-aws.log").resolve()
    log_file.parent.mkdir(parents=True, exist_ok=True)
    log_file.unlink(missing_ok=True)
    with (
        LocalAws.start(managed_policies=MANAGED_POLICIES, log_file=log_file, enforce_permissions=True) as local,
        _setting(provider, local) as setting,
    ):
        outputs = _deployed(local, console, {**PARAMETERS, **setting.parameters}, started)
        stage = Stage(System(local, outputs), console, Checks(console), setting.outside)
        for step in setting.story:
            with console.status("working"):
                step(stage)
        findings = stage.findings()
        with stage.system.as_seen_by_the_command() as account:
            report = report_of_account(account, now=datetime.now(UTC))
    print_summary(console, findings, seconds=time.monotonic() - started)
    write_report(report, findings, Path(report_path))
    console.print(f"Report: {report_path}", highlight=False)
    return stage.checks.all_held


@contextmanager
def _setting(provider: Provider, local: LocalAws) -> Iterator[Setting]:
    if provider is Provider.NATIVE:
        yield Setting()
        return
    # Only here, since the provider's server is one of the tests' own, with what they need.
    from infra.local.demonstration.provider import outside_provider  # noqa: PLC0415
    from infra.local.demonstration.steps.outside import (  # noqa: PLC0415
        compare_plan,
        compare_scores,
        look_for_secrets,
        refuse_bad_answers,
        teach,
    )

    story: tuple[Step, ...] = (
        create_identities,
        record_usage,
        teach,
        score,
        compare_scores,
        judge,
        propose,
        compare_plan,
        refuse_bad_answers,
        remediate_by_ssm,
        automate,
        remediate_the_rest,
        roll_back,
        stop_everything,
        verify_audit,
        look_for_secrets,
        read_the_inbox,
    )
    with outside_provider(local) as outside:
        yield Setting(story, outside, outside.parameters)


def _deployed(local: LocalAws, console: Console, parameters: Mapping[str, str], started: float) -> dict[str, str]:
    """Build and deploy the template, the first step; returns the stack's outputs."""
    announce(console, 1, f"Local AWS on {local.endpoint_url}: building and deploying template.yaml")
    with console.status("sam build, sam deploy") as status:
        outputs = deploy(
            local,
            template=REPOSITORY / "template.yaml",
            parameters=parameters,
            progress=lambda line: status.update(escape(line.strip()[:100])),
        )
    console.print(f"  {len(outputs)} outputs after {time.monotonic() - started:.0f} s", highlight=False)
    return outputs
