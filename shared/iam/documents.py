"""From text to JSON values, strictly: where two readers could read a text differently, it is refused.

Source: RFC 8259; IAM API reference, where policy documents are URL-encoded by RFC 3986.
"""

import json
import urllib.parse
from collections import Counter
from collections.abc import Mapping
from typing import Any

from shared.errors import PolicyDocumentError


def decode_document(document: Mapping[str, Any] | str) -> Mapping[str, Any]:
    """JSON values of a document: text is read as JSON, URL-encoded or not; values are handed back as they are.

    Raises PolicyDocumentError (`not_json`, `duplicate_key` or `not_an_object`).
    """
    decoded = document
    if isinstance(document, str):
        decoded = read_json(document if document.lstrip().startswith("{") else urllib.parse.unquote(document))
    if not isinstance(decoded, Mapping):
        raise PolicyDocumentError("not_an_object", "$", "a policy document is a JSON object")
    return decoded


def read_json(text: str) -> Any:
    """JSON values of a text, strictly: no key twice in one object, no NaN, not nested beyond what Python can read.

    Raises PolicyDocumentError (`not_json`, with line and column, or `duplicate_key`).
    """
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise PolicyDocumentError("not_json", "$", f"the text is not valid JSON ({where})") from error
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else error
        raise PolicyDocumentError("not_json", "$", f"the text is not valid JSON ({why})") from error


def _no_number(text: str) -> Any:
    raise ValueError(f"JSON has no {text}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that is given twice: which one counts would be a guess."""
    decoded = dict(pairs)
    if len(decoded) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise PolicyDocumentError("duplicate_key", "$", f"the key {twice!r} is given twice in one object")
    return decoded


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_number)
