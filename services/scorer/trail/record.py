"""What is read of a CloudTrail record; everything else in it is skipped while decoding.

Record contents: AWS CloudTrail User Guide, "CloudTrail record contents" and "CloudTrail userIdentity element". Every
field but the time may be absent, since service and Insights events lack most of them: whoever needs one asks for it.
"""

from datetime import datetime
from typing import Annotated

import msgspec

API_CALL = "AwsApiCall"
NULL = msgspec.Raw(b"null")

Text = Annotated[str, msgspec.Meta(max_length=2_048)]  # IAM's longest ARN
Time = Annotated[datetime, msgspec.Meta(tz=True)]


class Issuer(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """`userIdentity.sessionContext.sessionIssuer`: who gave a session its permissions."""

    type: Text | None = None
    principal_id: Text | None = None
    arn: Text | None = None
    account_id: Text | None = None


class SessionContext(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """`userIdentity.sessionContext`."""

    session_issuer: Issuer | None = None


class UserIdentity(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """`userIdentity`: who made a call."""

    type: Text | None = None
    principal_id: Text | None = None
    arn: Text | None = None
    account_id: Text | None = None
    invoked_by: Text | None = None
    session_context: SessionContext | None = None


class Resource(msgspec.Struct, frozen=True, gc=False):
    """An entry of `resources`."""

    arn: str | None = msgspec.field(default=None, name="ARN")


class Record(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One CloudTrail record; `request_parameters` and `additional_event_data` stay JSON text until somebody asks."""

    event_time: Time
    event_id: Text | None = msgspec.field(default=None, name="eventID")
    event_type: Text | None = None  # absent before event version 1.02, when all were API calls
    event_source: Text | None = None
    event_name: Text | None = None
    event_category: Text | None = None  # absent before event version 1.07
    management_event: bool | None = None
    read_only: bool | None = None
    aws_region: Text | None = None
    recipient_account_id: Text | None = None
    user_identity: UserIdentity | None = None
    error_code: Text | None = None
    error_message: str | None = None
    resources: list[Resource] | None = None
    request_parameters: msgspec.Raw = NULL
    additional_event_data: msgspec.Raw = NULL
