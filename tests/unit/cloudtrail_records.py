"""CloudTrail records for tests: one that is made to order, and the real ones that the repository holds."""

import gzip
import json
from pathlib import Path
from typing import Any

from services.scorer.trail.reader import record_of
from services.scorer.trail.record import Record

ROOT = Path(__file__).parents[2]
INVICTUS = ROOT / "infra" / "local" / "records" / "invictus"
STRATUS = ROOT / "tests" / "data" / "cloudtrail" / "stratus-red-team"

ACCOUNT = "111122223333"
USER = {
    "type": "IAMUser",
    "principalId": "AIDAEXAMPLEUSER00001",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/team/ana",
    "accountId": ACCOUNT,
    "userName": "ana",
}
ISSUER = {
    "type": "Role",
    "principalId": "AROAEXAMPLEROLE00001",
    "arn": f"arn:aws:iam::{ACCOUNT}:role/ci/deployer",
    "accountId": ACCOUNT,
}
ROLE_SESSION = {
    "type": "AssumedRole",
    "principalId": "AROAEXAMPLEROLE00001:build-17",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/build-17",
    "accountId": ACCOUNT,
    "sessionContext": {"sessionIssuer": ISSUER},
}


def detail(**changes: Any) -> dict[str, Any]:
    """A record as CloudTrail writes it; a change to None removes the field."""
    fields = {
        "eventVersion": "1.10",
        "userIdentity": USER,
        "eventTime": "2026-03-01T12:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetBucketPolicy",
        "awsRegion": "eu-west-1",
        "requestParameters": None,
        "responseElements": None,
        "eventID": "6c5a2d0e-0000-4000-8000-000000000001",
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    } | changes
    return {name: value for name, value in fields.items() if value is not None}


def record(**changes: Any) -> Record:
    """The same, parsed."""
    return record_of(detail(**changes))


def corpus(folder: Path) -> list[dict[str, Any]]:
    """Every record of a folder of compressed log files: trail log objects, or plain lists."""
    records: list[dict[str, Any]] = []
    for file in sorted(folder.glob("*.json.gz")):
        content = json.loads(gzip.decompress(file.read_bytes()))
        records.extend(content["Records"] if isinstance(content, dict) else content)
    return records


def real_records(folder: Path) -> list[Record]:
    """The same, parsed."""
    return [record_of(one) for one in corpus(folder)]
