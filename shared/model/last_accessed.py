"""IAM's last accessed information of one identity: when it last tried each service, and each action that IAM tracks.

It counts attempts, denied ones too, so it is a reason to keep and never a proof of use. Its silence is what it is worth
reading for. Sources: IAM User Guide, "Refine permissions in AWS using last accessed information"; IAM API Reference,
GetServiceLastAccessedDetails.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from shared.errors import InputError

COMPLETED = "COMPLETED"


class LastAccess(NamedTuple):
    """When and in which region IAM last saw an attempt, denied or not; None where it saw none in its period."""

    at: datetime | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class LastAccessed:
    """One report: `services` by namespace (`s3`), `actions` by lower-case key (`s3:createbucket`).

    What is not listed is unknown: a service that the identity's own policies don't allow, an action that IAM doesn't
    track. `created_at` is when IAM was asked (UTC); the last four hours before it may be missing.
    """

    services: Mapping[str, LastAccess]
    actions: Mapping[str, LastAccess]
    created_at: datetime

    def attempts(self) -> Iterator[tuple[str, LastAccess]]:
        """Every attempt on a service or an action, with the service's namespace."""
        yield from self.services.items()
        for key, access in self.actions.items():
            yield key.partition(":")[0], access


def parse_report(pages: Sequence[Mapping[str, Any]]) -> LastAccessed:
    """Read the pages of one answer of GetServiceLastAccessedDetails, at service or at action level.

    Raises InputError for a job that did not complete, a last page that is truncated, a report without any service (no
    answer is not "nothing used"), and anything that has not IAM's shape; the message names the place, never a value.
    """
    if not pages:
        raise InputError("the report has no page")
    for page in pages:
        _check_job(page)
    if pages[-1].get("IsTruncated"):
        raise InputError("IsTruncated: the report goes on; ask for all of it (--max-items 1000)")
    services: dict[str, LastAccess] = {}
    actions: dict[str, LastAccess] = {}
    for page in pages:
        for place, service in _objects(page, "ServicesLastAccessed", "ServicesLastAccessed"):
            namespace = _text(service, "ServiceNamespace", place).lower()
            own = _access(service, "LastAuthenticated", "LastAuthenticatedRegion", place)
            _note(services, namespace, own)
            for key, access in _actions(service, namespace, place):
                _note(actions, key, access)
                _note(services, namespace, access)
    if not services:
        raise InputError("ServicesLastAccessed: the report lists no service")
    created = min(_time(page.get("JobCreationDate"), "JobCreationDate") for page in pages)
    return LastAccessed(MappingProxyType(services), MappingProxyType(actions), created)


def parse_reports(text: str | bytes) -> dict[str, LastAccessed]:
    """Read a file `{"<identity ARN>": <as aws iam get-service-last-accessed-details prints it>}` into reports by ARN.

    Raises InputError, which names the identity and the place, for what `parse_report` refuses, for an identity that is
    given twice, and for a report that was made for somebody else.
    """
    try:
        document = json.loads(text, object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:
        raise InputError(f"last accessed information is not JSON: {type(error).__name__}") from None
    if not isinstance(document, dict):
        raise InputError("last accessed information is not an object of reports by identity ARN")
    reports: dict[str, LastAccessed] = {}
    for arn, report in document.items():
        try:
            reports[arn] = parse_report([report])
            _check_owner(arn, report)
        except InputError as error:
            raise InputError(f"last accessed information of {arn}: {error}") from None
    return reports


def _check_job(page: object) -> None:
    if not isinstance(page, Mapping):
        raise InputError("the report is not an object")
    status = page.get("JobStatus")
    if status == COMPLETED:
        return
    if status == "FAILED":
        error = page.get("Error")
        code = error.get("Code") if isinstance(error, Mapping) else None
        raise InputError(f"JobStatus: the job failed: {code}")
    if status == "IN_PROGRESS":
        raise InputError("JobStatus: the job was not finished yet; ask for the report again")
    raise InputError("JobStatus: missing or not one of IAM's")


def _check_owner(arn: str, report: Mapping[str, Any]) -> None:
    """A user's or role's report names nobody else; another's would call what this one needs unused."""
    for place, service in _objects(report, "ServicesLastAccessed", "ServicesLastAccessed"):
        entity = service.get("LastAuthenticatedEntity")
        if entity is not None and entity != arn:
            raise InputError(f"{place}.LastAuthenticatedEntity: the report is about another identity")


def _actions(service: Mapping[str, Any], namespace: str, place: str) -> Iterator[tuple[str, LastAccess]]:
    name = "TrackedActionsLastAccessed"
    for where, action in _objects(service, name, f"{place}.{name}"):
        key = f"{namespace}:{_text(action, 'ActionName', where)}".lower()
        yield key, _access(action, "LastAccessedTime", "LastAccessedRegion", where)


def _access(source: Mapping[str, Any], time: str, region: str, place: str) -> LastAccess:
    if source.get(time) is None:
        return LastAccess()
    where = None if source.get(region) is None else _text(source, region, place)
    return LastAccess(_time(source[time], f"{place}.{time}"), where)


def _note(found: dict[str, LastAccess], key: str, access: LastAccess) -> None:
    """Keep the later of two attempts: what is listed twice, or an action's that is later than its service's."""
    known = found.setdefault(key, access)
    if access.at is not None and (known.at is None or access.at > known.at):
        found[key] = access


def _objects(source: Mapping[str, Any], name: str, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of a list with their places; none where IAM left the list out."""
    listed = source.get(name)
    if listed is None:
        return
    if not isinstance(listed, list):
        raise InputError(f"{place}: not a list")
    for number, one in enumerate(listed):
        if not isinstance(one, Mapping):
            raise InputError(f"{place}[{number}]: not an object")
        yield f"{place}[{number}]", one


def _text(source: Mapping[str, Any], name: str, place: str) -> str:
    value = source.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{place}.{name}: not a text")
    return value.strip()


def _time(value: object, place: str) -> datetime:
    """A moment as boto3 gives it, as ISO 8601 with its offset, or as seconds since 1970."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            value = datetime.fromtimestamp(value, UTC)
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise InputError(f"{place}: not a moment with its time zone")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InputError("last accessed information has a key twice in one object")
    return found
