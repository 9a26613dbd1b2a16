"""What AWS Config sends to a custom rule: configuration changes (normal, oversized, deleted) and the schedule. Pure.

Shapes: https://docs.aws.amazon.com/config/latest/developerguide/evaluate-config_develop-rules_example-events.html
"""

import json
from datetime import datetime
from typing import Any

from pydantic import AliasChoices, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.envelope import describe
from shared.errors import InputError

SCHEDULED = "ScheduledNotification"
CHANGES = frozenset({"ConfigurationItemChangeNotification", "OversizedConfigurationItemChangeNotification"})
DELETED = frozenset({"ResourceDeleted", "ResourceDeletedNotRecorded", "ResourceNotRecorded"})
JUDGED_TYPES = frozenset({"AWS::IAM::User", "AWS::IAM::Role"})


class ConfigurationItem(BaseModel):
    """The fields of a configuration item, or of an oversized item's summary, that a verdict needs."""

    model_config = ConfigDict(frozen=True)

    resource_type: str = Field(alias="resourceType", pattern="^[A-Za-z0-9:]{1,256}$")
    resource_id: str = Field(alias="resourceId", min_length=1, max_length=768)
    arn: str | None = Field(default=None, validation_alias=AliasChoices("ARN", "arn"))
    status: str = Field(alias="configurationItemStatus")


class InvokingEvent(BaseModel):
    """Why AWS Config invoked the rule."""

    model_config = ConfigDict(frozen=True)

    message_type: str = Field(alias="messageType", pattern="^[A-Za-z]{1,64}$")
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

    result_token: str = Field(min_length=1)
    account_id: str
    out_of_scope: bool
    item: ConfigurationItem | None
    ordering_time: datetime

    @property
    def left_scope(self) -> bool:
        """Whether the item is no longer to be judged, and what was said of it is to be taken back."""
        return self.out_of_scope or (self.item is not None and self.item.status in DELETED)

    @property
    def absence(self) -> str:
        """Why it is no longer judged, for the annotation."""
        status = self.item.status if self.item else ""
        if status == "ResourceNotRecorded":
            return "Not recorded by AWS Config"
        return "Deleted" if status in DELETED else "Out of the rule's scope"


def parse_invocation(event: dict[str, Any], *, now: datetime) -> Invocation:
    """Read an invocation of the rule. Raises InputError that names what is missing or wrong.

    Evaluations are ordered by the time at which AWS Config asked and not by the item's own: a re-evaluation brings an
    old item, and its answer must replace what an earlier invocation was told. A time to come counts as `now`, or it
    would outrank every answer until then.
    """
    try:
        invoking = InvokingEvent.model_validate(json.loads(event["invokingEvent"]))
        return Invocation(
            result_token=event["resultToken"],
            account_id=event["accountId"],
            out_of_scope=event.get("eventLeftScope") or False,
            item=_item_of(invoking),
            ordering_time=min(invoking.created_at or now, now),
        )
    except KeyError as error:
        raise InputError(f"AWS Config's event lacks {error}") from None
    except ValidationError as error:
        raise InputError(f"AWS Config's event: {describe(error)}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"AWS Config's invokingEvent is not JSON: {type(error).__name__}") from None


def _item_of(invoking: InvokingEvent) -> ConfigurationItem | None:
    if invoking.message_type == SCHEDULED:
        return None
    if invoking.item is None:
        raise InputError(f"a {invoking.message_type} without a configuration item")
    if invoking.message_type not in CHANGES:
        raise InputError(f"a {invoking.message_type} is no message that starts a rule")
    return invoking.item
