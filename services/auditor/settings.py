"""Settings of the auditor's three handlers."""

from typing import Annotated

from pydantic import Field

from shared.settings import Settings

Name = Annotated[str, Field(min_length=1)]
AccountId = Annotated[str, Field(pattern=r"^\d{12}$")]
TopicArn = Annotated[str, Field(pattern=r"^arn:[^:]+:sns:[^:]+:\d{12}:.+$")]


class NotifySettings(Settings):
    """Sending what waits in the outbox."""

    account_id: AccountId
    stack_name: Name
    notifications_table: Name
    topic_arn: TopicArn


class AuditSettings(NotifySettings):
    """Recording every event and telling the security team.

    The two parameters are those whose changes are told. `notification_burst` is how many messages of five minutes are
    sent at once; the others wait for a digest.
    """

    audit_table: Name
    mode_parameter: Name
    safeguards_parameter: Name
    notification_burst: int = Field(ge=0, le=100)


class AnchorSettings(Settings):
    """Anchoring the heads of all chains. `signing_key_id` is the KMS key that signs an anchor, "" where none does."""

    account_id: AccountId
    audit_table: Name
    anchor_bucket: Name
    event_bus: Name
    signing_key_id: str
