"""What comes of evaluating a request: an outcome, and the reasons for it, each with a code of one table."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple


class Outcome(StrEnum):
    """The three outcomes that IAM knows; only the first lets a request through."""

    ALLOW = "ALLOW"
    IMPLICIT_DENY = "IMPLICIT_DENY"
    EXPLICIT_DENY = "EXPLICIT_DENY"


class PolicyType(StrEnum):
    """Where a policy is attached, which decides what it can do."""

    IDENTITY = "identity"
    BOUNDARY = "permissions_boundary"
    SESSION = "session"
    RESOURCE = "resource"
    SERVICE_CONTROL = "service_control"
    RESOURCE_CONTROL = "resource_control"
    ENDPOINT = "endpoint"


class Code(StrEnum):
    """Why a request was allowed or denied; `MESSAGES` says what each means."""

    DENY = "explicit_deny"
    IDENTITY_ALLOW = "identity_allow"
    BOUNDARY_ALLOW = "boundary_allow"
    SESSION_ALLOW = "session_allow"
    RESOURCE_ALLOW = "resource_allow"
    SCP_ALLOW = "scp_allow"
    RCP_ALLOW = "rcp_allow"
    ENDPOINT_ALLOW = "endpoint_allow"
    ROOT_USER = "root_user"
    NO_IDENTITY_ALLOW = "no_identity_allow"
    NO_BOUNDARY_ALLOW = "no_boundary_allow"
    NO_SESSION_ALLOW = "no_session_allow"
    NO_RESOURCE_ALLOW = "no_resource_allow"
    NO_SCP_ALLOW = "no_scp_allow"
    NO_RCP_ALLOW = "no_rcp_allow"
    NO_ENDPOINT_ALLOW = "no_endpoint_allow"


MESSAGES: Mapping[Code, str] = {
    Code.DENY: "this statement denies the request, which no Allow can outweigh",
    Code.IDENTITY_ALLOW: "this statement of the caller's identity-based policies allows the request",
    Code.BOUNDARY_ALLOW: "this statement of the permissions boundary lets the request pass",
    Code.SESSION_ALLOW: "this statement of the session policies lets the request pass",
    Code.RESOURCE_ALLOW: "this statement of the resource's policy allows the request",
    Code.SCP_ALLOW: "this statement of the service control policies at this level lets the request pass",
    Code.RCP_ALLOW: "this statement of the resource control policies at this level lets the request pass",
    Code.ENDPOINT_ALLOW: "this statement of the VPC endpoint's policy lets the request pass",
    Code.ROOT_USER: "the root user holds every permission in its own account",
    Code.NO_IDENTITY_ALLOW: "no identity-based policy of the caller allows the request",
    Code.NO_BOUNDARY_ALLOW: "the caller's permissions boundary does not allow the request",
    Code.NO_SESSION_ALLOW: "the session policies do not allow the request",
    Code.NO_RESOURCE_ALLOW: "the resource's policy does not allow the request for this caller",
    Code.NO_SCP_ALLOW: "no service control policy at this level allows the request",
    Code.NO_RCP_ALLOW: "no resource control policy at this level allows the request",
    Code.NO_ENDPOINT_ALLOW: "the VPC endpoint's policy does not allow the request",
}


class Reason(NamedTuple):
    """One reason: a statement that decided, or a kind of policy that didn't allow.

    `policy` is the policy's place in its list, `level` that of the organization level, `statement` the statement's
    place in its document, all from 0; None where there is none.
    """

    code: Code
    policy_type: PolicyType | None = None
    policy: int | None = None
    level: int | None = None
    statement: int | None = None
    sid: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The reason with its message, without what isn't there."""
        known = {name: value for name, value in self._asdict().items() if value is not None}
        plain = {name: value.value if isinstance(value, StrEnum) else value for name, value in known.items()}
        return {**plain, "message": MESSAGES[self.code]}


class Decision(NamedTuple):
    """An outcome with its reasons.

    Of an explicit deny these are all statements that deny; of an allow one statement of each kind of policy that had to
    allow, those first that hold whatever the resource and the context are; of an implicit deny what didn't allow, each
    once, where more than one way to be allowed was open.
    """

    outcome: Outcome
    reasons: tuple[Reason, ...]

    def as_json(self) -> dict[str, Any]:
        """`{"decision": …, "reasons": […]}`, as `leastwise policy evaluate` prints it."""
        return {"decision": self.outcome.value, "reasons": [reason.as_json() for reason in self.reasons]}
