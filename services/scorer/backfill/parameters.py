"""Parameters that name resources, as SQL can take them from a request's JSON text.

A request names a resource by a parameter of its top level (services/scorer/usage/resources.py). The query takes the
PARAMETERS, and only where the request has no other key, at any depth, that could name one (NAMING_KEY): so what it
takes is all that there is. Requests that leave doubt about the resource (DOUBT) count as naming none. Both can only
make resources "any" where a walk through the whole request would know them.
"""

from typing import Final

import msgspec

from services.scorer.usage.resources import INDIRECT, NAMED_IN_REQUEST, OWNERS, QUEUE_URL, Addressing

_NAMES = sorted({name[:1].lower() + name[1:] for name in NAMED_IN_REQUEST.values()} | {QUEUE_URL, *OWNERS})
# The most frequent parameters that hold an ARN; each more costs the query another look into requests that have any.
_ARNS = (
    *("arn", "resourceArn", "resourceARN"),
    *("certificateArn", "executionArn", "loadBalancerArn", "policyArn", "stateMachineArn", "streamARN", "streamArn"),
    *("tableArn", "targetGroupArn", "topicArn"),
)

PARAMETERS: Final = (*_NAMES, *_ARNS)
NAMING_KEY: Final = rf'"(?:{"|".join(_NAMES)}|[A-Za-z0-9_]{{0,100}}(?:Arn|ARN)|arn)" *:'
_ADDRESSING = "|".join(field.encode_name for field in msgspec.structs.fields(Addressing))
# An index, a version or an alias; what is no text where a text belongs; access points by whatever name; directories.
DOUBT: Final = rf'"(?:indexName|qualifier)" *:|"(?:{_ADDRESSING})" *: *[^" ]|{"|".join(INDIRECT)}'


def taken_parameters(parameters: str) -> str:
    """SQL: the PARAMETERS of a request (a column of JSON text) as fields of a JSON object, each with a comma."""
    fields = (
        f"""coalesce('"{name}":' || json_format(json_extract({parameters}, '$.{name}')) || ',', '')"""
        for name in PARAMETERS
    )
    return " || ".join(fields)


def are_all(taken: str, parameters: str) -> str:
    """SQL: whether what was taken of a request is all that could name a resource in it."""
    counts = (f"cardinality(regexp_extract_all({text}, '{NAMING_KEY}'))" for text in (taken, parameters))
    return " = ".join(counts)
