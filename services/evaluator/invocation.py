"""What AWS Config sends to a custom rule: configuration changes (normal, oversized, deleted) and the schedule. Pure.

Shapes: https://docs.aws.amazon.com/config/latest/developerguide/evaluate-config_develop-rules_example-events.html
"""

import json
from datetime import datetime
from typing import Any

from pydantic import AliasChoices, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.envelope import describe
from shared.errors import InputError

DELETED = frozenset({"ResourceDeleted", "ResourceDeletedNotRecorded", "ResourceNotRecorded"})
JUDGED_TYPES = frozenset({"AWS::IAM::User", "AWS::IAM::Role"})


class ConfigurationItem(BaseModel):
    """The fields of a configuration item, or of an oversized item's summary, that a verdict needs."""

    model_config = ConfigDict(frozen=True)

    resource_type: str = Field(alias="resourceType")
    resource_id: str = Field(alias="resourceId")
    arn: str | None = Field(default=None, validation_alias=AliasChoices("ARN", "arn"))
    status: str = Field(alias="configurationItemStatus")
    captured_at: AwareDatetime = Field(alias="configurationItemCaptureTime")


class InvokingEvent(BaseModel):
    """Why AWS Config invoked the rule."""

    model_config = ConfigDict(frozen=True)

    message_type: str = Field(alias="messageType")
    created_at: AwareDatetime | None = Field(default=None, alias="notificationCreationTime")
    full_item: ConfigurationItem | None = Field(default=None, alias="configurationItem")
    summary: ConfigurationItem | None = Field(default=None, alias="configurationItemSummary")  # of an oversized item

    @property
    def item(self) -> ConfigurationItem | None:
        """The item, in full or as a summary; None for the schedule."""
        return self.full_item or self.summary


class Invocation(BaseModel):
    """One invocation of the rule; `item` is None for the schedule."""

    model_config = ConfigDict(frozen=True)

    result_token: str
    account_id: str
    left_scope: bool
    item: ConfigurationItem | None
    ordering_time: datetime


def parse_invocation(event: dict[str, Any], *, now: datetime) -> Invocation:
    """Read an invocation of the rule. Raises InputError that names what is missing or wrong."""
    try:
        invoking = InvokingEvent.model_validate(json.loads(event["invokingEvent"]))
        item = invoking.item
        if item is None and invoking.message_type != "ScheduledNotification":
            raise InputError(f"a {invoking.message_type} without a configuration item")
        return Invocation(
            result_token=event["resultToken"],
            account_id=event["accountId"],
            left_scope=bool(event.get("eventLeftScope", False)) or (item is not None and item.status in DELETED),
            item=item,
            ordering_time=invoking.created_at or now,
        )
    except KeyError as error:
        raise InputError(f"AWS Config's event lacks {error}") from None
    except ValidationError as error:
        raise InputError(f"AWS Config's event: {describe(error)}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"AWS Config's invokingEvent is not JSON: {type(error).__name__}") from None
