"""The users, groups and roles of an account, as far as escalation paths need to know them."""

from pydantic import BaseModel, ConfigDict

ANYONE = "*"


class Principal(BaseModel):
    """A user, group or role that an identity could become, change, or pass on.

    `privileged`: its own policies grant, without conditions and on more than single named resources, power over IAM
    (to attach, write or roll back policies, to rewrite trust, to make keys and logins, to add to groups), or complete a
    path by which it raises its own power, save by joining one named group. None is unknown, which counts as privileged.

    Of a role: `services` may assume it (`lambda.amazonaws.com`), and so may the `trusted` (ARNs of users and roles,
    `arn:…:root` for everyone of an account, `arn:…:assumed-role/NAME` for sessions of a role, `*` for anyone) except
    the `denied`. Whom a condition of the trust policy limits isn't among them. `policies` are the ARNs of
    customer-managed policies attached to it.
    """

    model_config = ConfigDict(frozen=True)

    arn: str
    privileged: bool | None = False
    services: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    instance_profile: bool = False


class Principals(BaseModel):
    """Whom an identity of this account could become, or pass a role to: each kind sorted by ARN."""

    model_config = ConfigDict(frozen=True)

    account_id: str
    users: tuple[Principal, ...] = ()
    groups: tuple[Principal, ...] = ()
    roles: tuple[Principal, ...] = ()

    def to_json(self) -> bytes:
        """Compact JSON, to be stored; `from_json` reads it."""
        return self.model_dump_json(exclude_defaults=True).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Principals":
        """Read what `to_json` wrote. Raises pydantic's ValidationError where it is something else."""
        return cls.model_validate_json(content)
