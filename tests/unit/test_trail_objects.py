"""What names of objects in a trail's bucket tell."""

from datetime import date

import pytest

from services.scorer.trail.objects import LogObject, ObjectKind, parse_log_key

ACCOUNT = "111122223333"
DAY = date(2026, 3, 1)
FILE = f"{ACCOUNT}_CloudTrail_eu-west-1_20260301T1005Z_AbCdEf0123456789.json.gz"
FOLDER = f"AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/03/01"
LOG = LogObject(ObjectKind.LOG, ACCOUNT, "eu-west-1", DAY)
DIGEST_FILE = f"{ACCOUNT}_CloudTrail-Digest_eu-west-1_my_trail_us-east-1_20260301T100500Z.json.gz"
OTHER = LogObject(ObjectKind.OTHER)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (f"{FOLDER}/{FILE}", LOG),
        (f"a/prefix/{FOLDER}/{FILE}", LOG),
        (
            f"AWSLogs/o-exampleorgid/{ACCOUNT}/CloudTrail/eu-west-1/2026/03/01/{FILE}",
            LOG._replace(organization_id="o-exampleorgid"),
        ),
        (f"AWSLogs/AWSLogs/{ACCOUNT}/CloudTrail/us-gov-west-1/2026/03/01/{FILE}", LOG._replace(region="us-gov-west-1")),
        (f"/home/me/{FILE}", LOG),
        (FILE, LOG),
        (f"C:\\logs\\{FILE}", LOG),
        (FILE.removesuffix(".gz"), LOG),
        (
            f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/eu-west-1/2026/03/01/{DIGEST_FILE}",
            LOG._replace(kind=ObjectKind.DIGEST),
        ),
        (DIGEST_FILE, LOG._replace(kind=ObjectKind.DIGEST)),
        (
            f"AWSLogs/{ACCOUNT}/CloudTrail-Insight/eu-west-1/2026/03/01/{ACCOUNT}_CloudTrail-Insight_x.json.gz",
            LOG._replace(kind=ObjectKind.INSIGHT),
        ),
        (f"AWSLogs/{ACCOUNT}/CloudTrail-Lake/Query/2026/03/01/id/result_sign.json", LogObject(ObjectKind.DIGEST)),
        ("result_sign.json", LogObject(ObjectKind.DIGEST)),
        (f"AWSLogs/{ACCOUNT}/CloudTrail-Lake/Query/2026/03/01/id/result_1.csv.gz", OTHER),
        (f"AWSLogs/{ACCOUNT}/Config/eu-west-1/2026/03/01/x.json.gz", LOG._replace(kind=ObjectKind.OTHER)),
        (f"AWSLogs/{ACCOUNT}/Config/eu-west-1/2026/3/1/ConfigHistory/x.json.gz", OTHER),
        (f"AWSLogs/{ACCOUNT}/elasticloadbalancing/eu-west-1/2026/03/01/x.log.gz", OTHER),
        (f"{FOLDER}/", OTHER),
        (f"AWSLogs/{ACCOUNT}/CloudTrail/", OTHER),
        ("AWSLogs/1234/CloudTrail/eu-west-1/2026/03/01/x.json.gz", OTHER),
        (f"{FOLDER}/\n{FILE}\n", OTHER),
        ("", OTHER),
        (f"AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/13/41/x.json.gz", LOG._replace(day=None)),
    ],
)
def test_names(key: str, expected: LogObject) -> None:
    assert parse_log_key(key) == expected
