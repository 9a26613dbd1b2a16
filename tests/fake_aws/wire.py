"""The one place that every call of leastwise to the fake AWS passes: numbered, logged, open to faults and to checks."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import botocore.session
from botocore.model import ServiceModel
from botocore.paginate import Paginator

READING = ("get_", "list_", "query", "batch_get_", "generate_")


@dataclass(frozen=True)
class Call:
    """One call as a client makes it; `number` counts from the wire's beginning."""

    number: int
    service: str
    operation: str
    arguments: dict[str, Any]

    @property
    def is_read(self) -> bool:
        """Whether it only asks."""
        return self.operation.startswith(READING)

    @property
    def changes_iam(self) -> bool:
        """Whether it is one of the calls that the whole project is about."""
        return self.service == "iam" and not self.is_read


class Meddler(Protocol):
    """Who may see, refuse, or answer calls in the place of AWS."""

    def around(self, call: Call, make: Callable[[], Any]) -> Any:
        """Make the call, or do what a broken world does instead."""
        ...


class Honest:
    """Lets every call pass."""

    def around(self, call: Call, make: Callable[[], Any]) -> Any:
        """Make the call."""
        return make()


@dataclass
class Wire:
    """Carries calls to the backends; `watch` hears of each one when it is over, however it ended."""

    meddler: Meddler = field(default_factory=Honest)
    watch: Callable[[Call, BaseException | None], None] = lambda call, error: None
    expect: Callable[[Call], None] = lambda call: None
    calls: list[Call] = field(default_factory=list)

    def call(self, service: str, operation: str, method: Callable[..., Any], **arguments: Any) -> Any:
        """One call from leastwise: `expect` hears of it just before it would take effect, `watch` afterwards."""
        call = Call(len(self.calls), service, operation, arguments)
        self.calls.append(call)

        def make() -> Any:
            self.expect(call)
            return method(**arguments)

        error: BaseException | None = None
        try:
            return self.meddler.around(call, make)
        except BaseException as caught:
            error = caught
            raise
        finally:
            self.watch(call, error)


class Client:
    """The methods of a backend as a boto3 client offers them; what the fake does not know is an AttributeError."""

    def __init__(self, service: str, backend: Any, wire: Wire) -> None:
        self._service = service
        self._backend = backend
        self._wire = wire

    def __getattr__(self, operation: str) -> Any:
        if operation.startswith("_"):
            raise AttributeError(operation)
        method = getattr(self._backend, operation)
        return functools.partial(self._wire.call, self._service, operation, method)

    def get_paginator(self, operation: str) -> Any:
        """Botocore's own paginator over the fake's method: it stops and goes on exactly as in production."""
        config, model = _pagination(self._service, operation)
        return Paginator(getattr(self, operation), config, model)


@functools.cache
def _pagination(service: str, operation: str) -> tuple[Any, Any]:
    name = "".join(part.capitalize() for part in operation.split("_"))
    return _pages(service)["pagination"][name], _model(service).operation_model(name)


@functools.cache
def _pages(service: str) -> Any:
    return botocore.session.get_session().get_component("data_loader").load_service_model(service, "paginators-1")


@functools.cache
def _model(service: str) -> ServiceModel:
    loader = botocore.session.get_session().get_component("data_loader")
    return ServiceModel(loader.load_service_model(service, "service-2"), service)


def mutations(calls: list[Call]) -> Iterator[Call]:
    """The calls that change IAM."""
    return (call for call in calls if call.changes_iam)
