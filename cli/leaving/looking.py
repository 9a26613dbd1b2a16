"""Reading what is left of ours: the journal says what was meant, and IAM what is there."""

from collections import defaultdict

from cli.leaving.deciding import IN_FORCE, Facts
from services.remediator.changing.steps import plan_of
from shared.aws.deployed_account import DeployedAccount
from shared.aws.own_holders import holders
from shared.aws.own_policies import OwnPolicies
from shared.errors import DependencyError
from shared.model.plan import PlanRecord


def facts_of(account: DeployedAccount) -> Facts:
    """Every plan in force, every policy below our path, and everybody who holds one.

    The journal's index lags behind a little, so each plan is read by its id, and so are those that a policy's name
    tells. Raises InputError for a plan that can't be read and DependencyError where anything else can't be: what is
    left is not known then.
    """
    policies = tuple(OwnPolicies(account.client("iam")).list())
    held: defaultdict[str, set[str]] = defaultdict(set)
    present = set()
    for holder in holders(account.iam):
        present.add(holder.arn)
        for arn in holder.policies:
            held[arn].add(holder.arn)
    if unlisted := set(held) - {policy.arn for policy in policies}:
        raise DependencyError(f"IAM's listings don't agree (yet): {min(unlisted)} is held and not listed")
    named = {plan_of(policy.arn) for policy in policies}
    for status in sorted(IN_FORCE):
        listed = account.journal.with_status(account.stack.account_id, status)
        named.update(record.plan.plan_id for record in listed)
    by_policy = {arn: tuple(sorted(who)) for arn, who in held.items()}
    return Facts(_records(account, named), policies, by_policy, frozenset(present))


def _records(account: DeployedAccount, plan_ids: set[str]) -> dict[str, PlanRecord]:
    found = ((plan_id, account.journal.get(plan_id)) for plan_id in sorted(plan_ids))
    return {plan_id: record for plan_id, record in found if record is not None}
