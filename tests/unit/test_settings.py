"""Settings: read from the environment, wrong ones named and never shown."""

import pytest

from services.auditor.settings import AnchorSettings, AuditSettings, NotifySettings
from services.evaluator.settings import EvaluateSettings, VerdictSettings
from services.remediator.settings import RemediationSettings
from services.scorer.settings import ScoreSettings, SweepSettings, TrailLogSettings, UsageSettings
from shared.errors import SettingsError
from shared.settings import Settings
from tests.builders import ACCOUNT

GOOD = {
    "ACCOUNT_ID": ACCOUNT,
    "STACK_NAME": "leastwise",
    "USAGE_TABLE": "usage",
    "SCORES_TABLE": "scores",
    "AUDIT_TABLE": "audit",
    "NOTIFICATIONS_TABLE": "notifications",
    "NOTIFICATION_BURST": "5",
    "ANCHOR_BUCKET": "anchors",
    "SIGNING_KEY_ID": "",
    "EVENT_BUS": "leastwise",
    "TOPIC_ARN": f"arn:aws:sns:us-east-1:{ACCOUNT}:security",
    "RETENTION_DAYS": "400",
    "WINDOW_DAYS": "90",
    "INVENTORY_SOURCE": "config",
    "SWEEP_SCHEDULE": "rate(6 hours)",
    "THRESHOLD": "60",
    "SCORE_MAX_AGE_HOURS": "48",
    "CONFIG_RULE_NAME": "rule",
    "EVALUATOR_QUEUE_URL": "https://queue",
    "REEVALUATION_DELAY_SECONDS": "60",
    "TRAIL_LOG_ACCOUNTS": "organization",
    "TRAIL_LOG_BUCKET": "trail",
    "TRAIL_LOG_BUCKET_ACCOUNT_ID": ACCOUNT,
    "JOURNAL_TABLE": "journal",
    "MODE_PARAMETER": "/leastwise/mode",
    "STRATEGY": "boundary",
    "PROVIDER": "native",
    "PROVIDER_SECRET_ARN": "",
    "MIN_OBSERVED_DAYS": "30",
    "PLAN_TTL_HOURS": "24",
    "DWELL_SECONDS": "10",
    "SAFEGUARDS_PARAMETER": "/leastwise/safeguards",
    "RESOURCE_SCOPE": "keep",
    "PRESERVE_READS": "false",
    "GRACE_DAYS": "14",
    "NOTICE_HOURS": "72",
    "SOAK_DAYS": "14",
    "ON_REGRET": "alert",
    "MAX_CHANGES_PER_HOUR": "25",
    "MAX_CHANGED_PERCENT": "10",
    "ACCESS_ANALYZER": "false",
    "MAY_RESTORE": "false",
}
CLASSES: tuple[type[Settings], ...] = (
    UsageSettings,
    TrailLogSettings,
    ScoreSettings,
    SweepSettings,
    VerdictSettings,
    EvaluateSettings,
    AuditSettings,
    NotifySettings,
    AnchorSettings,
    RemediationSettings,
)
WRONG = [
    (UsageSettings, "RETENTION_DAYS", "89"),
    (UsageSettings, "ACCOUNT_ID", "12345-canary"),
    (UsageSettings, "USAGE_TABLE", ""),
    (TrailLogSettings, "TRAIL_LOG_BUCKET", ""),
    (TrailLogSettings, "TRAIL_LOG_BUCKET_ACCOUNT_ID", "canary"),
    (TrailLogSettings, "TRAIL_LOG_ACCOUNTS", "canary"),
    (ScoreSettings, "WINDOW_DAYS", "ninety-canary"),
    (ScoreSettings, "WINDOW_DAYS", "0"),
    (ScoreSettings, "INVENTORY_SOURCE", ""),
    (ScoreSettings, "INVENTORY_SOURCE", "canary' OR 1"),
    (SweepSettings, "SWEEP_SCHEDULE", "canary"),
    (VerdictSettings, "THRESHOLD", "0"),
    (VerdictSettings, "THRESHOLD", "101"),
    (VerdictSettings, "THRESHOLD", "nan"),
    (EvaluateSettings, "REEVALUATION_DELAY_SECONDS", "901"),
    (EvaluateSettings, "EVALUATOR_QUEUE_URL", ""),
    (RemediationSettings, "INVENTORY_SOURCE", "canary' OR 1"),
    (RemediationSettings, "PROVIDER", "canary"),
    (ScoreSettings, "PROVIDER_SECRET_ARN", "canary"),
    (RemediationSettings, "PROVIDER", "canary"),
    (RemediationSettings, "STRATEGY", "canary"),
    (RemediationSettings, "SAFEGUARDS_PARAMETER", ""),
    (RemediationSettings, "RESOURCE_SCOPE", "canary"),
    (RemediationSettings, "ON_REGRET", "canary"),
    (RemediationSettings, "MAX_CHANGES_PER_HOUR", "0"),
    (RemediationSettings, "MAX_CHANGED_PERCENT", "101"),
    (RemediationSettings, "NOTICE_HOURS", "-1"),
    (RemediationSettings, "MAY_RESTORE", "canary"),
    (AuditSettings, "TOPIC_ARN", "arn:aws:sqs:us-east-1:canary"),
    (AuditSettings, "NOTIFICATION_BURST", "-1"),
    (NotifySettings, "NOTIFICATIONS_TABLE", ""),
    (AnchorSettings, "ANCHOR_BUCKET", ""),
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(f"LEASTWISE_{name}", value)


@pytest.mark.parametrize("settings", CLASSES)
def test_good_settings_are_read_by_name(settings: type[Settings]) -> None:
    loaded = settings.load().model_dump()
    assert loaded == {name: as_kind(value, GOOD[name.upper()]) for name, value in loaded.items()}


def as_kind(value: object, text: str) -> object:
    """What a variable's text means for a setting of the kind of `value`."""
    return text == "true" if isinstance(value, bool) else type(value)(text)  # type: ignore[call-arg]


@pytest.mark.parametrize("settings", CLASSES)
def test_every_variable_is_needed_and_a_missing_one_is_named(
    settings: type[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    for field in settings.model_fields:
        with monkeypatch.context() as patch:
            patch.delenv(f"LEASTWISE_{field.upper()}")
            with pytest.raises(SettingsError, match=f"LEASTWISE_{field.upper()}: Field required"):
                settings.load()


@pytest.mark.parametrize(("settings", "name", "value"), WRONG)
def test_a_wrong_variable_is_named_and_its_value_is_not_shown(
    settings: type[Settings], name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"LEASTWISE_{name}", value)
    with pytest.raises(SettingsError, match=f"^LEASTWISE_{name}: ") as caught:
        settings.load()
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_all_wrong_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASTWISE_ACCOUNT_ID", "x")
    monkeypatch.delenv("LEASTWISE_USAGE_TABLE")
    with pytest.raises(SettingsError, match=r"LEASTWISE_ACCOUNT_ID.*; LEASTWISE_USAGE_TABLE: Field required"):
        UsageSettings.load()


def test_settings_are_read_afresh_by_each_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ScoreSettings.load()
    monkeypatch.setenv("LEASTWISE_WINDOW_DAYS", "30")
    assert (first.window_days, ScoreSettings.load().window_days) == (90, 30)


@pytest.mark.parametrize(
    ("source", "has_one", "aggregator"),
    [("config", True, None), ("none", False, None), ("everything", True, "everything")],
)
def test_the_source_of_the_inventory_is_config_an_aggregator_or_nothing(
    monkeypatch: pytest.MonkeyPatch, source: str, aggregator: str | None, *, has_one: bool
) -> None:
    monkeypatch.setenv("LEASTWISE_INVENTORY_SOURCE", source)
    settings = ScoreSettings.load()
    assert (settings.has_inventory, settings.aggregator) == (has_one, aggregator)
    assert RemediationSettings.load().has_inventory is has_one, "it scores as the scorer does"


@pytest.mark.parametrize("settings", [ScoreSettings, SweepSettings, RemediationSettings])
def test_an_outside_provider_needs_a_secret(
    settings: type[ScoreSettings | RemediationSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_PROVIDER", "cloudknox")
    with pytest.raises(SettingsError, match=r"^LEASTWISE_PROVIDER_SECRET_ARN: .*the provider cloudknox needs one"):
        settings.load()
    arn = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:provider-AbCdEf"
    monkeypatch.setenv("LEASTWISE_PROVIDER_SECRET_ARN", arn)
    assert settings.load().provider_secret_arn == arn


def test_the_bucket_of_log_files_may_be_empty_where_none_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASTWISE_TRAIL_LOG_BUCKET", "")
    assert SweepSettings.load().trail_log_bucket == ""


def test_the_rule_may_be_empty_where_config_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASTWISE_CONFIG_RULE_NAME", "")
    assert EvaluateSettings.load().config_rule_name == ""
