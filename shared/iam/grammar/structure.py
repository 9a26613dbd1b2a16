"""What every policy is made of: the document, its statements and their elements, before anyone asks what they say."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.iam.grammar.elements import LISTS, Elements
from shared.iam.grammar.findings import Code, Flaw
from shared.iam.grammar.kinds import KindRules, Presence
from shared.iam.policy import DOCUMENT_KEYS, STATEMENT_KEYS, VERSION, Effect

OLD_VERSION = "2008-10-17"
_REFUSED = re.compile(r"[^\t\n\r\u0020-\u00ff]")
_SID = re.compile(r"[A-Za-z0-9]*")
_TOLERATED_SID = re.compile(r"[A-Za-z0-9_-]*")


def check_text(text: str, rules: KindRules) -> Iterator[Flaw]:
    """Characters and length of a document, as JSON text without needless white space unless that counts."""
    odd = _REFUSED.search(text)
    if odd:
        yield Flaw(Code.CHARACTERS, "$", f"the document has U+{ord(odd[0]):04X}, which IAM refuses")
    if rules.limit is not None and len(text) > rules.limit:
        what = f"{len(text):,} characters, where a policy of kind {rules.kind} has at most {rules.limit:,}"
        yield Flaw(Code.TOO_LONG, "$", what)


def named(raw: Mapping[str, Any], known: Mapping[str, str], path: str) -> tuple[dict[str, Any], list[Flaw]]:
    """Elements by their canonical names, and what is wrong with the names; of a repeated one the first counts."""
    fields: dict[str, Any] = {}
    flaws: list[Flaw] = []
    for key, value in raw.items():
        name, place = known.get(str(key).lower()), f"{path}.{key}"
        if name is None:
            flaws.append(Flaw(Code.UNKNOWN_ELEMENT, place, f"IAM knows no element {key!r} here"))
        elif name in fields:
            flaws.append(Flaw(Code.DUPLICATE_KEY, place, f"{name} is given twice"))
        else:
            fields[name] = value
            if name != key:
                flaws.append(Flaw(Code.ELEMENT_CASE, place, f"usually spelled {name}"))
    return fields, flaws


def document_fields(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Flaw]]:
    """Elements of a document, and what is wrong with them apart from the statements themselves."""
    fields, flaws = named(document, DOCUMENT_KEYS, "$")
    flaws.extend(_version(fields))
    if "Id" in fields and not isinstance(fields["Id"], str):
        flaws.append(Flaw(Code.ELEMENT_TYPE, "$.Id", "Id must be text"))
    if "Statement" not in fields:
        flaws.append(Flaw(Code.MISSING_STATEMENT, "$", "a policy needs a Statement"))
    elif fields["Statement"] in ([], ()):
        flaws.append(Flaw(Code.MISSING_STATEMENT, "$.Statement", "a policy needs at least one statement"))
    return fields, flaws


def _version(fields: Mapping[str, Any]) -> Iterator[Flaw]:
    if "Version" not in fields:
        yield Flaw(Code.VERSION_OLD, "$", f"no Version means {OLD_VERSION}, which has no variables")
    elif fields["Version"] == OLD_VERSION:
        yield Flaw(Code.VERSION_OLD, "$.Version", f"version {OLD_VERSION} has no variables")
    elif fields["Version"] != VERSION:
        yield Flaw(Code.VERSION, "$.Version", f"there is no version {fields['Version']!r} of the policy language")


def check_statement(statement: Elements) -> Iterator[Flaw]:
    """The elements of one statement: which have to be there, which exclude each other, and their types."""
    fields, path = statement.fields, statement.path
    if "Effect" not in fields:
        yield Flaw(Code.EFFECT, path, "a statement has to say Allow or Deny")
    elif not isinstance(fields["Effect"], str) or fields["Effect"] not in set(Effect):
        yield Flaw(Code.EFFECT, f"{path}.Effect", f"{fields['Effect']!r} is neither Allow nor Deny")
    for name in LISTS:
        if name in fields:
            yield from _list(name, fields[name], f"{path}.{name}")
    yield from _pair(statement, "Action", Code.ACTION_AND_NOT_ACTION, Code.MISSING_ACTION)
    yield from _resource(statement)


def _resource(statement: Elements) -> Iterator[Flaw]:
    given = [name for name in ("Resource", "NotResource") if name in statement.fields]
    if statement.rules.resource is Presence.FORBIDDEN:
        for name in given:
            yield Flaw(Code.RESOURCE_FORBIDDEN, f"{statement.path}.{name}", f"a trust policy has no {name}")
    elif given or statement.rules.resource is Presence.REQUIRED:
        yield from _pair(statement, "Resource", Code.RESOURCE_AND_NOT_RESOURCE, Code.MISSING_RESOURCE)


def _pair(statement: Elements, name: str, both: Code, neither: Code) -> Iterator[Flaw]:
    """Exactly one of an element and its negation, and not an empty one."""
    given = [spelled for spelled in (name, f"Not{name}") if spelled in statement.fields]
    if len(given) > 1:
        yield Flaw(both, statement.path, f"{name} and Not{name} exclude each other")
    elif not given:
        yield Flaw(neither, statement.path, f"{name} or Not{name} is needed")
    elif not _listed(statement.fields[given[0]]):
        yield Flaw(neither, f"{statement.path}.{given[0]}", "the list names nothing")


def _listed(value: Any) -> bool:
    return not isinstance(value, list | tuple) or any(item is not None for item in value)


def _list(name: str, value: Any, path: str) -> Iterator[Flaw]:
    if isinstance(value, str):
        return
    if not isinstance(value, list | tuple):
        yield Flaw(Code.ELEMENT_TYPE, path, f"{name} must be text or a list of texts")
        return
    for place, item in enumerate(value):
        if item is None:
            yield Flaw(Code.NULL_IN_LIST, f"{path}[{place}]", "null names nothing")
        elif not isinstance(item, str):
            yield Flaw(Code.ELEMENT_TYPE, f"{path}[{place}]", f"{name} must be text or a list of texts")


def check_sids(statements: list[Elements]) -> Iterator[Flaw]:
    """Statement ids of a whole document: their type, their characters, and that none is used twice."""
    seen: set[str] = set()
    for statement in statements:
        if "Sid" not in statement.fields:
            continue
        sid, path = statement.fields["Sid"], f"{statement.path}.Sid"
        if not isinstance(sid, str):
            yield Flaw(Code.ELEMENT_TYPE, path, "Sid must be text")
            continue
        if sid in seen:
            yield Flaw(Code.SID_REPEATED, path, f"{sid!r} is the Sid of a statement before")
        if statement.rules.plain_sids and not _TOLERATED_SID.fullmatch(sid):
            yield Flaw(Code.SID_FORM, path, f"{sid!r} has more than letters and digits")
        elif statement.rules.plain_sids and not _SID.fullmatch(sid):
            yield Flaw(Code.SID_CHARACTERS, path, f"{sid!r} has more than letters and digits")
        if sid:
            seen.add(sid)


def statements_of(fields: Mapping[str, Any], rules: KindRules) -> tuple[list[Elements], list[Flaw]]:
    """The statements of a document that can be judged, and what is wrong with their frames."""
    raw = fields.get("Statement", ())
    listed = raw if isinstance(raw, list | tuple) else [raw]
    statements: list[Elements] = []
    flaws: list[Flaw] = []
    for index, body in enumerate(listed):
        path = f"$.Statement[{index}]"
        if not isinstance(body, Mapping):
            flaws.append(Flaw(Code.NOT_AN_OBJECT, path, "a statement is a JSON object"))
            continue
        elements, odd = named(body, STATEMENT_KEYS, path)
        flaws += odd
        statements.append(Elements(elements, path, rules, with_variables=fields.get("Version") == VERSION))
    return statements, flaws
