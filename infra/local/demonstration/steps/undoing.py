"""The steps that give back, and the one that stops everything."""

from infra.local.demonstration.inbox import Notice
from infra.local.demonstration.stage import BY_QUEUE, ROLLED_BACK, Stage
from infra.local.demonstration.system import is_refused
from shared.model.identity import IdentityRef
from shared.model.plan import PlanStatus

MISSED = "ec2:DescribeInstances"


def roll_back(stage: Stage) -> None:
    """One plan is taken back; the identity is as it was, and stays so."""
    stage.announce(f"Rolling back user {ROLLED_BACK}")
    ref = stage.refs[ROLLED_BACK]
    record = stage.record(ref)
    if not stage.checks.hold("it has a plan to take back", record and stage.system.boundary_of(ref)) or not record:
        return
    payload = {"action": "rollback", "plan_id": record.plan.plan_id, "trigger": "demonstration"}
    outcome = stage.system.invoke("RestoreRequestFunctionName", payload)["outcome"]
    stage.checks.hold("the rollback succeeded", outcome == "ROLLED_BACK", outcome)
    stage.checks.hold("its permissions are exactly as before", stage.is_as_before(ROLLED_BACK))
    stage.sweep()
    stage.system.settle()
    stage.checks.hold("it is left alone from now on", stage.system.boundary_of(ref) is None)


def watch(stage: Stage) -> None:
    """A right-sized user misses something: it is noticed, told, and given back, and nothing else is."""
    stage.announce(f"Watching: user {BY_QUEUE} is refused what was taken from her, and gets it back")
    ref = stage.refs[BY_QUEUE]
    before = stage.record(ref)
    calls = stage.system.client_of(ref, "ec2")
    missed = before is not None and MISSED in before.plan.removes
    stage.checks.hold(f"{MISSED} was taken, and is refused", missed and is_refused(calls.describe_instances))
    stage.checks.hold_soon("it is given back by itself", lambda: MISSED in _restores(stage, ref), seconds=60)
    stage.system.settle()
    after = stage.record(ref)
    stage.checks.hold("the same call passes now", not is_refused(calls.describe_instances))
    stage.changed[BY_QUEUE] += 1
    given = set(before.plan.removes) - set(after.plan.removes) if before and after else set()
    stage.checks.hold("nothing else came back", given == {MISSED}, ", ".join(sorted(given)))


def stop_everything(stage: Stage) -> None:
    """The kill switch: who pulled it, and that, is told at once."""
    by = stage.refs["break-glass"]
    stage.announce(f"The kill switch: user {by.name} sets the mode to off")
    stage.inbox += stage.system.notices()
    stage.system.set_mode("off", by=by)
    found: list[Notice] = []

    def told() -> bool:
        found.extend(stage.system.notices())
        return any(notice.subject.startswith("Kill switch") for notice in found)

    stage.checks.hold_soon("the security team is told at once", told, seconds=20)
    stage.inbox += found
    for notice in found:
        if notice.subject.startswith("Kill switch"):
            stage.checks.hold("and by whom", by.arn in notice.text, by.arn)
            stage.show(notice)
    request = {"action": "remediate", "resource_id": stage.refs[ROLLED_BACK].identity_id}
    outcome = stage.system.invoke("RemediationRequestFunctionName", request)["outcome"]
    unchanged = stage.system.boundary_of(stage.refs[ROLLED_BACK]) is None
    stage.checks.hold("nothing is changed any more", outcome != "APPLIED" and unchanged, outcome)


def _restores(stage: Stage, ref: IdentityRef) -> tuple[str, ...]:
    """What the plan in force gave back of an earlier one."""
    record = stage.record(ref)
    return record.plan.restores if record and record.status is PlanStatus.APPLIED else ()
