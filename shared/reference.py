"""The edge where the compiled map from CloudTrail's calls to IAM actions is read: once per process, never at import."""

import gzip
import json
from functools import cache
from pathlib import Path

from shared.iam.operations import OperationMap

OPERATIONS = Path(__file__).parent / "iam" / "data" / "operations.json.gz"


@cache
def load_operations() -> OperationMap:
    """Give the one map from CloudTrail's calls to IAM actions (about 18,000 operations; some 10 ms and 2 MB)."""
    return OperationMap(json.loads(gzip.decompress(OPERATIONS.read_bytes())))
