"""Ears on everything that a function says: where a secret could be heard by whoever may read logs, metrics or mail."""

import io
import json
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aws_xray_sdk.core.utils.conversion import metadata_to_dict

from shared.aws import clients
from shared.observability import tracer
from tests.conftest import LogLines, Stack

MARK = "canary7d41"  # begins every canary; the word after it says where it was planted


def canary(kind: str) -> str:
    """A secret that only one kind of document holds: letters and digits, as IAM wants them in a Sid."""
    return f"{MARK}{kind}"


@dataclass
class Ears:
    """What was said, by where it could be heard; tables are read when asked."""

    stack: Stack
    log: LogLines
    output: pytest.CaptureFixture[str]
    others: io.StringIO  # what other loggers than ours say, as Lambda's own handler would write it
    heard: dict[str, str] = field(default_factory=dict)

    def call(self, handler: Callable[..., Any], event: dict[str, Any], context: object) -> Any:
        """Invoke a handler as Lambda does; an error is written as Lambda's runtime and the batch processor write it."""
        try:
            answer = handler(event, context)
        except Exception as error:  # noqa: BLE001 whatever comes out is what Lambda logs
            self.hear("exception", "".join(traceback.format_exception(error)), str(error), repr(error))
            return error
        self.hear("answer", json.dumps(answer, default=str))
        return answer

    def hear(self, place: str, *texts: str) -> None:
        """Remember what was said."""
        self.heard[place] = "\n".join([self.heard.get(place, ""), *texts])

    def places(self) -> dict[str, str]:
        """Everything said so far, by place."""
        written = self.output.readouterr()
        self.hear("metrics and standard output", written.out, written.err)
        self.hear("bus", json.dumps(self.stack.published()))
        self.hear("topic", *self.stack.take(self.stack.topic_queue_url))
        self.hear("queue", *self.stack.take(self.stack.evaluator_queue_url))
        for name in (self.stack.usage_table, self.stack.scores_table, self.stack.audit_table):
            self.hear(name, _content(name))
        self.hear(self.stack.notifications_table, _content(self.stack.notifications_table))
        self.hear("journal", _content(self.stack.journal_table))
        return self.heard | {"log": self.log.text, "other loggers": self.others.getvalue()}

    def leaks(self) -> dict[str, list[str]]:
        """Canaries by the place where they were heard."""
        found = {}
        for place, text in self.places().items():
            kinds = sorted(set(re.findall(rf"{MARK}([a-z]+)", text)))
            if kinds:
                found[place] = kinds
        return found


class Segment:
    """A segment of a trace: what is put into it, as the SDK would send it."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears

    def put_annotation(self, key: str, value: object) -> None:
        """Note an annotation."""
        self._ears.hear("trace", f"{key} {value}")

    def put_metadata(self, key: str, value: object, namespace: str = "") -> None:
        """Note metadata: an error is taken apart into its fields."""
        self._ears.hear("trace", f"{namespace} {key} {metadata_to_dict(value)!r}")


class Traces:
    """Stands in for the X-Ray recorder, which needs its daemon."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears

    @contextmanager
    def in_subsegment(self, name: str) -> Iterator[Segment]:
        """A segment, which notes the error that ends it as the SDK does: by its message."""
        try:
            yield Segment(self._ears)
        except Exception as error:
            self._ears.hear("trace", name, str(error))
            raise


def _content(table: str) -> str:
    """Every item of a table, bytes unpacked as far as they are ours."""
    pages = clients.dynamodb().get_paginator("scan").paginate(TableName=table)
    return "\n".join(repr(item) for page in pages for item in page["Items"])


@pytest.fixture
def ears(
    aws: Stack, log: LogLines, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ears]:
    """Ears on one test."""
    others = io.StringIO()
    handler = logging.StreamHandler(others)
    logging.getLogger().addHandler(handler)
    found = Ears(aws, log, capsys, others)
    monkeypatch.setattr(tracer, "provider", Traces(found))
    yield found
    logging.getLogger().removeHandler(handler)
