"""How AWS Config is set up in one region: its recorder, its delivery channel, and one rule.

Source: AWS Config API Reference, RecordingGroup, RecordingMode, ConfigurationRecorderStatus and
ConfigRuleEvaluationStatus.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from shared.aws.clients import aws_errors
from shared.errors import NotFoundError
from shared.model.account_setup import ConfigRuleSetup, RecorderSetup

if TYPE_CHECKING:
    from types_boto3_config import ConfigServiceClient

GLOBAL_TYPES = frozenset({"AWS::IAM::Group", "AWS::IAM::Policy", "AWS::IAM::Role", "AWS::IAM::User"})
EXCLUSION, INCLUSION = "EXCLUSION_BY_RESOURCE_TYPES", "INCLUSION_BY_RESOURCE_TYPES"


def read_recorder(client: "ConfigServiceClient", types: Collection[str]) -> RecorderSetup | None:
    """The region's own recorder, looked at for these types; None where there is none. Raises DependencyError.

    Recorders that another service keeps for itself (service-linked ones) record for that service only.
    """
    with aws_errors("DescribeConfigurationRecorders"):
        recorders = client.describe_configuration_recorders()["ConfigurationRecorders"]
    own = [recorder for recorder in recorders if not recorder.get("servicePrincipal")]
    if not own:
        return None
    recorder: Mapping[str, Any] = own[0]
    name = recorder.get("name", "")
    with aws_errors("DescribeConfigurationRecorderStatus"):
        statuses = client.describe_configuration_recorder_status()["ConfigurationRecordersStatus"]
    status: Mapping[str, Any] = next((each for each in statuses if each.get("name") == name), {})
    with aws_errors("DescribeDeliveryChannelStatus"):
        channels = client.describe_delivery_channel_status()["DeliveryChannelsStatus"]
    return RecorderSetup(
        name=name,
        is_recording=bool(status.get("recording")),
        status=status.get("lastStatus", ""),
        error=status.get("lastErrorCode", ""),
        frequencies={kind: _frequency(recorder, kind) for kind in types if records(recorder, kind)},
        has_channel=bool(channels),
        channel_error=next((error for channel in channels if (error := _failure(channel))), ""),
    )


def records(recorder: Mapping[str, Any], kind: str) -> bool:
    """Whether a recorder records a type of resource; a strategy that is named outweighs the older fields."""
    group: Mapping[str, Any] = recorder.get("recordingGroup") or {}
    strategy = (group.get("recordingStrategy") or {}).get("useOnly")
    excluded = (group.get("exclusionByResourceTypes") or {}).get("resourceTypes") or ()
    if strategy == EXCLUSION:
        return kind not in excluded
    if strategy == INCLUSION or not group.get("allSupported"):
        return kind in (group.get("resourceTypes") or ())
    return kind not in GLOBAL_TYPES or bool(group.get("includeGlobalResourceTypes"))


def read_config_rule(client: "ConfigServiceClient", name: str) -> ConfigRuleSetup:
    """State and last evaluation of a rule. Raises DependencyError; NotFoundError where AWS Config doesn't have it."""
    with aws_errors(f"DescribeConfigRules {name}"):
        rules = client.describe_config_rules(ConfigRuleNames=[name])["ConfigRules"]
    with aws_errors(f"DescribeConfigRuleEvaluationStatus {name}"):
        statuses = client.describe_config_rule_evaluation_status(ConfigRuleNames=[name])
    if not rules:
        raise NotFoundError(f"DescribeConfigRules: there is no rule {name}")
    found: Mapping[str, Any] = next(iter(statuses.get("ConfigRulesEvaluationStatus", [])), {})
    failed = [found.get(key) for key in ("LastFailedInvocationTime", "LastFailedEvaluationTime")]
    return ConfigRuleSetup(
        state=rules[0].get("ConfigRuleState", ""),
        succeeded_at=found.get("LastSuccessfulEvaluationTime"),
        failed_at=max((moment for moment in failed if moment), default=None),
        error=found.get("LastErrorCode", ""),
    )


def _frequency(recorder: Mapping[str, Any], kind: str) -> str:
    mode: Mapping[str, Any] = recorder.get("recordingMode") or {}
    for override in mode.get("recordingModeOverrides") or ():
        if kind in override.get("resourceTypes", ()):
            return str(override.get("recordingFrequency", ""))
    return str(mode.get("recordingFrequency", "CONTINUOUS"))


def _failure(channel: Mapping[str, Any]) -> str:
    """The code of the last delivery of a channel that failed, or empty."""
    for what in ("configHistoryDeliveryInfo", "configSnapshotDeliveryInfo", "configStreamDeliveryInfo"):
        delivery = channel.get(what) or {}
        if delivery.get("lastStatus") in {"Failure", "FAILURE"}:
            return str(delivery.get("lastErrorCode") or "no code")
    return ""
