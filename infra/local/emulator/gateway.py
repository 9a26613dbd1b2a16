"""How operations are added to ministack: through its own table of service handlers, one place for every concern.

ministack routes a request to `SERVICE_HANDLERS[service]`, an async function that answers `(status, headers, body)`. A
service of ours takes the operations it knows and passes every other one on to ministack.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from ministack import app
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, request_scope

from infra.local.emulator.errors import AwsError

Response = tuple[int, dict[str, str], bytes]
ServiceHandler = Callable[[str, str, dict[str, str], bytes, dict[str, list[str]]], Awaitable[Response]]
JsonOperation = Callable[[dict[str, Any]], dict[str, Any]]
Result = TypeVar("Result")

HOME_REGION = "us-east-1"


def failed(response: Response) -> bool:
    """Whether an answer is an error."""
    return response[0] >= HTTPStatus.BAD_REQUEST


def replace_service_handler(service: str, wrap: Callable[[ServiceHandler], ServiceHandler]) -> None:
    """Put `wrap(handler)` in the place of a service's handler."""
    app.SERVICE_HANDLERS[service] = wrap(app.SERVICE_HANDLERS[service])


def add_json_operations(service: str, operations: Mapping[str, JsonOperation]) -> None:
    """Answer these operations of a JSON service (`X-Amz-Target: Prefix.Operation`) instead of ministack."""

    def wrap(inner: ServiceHandler) -> ServiceHandler:
        async def handle(
            method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
        ) -> Response:
            operation = operations.get(headers.get("x-amz-target", "").rpartition(".")[2])
            if operation is None:
                return await inner(method, path, headers, body, query)
            return _answer(operation, body)

        return handle

    replace_service_handler(service, wrap)


def _answer(operation: JsonOperation, body: bytes) -> Response:
    try:
        response: Response = json_response(operation(json.loads(body or b"{}")))
    except AwsError as error:
        response = error_response_json(error.code, error.message, error.status)
    return response


def run_on_loop(action: Callable[[], Result]) -> Result:
    """Run `action` on the thread that serves requests, in the caller's account and region, and wait for its result.

    ministack keeps its state in plain dictionaries that only this thread changes; a background thread that read or
    wrote them directly would race with the requests.
    """
    account_id, region = get_account_id(), get_region()

    def scoped() -> Result:
        with request_scope(account_id, region):
            return action()

    async def scoped_on_loop() -> Result:
        return scoped()

    loop = app._MAIN_LOOP
    if loop is None or _running_loop() is loop:
        return scoped()
    return asyncio.run_coroutine_threadsafe(scoped_on_loop(), loop).result()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
