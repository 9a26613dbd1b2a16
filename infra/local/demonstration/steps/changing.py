"""The steps that change IAM: by AWS Config, by themselves, by a sweep."""

from infra.local.demonstration.account import AWS
from infra.local.demonstration.stage import BY_QUEUE, BY_SSM, OURS, UNTOUCHED, Stage
from shared.model.score import Band


def remediate_by_ssm(stage: Stage) -> None:
    """One click in AWS Config: the SSM Automation document applies the plan of one role."""
    stage.announce(f"Remediation by AWS Config and its SSM document: role {BY_SSM}")
    state = stage.system.remediate_by_config(stage.refs[BY_SSM])
    stage.checks.hold("the SSM Automation succeeded", state == "SUCCEEDED", state)
    stage.check_right_sized(BY_SSM)


def remediate_by_queue(stage: Stage) -> None:
    """Mode `auto`: somebody becomes administrator, and is right-sized without anybody's doing."""
    stage.announce(f"Mode auto: somebody attaches AdministratorAccess to user {BY_QUEUE}")
    stage.system.set_mode("auto")
    ref = stage.refs[BY_QUEUE]
    stage.system.local.client("iam").attach_user_policy(UserName=ref.name, PolicyArn=f"{AWS}AdministratorAccess")
    stage.originals[BY_QUEUE] = stage.system.detail(ref)
    claim = "CloudTrail event, score, Config verdict, queue, boundary: it happened by itself"
    stage.checks.hold_soon(claim, lambda: OURS in (stage.system.boundary_of(ref) or ""), seconds=60)
    stage.system.settle()
    stage.check_right_sized(BY_QUEUE)


def automate(stage: Stage) -> None:
    """Mode `auto`: from now on nobody has to ask."""
    stage.announce("Mode auto: from now on nobody has to ask")
    stage.system.set_mode("auto")


def remediate_the_rest(stage: Stage) -> None:
    """A sweep repeats the standing verdicts; everybody else is right-sized, too."""
    stage.announce("A sweep finds the plans that still wait; everybody else is right-sized")
    stage.sweep()
    stage.system.settle()
    done = stage.right_sized()
    expected = sorted({*stage.due(), *stage.changed} - set(UNTOUCHED))
    stage.checks.hold(
        "exactly those who were due have a boundary", done == expected, f"{len(done)} of {len(stage.refs)}"
    )
    for name in done:
        if name not in stage.changed:
            stage.check_right_sized(name)
    untouched = [name for name in UNTOUCHED if stage.is_as_before(name)]
    stage.checks.hold("exempt and unused identities were not touched", untouched == [*UNTOUCHED])
    pci = float(stage.sweep()["pci"])
    stage.system.settle()
    stage.after = stage.scores()
    stage.account_pci = (stage.account_pci[0], pci)
    stage.checks.hold("the account's PCI is low", Band.of(pci) is Band.LOW, f"{stage.account_pci[0]:.0f} to {pci:.0f}")
