"""What files tell of the account around its identities: its resources, and whom an identity could become."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cli.authorization_files import HOLDERS, Page, read_bytes
from cli.inputs import shown
from shared.errors import InputError
from shared.iam.authorization_items import account_of
from shared.iam.grants import effective_grants
from shared.knowledge import load_catalogue, load_risk
from shared.model.identity import IdentityDetail, IdentityType
from shared.model.inventory import Inventory
from shared.model.principals import Principals
from shared.pci.applicable import applicable_of
from shared.pci.escalation.principals import principals_of
from shared.pci.reach.inventory_file import parse_inventory
from shared.pci.score import Surroundings
from shared.reference import load_operations


class Around(NamedTuple):
    """What is known around the identities of each account, and what somebody should know of that."""

    surroundings: Mapping[str, Surroundings]
    doubts: tuple[str, ...]


def surroundings_of_accounts(details: Sequence[IdentityDetail], pages: Sequence[Page], inventory: str | None) -> Around:
    """Tell what is known around the identities of each account, with the resources of an inventory file.

    Of an account with identities that are missing, as they are where no role is listed, which every account has, whom
    others could become is taken as given, never as nobody.
    Raises InputError for an inventory that can't be read, or that is of none of the accounts.
    """
    accounts = sorted({detail.ref.account_id for detail in details})
    inventories, errors = _inventories(inventory, accounts)
    if errors and not inventories:
        raise next(iter(errors.values()))
    doubts = [str(error) for error in errors.values()]
    missing = [account_id for account_id in accounts if not _is_whole(account_id, details, pages)]
    doubts += [
        f"identities of account {account_id} are missing: whom its identities could become is taken as given"
        for account_id in missing
    ]
    principals = {one: _principals(one, details, pages) for one in accounts if one not in missing}
    found = {
        account_id: Surroundings(
            inventory=inventories.get(account_id),
            principals=principals.get(account_id),
            templates=load_operations(),
        )
        for account_id in accounts
    }
    return Around(found, tuple(doubts))


def _inventories(name: str | None, accounts: Sequence[str]) -> tuple[dict[str, Inventory], dict[str, InputError]]:
    """The resources of each account, or why there are none."""
    inventories: dict[str, Inventory] = {}
    errors: dict[str, InputError] = {}
    content = read_bytes(name) if name is not None else None
    for account_id in accounts if content is not None else ():
        try:
            inventories[account_id] = parse_inventory(content or b"", account_id=account_id)
        except InputError as error:
            errors[account_id] = InputError(f"{shown(name or '')}: {error}")
    return inventories, errors


def _is_whole(account_id: str, details: Sequence[IdentityDetail], pages: Sequence[Page]) -> bool:
    """Whether an account has a role, and everyone was read who is listed and is, or may be, of the account."""
    read = {detail.ref.identity_id: detail.ref for detail in details}
    for page in pages:
        for name, field, _ in HOLDERS:
            for holder in page.get(name, []):
                identity_id = holder.get(field) if isinstance(holder, Mapping) else None
                known = isinstance(identity_id, str) and identity_id in read
                if not known and account_of(holder) in ("", account_id):
                    return False
    return any(ref.account_id == account_id and ref.type is IdentityType.ROLE for ref in read.values())


def _principals(account_id: str, details: Sequence[IdentityDetail], pages: Sequence[Page]) -> Principals:
    catalogue = load_catalogue()
    own = [detail for detail in details if detail.ref.account_id == account_id]
    applicable = applicable_of(catalogue, load_operations())
    grants = ((detail, applicable.narrowed(effective_grants(detail, catalogue))) for detail in own)
    return principals_of(account_id, grants, _groups(account_id, pages), load_risk())


def _groups(account_id: str, pages: Sequence[Page]) -> dict[str, str]:
    """ARNs of an account's groups by their names."""
    found: dict[str, str] = {}
    for page in pages:
        for group in page.get("GroupDetailList", []):
            name, arn = (group.get("GroupName"), group.get("Arn")) if isinstance(group, Mapping) else (None, None)
            if isinstance(name, str) and isinstance(arn, str) and f":iam::{account_id}:group/" in arn:
                found[name] = arn
    return found
