"""The site of AWS's service reference, on this machine: documents made from a compact reference."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias
from urllib.parse import urlsplit

NO_HEADERS: Mapping[str, str] = {}
LIST = "/v1/service-list.json"
MODIFIED = 1_790_000_000  # 2026-09-21

Answer: TypeAlias = Callable[["Handler"], None]


class Site(ThreadingHTTPServer):
    """Serves `documents` by path; `answers` take the place of some, and `asked` counts what was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.documents: dict[str, bytes] = {}
        self.answers: dict[str, list[Answer]] = {}  # one for each time that the path is asked for; the last one stays
        self.asked: Counter[str] = Counter()
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        """Where the site is."""
        return f"http://127.0.0.1:{self.server_port}"

    def publish(self, reference: Mapping[str, Any], templates: Mapping[str, Iterable[str]]) -> None:
        """Serve a compact reference in the form in which AWS publishes it."""
        listed = []
        for prefix, service in reference["services"].items():
            path = f"/v1/{prefix}/{prefix}.json"
            listed.append({"service": prefix, "url": f"{self.url}{path}", "modified": MODIFIED})
            self.documents[path] = json.dumps(published(prefix, service, templates)).encode()
        self.documents[LIST] = json.dumps(listed).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        """Answer with the document, or in the way that the test asks for."""
        path = urlsplit(self.path).path
        self.server.asked[path] += 1
        answers = self.server.answers.get(path)
        if answers:
            (answers.pop(0) if len(answers) > 1 else answers[0])(self)
        elif path in self.server.documents:
            self.give(self.server.documents[path])
        else:
            self.give(b"not here", status=404)

    def give(
        self, body: bytes, *, status: int = 200, length: int | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        """Send an answer; `length` is what the answer claims to have."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing on standard error."""


@contextmanager
def running() -> Iterator[Site]:
    """A site that is up until the test is over."""
    site = Site()
    thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.closing.set()
        site.shutdown()
        thread.join()
        site.server_close()


def published(prefix: str, service: Mapping[str, Any], templates: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """One service's document: fields that nothing reads are there, too, as AWS has them."""
    of_action = {name: list(templates.get(f"{prefix}:{name}", ())) for name in service["actions"]}
    kinds = sorted({template for found in of_action.values() for template in found})
    return {
        "Name": prefix,
        "Actions": [
            _action(name, facts, [{"Name": f"type{kinds.index(template)}"} for template in of_action[name]])
            for name, facts in service["actions"].items()
        ],
        "ConditionKeys": [{"Name": "aws:ResourceTag/${TagKey}", "Types": ["String"]}],
        "Operations": [_operation(name, authorized) for name, authorized in service["operations"].items()],
        "Resources": [{"Name": f"type{place}", "ARNFormats": [template]} for place, template in enumerate(kinds)],
        "Version": "v1.4",
    }


def _action(name: str, facts: Mapping[str, Any], resources: list[dict[str, str]]) -> dict[str, Any]:
    properties = facts.get("properties", ())
    flags = {
        "IsList": "list" in properties,
        "IsPermissionManagement": "permissions_management" in properties,
        "IsTaggingOnly": "tagging" in properties,
        "IsWrite": "write" in properties,
    }
    supported = {
        "IAM Access Analyzer Policy Generation": facts.get("policy_generation", False),
        "IAM Action Last Accessed": facts.get("last_accessed", False),
    }
    action = {"Name": name, "Annotations": {"Properties": flags}, "SupportedBy": supported}
    return {**action, "Resources": resources} if resources else action


def _operation(name: str, authorized: list[Any]) -> dict[str, Any]:
    actions = []
    for entry in authorized:
        named = entry if isinstance(entry, str) else entry["action"]
        service, _, action = named.partition(":")
        context = {} if isinstance(entry, str) else {"Context": entry["context"]}
        actions.append({"Name": action, "Service": service, **context})
    sdk = [{"Name": "service", "Method": name.lower(), "Package": "Boto3"}]
    return {"Name": name, "SDK": sdk, **({"AuthorizedActions": actions} if actions else {})}
