"""Is a request allowed? Decided from every policy that applies, as IAM decides it, with the statements that decided.

An explicit Deny anywhere wins; else the request must be allowed along one of the ways that `evaluation.routes` tells.
Policies are compiled once, and what they mean for one action of one caller is worked out once. What is left for each
request are tests of its resource and its context; no decision is kept.

Not decided here: ACLs, KMS grants, and what single services allow or refuse whatever the policies say, such as
sts:GetCallerIdentity.

Source: IAM user guide, "Policy evaluation logic".
"""

from shared.errors import InputError
from shared.iam.evaluation.callers import read_caller
from shared.iam.evaluation.decisions import MESSAGES, Code, Decision, Outcome, PolicyType, Reason
from shared.iam.evaluation.layers import Layers, compile_layers
from shared.iam.evaluation.plans import RESOURCE_ACCOUNT, SERVICE_LINKED_ROLE, Plan
from shared.iam.evaluation.policies import Policies
from shared.iam.evaluation.routes import Access, Situation
from shared.iam.request import Context, Request

__all__ = [
    "MESSAGES",
    "Code",
    "Decision",
    "Evaluator",
    "Outcome",
    "Policies",
    "PolicyType",
    "Reason",
    "compile_policies",
    "evaluate",
]

PLANS_KEPT = 10_000
_LAST_SEGMENT = 5


def compile_policies(policies: Policies) -> "Evaluator":
    """Make an evaluator, to be asked about many requests."""
    return Evaluator(compile_layers(policies))


def evaluate(request: Request, policies: Policies) -> Decision:
    """Decide one request. Raises InputError where the principal or the action has no form that IAM knows."""
    return compile_policies(policies).evaluate(request)


class Evaluator:
    """Compiled policies. Plans are kept by principal and action; when there are `PLANS_KEPT`, all are dropped."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._plans: dict[tuple[str, str], Plan] = {}

    def evaluate(self, request: Request) -> Decision:
        """Decide one request. Raises InputError where the principal or the action has no form that IAM knows."""
        principal, action, resource, account, context = request
        plan = self._plans.get((principal, action)) or self._plan(principal, action)
        if plan.exempt is not None and SERVICE_LINKED_ROLE in resource:
            plan = plan.exempt
        owner = account or _account_of(resource) or plan.account
        if plan.wants_account and owner is not None:
            context = {RESOURCE_ACCOUNT: (owner,), **plan.known, **context}
        elif plan.known:
            context = {**plan.known, **context}
        denial = plan.denied
        for reaches, holds, reason, decision in plan.denies:
            if (reaches is None or reaches(resource, context)) and (holds is None or holds(context)):
                denial = decision if denial is plan.denied else _also(denial, reason)
        if denial is not None:
            return denial
        access = plan.within if owner == plan.account and plan.guarded is None else _access(plan, resource, owner)
        return access.decision or _along_routes(access, resource, context)

    def _plan(self, principal: str, action: str) -> Plan:
        if not action.partition(":")[2]:
            raise InputError(f"action {action!r}: expected service:name")
        if len(self._plans) >= PLANS_KEPT:
            self._plans.clear()
        plan = self._plans[principal, action] = Plan(self._layers, action, read_caller(principal))
        return plan


def _also(denial: Decision | None, reason: Reason) -> Decision:
    return Decision(Outcome.EXPLICIT_DENY, (*(denial.reasons if denial is not None else ()), reason))


def _access(plan: Plan, resource: str, owner: str | None) -> Access:
    if owner != plan.account:
        return plan.access(Situation.ACROSS)
    guarded = plan.guarded is not None and plan.guarded in resource
    return plan.access(Situation.GUARDED) if guarded else plan.within


def _along_routes(access: Access, resource: str, context: Context) -> Decision:
    """Try each route; at each gate one statement suffices."""
    missing = access.shut
    for route in access.routes:
        reasons = route.settled
        for gate in route.gates:
            for reaches, holds, reason, decision in gate.options:
                if (reaches is None or reaches(resource, context)) and (holds is None or holds(context)):
                    if decision is not None:
                        return decision
                    reasons += (reason,)
                    break
            else:
                missing += (gate.missing,)
                break
        else:
            return Decision(Outcome.ALLOW, reasons)
    return access.refusal or Decision(Outcome.IMPLICIT_DENY, tuple(dict.fromkeys(missing)))


def _account_of(resource: str) -> str | None:
    """The account that an ARN names; many name none, and some the account `aws`, whose resources all accounts share."""
    segments = resource.split(":", _LAST_SEGMENT)
    return segments[4] if len(segments) > _LAST_SEGMENT and segments[4].isdecimal() else None
