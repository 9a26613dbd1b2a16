"""The edge where the shipped IAM knowledge is read from its files: once per process, for every pure module."""

import functools
import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

from shared.iam.catalogue import Catalogue

if TYPE_CHECKING:
    from shared.pci.risk import RiskTable

DATA = Path(__file__).parent / "iam" / "data"


@functools.cache
def load_catalogue() -> Catalogue:
    """Load the catalogue of IAM actions (about 23,000; some 15 ms and 7 MB)."""
    return Catalogue(json.loads(gzip.decompress((DATA / "catalogue.json.gz").read_bytes())))


@functools.cache
def load_risk() -> "RiskTable":
    """Load the table of what each action could do in the wrong hands."""
    from shared.pci.risk import RiskTable  # noqa: PLC0415 it brings pydantic, unlike the catalogue

    return RiskTable(json.loads((DATA / "risk.json").read_text(encoding="utf-8")), load_catalogue())


@functools.cache
def load_data_event_types() -> frozenset[str]:
    """Load the resource types of CloudTrail's data events, as its selectors name them (`AWS::S3::Object`)."""
    return frozenset(json.loads((DATA / "data-event-types.json").read_text(encoding="utf-8")))
