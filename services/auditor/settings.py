"""Settings of the auditor's handler."""

from pydantic import Field

from shared.settings import Settings


class AuditSettings(Settings):
    """Recording every event and telling the security team."""

    account_id: str = Field(pattern=r"^\d{12}$")
    stack_name: str = Field(min_length=1)
    audit_table: str = Field(min_length=1)
    topic_arn: str = Field(pattern=r"^arn:[^:]+:sns:[^:]+:\d{12}:.+$")
