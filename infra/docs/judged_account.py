"""A test account read through: what a person says of its identities' policies, beside what they score.

The judgements follow from the policies and trust policies alone, so they stay what they are when the scores change.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from cli.account_files import read_account
from cli.scoring import score_all
from infra.build.template import ROOT
from infra.docs.tables import Lines, table
from shared.model.score import Band, Score

DETAILS = ROOT / "tests/data/authorization-details/example.json.gz"
RECORDS = ROOT / "infra/local/records/invictus"


class Judged(NamedTuple):
    """An identity, by the end of its ARN: what it holds, and the band in which a person would put it."""

    name: str
    holds: str
    by_hand: Band


JUDGED = (
    Judged("role/OrganizationAccountAccessRole", "everything", Band.HIGH),
    Judged(
        "user/fn4-exploitableNotAction-user",
        "all but `iam:Update*`, `iam:Create*` and `iam:Attach*`; `iam:PutUserPolicy` is left",
        Band.HIGH,
    ),
    Judged("user/privesc-sre-user", "`iam:*`, `ec2:*` and `s3:*`, through its group", Band.HIGH),
    Judged(
        "role/AWS-QuickSetup-StackSet-Local-AdministrationRole",
        "one permission on one role: to assume an administrator that trusts it",
        Band.HIGH,
    ),
    Judged("role/OverprivilegedEC2", "`iam:CreateAccessKey`, secrets and S3 objects, on everything", Band.HIGH),
    Judged("user/fn1-privesc3-partial-user", "`iam:PassRole` by one policy, `ec2:RunInstances` by another", Band.HIGH),
    Judged(
        "user/fn2-exploitableResourceConstraint-user",
        "`iam:CreatePolicyVersion` on a pattern that its own policy fits",
        Band.HIGH,
    ),
    Judged("role/privesc12-PutRolePolicy-role", "`iam:PutRolePolicy` on everything, itself included", Band.HIGH),
    Judged("user/privesc12-PutRolePolicy-user", "the same, as a user whom no role trusts", Band.MEDIUM),
    Judged("user/biden", "retired AWSLambdaFullAccess (`iam:PassRole`, `s3:*`), AmazonRDSFullAccess", Band.HIGH),
    Judged("role/MyRole", "`iam:PassRole`, and to give a running instance another role", Band.HIGH),
    Judged("user/privesc19-UpdateExistingGlueDevEndpoint-user", "to take over a Glue endpoint's role", Band.HIGH),
    Judged(
        "user/privesc2-SetExistingDefaultPolicyVersion-user",
        "to bring back an older version of a policy; none here has one",
        Band.MEDIUM,
    ),
    Judged(
        "role/AWS-QuickSetup-EnableCRecording-1clff_us-east-1",
        "to set up AWS Config: a bucket, KMS keys, `iam:PassRole` on Config's own role in any account",
        Band.LOW,
    ),
    Judged(
        "user/fn3-exploitableConditionConstraint-user",
        "`iam:CreatePolicyVersion` for tokens issued after 2020: always",
        Band.HIGH,
    ),
    Judged("user/fp5-nonExploitableConditionConstraint-user", "the same for tokens from before 2020: never", Band.LOW),
    Judged(
        "user/fp4-nonExploitableResourceConstraint-user",
        "`iam:CreatePolicyVersion` on AWS's own policies, which nobody can change",
        Band.LOW,
    ),
    Judged("user/privesc17-EditExistingLambdaFunctionWithRole-user", "to change functions' code", Band.HIGH),
    Judged("user/privesc-ssmSendCommand-user", "to run commands on instances", Band.HIGH),
    Judged("user/privesc-CloudFormationUpdateStack-user", "to change stacks", Band.HIGH),
    Judged("user/fp1-allow-and-deny-user", "`iam:*`, and the same denied", Band.LOW),
    Judged("user/fp2-allow-and-deny-multiple-policies-user", "everything, denied by another policy", Band.LOW),
    Judged(
        "role/privesc-AssumeRole-starting-role",
        "nothing; by trust policies alone it can become an administrator, in two steps",
        Band.HIGH,
    ),
)


def account() -> Lines:
    """The accounts' scores, and one line for each judged identity."""
    scores = _scores()
    by_name = {score.identity.arn.partition(":iam::")[2].partition(":")[2]: score for score in scores}
    rows = [_row(judged, by_name[judged.name]) for judged in JUDGED]
    agreed = sum(by_name[judged.name].band is judged.by_hand for judged in JUDGED)
    return [
        f"{_summary(scores)} Of {len(JUDGED)} that were judged by hand, {agreed} are in the same band:",
        "",
        *table(["identity", "what it holds", "by hand", "PCI", "band", "worst"], rows),
    ]


def _scores() -> list[Score]:
    return score_all(read_account([str(DETAILS)], [str(RECORDS)]))


def _summary(scores: Sequence[Score]) -> str:
    kinds = Counter(score.identity.type.value for score in scores)
    counted = [score for score in scores if score.exempt is None]
    bands = Counter(score.band for score in counted)
    parts = ", ".join(f"{bands[band]} {band}" for band in reversed(Band))
    exempt = len(scores) - len(counted)
    return f"{kinds['user']} users and {kinds['role']} roles: {parts}, {exempt} left out because they are AWS's own."


def _row(judged: Judged, score: Score) -> list[str]:
    worst = score.contributions[0] if score.contributions else None
    why = "" if worst is None else f"path {worst.path}" if worst.path else f"`{worst.risk}`"
    band = score.band.value if score.band is judged.by_hand else f"**{score.band}**"
    return [f"`{judged.name}`", judged.holds, judged.by_hand.value, f"{score.pci:.1f}", band, why]
