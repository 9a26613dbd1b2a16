"""What a program pays before its first question: importing each tool, and loading the actions that it knows."""

from collections.abc import Mapping
from typing import NamedTuple


class Start(NamedTuple):
    """Python source of the import, and of the load where a tool loads later than it is imported."""

    importing: str
    loading: str = ""


STARTS: Mapping[str, Start] = {
    "leastwise": Start(
        "import shared.iam.evaluate, shared.iam.compare, shared.iam.grants, shared.knowledge",
        "shared.knowledge.load_catalogue()",
    ),
    "policy_sentry": Start("import policy_sentry.analysis.expand", "policy_sentry.querying.all.get_all_actions()"),
    "policyuniverse": Start("import policyuniverse.expander_minimizer"),
    "parliament": Start("import parliament"),
    "cloudsplaining": Start("import cloudsplaining.scan.policy_document"),
    "moto": Start("import moto.iam.access_control"),
    "iamprover": Start("import iamprover.engine.solver"),
}
