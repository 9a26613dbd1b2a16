"""Calls that change a Systems Manager parameter, on their way to CloudTrail."""

import json
from collections.abc import Callable
from typing import Any

from infra.local.emulator.gateway import Response, ServiceHandler, replace_service_handler

CHANGES = frozenset({"PutParameter", "DeleteParameter", "DeleteParameters"})
Record = Callable[[str, dict[str, Any], dict[str, str], Response], None]


def install(record: Record) -> None:
    """Report each such call, with its request and its answer."""

    def wrap(inner: ServiceHandler) -> ServiceHandler:
        async def handle(
            method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
        ) -> Response:
            response = await inner(method, path, headers, body, query)
            operation = headers.get("x-amz-target", "").rpartition(".")[2]
            if operation in CHANGES:
                record(operation, json.loads(body or b"{}"), headers, response)
            return response

        return handle

    replace_service_handler("ssm", wrap)
