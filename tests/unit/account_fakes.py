"""Small accounts to look for escalation paths in: users, groups and roles, built from statements."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.iam.grants import effective_grants
from shared.knowledge import load_catalogue, load_risk
from shared.model.identity import IdentityDetail, IdentityRef, Policy
from shared.model.principals import Principals
from shared.model.sources import PolicyKind, PolicySource
from shared.pci.escalation.paths import Paths
from shared.pci.escalation.principals import principals_of
from tests.unit.iam_oracle import NOW, document, policy

CATALOGUE = load_catalogue()
RISK = load_risk()
ACCOUNT = "111122223333"
IAM = f"arn:aws:iam::{ACCOUNT}:"
POWER = document({"Action": "*"})
Body = Mapping[str, Any]


def trusting(*services: str, aws: Sequence[str] = (), **more: Any) -> dict[str, Any]:
    """A trust policy."""
    principal = {kind: list(names) for kind, names in (("Service", services), ("AWS", aws)) if names}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def user(name: str, *bodies: Body, groups: Sequence[str] = (), policies: Sequence[Policy] = ()) -> IdentityDetail:
    """A user with these documents inline, and these policies beside."""
    return _identity(
        f"user/{name}", "AIDA", groups=tuple(groups), policies=(*map(policy, bodies), *policies), trust=None
    )


def role(
    name: str, *bodies: Body, trust: Body | None = None, policies: Sequence[Policy] = (), instance_profile: bool = False
) -> IdentityDetail:
    """A role with these documents inline, and these policies beside; nobody may assume it unless `trust` says so."""
    nobody = trusting("nobody.amazonaws.com")
    held = (*map(policy, bodies), *policies)
    return _identity(
        f"role/{name}", "AROA", policies=held, trust=dict(trust or nobody), instance_profile=instance_profile
    )


def _identity(resource: str, prefix: str, **fields: Any) -> IdentityDetail:
    letters = "".join(letter for letter in resource.upper() if letter.isalnum())
    ref = IdentityRef(account_id=ACCOUNT, identity_id=prefix + letters, arn=IAM + resource)
    return IdentityDetail(ref=ref, created_at=NOW, read_at=NOW, **fields)


def of_group(name: str, body: Body) -> Policy:
    """A policy that a user has through a group."""
    return Policy(source=PolicySource(PolicyKind.GROUP_INLINE, "p", group=name), document=dict(body))


def managed(name: str, body: Body, *, owner: str = ACCOUNT) -> Policy:
    """A managed policy, the customer's unless its owner is `aws`."""
    return Policy(
        source=PolicySource(PolicyKind.MANAGED, name, arn=f"arn:aws:iam::{owner}:policy/{name}"), document=dict(body)
    )


def account(*details: IdentityDetail, groups: Sequence[str] = ()) -> Principals:
    """The principals of an account that consists of these."""
    held = [(detail, effective_grants(detail, CATALOGUE)) for detail in details]
    return principals_of(ACCOUNT, held, {name.rsplit("/", 1)[-1]: f"{IAM}group/{name}" for name in groups}, RISK)


def completed(detail: IdentityDetail, principals: Principals | None = None) -> dict[str, str | None]:
    """The paths that an identity completes, by id, with what each goes by (`role/admin`)."""
    found = Paths(RISK, CATALOGUE, principals).completed(detail, effective_grants(detail, CATALOGUE))
    return {one.path.id: one.via and one.via.removeprefix(IAM) for one in found}
