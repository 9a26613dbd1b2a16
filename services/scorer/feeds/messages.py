"""Bodies of SQS messages, which come from outside, as typed structures."""

from typing import TypeVar

import msgspec

from shared.errors import InputError

T = TypeVar("T")


def decoded(body: str | msgspec.Raw, decoder: msgspec.json.Decoder[T], *, what: str) -> T:
    """Decode a JSON body that should be `what`.

    Raises InputError that names the place and what is wrong there, never the value.
    """
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        reason = _reason(error)
    except UnicodeEncodeError:
        reason = "$: not valid Unicode"
    except RecursionError:
        reason = "$: nested too deep"
    raise InputError(f"not {what}: {reason}")


def _reason(error: msgspec.DecodeError) -> str:
    """`Expected "str", got "int" - at "$.a.b"` (in backticks) as `a.b: expected str, got int`."""
    what, _, place = str(error).replace("`", "").partition(" - at $")
    if what[1:2].islower():
        what = what[0].lower() + what[1:]
    return f"{place.lstrip('.') or '$'}: {what}"
