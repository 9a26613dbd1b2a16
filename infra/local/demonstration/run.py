"""`leastwise demo`: the main job on the local AWS, step by step, every claim checked against what is really there."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.text import Text

from cli.reporting.deployed import report_of_account
from infra.local.demonstration.account import AWS, IDENTITIES, seed
from infra.local.demonstration.checks import Checks
from infra.local.demonstration.findings import Findings, IdentityFinding
from infra.local.demonstration.inbox import Notice
from infra.local.demonstration.records import replay, replayed
from infra.local.demonstration.report import write_report
from infra.local.demonstration.summary import print_summary
from infra.local.demonstration.system import System, is_refused
from infra.local.deploy import deploy
from infra.local.local_aws import LocalAws
from services.auditor.telling.edge import MAX_SINGLE, PATIENCE
from services.scorer.trail.reader import record_of
from services.scorer.usage.fold import fold
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import PlanRecord, PlanStatus
from shared.model.score import Band, Score
from shared.model.usage import IdentityKey
from shared.reference import load_operations

REPOSITORY = Path(__file__).resolve().parents[3]
MANAGED_POLICIES = REPOSITORY / "infra" / "local" / "managed_policies.json"
PARAMETERS = {
    "Mode": "approve",
    "ReevaluationDelaySeconds": "1",
    "ReadBackDwellSeconds": "0",
    "UsageBatchingWindowSeconds": "1",
    # In an account of its own: grants are a minute old, and nobody waits three days.
    "GracePeriodDays": "0",
    "NoticePeriodHours": "0",
    "MaxChangedPercent": "100",
    "OnRegret": "restore",
    "RefusalDelaySeconds": "3",
}
THRESHOLD = 60
BY_SSM, BY_QUEUE, ROLLED_BACK = "db-admin", "lena", "sam"
MISSED = "ec2:DescribeInstances"
UNTOUCHED = ("break-glass", "legacy-batch")
OURS = ":policy/leastwise/"
SHOWN_LINES = 20  # of a message


def demonstrate(*, report_path: str) -> bool:
    """Run the demonstration; returns whether every check held."""
    console = Console()
    if not console.is_terminal:
        console.width = 120
    started = time.monotonic()
    console.print("[bold]leastwise[/] on the local AWS, with 2,900 real CloudTrail records\n")
    log_file = Path(report_path).with_name("local-aws.log").resolve()
    log_file.parent.mkdir(parents=True, exist_ok=True)
    log_file.unlink(missing_ok=True)
    with LocalAws.start(managed_policies=MANAGED_POLICIES, log_file=log_file, enforce_permissions=True) as local:
        step(console, 1, f"Local AWS on {local.endpoint_url}: building and deploying template.yaml")
        with console.status("sam build, sam deploy") as status:
            outputs = deploy(
                local,
                template=REPOSITORY / "template.yaml",
                parameters=PARAMETERS,
                progress=lambda line: status.update(escape(line.strip()[:100])),
            )
        console.print(f"  {len(outputs)} outputs after {time.monotonic() - started:.0f} s", highlight=False)
        demonstration = Demonstration(System(local, outputs), console)
        for run in demonstration.steps():
            with console.status("working"):
                run()
        findings = demonstration.findings()
        with demonstration.system.as_seen_by_the_command() as account:
            report = report_of_account(account, now=datetime.now(UTC))
    print_summary(console, findings, seconds=time.monotonic() - started)
    write_report(report, findings, Path(report_path))
    console.print(f"Report: {report_path}", highlight=False)
    return demonstration.checks.all_held


def step(console: Console, number: int, title: str) -> None:
    """Announce a step."""
    console.print(Text.assemble((f"{number} ", "bold cyan"), (title, "bold")))


class Demonstration:
    """The steps after the deployment, and what they found."""

    def __init__(self, system: System, console: Console) -> None:
        self.system = system
        self.console = console
        self.checks = Checks(console)
        self.refs: dict[str, IdentityRef] = {}
        self.originals: dict[str, IdentityDetail] = {}
        self.before: dict[str, Score] = {}
        self.after: dict[str, Score] = {}
        self.account_pci = (0.0, 0.0)
        self.inbox: list[Notice] = []
        self._number = 1

    def steps(self) -> tuple[Callable[[], None], ...]:
        """The story, in order."""
        return (
            self.seed,
            self.record_usage,
            self.score,
            self.judge,
            self.propose,
            self.remediate_by_ssm,
            self.remediate_by_queue,
            self.remediate_the_rest,
            self.roll_back,
            self.watch,
            self.stop_everything,
            self.verify_audit,
            self.read_the_inbox,
        )

    def seed(self) -> None:
        """Create the account's identities."""
        self._step("Seeding 14 identities with real AWS managed policies")
        self.refs = seed(self.system.local.client("iam"))
        self.originals = {name: self.system.detail(ref) for name, ref in self.refs.items()}
        policies = sum(len(detail.policies) for detail in self.originals.values())
        self.checks.hold("14 identities are in IAM", len(self.originals) == len(IDENTITIES), f"{policies} policies")

    def record_usage(self) -> None:
        """Replay the records and compare the ledger with the same records folded offline."""
        self._step("Replaying CloudTrail records through the default event bus into the usage ledger")
        now = datetime.now(UTC)
        records = replayed(self.refs, account_id=self.system.account_id, now=now)
        replay(self.system.local.client("events"), records)
        self.checks.hold("every queue was worked off", self.system.settle())
        folded = fold((record_of(record) for record in records), load_operations(), feed="eventbridge")
        expected = {key.identity_id: usage for key, usage in folded.usages.items()}
        wrong, actions = [], 0
        for name, ref in self.refs.items():
            key = IdentityKey(ref.account_id, ref.identity_id)
            usage = self.system.ledger.read(key, since=now - timedelta(days=90))
            seen = {key: set(entry.spans) for key, entry in usage.entries.items()}
            offline = expected[ref.identity_id].entries if ref.identity_id in expected else {}
            wanted = {key: set(entry.spans) for key, entry in offline.items()}
            missing = {key for key, kinds in wanted.items() if not kinds <= seen.get(key, set())}
            actions += len(wanted)
            wrong += [name] if missing else []
        self.checks.hold(
            "the ledger holds what the records say", not wrong, wrong or f"{actions} actions of 14 identities"
        )

    def score(self) -> None:
        """Sweep: score everybody and the account."""
        self._step("Scoring every identity (Privilege Creep Index, 0-100)")
        pci = float(self.system.sweep()["pci"])
        self.system.settle()
        self.before = self._scores()
        self.account_pci = (pci, pci)
        self.checks.hold("every identity has a score", set(self.before) == set(self.refs), _listed(self.before))
        self.checks.hold("the account's PCI is high", Band.of(pci) is Band.HIGH, f"{pci:.0f}")

    def judge(self) -> None:
        """Compare AWS Config's results with the scores."""
        self._step("AWS Config shows the verdicts")
        due = self._due()
        expected = {self.refs[name].identity_id for name in due}

        def shown() -> bool:
            found = {key for key, verdict in self.system.compliance().items() if verdict == "NON_COMPLIANT"}
            return found & {ref.identity_id for ref in self.refs.values()} == expected

        claim = f"the Config rule shows NON_COMPLIANT for exactly {len(due)} of {len(self.refs)}"
        self.checks.hold_soon(claim, shown, seconds=45)
        exempt = self.system.compliance().get(self.refs["break-glass"].identity_id, "NOT_APPLICABLE")
        self.checks.hold("the exempt identity is not judged", exempt == "NOT_APPLICABLE", exempt)

    def propose(self) -> None:
        """Mode `approve`: the compliance changes led to plans, and to nothing else."""
        self._step("Mode approve: plans are computed, proven, and wait")
        self.system.settle()
        plans = {name: self._record(ref) for name, ref in self.refs.items()}
        waiting = sorted(name for name, plan in plans.items() if plan and plan.status is PlanStatus.PROPOSED)
        expected = sorted(self._due() - set(UNTOUCHED))
        self.checks.hold("a proven plan waits for each identity with evidence", waiting == expected, ", ".join(waiting))
        unchanged = all(self.system.boundary_of(ref) is None for ref in self.refs.values())
        self.checks.hold("nothing was changed in IAM", unchanged)
        skipped = plans["legacy-batch"] is None
        self.checks.hold("no evidence, no plan: the unused administrator role gets none", skipped)

    def remediate_by_ssm(self) -> None:
        """One click in AWS Config: the SSM Automation document applies the plan of one role."""
        self._step(f"Remediation by AWS Config and its SSM document: role {BY_SSM}")
        state = self.system.remediate_by_config(self.refs[BY_SSM])
        self.checks.hold("the SSM Automation succeeded", state == "SUCCEEDED", state)
        self._check_right_sized(BY_SSM)

    def remediate_by_queue(self) -> None:
        """Mode `auto`: somebody becomes administrator, and is right-sized without anybody's doing."""
        self._step(f"Mode auto: somebody attaches AdministratorAccess to user {BY_QUEUE}")
        self.system.set_mode("auto")
        ref = self.refs[BY_QUEUE]
        self.system.local.client("iam").attach_user_policy(UserName=ref.name, PolicyArn=f"{AWS}AdministratorAccess")
        self.originals[BY_QUEUE] = self.system.detail(ref)
        claim = "CloudTrail event, score, Config verdict, queue, boundary: it happened by itself"
        self.checks.hold_soon(claim, lambda: OURS in (self.system.boundary_of(ref) or ""), seconds=60)
        self.system.settle()
        self._check_right_sized(BY_QUEUE)

    def remediate_the_rest(self) -> None:
        """A sweep repeats the standing verdicts; everybody else is right-sized, too."""
        self._step("A sweep finds the plans that still wait; everybody else is right-sized")
        self.system.sweep()
        self.system.settle()
        done = sorted(name for name, ref in self.refs.items() if OURS in (self.system.boundary_of(ref) or ""))
        expected = sorted({*self._due(), BY_QUEUE} - set(UNTOUCHED))
        self.checks.hold(
            "exactly those who were due have a boundary", done == expected, f"{len(done)} of {len(self.refs)}"
        )
        for name in done:
            if name not in {BY_SSM, BY_QUEUE}:
                self._check_right_sized(name)
        untouched = [name for name in UNTOUCHED if self._is_as_before(name)]
        self.checks.hold("exempt and unused identities were not touched", untouched == [*UNTOUCHED])
        pci = float(self.system.sweep()["pci"])
        self.system.settle()
        self.after = self._scores()
        self.account_pci = (self.account_pci[0], pci)
        self.checks.hold(
            "the account's PCI is low", Band.of(pci) is Band.LOW, f"{self.account_pci[0]:.0f} to {pci:.0f}"
        )

    def roll_back(self) -> None:
        """One plan is taken back; the identity is as it was, and stays so."""
        self._step(f"Rolling back user {ROLLED_BACK}")
        ref = self.refs[ROLLED_BACK]
        record = self._record(ref)
        if not self.checks.hold("it has a plan to take back", record and self.system.boundary_of(ref)) or not record:
            return
        payload = {"action": "rollback", "plan_id": record.plan.plan_id, "trigger": "demonstration"}
        outcome = self.system.invoke("RestoreRequestFunctionName", payload)["outcome"]
        self.checks.hold("the rollback succeeded", outcome == "ROLLED_BACK", outcome)
        self.checks.hold("its permissions are exactly as before", self._is_as_before(ROLLED_BACK))
        self.system.sweep()
        self.system.settle()
        self.checks.hold("it is left alone from now on", self.system.boundary_of(ref) is None)

    def watch(self) -> None:
        """A right-sized user misses something: it is noticed, told, and given back, and nothing else is."""
        self._step(f"Watching: user {BY_QUEUE} is refused what was taken from her, and gets it back")
        ref = self.refs[BY_QUEUE]
        before = self._record(ref)
        calls = self.system.client_of(ref, "ec2")
        missed = before is not None and MISSED in before.plan.removes
        self.checks.hold(f"{MISSED} was taken, and is refused", missed and is_refused(calls.describe_instances))
        self.checks.hold_soon("it is given back by itself", lambda: MISSED in self._restores(ref), seconds=60)
        self.system.settle()
        after = self._record(ref)
        self.checks.hold("the same call passes now", not is_refused(calls.describe_instances))
        given = set(before.plan.removes) - set(after.plan.removes) if before and after else set()
        self.checks.hold("nothing else came back", given == {MISSED}, ", ".join(sorted(given)))

    def stop_everything(self) -> None:
        """The kill switch: who pulled it, and that, is told at once."""
        by = self.refs["break-glass"]
        self._step(f"The kill switch: user {by.name} sets the mode to off")
        self.inbox += self.system.notices()
        self.system.set_mode("off", by=by)
        found: list[Notice] = []

        def told() -> bool:
            found.extend(self.system.notices())
            return any(notice.subject.startswith("Kill switch") for notice in found)

        self.checks.hold_soon("the security team is told at once", told, seconds=20)
        self.inbox += found
        for notice in found:
            if notice.subject.startswith("Kill switch"):
                self.checks.hold("and by whom", by.arn in notice.text, by.arn)
                self._show(notice)
        request = {"action": "remediate", "resource_id": self.refs[ROLLED_BACK].identity_id}
        outcome = self.system.invoke("RemediationRequestFunctionName", request)["outcome"]
        unchanged = self.system.boundary_of(self.refs[ROLLED_BACK]) is None
        self.checks.hold("nothing is changed any more", outcome != "APPLIED" and unchanged, outcome)

    def verify_audit(self) -> None:
        """Anchor the trail, verify it all, and edit an entry to see that this is found."""
        self._step("Anchoring and verifying the audit trail")
        self.system.settle()
        self.system.anchor()
        report = self.system.verify_trail()
        found = f"{report.entries} entries in {report.chains} chains, {report.anchors} anchor"
        self.checks.hold("every chain is whole, and as it was anchored", report.whole and report.anchors == 1, found)
        story = list(self.system.audit.chain(_chain(self.refs[ROLLED_BACK])))
        kinds = {entry.event_type for entry in story}
        whole = {"IdentityScored", "IdentityEvaluated", "PlanProposed", "PolicyApplied", "PolicyRolledBack"}
        self.checks.hold("one identity's story is complete", whole <= kinds, ", ".join(sorted(kinds & whole)))
        edited = next(entry for entry in story if entry.event_type == "PolicyApplied")
        self.system.edit_entry(edited, "Nothing happened")
        faults = [(fault.chain, fault.sequence) for fault in self.system.verify_trail().faults]
        self.system.edit_entry(edited, edited.summary)
        named = faults == [(edited.chain, edited.sequence)]
        self.checks.hold("an entry that somebody edits is found, and named", named, f"entry {edited.sequence}")
        self.checks.hold("as it was, the trail is whole again", self.system.verify_trail().whole)

    def read_the_inbox(self) -> None:
        """What the security team was told: the first messages alone, the burst in a digest."""
        self._step("Reading the security team's inbox")
        self.checks.hold_soon("what came too fast waits for the next digest", self._digest_is_due, seconds=90)
        self.system.tell_waiting()
        self.inbox += self.system.notices()
        digests = [notice for notice in self.inbox if notice.is_digest]
        self.checks.hold("a burst of messages came as one digest", digests, digests[0].subject if digests else "")
        for notice in digests[:1]:
            self._show(notice)
        told = [event_id for notice in self.inbox for event_id in notice.event_ids]
        waiting = [kept.event_id for kept in self.system.outbox.waiting(limit=1_000)]
        entries = [self.system.audit.of_event(event_id) for event_id in (*told, *waiting)]
        kinds = Counter((entry.event_type, entry.identity_id) for entry in entries if entry)
        self.checks.hold("whatever is told is in the audit trail", all(entries), f"{len(entries)} events")
        ids = {name: self.refs[name].identity_id for name in {*self._due(), BY_QUEUE} - set(UNTOUCHED)}
        changed = Counter(ids.values())
        changed[ids[BY_QUEUE]] += 1  # what was given back
        applied = Counter({key[1]: count for key, count in kinds.items() if key[0] == "PolicyApplied"})
        detail = f"{len(told)} events in {len(self.inbox)} messages, {len(waiting)} of the last minute still wait"
        self.checks.hold("the security team is told once of each change", applied == changed, detail)
        once = [kinds[kind, ids[BY_QUEUE]] for kind in ("AccessRegretted", "AccessRestored")]
        self.checks.hold("and once of the refusal, and that it is over", once == [1, 1])
        self.checks.hold("no message ended in a dead-letter queue", self.system.dead_letters() == 0)

    def findings(self) -> Findings:
        """Everything that was found, the worst identities first."""
        jobs = {one.name: one.job for one in IDENTITIES}
        worst_first = sorted(self.before, key=lambda name: -self.before[name].pci)
        return Findings(
            account_before=self.account_pci[0],
            account_after=self.account_pci[1],
            identities=tuple(
                IdentityFinding(
                    name=name,
                    arn=self.refs[name].arn,
                    job=jobs[name],
                    before=self.before[name],
                    after=self.after[name],
                    outcome=self._outcome(name),
                )
                for name in worst_first
            ),
            checks=tuple(self.checks.made),
        )

    def _step(self, title: str) -> None:
        self._number += 1
        step(self.console, self._number, title)

    def _digest_is_due(self) -> bool:
        """Whether so many messages have waited long enough that they are told as one."""
        now = datetime.now(UTC)
        due = sum(now - kept.kept_at > PATIENCE for kept in self.system.outbox.waiting(limit=1_000))
        return due > MAX_SINGLE

    def _show(self, notice: Notice) -> None:
        """Print the beginning of a message."""
        lines = notice.text.splitlines()
        text = "\n".join([*lines[:SHOWN_LINES], "…"] if len(lines) > SHOWN_LINES else lines)
        self.console.print(Panel(Text(text), title=Text(notice.subject), width=110, title_align="left"))

    def _due(self) -> set[str]:
        """Who is judged and was over the threshold."""
        return {name for name, score in self.before.items() if score.exempt is None and score.pci >= THRESHOLD}

    def _scores(self) -> dict[str, Score]:
        stored = {name: self.system.scores.get(ref.account_id, ref.identity_id) for name, ref in self.refs.items()}
        return {name: found.score for name, found in stored.items() if found}

    def _record(self, ref: IdentityRef) -> PlanRecord | None:
        current = self.system.journal.current(ref)
        return self.system.journal.get(current.plan_id) if current else None

    def _restores(self, ref: IdentityRef) -> tuple[str, ...]:
        """What the plan in force gave back of an earlier one."""
        record = self._record(ref)
        return record.plan.restores if record and record.status is PlanStatus.APPLIED else ()

    def _check_right_sized(self, name: str) -> None:
        """Boundary set and verified, policies untouched, journal complete."""
        ref = self.refs[name]
        detail = self.system.detail(ref)
        record = self._record(ref)
        if record is None:
            self.checks.hold(f"{name} has an applied plan", held=False)
            return
        applied = record.status is PlanStatus.APPLIED and detail.boundary is not None
        document = detail.boundary.document if detail.boundary else {}
        same_document = document == record.plan.policies[0].document
        untouched = detail.policies == self.originals[name].policies
        steps = self.system.journal.steps(record.plan.plan_id)
        journalled = bool(steps) and all(entry["outcome"] == "done" for entry in steps)
        claim = f"{name} is right-sized as proven and journalled, its own policies untouched"
        effect = f"{len(record.plan.removes):,} permissions gone, {record.plan.proofs.replayed_uses} uses replayed"
        self.checks.hold(claim, applied and same_document and untouched and journalled, effect)

    def _is_as_before(self, name: str) -> bool:
        """Whether IAM has the identity as it was seeded, apart from when it was looked at."""
        now, original = self.system.detail(self.refs[name]), self.originals[name]
        return now == original.model_copy(update={"read_at": now.read_at})

    def _outcome(self, name: str) -> str:
        """How it ended for one identity, in a word or two."""
        detail, first = self.system.detail(self.refs[name]), self.before[name]
        if detail.boundary:
            return "right-sized"
        if name == ROLLED_BACK:
            return f"rolled back, PCI {self._scores()[name].pci:.0f} again"
        if first.exempt:
            return "exempt"
        return "compliant" if first.pci < THRESHOLD else "left: no evidence of use"


def _listed(scores: dict[str, Score]) -> str:
    """Names with their PCI, worst first."""
    worst_first = sorted(scores.items(), key=lambda item: -item[1].pci)
    return ", ".join(f"{name} {score.pci:.0f}" for name, score in worst_first)


def _chain(ref: IdentityRef) -> str:
    return f"{ref.account_id}/{ref.identity_id}"
