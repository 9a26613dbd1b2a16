"""The Athena table over a trail's log files: AWS's own format for them, with a partition for each account, region, day.

Partition projection computes the partitions from the query, so that nothing has to be loaded or crawled. Account and
region are "injected": only folders that the query names are read, and a query that names none fails.
Sources: Amazon Athena User Guide, "Create the table for CloudTrail logs in Athena using partition projection" (format
and columns) and "Supported types for partition projection" (at most MAX_INJECTED values of one column in a query).
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from services.scorer.backfill.layout import EARLIEST, TrailLayout, checked

DEFAULT_DATABASE = "leastwise"
MAX_INJECTED = 1_000
DAY_FORMAT = "%Y/%m/%d"  # of the partition, as CloudTrail names folders; in the table's properties `yyyy/MM/dd`

_DATABASE = re.compile(r"[a-z][a-z0-9_]{0,127}")

# What the query reads; the format skips the other fields of a record.
COLUMNS: Final = (
    (
        "useridentity",
        (
            "STRUCT<type: STRING, principalid: STRING, arn: STRING, accountid: STRING, invokedby: STRING, "
            "sessioncontext: STRUCT<sessionissuer: STRUCT<type: STRING, principalid: STRING, arn: STRING, "
            "accountid: STRING>>>"
        ),
    ),
    ("eventtime", "STRING"),
    ("eventsource", "STRING"),
    ("eventname", "STRING"),
    ("awsregion", "STRING"),
    ("errorcode", "STRING"),
    ("errormessage", "STRING"),
    ("requestparameters", "STRING"),
    ("additionaleventdata", "STRING"),
    ("resources", "ARRAY<STRUCT<arn: STRING>>"),
    ("eventtype", "STRING"),
    ("recipientaccountid", "STRING"),
    ("eventcategory", "STRING"),
    ("managementevent", "STRING"),
    ("readonly", "STRING"),
)
PARTITIONS: Final = ("account", "region", "day")


@dataclass(frozen=True, slots=True)
class TrailTable:
    """A table of one trail. Its name follows from its definition, so that another definition is another table."""

    layout: TrailLayout
    database: str = DEFAULT_DATABASE

    def __post_init__(self) -> None:
        checked(_DATABASE, self.database, "database")

    @property
    def name(self) -> str:
        """Name of the table in its database."""
        return f"trail_{hashlib.sha256(self._definition().encode()).hexdigest()[:16]}"

    @property
    def create_database(self) -> str:
        """DDL that makes the database where it isn't there."""
        return f"CREATE DATABASE IF NOT EXISTS `{self.database}`"

    @property
    def create_table(self) -> str:
        """DDL that makes the table where it isn't there."""
        return f"CREATE EXTERNAL TABLE IF NOT EXISTS `{self.database}`.`{self.name}` {self._definition()}"

    def _definition(self) -> str:
        columns = ",\n".join(f"  `{name}` {kind}" for name, kind in COLUMNS)
        partitions = ", ".join(f"`{name}` STRING" for name in PARTITIONS)
        location = f"s3://{self.layout.bucket}/{self.layout.accounts_folder}"
        properties = {
            "projection.enabled": "true",
            "projection.account.type": "injected",
            "projection.region.type": "injected",
            "projection.day.type": "date",
            "projection.day.format": "yyyy/MM/dd",
            "projection.day.range": f"{EARLIEST.strftime(DAY_FORMAT)},NOW",
            "projection.day.interval": "1",
            "projection.day.interval.unit": "DAYS",
            "storage.location.template": f"{location}${{account}}/CloudTrail/${{region}}/${{day}}/",
        }
        listed = ",\n".join(f"  '{name}' = '{value}'" for name, value in properties.items())
        return (
            f"(\n{columns}\n)\n"
            f"PARTITIONED BY ({partitions})\n"
            "ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'\n"
            "STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'\n"
            "OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'\n"
            f"LOCATION '{location}'\n"
            f"TBLPROPERTIES (\n{listed}\n)"
        )
