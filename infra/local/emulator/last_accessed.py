"""IAM's service last accessed data, from the calls this AWS has seen.

ministack answers every question with an empty list. Read as "nothing was used", that would take all permissions away,
so here each CloudTrail record that passes over the default bus is remembered, replayed or emitted.
"""

from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import iam

from infra.local.emulator import granted_services
from infra.local.emulator.clock import utc_now_text
from infra.local.emulator.errors import AwsError
from infra.local.emulator.event_bus import CLOUDTRAIL_CALL, Event
from infra.local.emulator.gateway import Response
from infra.local.emulator.iam_xml import xml_answer, xml_error

_NAMESPACES = {"monitoring": "cloudwatch", "email": "ses", "tagging": "tag"}
DEFAULT_PAGE_SIZE = 100


@dataclass(frozen=True)
class Access:
    """The last time an identity called a service, or one of its actions."""

    time: str
    region: str


@dataclass
class ServiceUse:
    """What one identity did in one service."""

    last: Access
    actions: dict[str, Access] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """A report as it was when it was asked for."""

    granularity: str
    created: str
    services: list[dict[str, Any]]


class LastAccessed:
    """Remembers calls per identity (a user, or the role that issued a session) and reports them as IAM does."""

    def __init__(self) -> None:
        self._uses: dict[str, dict[str, ServiceUse]] = {}
        self._jobs: dict[str, Job] = {}

    def install(self) -> None:
        """Replace both actions in ministack's own table."""
        iam._IAM_HANDLERS["GenerateServiceLastAccessedDetails"] = self._generate
        iam._IAM_HANDLERS["GetServiceLastAccessedDetails"] = self._get

    def observe(self, event: Event) -> None:
        """Remember the call of a CloudTrail event. Refused calls count too, as they do on AWS."""
        detail = event.get("detail")
        if event.get("detail-type") != CLOUDTRAIL_CALL or not isinstance(detail, dict):
            return
        identity = _identity_arn(detail.get("userIdentity") or {})
        source, when = str(detail.get("eventSource", "")), str(detail.get("eventTime", ""))
        if not identity or not source or not when:
            return
        namespace = source.removesuffix(".amazonaws.com")
        access = Access(when, str(detail.get("awsRegion", "")))
        services = self._uses.setdefault(identity, {})
        use = services.setdefault(_NAMESPACES.get(namespace, namespace), ServiceUse(access))
        use.last = _later(use.last, access)
        action = str(detail.get("eventName", ""))
        use.actions[action] = _later(use.actions.get(action, access), access)

    def role_last_used(self, role_arn: str) -> dict[str, str]:
        """The `RoleLastUsed` of a role: empty when it was never seen."""
        uses = self._uses.get(role_arn, {}).values()
        if not uses:
            return {}
        last = max((use.last for use in uses), key=lambda access: access.time)
        return {"LastUsedDate": last.time, "Region": last.region}

    def _generate(self, params: dict[str, Any]) -> Response:
        arn = iam._p(params, "Arn")
        entities = granted_services.entities_of(arn)
        if entities is None:
            return xml_error(AwsError("NoSuchEntity", f"{arn} does not exist.", 404))
        seen = {namespace for uses in self._uses.values() for namespace in uses}
        services = [self._report(name, entities) for name in sorted(granted_services.granted_to(arn, seen))]
        job_id = new_uuid()
        self._jobs[job_id] = Job(iam._p(params, "Granularity") or "SERVICE_LEVEL", utc_now_text(), services)
        return xml_answer("GenerateServiceLastAccessedDetails", {"JobId": job_id})

    def _report(self, namespace: str, entities: list[str]) -> dict[str, Any]:
        uses = [(arn, self._uses[arn][namespace]) for arn in entities if namespace in self._uses.get(arn, {})]
        report: dict[str, Any] = {"ServiceName": namespace, "ServiceNamespace": namespace}
        if uses:
            arn, use = max(uses, key=lambda entry: entry[1].last.time)
            report |= {
                "LastAuthenticated": use.last.time,
                "LastAuthenticatedEntity": arn,
                "LastAuthenticatedRegion": use.last.region,
                "TrackedActionsLastAccessed": [_action(name, arn, access) for name, access in use.actions.items()],
            }
        return report | {"TotalAuthenticatedEntities": len(uses)}

    def _get(self, params: dict[str, Any]) -> Response:
        job = self._jobs.get(iam._p(params, "JobId"))
        if job is None:
            return xml_error(AwsError("NoSuchEntity", f"Job {iam._p(params, 'JobId')} does not exist.", 404))
        size = int(iam._p(params, "MaxItems") or DEFAULT_PAGE_SIZE)
        first = int(iam._p(params, "Marker") or 0)
        end = first + size
        hidden = () if job.granularity == "ACTION_LEVEL" else ("TrackedActionsLastAccessed",)
        page = [_without(service, hidden) for service in job.services[first:end]]
        result = {
            "JobStatus": "COMPLETED",
            "JobType": job.granularity,
            "JobCreationDate": job.created,
            "JobCompletionDate": job.created,
            "ServicesLastAccessed": page,
            "IsTruncated": end < len(job.services),
        }
        return xml_answer("GetServiceLastAccessedDetails", result | ({"Marker": end} if result["IsTruncated"] else {}))


def _identity_arn(identity: dict[str, Any]) -> str:
    issuer = (identity.get("sessionContext") or {}).get("sessionIssuer") or {}
    return str(identity.get("arn", "") if identity.get("type") == "IAMUser" else issuer.get("arn", ""))


def _later(one: Access, other: Access) -> Access:
    return max(one, other, key=lambda access: access.time)


def _action(name: str, entity: str, access: Access) -> dict[str, str]:
    return {
        "ActionName": name,
        "LastAccessedEntity": entity,
        "LastAccessedTime": access.time,
        "LastAccessedRegion": access.region,
    }


def _without(service: dict[str, Any], hidden: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in service.items() if name not in hidden}
