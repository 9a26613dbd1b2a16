"""All that is left to decide for one action of one caller, worked out once so that a request costs little.

Here it is settled which policies apply to whom. Source: Organizations user guide, "SCP effects on permissions" and
"Resources and entities not restricted by RCPs"; IAM user guide, "Policies and the root user"; KMS developer guide, "Key
policies".
"""

from collections.abc import Iterator

from shared.iam.evaluation.callers import IAM_KINDS, SERVICE_LINKED_PATH, Caller, CallerKind, known_context
from shared.iam.evaluation.decisions import Decision, Outcome
from shared.iam.evaluation.layers import Layer, Layers, Rule
from shared.iam.evaluation.principal_match import deny_reaches
from shared.iam.evaluation.routes import NAMING_PRINCIPALS, Access, Option, Situation, access_of
from shared.iam.request import Context

RESOURCE_ACCOUNT = "aws:resourceaccount"
SERVICE_LINKED_ROLE = f":role/{SERVICE_LINKED_PATH}"
_GUARDED = {"sts": ":role/", "kms": ":key/"}
_NOT_OF_RCPS = "kms:retiregrant"


class Plan:
    """The plan for one action of one caller.

    `account` is the caller's. `denied`: the decision if statements deny whatever the resource and the context are;
    `denies`: the statements that may. `within`: every way to be allowed in the caller's own account, where
    `guarded` is the part of an ARN that tells a resource whose own policy must allow. `known`: what IAM adds to the
    context, of what the plan's statements ask for; `wants_account`: whether the resource's account is of it. `exempt`:
    the plan for a service-linked role to be assumed, which resource control policies don't limit.
    """

    __slots__ = (
        "_accesses",
        "_caller",
        "_layers",
        "account",
        "denied",
        "denies",
        "exempt",
        "guarded",
        "known",
        "wants_account",
        "within",
    )

    def __init__(self, layers: Layers, action: str, caller: Caller) -> None:
        self.account = caller.account
        self.guarded = _GUARDED.get(action.partition(":")[0].lower())
        exempting = layers.resource_control and self.guarded == _GUARDED["sts"]
        self.exempt = Plan(layers._replace(resource_control=()), action, caller) if exempting else None
        self._caller = caller
        self._layers = _applicable(layers, action.lower(), caller).about(action.lower())
        self._accesses: dict[str, Access] = {}
        self.within = self.access(Situation.WITHIN)
        every = tuple(self._layers.every())
        denying = [rule for layer in every for rule in self._denying(layer)]
        surely = tuple(rule.reason for rule in denying if rule.always)
        self.denied = Decision(Outcome.EXPLICIT_DENY, surely) if surely else None
        self.denies = tuple(
            Option(rule.reaches, rule.holds, rule.reason, Decision(Outcome.EXPLICIT_DENY, (*surely, rule.reason)))
            for rule in denying
            if not rule.always
        )
        allowing = [rule for layer in every for rule in layer.allows]
        asked = frozenset().union(*(rule.keys for rule in (*denying, *allowing)))
        added = known_context(caller) if asked else {}
        self.known: Context = {key: values for key, values in added.items() if key in asked}
        self.wants_account = RESOURCE_ACCOUNT in asked

    def access(self, situation: Situation) -> Access:
        """Every way to be allowed in a situation."""
        access = self._accesses.get(situation.value)
        if access is None:
            access = access_of(self._layers, self._caller, situation)
            self._accesses[situation.value] = access
        return access

    def _denying(self, layer: Layer) -> Iterator[Rule]:
        bounded = self._layers.boundary is not None
        named = layer.missing.policy_type in NAMING_PRINCIPALS
        for rule in layer.denies:
            if not named or deny_reaches(rule.principals, self._caller, bounded=bounded):
                yield rule


def _applicable(layers: Layers, action: str, caller: Caller) -> Layers:
    """What applies to a caller: organizations limit no service-linked role, and SCPs none without an account."""
    of_iam = caller.kind in IAM_KINDS
    of_account = of_iam or caller.kind is CallerKind.ROOT
    resource = layers.resource
    if resource is not None and action.startswith("kms:"):
        resource = resource.placed()  # a key policy's statement without Resource has no effect
    return Layers(
        identity=layers.identity if of_iam else None,
        boundary=layers.boundary if of_iam else None,
        session=layers.session if of_account else None,
        resource=resource,
        endpoint=layers.endpoint,
        service_control=layers.service_control if of_account and not caller.service_linked else (),
        resource_control=() if caller.service_linked or action == _NOT_OF_RCPS else layers.resource_control,
    )
