"""Since when managed policies say what they say, by authorization details. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any


def policy_dates(pages: Iterable[Mapping[str, Any]]) -> dict[str, datetime]:
    """When each managed policy got its present document, by ARN; those that don't tell it are left out.

    It is the creation of the default version (IAM API reference, PolicyVersion). The files don't tell when a policy was
    attached, nor anything of inline ones.
    """
    policies = [policy for page in pages for policy in page.get("Policies", []) if isinstance(policy, Mapping)]
    return {arn: moment for policy in policies for arn, moment in _dated(policy)}


def _dated(policy: Mapping[str, Any]) -> Iterator[tuple[str, datetime]]:
    arn, versions = policy.get("Arn"), policy.get("PolicyVersionList")
    for version in versions if isinstance(arn, str) and isinstance(versions, list) else ():
        if isinstance(version, Mapping) and version.get("IsDefaultVersion") is True:
            moment = _moment(version.get("CreateDate"))
            if moment is not None:
                yield str(arn), moment


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None
