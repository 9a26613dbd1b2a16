"""Why a text gave no record, as a short reason that names the field and never a value."""

import re

import msgspec

from shared.errors import InputError

NOT_UTF_8 = "not UTF-8"
TOO_DEEP = "nested too deep"
TOO_LONG = "over 1 MiB"
CUT_OFF = "cut off"

# What decoding raises; everything else is a bug.
DECODING_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InputError)

_PLACED = re.compile(r"(?P<what>.*?)(?: - at `\$(?:\[\d+\])?\.?(?P<where>[^`]*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]*)`")
_SYNTAX = re.compile(r"JSON is malformed: (?P<what>[^(]*?)(?: \(byte \d+\))?")


def reason_of(error: Exception) -> str:
    """The reason in one of DECODING_ERRORS."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, RecursionError):
        return TOO_DEEP
    if isinstance(error, UnicodeDecodeError):
        return NOT_UTF_8
    if isinstance(error, msgspec.ValidationError):
        return _of_validation(str(error))
    syntax = _SYNTAX.fullmatch(str(error))
    return f"invalid JSON: {syntax['what']}" if syntax else CUT_OFF


def _of_validation(message: str) -> str:
    placed = _PLACED.fullmatch(message)
    where, what = (placed["where"] or "", placed["what"]) if placed else ("", message)
    if missing := _MISSING.fullmatch(what):
        return f"{where}.{missing['field']}: missing".removeprefix(".")
    what = what.replace("`", "").replace(" | null", "")
    return f"{where or 'record'}: {what[:1].lower()}{what[1:]}"
