"""How the parts of the local AWS are put together."""

from pathlib import Path

from infra.local.emulator import (
    allowed_calls,
    athena_queries,
    athena_tables,
    bucket_locks,
    config_queries,
    iam_calls,
    iam_writes,
    lambda_functions,
    nested_stack_updates,
    parameter_calls,
    permission_checks,
    principal_keys,
    sam_macro,
    shared_code,
)
from infra.local.emulator.cloudformation_types import CloudFormationTypes
from infra.local.emulator.cloudtrail import CloudTrail
from infra.local.emulator.config_evaluations import ConfigEvaluations
from infra.local.emulator.config_recorder import ConfigRecorder
from infra.local.emulator.config_remediation import ConfigRemediation
from infra.local.emulator.config_rules import ConfigRules
from infra.local.emulator.event_bus import EventBus
from infra.local.emulator.iam_reads import IamReads
from infra.local.emulator.last_accessed import LastAccessed
from infra.local.emulator.managed_policies import load_managed_policies
from infra.local.emulator.ssm_automation import SsmAutomation
from infra.local.emulator.ssm_documents import SsmDocuments


def assemble(managed_policies: Path | None) -> None:
    """Add everything to ministack, before it serves its first request."""
    bus, last_accessed = EventBus(), LastAccessed()
    bus.observers.append(last_accessed.observe)
    documents, rules = SsmDocuments(), ConfigRules()
    automation, evaluations = SsmAutomation(documents), ConfigEvaluations(rules, bus)
    remediation = ConfigRemediation(rules, evaluations, automation)
    recorder, trail = ConfigRecorder(bus, rules), CloudTrail(bus)
    for part in (
        bus,
        last_accessed,
        IamReads(last_accessed),
        documents,
        automation,
        rules,
        evaluations,
        remediation,
        CloudFormationTypes(rules, remediation, documents),
    ):
        part.install()
    config_queries.install()
    iam_writes.install()
    iam_calls.install(before=[recorder.note_before], after=[trail.record, recorder.note_after])
    parameter_calls.install(trail.record_parameter_change)
    permission_checks.install(refused=trail.record_refusal)
    allowed_calls.install()
    bucket_locks.install()
    principal_keys.install()
    lambda_functions.install()
    shared_code.install()
    nested_stack_updates.install()
    sam_macro.install()
    athena_tables.install()
    athena_queries.install()
    if managed_policies:
        load_managed_policies(managed_policies)
