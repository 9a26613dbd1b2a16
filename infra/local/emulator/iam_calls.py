"""An IAM call from its request to what it leaves behind: refusals, pages, a CloudTrail event, a changed resource."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from infra.local.emulator import iam_writes
from infra.local.emulator.errors import AwsError
from infra.local.emulator.gateway import Response, ServiceHandler, replace_service_handler
from infra.local.emulator.iam_xml import escape_texts, paginate, xml_error


@dataclass(frozen=True)
class IamCall:
    """A call as it came in; `before` is what an observer noted before the call was carried out."""

    action: str
    params: dict[str, str]
    headers: dict[str, str]
    query: dict[str, list[str]]
    before: dict[str, Any] = field(default_factory=dict)


Before = Callable[[IamCall], None]
After = Callable[[IamCall, Response], None]


def install(before: list[Before], after: list[After]) -> None:
    """Lead every IAM request through the refusals and the pagination, with observers before and after the call."""

    def wrap(inner: ServiceHandler) -> ServiceHandler:
        async def handle(
            method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
        ) -> Response:
            call = _parse(headers, body, query)
            for observe in before:
                observe(call)
            try:
                iam_writes.refuse(call.action, call.params)
                response = escape_texts(await inner(method, path, headers, body, query))
                response = paginate(call.action, call.params, response)
            except AwsError as error:
                response = xml_error(error)
            for observe_answer in after:
                observe_answer(call, response)
            return response

        return handle

    replace_service_handler("iam", wrap)


def _parse(headers: dict[str, str], body: bytes, query: dict[str, list[str]]) -> IamCall:
    fields = {**query, **parse_qs(body.decode("utf-8", errors="replace"), keep_blank_values=True)}
    params = {name: values[0] for name, values in fields.items()}
    action = params.pop("Action", "")
    params.pop("Version", None)
    return IamCall(action, params, headers, query)
