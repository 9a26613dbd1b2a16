"""Who asks, and whether the region is the one where IAM's events arrive."""

from collections.abc import Iterator

from cli.checkups.finding import Check, Finding, Where

# Where a partition delivers the events of IAM: EventBridge User Guide, "Events from global services", and AWS Config
# Developer Guide, "Global resources".
HOME_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}

IDENTITY = Check(
    "caller.identity",
    "Who asks",
    "What can be checked, and which commands work, depends on the caller's permissions.",
    "docs/cli.md",
    is_essential=True,
)
REGION = Check(
    "caller.region",
    "The region holds IAM's events",
    "IAM is global, and its CloudTrail and AWS Config events arrive in one region of a partition only.",
    "README.md#deploy",
    is_essential=True,
)
CHECKS = (IDENTITY, REGION)


def judge_caller(arn: str, where: Where, *, is_deployed: bool) -> Iterator[Finding]:
    """Judge the caller's ARN and the region that was asked."""
    found = f"{arn}, account {where.account_id}"
    if arn.endswith(":root"):
        yield IDENTITY.warn(found, "This is the account's root user: use a role for daily work.")
    else:
        yield IDENTITY.ok(found)
    home = HOME_REGIONS.get(where.partition)
    if home is None:
        yield REGION.unknown(f"which region of the partition {where.partition} holds IAM's events is not known here")
    elif where.region == home:
        yield REGION.ok(where.region)
    else:
        mend = "Deploy there, and remove this stack" if is_deployed else "Deploy there"
        yield REGION.fail(f"{where.region}, and IAM's events arrive in {home}", f"{mend}: --region {home}.")
