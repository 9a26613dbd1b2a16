"""What the name of an object in a trail's bucket tells, or that of a file copied from one.

Names: AWS CloudTrail User Guide, "Getting and viewing your CloudTrail log files", "CloudTrail digest file structure",
"CloudTrail sign file structure" and "Finding your CloudTrail Insights events"; with an organization's id for
organization trails.
"""

import re
from datetime import date
from enum import StrEnum
from typing import NamedTuple


class ObjectKind(StrEnum):
    """What an object holds."""

    LOG = "log"
    DIGEST = "digest"
    INSIGHT = "insight"
    OTHER = "other"


class LogObject(NamedTuple):
    """What an object holds, and whose; all but the kind is None where the name does not tell."""

    kind: ObjectKind
    account_id: str | None = None
    region: str | None = None
    day: date | None = None
    organization_id: str | None = None


_KINDS = {
    "CloudTrail": ObjectKind.LOG,
    "CloudTrail-Digest": ObjectKind.DIGEST,
    "CloudTrail-Insight": ObjectKind.INSIGHT,
}
_FOLDER = re.compile(
    r"(?:.*/)?AWSLogs/(?:(?P<organization>o-[a-z0-9]{10,32})/)?(?P<account>\d{12})/(?P<service>[^/]+)/"
    r"(?P<region>[a-z0-9-]+)/(?P<day>\d{4}/\d\d/\d\d)/[^/]+\.json(?:\.gz)?"
)
_FILE = re.compile(
    r"(?:.*/)?(?P<account>\d{12})_(?P<service>CloudTrail(?:-[A-Za-z]+)?)_(?P<region>[a-z0-9-]+)_"
    r"(?:[^/]+_)?(?P<day>\d{8})T\d{4,6}Z(?:_[^/_]+)?\.json(?:\.gz)?"
)


_SIGN_FILE = re.compile(r"(?:.*/)?result_sign\.json")  # of saved results of CloudTrail Lake: a digest of their files


def parse_log_key(key: str) -> LogObject:
    """What an S3 key or a path names, by its folders or else by its last part.

    >>> parse_log_key("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/111122223333_CloudTrail_x.json.gz").region
    'eu-west-1'
    """
    path = key.replace("\\", "/")
    if _SIGN_FILE.fullmatch(path):
        return LogObject(ObjectKind.DIGEST)
    found = _FOLDER.fullmatch(path) or _FILE.fullmatch(path)
    if not found:
        return LogObject(ObjectKind.OTHER)
    named = found.groupdict()
    kind = _KINDS.get(named["service"], ObjectKind.OTHER)
    return LogObject(kind, named["account"], named["region"], _day(named["day"]), named.get("organization"))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.replace("/", ""))
    except ValueError:
        return None
