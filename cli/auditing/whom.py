"""Whose entries are meant: by IAM as it is now, else by what the system saw last. The trail outlives identities."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from cli.deployed_account import reference_of
from cli.identity_names import named, session_of
from shared.aws.deployed_account import DeployedAccount
from shared.aws.iam import NamedIdentity
from shared.errors import DeniedError, InputError, NotFoundError
from shared.model.identity import IdentityRef, IdentityType
from shared.model.unique_ids import ROLE_ID_PREFIX, USER_ID_PREFIX

UNIQUE_ID = re.compile(rf"(?:{USER_ID_PREFIX}|{ROLE_ID_PREFIX})[A-Z0-9]{{4,}}")
NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)  # IAM API reference, GetUser and GetRole


class Whom(NamedTuple):
    """An identity: its unique id, and its ARN where that is known."""

    identity_id: str
    arn: str | None = None


def whom(who: str, account: DeployedAccount) -> Whom:
    """The identity that is meant by an ARN, a unique id or a name; it may be gone.

    Raises InputError for somebody of whom nobody knows, and for a name that several have.
    """
    if UNIQUE_ID.fullmatch(who):
        return _by_id(who, account)
    found = [ref for asked in _meant(who) if (ref := _known(asked, who, account))]
    ref = named(who, found) if found else reference_of(who, account)  # which says what was meant, perhaps
    return Whom(ref.identity_id, ref.arn)


def _by_id(identity_id: str, account: DeployedAccount) -> Whom:
    account_id = account.stack.account_id
    if stored := account.scores.get(account_id, identity_id):
        return Whom(identity_id, stored.score.identity.arn)
    if newest := account.audit.head(f"{account_id}/{identity_id}"):
        return Whom(identity_id, newest.identity_arn)
    raise InputError(f"nobody with the id {identity_id} was ever scored or recorded in account {account_id}")


def _meant(who: str) -> Iterator[NamedIdentity]:
    """What a name could mean."""
    if session := session_of(who):
        yield NamedIdentity(IdentityType.ROLE, session.role)
        return
    kind, _, rest = who.split(":", 5)[-1].partition("/")
    name = who.rsplit("/", 1)[-1]
    for identity_type in IdentityType:
        if NAME.fullmatch(name) and (not rest or kind == identity_type.value):
            yield NamedIdentity(identity_type, name)


def _known(asked: NamedIdentity, who: str, account: DeployedAccount) -> IdentityRef | None:
    """Who has a name now, else who was seen under it last."""
    for ref in (_in_iam(asked, account), account.scores.holder(account.stack.account_id, asked.type, asked.name)):
        if ref and (not who.startswith("arn:aws") or session_of(who) or ref.arn == who):
            return ref
    return None


def _in_iam(asked: NamedIdentity, account: DeployedAccount) -> IdentityRef | None:
    try:
        return account.iam.reference(asked)
    except (DeniedError, NotFoundError):  # whoever may read the trail may not be allowed to read IAM
        return None
