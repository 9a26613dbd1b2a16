"""Actions that no list names although they do what listed ones do: each with the class that its like has.

Only where AWS's own description leaves no doubt. What each does is said by the service authorization reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/), and in more words by the API reference of the
operation of the same name.
"""

from collections.abc import Mapping
from typing import NamedTuple

from shared.model.score import RiskClass


class Correction(NamedTuple):
    """The class of an action, one (`like`) that has it by the lists or by its name, and what the two have in common."""

    risk: RiskClass
    like: str
    why: str


_CREDENTIALS = RiskClass.CREDENTIAL_EXPOSURE
_EXPOSURE = RiskClass.RESOURCE_EXPOSURE
_DATA = RiskClass.DATA_ACCESS

_LIGHTSAIL = "lightsail:GetRelationalDatabaseMasterUserPassword"
_SHARED = "adds accounts, or everyone, to those who may use a copy of a disk or database"
_ENTERED = "connects to a database as one of its users, with nothing but IAM's word for it"
_LOGIN = "returns a database user's temporary password"
_INTO_CLUSTER = "gives a principal of IAM permissions inside a cluster"

CORRECTIONS: Mapping[str, Correction] = {
    "secretsmanager:GetSecretValue": Correction(_CREDENTIALS, _LIGHTSAIL, "returns a secret in plain text"),
    "secretsmanager:BatchGetSecretValue": Correction(
        _CREDENTIALS, _LIGHTSAIL, "returns up to 20 secrets in plain text"
    ),
    "redshift:GetClusterCredentialsWithIAM": Correction(_CREDENTIALS, "redshift:GetClusterCredentials", _LOGIN),
    "redshift-serverless:GetCredentials": Correction(_CREDENTIALS, "redshift:GetClusterCredentials", _LOGIN),
    "dsql:DbConnect": Correction(_CREDENTIALS, "rds-db:connect", _ENTERED),
    "dsql:DbConnectAdmin": Correction(_CREDENTIALS, "rds-db:connect", _ENTERED),
    "elasticache:Connect": Correction(_CREDENTIALS, "rds-db:connect", _ENTERED),
    "memorydb:Connect": Correction(_CREDENTIALS, "rds-db:connect", _ENTERED),
    "s3express:CreateSession": Correction(
        _CREDENTIALS, "s3:GetDataAccess", "returns temporary credentials for the objects of a bucket"
    ),
    "sts:AssumeRoot": Correction(
        _CREDENTIALS, "sts:AssumeRole", "returns temporary credentials of a member account's root user"
    ),
    "acm:ExportCertificate": Correction(
        _CREDENTIALS, "lightsail:DownloadDefaultKeyPair", "returns the private key of a certificate"
    ),
    "sso:CreateAccountAssignment": Correction(
        _EXPOSURE, "sso:AssociateProfile", "lets a user or group into an account with a permission set"
    ),
    "sso:PutInlinePolicyToPermissionSet": Correction(
        _EXPOSURE, "sso:PutPermissionsPolicy", "writes a policy of a permission set"
    ),
    "identitystore:CreateGroupMembership": Correction(
        _EXPOSURE, "sso-directory:AddMemberToGroup", "adds a member to a group of IAM Identity Center"
    ),
    "eks:CreateAccessEntry": Correction(_EXPOSURE, "lakeformation:GrantPermissions", _INTO_CLUSTER),
    "eks:AssociateAccessPolicy": Correction(_EXPOSURE, "lakeformation:GrantPermissions", _INTO_CLUSTER),
    "ec2:ModifyImageAttribute": Correction(_EXPOSURE, "ec2:ModifySnapshotAttribute", _SHARED),
    "rds:ModifyDBSnapshotAttribute": Correction(_EXPOSURE, "ec2:ModifySnapshotAttribute", _SHARED),
    "rds:ModifyDBClusterSnapshotAttribute": Correction(_EXPOSURE, "ec2:ModifySnapshotAttribute", _SHARED),
    "cognito-idp:AdminSetUserPassword": Correction(
        _EXPOSURE, "workmail:ResetPassword", "sets the password of another user"
    ),
    "kms:Decrypt": Correction(_DATA, "logs:Unmask", "returns in plain text what was stored so that it can't be read"),
    "dynamodb:PartiQLSelect": Correction(_DATA, "dynamodb:Query", "returns items of a table"),
    "timestream:Select": Correction(_DATA, "cassandra:Select", "returns rows of a table"),
    "kinesis:SubscribeToShard": Correction(_DATA, "kinesis:GetRecords", "returns the records of a stream"),
    "logs:FilterLogEvents": Correction(_DATA, "logs:GetLogEvents", "returns log events"),
    "ebs:GetSnapshotBlock": Correction(_DATA, "s3:GetObject", "returns the content of a disk, block by block"),
    # Its name doesn't begin with a verb of destruction; what was encrypted with the key is lost with it.
    "kms:ScheduleKeyDeletion": Correction(
        RiskClass.DESTRUCTIVE, "kms:DeleteImportedKeyMaterial", "deletes the material of a key"
    ),
}
