"""Write managed_policies.json: the AWS managed policies that the demonstration attaches, as moto ships them.

Run `python -m infra.local.refresh_managed_policies` after a new moto; a test holds the file to this script.
"""

import json
from pathlib import Path
from typing import Any

TARGET = Path(__file__).with_name("managed_policies.json")
NAMES = (
    "AWSCloudTrail_FullAccess",
    "AdministratorAccess",
    "AmazonDynamoDBFullAccess",
    "AmazonEC2FullAccess",
    "AmazonS3FullAccess",
    "AmazonSSMFullAccess",
    "IAMFullAccess",
    "PowerUserAccess",
    "SecretsManagerReadWrite",
    "SecurityAudit",
    "job-function/ViewOnlyAccess",
)


def managed_policies() -> dict[str, dict[str, Any]]:
    """ARN -> name, path, default version and document of each policy in NAMES."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data  # noqa: PLC0415 a dev dependency of 3 MB

    known = json.loads(aws_managed_policies_data)
    policies = {}
    for path_and_name in NAMES:
        name = path_and_name.rsplit("/", 1)[-1]
        policy = known[name]
        arn = f"arn:aws:iam::aws:policy{policy['Path']}{name}"
        policies[arn] = {
            "name": name,
            "path": policy["Path"],
            "default_version_id": policy["DefaultVersionId"],
            "document": policy["Document"],
        }
    return policies


if __name__ == "__main__":
    TARGET.write_text(json.dumps(managed_policies(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
