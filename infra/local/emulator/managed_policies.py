"""Real AWS managed policies, in the place of the few that ministack ships."""

import json
from pathlib import Path

from ministack.services import iam


def load_managed_policies(path: Path) -> int:
    """Load AWS managed policies from a JSON file and return how many they are.

    The file is `{arn: {"name", "path", "default_version_id", "document"}}`; a document is a JSON object, or its text.
    A policy that ministack ships under the same ARN is replaced: its documents are copies of unknown age.
    """
    policies = json.loads(path.read_text(encoding="utf-8"))
    for arn, policy in policies.items():
        document = policy["document"]
        text = document if isinstance(document, str) else json.dumps(document)
        record = iam._make_aws_managed_record(arn.removeprefix(iam._AWS_MANAGED_POLICY_PREFIX), text)
        version_id = policy["default_version_id"]
        version = {**record["Versions"].pop("v1"), "VersionId": version_id}
        record |= {"PolicyName": policy["name"], "Path": policy["path"], "DefaultVersionId": version_id}
        record["Versions"][version_id] = version
        iam._aws_managed_policies[arn] = record
    return len(policies)
