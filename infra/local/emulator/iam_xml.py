"""The XML of the IAM API: writing answers from plain dictionaries, and cutting long lists into pages."""

import base64
import functools
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import botocore.session
from ministack.services import iam

from infra.local.emulator.errors import AwsError
from infra.local.emulator.gateway import Response, failed

NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000
_UNESCAPED = re.compile(rb"(?s)<(Key|Value|Description)>(.*?)</\1>")
_MARKER = re.compile(r"^offset:(\d+)$")


def xml_answer(action: str, result: Mapping[str, Any] | None = None) -> Response:
    """The answer of an IAM action; `result` holds the members as boto3 shows them, without it the answer is empty."""
    inner = "" if result is None else f"<{action}Result>{_element_content(result)}</{action}Result>"
    answer: Response = iam._xml(200, f"{action}Response", inner)
    return answer


def xml_error(error: AwsError) -> Response:
    """An error in IAM's envelope."""
    answer: Response = iam._error(error.status, error.code, escape(error.message))
    return answer


def error_code(response: Response) -> str | None:
    """The error code of an IAM answer, or None when the call succeeded."""
    if not failed(response):
        return None
    found = re.search(rb"<Code>(.*?)</Code>", response[2])
    return found[1].decode() if found else "InternalFailure"


def escape_texts(response: Response) -> Response:
    """Escape tags and descriptions where ministack's answer holds them as they were given, and so is no XML."""
    status, headers, body = response
    if not _UNESCAPED.search(body) or _is_xml(body):
        return response

    def escaped(found: re.Match[bytes]) -> bytes:
        return b"<%b>%b</%b>" % (found[1], escape(found[2].decode()).encode(), found[1])

    return status, headers, _UNESCAPED.sub(escaped, body)


def paginate(action: str, params: Mapping[str, str], response: Response) -> Response:
    """Cut an answer to the page that MaxItems and Marker ask for.

    ministack always answers with everything and `IsTruncated` false. Which lists of an action are paged, and in which
    order they follow one another, is taken from botocore's own table of paginators.
    """
    lists = paged_lists().get(action)
    if lists is None or failed(response):
        return response
    size = _page_size(params.get("MaxItems"))
    first = _offset(params.get("Marker"))
    root = ElementTree.fromstring(response[2])  # noqa: S314 this is our own answer
    result = root.find(f"{{{NAMESPACE}}}{action}Result")
    if result is None:
        return response
    total = _keep_members(result, lists, first, first + size)
    _set_text(result, "IsTruncated", "true" if total > first + size else "false")
    if total > first + size:
        _set_text(result, "Marker", base64.urlsafe_b64encode(f"offset:{first + size}".encode()).decode())
    return response[0], response[1], _serialize(root)


@functools.cache
def paged_lists() -> dict[str, tuple[str, ...]]:
    """For each IAM action with pages, its lists in the order in which they're paged."""
    loader = botocore.session.get_session().get_component("data_loader")
    table = loader.load_service_model("iam", "paginators-1")["pagination"]
    return {
        action: (page["result_key"],) if isinstance(page["result_key"], str) else tuple(page["result_key"])
        for action, page in table.items()
    }


def _is_xml(body: bytes) -> bool:
    try:
        ElementTree.fromstring(body)  # noqa: S314 this is our own answer
    except ElementTree.ParseError:
        return False
    return True


def _element_content(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_element_content(member)}</{name}>" for name, member in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_element_content(member)}</member>" for member in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(str(value))


def _page_size(text: str | None) -> int:
    size = int(text) if text and text.isdigit() else DEFAULT_PAGE_SIZE
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise AwsError("ValidationError", f"Value '{text}' at 'maxItems' must be between 1 and {MAX_PAGE_SIZE}")
    return size


def _offset(marker: str | None) -> int:
    if not marker:
        return 0
    try:
        found = _MARKER.match(base64.urlsafe_b64decode(marker).decode())
    except ValueError:
        found = None
    if not found:
        raise AwsError("ValidationError", "The specified value for marker is invalid.")
    return int(found[1])


def _keep_members(result: Any, lists: tuple[str, ...], first: int, end: int) -> int:
    """Remove every member outside `first:end`, counting over all lists in turn; return how many there are."""
    position = 0
    for name in lists:
        container = result.find(f"{{{NAMESPACE}}}{name}")
        for member in list(container) if container is not None else []:
            if not first <= position < end:
                container.remove(member)
            position += 1
    return position


def _set_text(result: Any, name: str, text: str) -> None:
    element = result.find(f"{{{NAMESPACE}}}{name}")
    if element is None:
        element = result.makeelement(f"{{{NAMESPACE}}}{name}", {})
        result.append(element)
    element.text = text


def _serialize(root: Any) -> bytes:
    ElementTree.register_namespace("", NAMESPACE)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))
