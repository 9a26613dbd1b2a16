"""What `leastwise explain` says of an identity of the deployed system: IAM now, and what the scorer stored."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from cli.asking import Place
from cli.identity_names import named, session_of
from shared.aws.account_surroundings import Found, StoredSurroundings
from shared.aws.deployed_account import DeployedAccount
from shared.aws.iam import NamedIdentity
from shared.errors import InputError, NotFoundError
from shared.knowledge import load_catalogue, load_risk
from shared.model.explanation import Explanation
from shared.model.identity import IdentityDetail, IdentityRef, IdentityType
from shared.model.unique_ids import ROLE_ID_PREFIX, USER_ID_PREFIX
from shared.model.usage import IdentityKey
from shared.pci.explanation.explain import Explainer, Judgement
from shared.pci.explanation.stored_score import compare_to_stored
from shared.pci.score import ScoreParameters, Scoring, Surroundings
from shared.protection import protection_of

_ID_PREFIXES = (USER_ID_PREFIX, ROLE_ID_PREFIX)
_ID = re.compile(r"A(?:IDA|ROA)[A-Z0-9]{4,}")
_WITH_KIND = ("arn:", "user/", "role/")
_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)  # IAM API reference, GetUser and GetRole
OLD = timedelta(days=2)  # a snapshot or a score that no daily sweep renewed


def explain_deployed(
    who: str, place: Place, *, window_days: int | None, threshold: float | None, top: int, now: datetime | None = None
) -> tuple[Explanation, tuple[str, ...]]:
    """Explain one identity as it is now (`now`, the current time by default); returns warnings besides.

    Raises InputError for an identity that isn't there, DependencyError where AWS can't be asked.
    """
    account = place.account
    moment = now or datetime.now(UTC)
    facts = account.stack
    detail = _identity(who, account, moment)
    window = window_days or facts.window_days
    warnings: list[str] = []
    surroundings = stored_surroundings(account, moment, warnings)
    scoring = Scoring(
        load_catalogue(), load_risk(), ScoreParameters(), now=moment, window_days=window, surroundings=surroundings
    )
    key = IdentityKey(facts.account_id, detail.ref.identity_id)
    usage = account.ledger.read(key, since=moment - timedelta(days=window))
    protection = protection_of(detail, stack_name=account.stack_name)
    explanation = Explainer(scoring).explain(
        detail,
        usage,
        judgement=Judgement(
            facts.threshold if threshold is None else threshold, protection.message if protection else None
        ),
        contributors=top,
    )
    stored = account.scores.get(facts.account_id, detail.ref.identity_id)
    if stored is None or not stored.present:
        return explanation, (*warnings, "no score of it is stored yet: the next sweep makes one")
    comparison = compare_to_stored(stored.score, explanation)
    if moment - stored.score.scored_at > OLD:
        warnings.append(f"the stored score is of {stored.score.scored_at.isoformat()}: do the sweeps run?")
    return explanation.model_copy(update={"stored": comparison}), tuple(warnings)


def id_of(who: str, account: DeployedAccount) -> str:
    """The unique id of whom somebody means; one that is given is taken as it is, since its holder may be gone."""
    return who if _ID.fullmatch(who) else reference_of(who, account).identity_id


def reference_of(who: str, account: DeployedAccount) -> IdentityRef:
    """Whom somebody means by an ARN, a unique id or a name, as IAM has them now. Raises InputError."""
    if who.startswith(_ID_PREFIXES) and (ref := _by_id(who, account)):
        return ref
    found = [ref for candidate in _candidates(who) if (ref := _reference(candidate, account))]
    found = [ref for ref in found if not _is_arn(who) or ref.arn == who]
    if not found:
        _refuse(who, account)
    return named(who, found)


def _identity(who: str, account: DeployedAccount, now: datetime) -> IdentityDetail:
    """The identity as IAM says now; asked by its name, so that one that was made just now is found, too."""
    if who.startswith(_ID_PREFIXES) and (ref := _by_id(who, account)):
        return account.iam.verified(ref, now=now)
    ref = reference_of(who, account)
    return account.iam.identity(NamedIdentity(ref.type, ref.name), now=now)


def _by_id(identity_id: str, account: DeployedAccount) -> IdentityRef | None:
    stored = account.scores.get(account.stack.account_id, identity_id)
    return stored.score.identity if stored else None


def _is_arn(who: str) -> bool:
    return who.startswith("arn:") and session_of(who) is None


def _candidates(who: str) -> Iterator[NamedIdentity]:
    """What a name could mean to IAM."""
    if (session := session_of(who)) and _NAME.fullmatch(session.role):
        yield NamedIdentity(IdentityType.ROLE, session.role)
        return
    kind = who.split(":", 5)[-1].partition("/")[0] if who.startswith(_WITH_KIND) else None
    name = who.rsplit("/", 1)[-1]
    for identity_type in IdentityType:
        if kind in {None, identity_type.value} and _NAME.fullmatch(name):
            yield NamedIdentity(identity_type, name)


def _reference(who: NamedIdentity, account: DeployedAccount) -> IdentityRef | None:
    try:
        return account.iam.reference(who)
    except NotFoundError:
        return None


def _refuse(who: str, account: DeployedAccount) -> NoReturn:
    """Raise InputError that tells what was meant, perhaps, by the identities that have scores.

    IAM finds nobody by a unique id, so that one without a score is known by its name alone.
    """
    if who.startswith(_ID_PREFIXES):
        raise InputError(f"no score of the id {who} is stored, and nobody has it as a name: ask by the name")
    scored = [stored.score.identity for stored in account.scores.scores(account.stack.account_id)]
    ref = named(who, scored)
    raise InputError(f"{ref.arn} has a stored score, but IAM says that it does not exist any more")


def stored_surroundings(account: DeployedAccount, now: datetime, warnings: list[str]) -> Surroundings:
    """The account's surroundings as the last sweep stored them; what is unknown, or old, is said."""

    def warn(found: Found) -> None:
        if found.at is None:
            warnings.append(f"no sweep has stored the account's {found.name} yet")
        elif now - found.at > OLD:
            warnings.append(f"the account's {found.name} are of {found.at.isoformat()}: do the sweeps run?")
        if found.is_of_another_version:
            warnings.append(f"the account's stored {found.name} are of another version")

    facts = account.stack
    stored = StoredSurroundings(account.snapshots, facts.account_id, has_inventory=facts.uses_inventory, note=warn)
    return stored.read()
