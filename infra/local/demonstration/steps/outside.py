"""The steps that only an outside provider has: what it sees, what it says, and that its bad answers change nothing."""

from typing import Any

from infra.local.demonstration.provider import KEEPS_MORE, KEPT_MORE, SCORES, UNLISTED, Outside
from infra.local.demonstration.stage import BY_SSM, Stage
from infra.local.local_aws import LocalAwsError
from tests.cloudknox.misbehaviours import Misbehaviour
from tests.cloudknox.tenant import Endpoint

CANARY = "canary"  # in each value of the secret, and in each token
BAD_ANSWERS = (
    (Misbehaviour.SERVER_ERROR, "provider_failed"),
    (Misbehaviour.HTML, "provider_failed"),
    (Misbehaviour.CUT_OFF, "provider_failed"),
    (Misbehaviour.EXPIRED_TOKEN, "provider_failed"),
    (Misbehaviour.ERROR_CODE, "provider_failed"),
    (Misbehaviour.EMPTY, "no_proposal"),
    (Misbehaviour.WRONG_ACCOUNT, "not_proven"),
    (Misbehaviour.EVERYTHING, "not_proven"),
    (Misbehaviour.CREATE_ROLE, "not_proven"),
)


def teach(stage: Stage) -> None:
    """The provider sees what everybody holds and used."""
    outside = _outside(stage)
    stage.announce(f"The provider, a stand-in for CloudKnox on {outside.url}, looks at the account")
    policies = outside.learn(stage.originals, stage.used)
    unused = sorted(name for name in stage.refs if not stage.used.get(name))
    stage.console.print(f"  {policies} policies, none for {' and '.join(unused)}", highlight=False)


def compare_scores(stage: Stage) -> None:
    """Every score is the provider's; who is not in its list has none, and is not judged."""
    outside = _outside(stage)
    stage.announce("Whose scores these are")
    theirs = {name: score.pci for name, score in stage.before.items() if score.provider is outside.who}
    stage.checks.hold("the scores are the provider's", theirs == SCORES, f"{len(theirs)} of {len(stage.refs)}")
    left_out = stage.before[UNLISTED].exempt
    stage.checks.hold(f"{UNLISTED}, who is not in its list, is not judged", left_out, left_out)


def refuse_bad_answers(stage: Stage) -> None:
    """A person wants a role to be right-sized while the provider answers badly: nothing changes, and it's told why."""
    outside, ref = _outside(stage), stage.refs[BY_SSM]
    stage.announce(f"Bad answers: somebody wants role {BY_SSM} to be right-sized while the provider misbehaves")
    for misbehaviour, code in BAD_ANSWERS:
        with outside.misbehaving(Endpoint.POLICY, misbehaviour):
            answer = _remediate(stage, ref.identity_id)
        held = answer["outcome"] == "SKIPPED" and answer["reason"] == code and stage.is_as_before(BY_SSM)
        stage.checks.hold(f"{misbehaviour}: nothing changes", held, f"{answer['reason']}, {answer['detail']}")
    before = stage.scores()
    with outside.misbehaving(Endpoint.USAGE, Misbehaviour.HTML):
        failed = _fails(stage)
    stage.checks.hold(
        "a list of scores that can't be read leaves every score as it was", failed and stage.scores() == before
    )
    untouched = all(stage.is_as_before(name) for name in stage.refs)
    stage.checks.hold("all 14 identities are as they were", untouched)


def compare_plan(stage: Stage) -> None:
    """The plan for one role keeps what the provider proposed beyond what the evidence keeps."""
    record = stage.record(stage.refs[KEEPS_MORE])
    kept = record is not None and KEPT_MORE in record.plan.keeps
    stage.checks.hold(f"what the provider wants to keep beyond what was used is kept for {KEEPS_MORE}", kept, KEPT_MORE)


def look_for_secrets(stage: Stage) -> None:
    """Nothing that the provider's secret holds, and no token of it, was written to a log."""
    stage.announce("Looking for the provider's secret in the logs of all functions")
    log = stage.system.local.log_file.read_text(encoding="utf-8", errors="replace")
    is_whole = "remediation ended" in log
    stage.checks.hold("no log shows a key or a token", is_whole and CANARY not in log, f"{len(log):,} characters")


def _remediate(stage: Stage, identity_id: str) -> dict[str, Any]:
    request = {"action": "remediate", "resource_id": identity_id, "trigger": "demonstration"}
    return stage.system.invoke("RemediationRequestFunctionName", request)


def _fails(stage: Stage) -> bool:
    """Whether a sweep ends with an error."""
    try:
        stage.system.sweep()
    except LocalAwsError:
        return True
    return False


def _outside(stage: Stage) -> Outside:
    if stage.outside is None:
        raise LocalAwsError("this step needs an outside provider")
    return stage.outside
