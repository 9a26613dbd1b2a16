"""Loads the AWS service reference that ships with the project: once per process, never at import."""

import gzip
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from shared.iam.operations import OperationMap

SERVICE_REFERENCE = Path(__file__).parent / "iam" / "data" / "service-reference.json.gz"


@cache
def load_service_reference() -> Mapping[str, Any]:
    """Read the reference: its shape is described in shared/iam/data/SERVICE_REFERENCE_SOURCE.md (about 60 ms)."""
    reference: Mapping[str, Any] = json.loads(gzip.decompress(SERVICE_REFERENCE.read_bytes()))
    return reference


@cache
def load_operations() -> OperationMap:
    """Give the one map from CloudTrail's calls to IAM actions."""
    return OperationMap(load_service_reference())
