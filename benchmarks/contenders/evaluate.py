"""Who decides a request: our engine, moto's access control, and iamprover's solver asked about one request."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.managed import Document

RawRequest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Decider:
    """`prepare` puts a request in the tool's own form, untimed; `decide` is timed; `allowed` reads its answer."""

    prepare: Callable[[RawRequest], Any]
    decide: Callable[[Any], Any]
    allowed: Callable[[Any], bool]


def leastwise(policies: Mapping[str, Any]) -> Decider:
    """Our engine, policies compiled."""
    from shared.iam.request import Request, context_of  # noqa: PLC0415 what a contender imports is part of its time

    def prepare(raw: RawRequest) -> Request:
        return Request(raw["principal"], raw["action"], raw["resource"], context=context_of(raw["context"]))

    return Decider(prepare, _evaluator(policies).evaluate, _is_allow)


def leastwise_from_json(policies: Mapping[str, Any]) -> Decider:
    """Our engine, policies compiled, each request read from its parsed JSON within the time."""
    from shared.iam.request import Request, context_of  # noqa: PLC0415

    evaluate = _evaluator(policies).evaluate

    def decide(raw: RawRequest) -> Any:
        return evaluate(Request(raw["principal"], raw["action"], raw["resource"], context=context_of(raw["context"])))

    return Decider(lambda raw: raw, decide, _is_allow)


def _evaluator(policies: Mapping[str, Any]) -> Any:
    from shared.iam.evaluate import Policies, compile_policies  # noqa: PLC0415

    return compile_policies(Policies.parse(policies))


def _is_allow(decision: Any) -> bool:
    return bool(decision.outcome.value == "ALLOW")


def moto(policies: Mapping[str, Any]) -> Decider:
    """The access control of moto, as it checks a call: without condition values.

    It knows neither boundaries nor organizations, so each of their documents is asked like an identity policy, and all
    must permit. It would parse every document anew for each call; here it parses them once.
    """
    from moto.iam.access_control import IAMPolicy, PermissionResult  # noqa: PLC0415

    layers = [IAMPolicy(json.dumps(document)) for document in _documents(policies)]

    def decide(request: tuple[str, str]) -> bool:
        return all(layer.is_action_permitted(*request) is PermissionResult.PERMITTED for layer in layers)

    return Decider(lambda raw: (raw["action"], raw["resource"]), decide, bool)


def iamprover(policies: Mapping[str, Any]) -> Decider:
    """A proof by iamprover that a request is forbidden: a query to its solver each, with the request's context."""
    from iamprover.engine.solver import check_invariant  # noqa: PLC0415
    from iamprover.invariants import Invariant  # noqa: PLC0415
    from iamprover.model import Account, Principal  # noqa: PLC0415
    from iamprover.parsers.iam import parse_policy_document  # noqa: PLC0415

    identity, boundary, service_control = (
        parse_policy_document(f"policy {place}", document) for place, document in enumerate(_documents(policies))
    )

    def prepare(raw: RawRequest) -> tuple[Any, Any]:
        forbidden = Invariant("one request", "", [raw["action"]], [raw["resource"]], where=_spelled(raw["context"]))
        holder = Principal(raw["principal"], [identity], permission_boundary=boundary)
        return Account([holder], scps=[service_control]), forbidden

    return Decider(prepare, lambda question: check_invariant(*question), lambda answer: not answer.passed)


def _spelled(context: Mapping[str, Any]) -> dict[str, str]:
    """Context values as IAM spells them."""
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in context.items()}


def _documents(policies: Mapping[str, Any]) -> tuple[Document, Document, Document]:
    """Identity policy, boundary and service control policy: one of each."""
    return (
        policies["identity_policies"][0],
        policies["permissions_boundaries"][0],
        policies["service_control_policies"][0][0],
    )


DECIDERS: Mapping[str, Callable[[Mapping[str, Any]], Decider]] = {
    "leastwise": leastwise,
    "leastwise (request from JSON)": leastwise_from_json,
    "moto": moto,
    "iamprover": iamprover,
}
SLOW = frozenset({"iamprover"})  # asked a part of the requests
