"""Roles that a request passes, as SQL can see them: by a regular expression over the JSON text of its parameters.

iam:PassRole is never logged, it is inferred from what a request names (docs/decisions/0007-what-a-record-proves.md).
The expression finds every ARN of a role, and every key that tells of a role or an instance profile and whose value is
not empty. It takes a bit more for a role than a walk through the parameters would: nested values are not looked into.
That can only make the passed roles "any", never fewer.
"""

import json
import re
from collections.abc import Iterable
from typing import Final

from shared.errors import InputError

_ROLE_ARN = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,576}"
_KEY = r'"[^"\\]{0,100}(?i:role|instanceprofile)[^"\\]{0,100}" *: *'
# A text: the whole of a role's ARN, or no more than its first character. A list or an object: up to its first text,
# list or object.
_VALUE = rf'(?:"(?:{_ROLE_ARN}"|[^"])|\[[^\]]*?["\[{{]|\{{[^}}]*?: *["\[{{])'

ROLE_MENTION: Final = rf'{_KEY}{_VALUE}|{_ROLE_ARN}"'
"""Finds what mentions a role. In the common subset of the dialects of RE2, Joni and Python."""

_WHOLE_ARN = re.compile(rf'({_ROLE_ARN})"$')
UNNAMED_ROLE: Final = "a role, not by its ARN"


def mentions_of(parameters: str) -> list[str]:
    """What `regexp_extract_all` gives for a request's parameters: what the query does, in Python."""
    return [match.group() for match in re.finditer(ROLE_MENTION, parameters)]


def roles_of(mentions: Iterable[str]) -> list[str]:
    """The roles that mentions come from: ARNs, and UNNAMED_ROLE where one is named in another way."""
    found = [_WHOLE_ARN.search(mention) for mention in mentions]
    roles = sorted({match.group(1) for match in found if match})
    return [*roles, UNNAMED_ROLE] if None in found else roles


def mentions_in(text: str) -> tuple[str, ...]:
    """Mentions as the query lists them: a JSON array of texts, or "" for none. Raises InputError for anything else."""
    try:
        mentions = json.loads(text) if text else []
    except ValueError:
        mentions = None
    if not isinstance(mentions, list) or not all(isinstance(mention, str) for mention in mentions):
        raise InputError("roles: no list of texts")
    return tuple(mentions)
