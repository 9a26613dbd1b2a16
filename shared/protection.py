"""Who is never touched (safety contract, group G): pure rules over what IAM says of an identity."""

from shared.model.identity import IdentityDetail
from shared.model.plan import Reason, ReasonCode

EXEMPT_TAG = "leastwise:exempt"
PROTECTED_PATHS = ("/aws-service-role/", "/aws-reserved/", "/breakglass/", "/leastwise/")
PROTECTED_NAMES = ("AWSServiceRoleFor", "AWSReservedSSO_")
STACK_TAG = "aws:cloudformation:stack-name"


def protection_of(detail: IdentityDetail, *, stack_name: str = "") -> Reason | None:
    """Why an identity must not be changed, or None.

    Refused are AWS's own roles, break-glass paths, our own roles (path or stack tag), and whoever carries the tag
    `leastwise:exempt` with any value but "false": a misspelt value exempts, since the mistake must not cost access.
    """
    ref = detail.ref
    if any(ref.path.startswith(path) for path in PROTECTED_PATHS) or ref.name.startswith(PROTECTED_NAMES):
        return Reason(code=ReasonCode.PROTECTED, message=f"{ref.arn} is protected by its path or name")
    if stack_name and detail.tags.get(STACK_TAG) == stack_name:
        return Reason(code=ReasonCode.PROTECTED, message=f"{ref.arn} belongs to the stack {stack_name} itself")
    if detail.tags.get(EXEMPT_TAG, "false").strip().lower() != "false":
        return Reason(code=ReasonCode.EXEMPT, message=f"{ref.arn} carries the tag {EXEMPT_TAG}")
    return None
