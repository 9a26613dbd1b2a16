"""Which callers tell the statements of resource policies apart: one for each way in which they can be named.

Whoever isn't mentioned is named like everyone else of the same kind in the same account, so that one of each kind, in
each account that is mentioned and in one that isn't, stands for all of them.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from shared.errors import InputError
from shared.iam.comparison.reach import Rule
from shared.iam.comparison.representatives import EXAMPLE
from shared.iam.evaluation.callers import ANYONE, Caller, read_caller
from shared.iam.evaluation.principal_match import Match, deny_reaches, match_of_allow, match_of_entry
from shared.iam.principals import PrincipalKind

MAX_CALLERS = 4
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_ARN = re.compile(r"arn:(?P<partition>[\w-]+):(?:iam|sts)::(?P<account>\d{12}):(?P<rest>.+)", re.ASCII)


class Situation(NamedTuple):
    """How closely each rule names some callers, by number: 0 not at all (for a Deny 1 means that it speaks of them).

    `bounded`: they have a permissions boundary. `callers` are a few of them; none where there are no principals.
    `nameless`: it is a principal that no request can be made for here, such as a canonical user or a unique id.
    """

    callers: tuple[str, ...]
    bounded: bool
    closeness: Mapping[int, int]
    nameless: bool = False


def situations(rules: Sequence[Rule]) -> list[Situation]:
    """Every way in which the rules can name a caller; rules of identity policies speak of whoever holds them."""
    if all(rule.statement.principals is None for rule in rules):
        return [Situation((), bounded=False, closeness={rule.number: 1 for rule in rules})]
    found: dict[tuple[object, ...], list[str]] = {}
    for principal, caller in _callers(rules):
        for bounded in (False, True):
            closeness = tuple(_closeness(rule, caller, bounded=bounded) for rule in rules)
            found.setdefault((bounded, *closeness), []).append(principal)
    named = [
        Situation(
            tuple(callers[:MAX_CALLERS]),
            bounded=bool(bounded),
            closeness={rule.number: int(str(one)) for rule, one in zip(rules, closeness, strict=True)},
        )
        for (bounded, *closeness), callers in found.items()
    ]
    return named + [
        Situation(
            (),
            bounded=False,
            closeness={rule.number: _listing(rule, entry, account) for rule in rules},
            nameless=True,
        )
        for entry in _unreadable(rules)
        for account in (None, *_accounts(rules))
    ]


def _unreadable(rules: Sequence[Rule]) -> Iterator[tuple[PrincipalKind, str]]:
    """Listed principals that name somebody to AWS, but nobody whom `read_caller` knows."""
    known = [caller for _, caller in _callers(rules)]
    for kind, value in _mentioned(rules):
        if not any(match_of_entry(kind, value, caller) for caller in known):
            yield kind, value


def _mentioned(rules: Iterable[Rule]) -> Iterable[tuple[PrincipalKind, str]]:
    return dict.fromkeys(entry for rule in rules for entry in getattr(rule.statement.principals, "entries", ()))


def _listing(rule: Rule, entry: tuple[PrincipalKind, str], account: str | None) -> int:
    """Closeness of a rule to a principal that is told by its spelling alone; it may be of this account, or of none."""
    principals = rule.statement.principals
    if principals is None:
        return int(not rule.allows)
    listed = entry in principals.entries or (PrincipalKind.AWS, ANYONE) in principals.entries
    if account is not None and not rule.allows and not principals.negated:
        whole = (account, f":{account}:root")
        listed = listed or any(
            kind is PrincipalKind.AWS and value.endswith(whole) for kind, value in principals.entries
        )
    return (Match.DIRECT.value if rule.allows else 1) if listed is not principals.negated else 0


def _closeness(rule: Rule, caller: Caller, *, bounded: bool) -> int:
    principals = rule.statement.principals
    if rule.allows:
        return match_of_allow(principals, caller).value
    return int(deny_reaches(principals, caller, bounded=bounded))


def _callers(rules: Iterable[Rule]) -> Iterator[tuple[str, Caller]]:
    mentioned = _mentioned(rules)
    example = EXAMPLE  # a name that nobody who is mentioned bears
    while any(example in value for _, value in mentioned):
        example += "-x"
    principals: dict[str, None] = {}
    for kind, value in mentioned:
        principals |= dict.fromkeys(_behind(kind, value, example))
    partitions = _accounts(rules)
    accounts = [(partition, account) for account, found in partitions.items() for partition in found]
    accounts.append(("aws", next(account for account in _account_ids() if account not in partitions)))
    for partition, account in accounts:
        principals |= dict.fromkeys(_of_account(partition, account, example))
    principals |= dict.fromkeys((ANYONE, f"{example}.amazonaws.com", f"{example}.example.com"))
    for principal in principals:
        try:
            yield principal, read_caller(principal)
        except InputError:
            continue  # an id, a canonical user, or a misspelt ARN: no caller that could be asked about


def _accounts(rules: Iterable[Rule]) -> dict[str, dict[str, None]]:
    """Accounts that are mentioned, with the partitions in which they are."""
    accounts: dict[str, dict[str, None]] = {}
    for _, value in _mentioned(rules):
        arn = _ARN.fullmatch(value)
        if arn is not None:
            accounts.setdefault(arn["account"], {})[arn["partition"]] = None
        elif _ACCOUNT.fullmatch(value):
            accounts.setdefault(value, {})["aws"] = None
    return accounts


def _account_ids() -> Iterator[str]:
    return (f"{number:012d}" for number in itertools.count(444455556666))


def _of_account(partition: str, account: str, example: str) -> list[str]:
    iam, sts = f"arn:{partition}:iam::{account}", f"arn:{partition}:sts::{account}"
    return [
        f"{iam}:user/{example}",
        f"{sts}:assumed-role/{example}/{example}",
        f"{iam}:role/{example}",
        f"{sts}:federated-user/{example}",
        f"{iam}:root",
        f"{iam}:saml-provider/{example}",
    ]


def _behind(kind: PrincipalKind, value: str, example: str) -> list[str]:
    """A principal that is mentioned, the sessions that could bear its name, and the role behind a session."""
    arn = _ARN.fullmatch(value)
    if kind is not PrincipalKind.AWS or arn is None:
        return [value] if value != ANYONE else []
    iam, sts = (f"arn:{arn['partition']}:{service}::{arn['account']}" for service in ("iam", "sts"))
    form, _, path = arn["rest"].partition("/")
    name = path.rpartition("/")[2]
    related = {
        "role": [f"{sts}:assumed-role/{name}/{example}"],
        "user": [f"{sts}:federated-user/{name}"],
        "assumed-role": [f"{sts}:assumed-role/{path.partition('/')[0]}/{example}"],
        "federated-user": [f"{iam}:user/{name}"],
    }
    return [value, *related.get(form, [])]
