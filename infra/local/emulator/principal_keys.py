"""Who a policy's conditions take a caller for: `aws:PrincipalArn` of a role's session is the role's ARN, path included.

IAM User Guide, "AWS global condition context keys". ministack compares with the session's own ARN, so that a policy
which lets one role through lets nobody through.
"""

from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam

PRINCIPAL_ARN = "aws:principalarn"


def install() -> None:
    """Wrap the lookup of condition keys."""
    resolve = iam_evaluator._resolve_condition_key

    def resolve_key(key: str, context: Any) -> Any:
        role = None
        if key.lower() == PRINCIPAL_ARN:
            role = role_of_session(context.principal_arn, context.principal_account)
        return role or resolve(key, context)

    iam_evaluator._resolve_condition_key = resolve_key


def role_of_session(arn: str, account_id: str) -> str | None:
    """The ARN of the role behind a session's ARN; None for what is no session, or of a role that isn't there."""
    if ":assumed-role/" not in arn:
        return None
    role = iam._roles.get_scoped(account_id, None, arn.split("/")[1])
    return str(role["Arn"]) if role else None
