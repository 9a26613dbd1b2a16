"""What changed in IAM, as events tell it: which identities need a new score. Pure; events are hints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.envelope import Envelope, parse_domain_event
from shared.errors import InputError
from shared.events import IdentityEvent
from shared.model.identity import IdentityRef, IdentityType

CLOUDTRAIL = "AWS API Call via CloudTrail"
CONFIG_ITEM = "Config Configuration Item Change"

# Calls on a managed policy that leave the document in force as it is: the default version can't be deleted.
INNOCENT_CALLS = frozenset({"TagPolicy", "UntagPolicy", "DeletePolicyVersion"})
OWN_ROLES = "role/leastwise/"  # path of this stack's roles; nobody else's may stand there
ATTACHMENT_COUNTS = frozenset({"configuration.attachmentcount", "configuration.permissionsboundaryusagecount"})


@dataclass(frozen=True, slots=True)
class Changed:
    """Exactly one of these is set: an identity by reference or by name, a group, or a managed policy."""

    ref: IdentityRef | None = None
    named: tuple[IdentityType, str] | None = None
    group: str | None = None
    policy_arn: str | None = None


def changes_of(envelope: Envelope) -> tuple[Changed, ...]:
    """Who may hold other permissions than before; empty where an IAM event touches nobody's permissions.

    Raises InputError where the event lacks what it must say.
    """
    if envelope.detail_type == CLOUDTRAIL:
        is_own = _is_by_own_role(envelope.detail, envelope.account)
        return () if is_own else _of_call(envelope.detail, envelope.account)
    if envelope.detail_type == CONFIG_ITEM:
        return _of_item(envelope.detail)
    event = parse_domain_event(envelope)
    if not isinstance(event, IdentityEvent):
        raise InputError(f"{envelope.detail_type} names no identity to score")
    return (Changed(ref=event.identity),)


def _is_by_own_role(detail: Mapping[str, Any], account_id: str) -> bool:
    """Whether a role of this stack made a call: what it changed, our own events tell when it is done (I9).

    So no change of ours starts a look by itself. Whoever hides behind such a role is found by AWS Config and the sweep.
    """
    match detail.get("userIdentity"):
        case {"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"type": "Role", "arn": str(arn)}}}:
            parts = arn.split(":", 5)
            return parts[4:5] == [account_id] and parts[-1].startswith(OWN_ROLES)
    return False


def _of_call(detail: Mapping[str, Any], account_id: str) -> tuple[Changed, ...]:
    parameters = detail.get("requestParameters") or {}
    if not isinstance(parameters, Mapping):
        raise InputError("detail.requestParameters is not an object")
    if isinstance(user := parameters.get("newUserName") or parameters.get("userName"), str):
        return (Changed(named=(IdentityType.USER, user)),)
    if isinstance(role := parameters.get("roleName") or _role_in_answer(detail), str):
        return (Changed(named=(IdentityType.ROLE, role)),)
    if isinstance(group := parameters.get("newGroupName") or parameters.get("groupName"), str):
        return (Changed(group=group),)
    if not isinstance(policy := parameters.get("policyArn"), str) or _account_of(policy) not in {account_id, "aws"}:
        return ()
    return (Changed(policy_arn=policy),) if _alters_policy(str(detail.get("eventName")), parameters) else ()


def _role_in_answer(detail: Mapping[str, Any]) -> object:
    """Name of the role that CreateServiceLinkedRole made: only the answer has it, the request names the service."""
    match detail.get("responseElements"):
        case {"role": {"roleName": name}}:
            return name
    return None


def _alters_policy(call: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a call on a managed policy may alter the document in force; one that is not known may."""
    if call == "CreatePolicyVersion":
        return bool(parameters.get("setAsDefault"))
    return call not in INNOCENT_CALLS


def _account_of(arn: str) -> str:
    """Account field of an ARN; empty where there is none."""
    return (arn.split(":") + [""] * 5)[4]


def _of_item(detail: Mapping[str, Any]) -> tuple[Changed, ...]:
    item = detail.get("configurationItem")
    if not isinstance(item, Mapping):
        raise InputError("detail.configurationItem is missing or not an object")
    kind, arn = item.get("resourceType"), item.get("ARN") or item.get("arn")
    if not isinstance(arn, str):
        raise InputError("detail.configurationItem has no ARN")
    name = item.get("resourceName") or arn.rsplit("/", 1)[-1]  # the item of a deletion may lack the name
    if not isinstance(name, str):
        raise InputError("detail.configurationItem.resourceName is not a string")
    match kind:
        case "AWS::IAM::User":
            return (Changed(named=(IdentityType.USER, name)),)
        case "AWS::IAM::Role":
            return (Changed(named=(IdentityType.ROLE, name)),)
        case "AWS::IAM::Group":
            return () if _tells_of_holders(detail) else (Changed(group=name),)
        case "AWS::IAM::Policy":
            return () if _tells_of_holders(detail) else (Changed(policy_arn=arn),)
        case _:
            raise InputError(f"a configuration item of {kind!r} is not ours")


def _tells_of_holders(detail: Mapping[str, Any]) -> bool:
    """Whether all that changed about a group or a policy is who has it: nobody else's permissions are other ones.

    Who was added or removed has a configuration item of their own. An item that does not say what changed tells all.
    Form of the difference: https://repost.aws/knowledge-center/config-configurationitemdiff
    """
    match detail.get("configurationItemDiff"):
        case {"changeType": "UPDATE", "changedProperties": {**properties}} if properties:
            names = {str(name).lower() for name in properties}
            return all(name.startswith("relationships.") or name in ATTACHMENT_COUNTS for name in names)
    return False
