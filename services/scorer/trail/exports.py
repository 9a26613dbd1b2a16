"""A record from the columns of a query: CloudTrail Lake, or Athena over a trail's logs.

Columns: AWS CloudTrail User Guide, "Supported SQL schemas for event data stores"; Amazon Athena User Guide, "Query AWS
CloudTrail logs". Names come in any case. Structures come as JSON or as text (`structures`), and so do the request's
parameters: JSON in Athena, the text of a map in Lake. Times without a zone are UTC.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from services.scorer.trail.decoding import decode_record
from services.scorer.trail.reasons import reason_of
from services.scorer.trail.record import Issuer, Record, SessionContext, UserIdentity
from services.scorer.trail.structures import map_of, structure_of
from shared.errors import InputError

WHOLE_RECORD = "eventjson"  # a column of Lake that holds the record as it is
NEEDED = ("eventtime", "eventsource", "eventname", "useridentity")
ERROR_CODE = "errorcode"  # without it a denied call would count as use
NEEDED_IN_HEADER = (*NEEDED, "awsregion", ERROR_CODE)

_RESOURCE_KEYS = frozenset({"arn", "accountid", "type"})
_PREFIX = "arnprefix"  # in place of the ARN where a call concerns all of a bucket
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?: ?UTC)?")


def record_of_columns(row: Mapping[str, Any]) -> Record:
    """The record in one row, by column; raises InputError that names the field."""
    columns = {name.lower(): _given(value) for name, value in row.items()}
    if whole := columns.get(WHOLE_RECORD):
        return decode_record(whole if isinstance(whole, str) else msgspec.json.encode(whole))
    for name in NEEDED:
        if name not in columns:
            raise InputError(f"{_FIELDS[name][0]}: missing")
    if ERROR_CODE not in columns:
        raise InputError("no errorCode column: denied calls would look allowed")
    record = {field: read(columns[name]) for name, (field, read) in _FIELDS.items() if columns.get(name) is not None}
    try:
        return msgspec.convert(record, Record)
    except msgspec.ValidationError as error:
        raise InputError(reason_of(error)) from None


def _given(value: Any) -> Any:
    """A value, or None for what stands for none in the text of an export."""
    return None if isinstance(value, str) and value in ("", "null") else value


def _as_it_is(value: Any) -> Any:
    return value


def _time(value: Any) -> Any:
    without_zone = _TIME.fullmatch(value) if isinstance(value, str) else None
    return f"{without_zone[1]}Z" if without_zone else value


def _truth(value: Any) -> Any:
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def _structured(value: Any) -> Any:
    """A structure that is there as JSON, as JSON text or as the text of a structure."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError):
        return structure_of(value)


def _identity(value: Any) -> Any:
    try:
        return _renamed(_structured(value), _IDENTITY_KEYS)
    except (InputError, RecursionError):
        raise InputError("userIdentity: not a structure") from None


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The same structure with CloudTrail's own spelling of its keys."""
    if not isinstance(value, Mapping):
        return value
    return {names.get(key.lower(), key): _renamed(inner, names) for key, inner in value.items()}


def _resources(value: Any) -> Any:
    """Named resources; None, which stands for any, where the text is not clear."""
    try:
        found = _structured(value)
    except (InputError, RecursionError):
        return None
    if isinstance(value, str) and not _is_json(value) and not _are_clear(found):
        return None
    return [_renamed(resource, {"arn": "ARN"}) for resource in found] if isinstance(found, list) else found


def _are_clear(resources: Any) -> bool:
    """Whether the text of structures surely says what it seems to: a name in them may hold `, x=` or `}, {arn=`."""
    if not isinstance(resources, list) or not all(isinstance(resource, dict) for resource in resources):
        return False
    spellings = [{name.lower(): value for name, value in resource.items()} for resource in resources]
    return len({frozenset(resource) for resource in spellings}) <= 1 and all(
        _RESOURCE_KEYS <= resource.keys() <= _RESOURCE_KEYS | {_PREFIX}
        and not (resource["arn"] and resource.get(_PREFIX))
        for resource in spellings
    )


def _parameters(value: Any) -> msgspec.Raw:
    """The JSON text of a request's parameters."""
    try:
        if isinstance(value, str) and not _is_json(value):
            value = map_of(value)
        return msgspec.Raw(value.encode() if isinstance(value, str) else msgspec.json.encode(value))
    except InputError as error:
        raise InputError(f"requestParameters: {error}") from None
    except (TypeError, ValueError, RecursionError):
        raise InputError("requestParameters: not JSON") from None


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeError):
        return False
    return True


def _keys_of(*structs: type[msgspec.Struct]) -> dict[str, str]:
    names = [field.encode_name for struct in structs for field in msgspec.structs.fields(struct)]
    return {name.lower(): name for name in names}


_IDENTITY_KEYS = _keys_of(UserIdentity, SessionContext, Issuer)
_READERS: dict[str, Callable[[Any], Any]] = {
    "eventTime": _time,
    "managementEvent": _truth,
    "readOnly": _truth,
    "userIdentity": _identity,
    "resources": _resources,
    "requestParameters": _parameters,
    "additionalEventData": _parameters,
}
_FIELDS = {name: (field, _READERS.get(field, _as_it_is)) for name, field in _keys_of(Record).items()}
