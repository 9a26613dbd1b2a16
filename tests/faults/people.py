"""What people do to IAM meanwhile, and what IAM would be if leastwise had never been: the shadow.

Every act of a person is done to the account and to its shadow. So at any moment the shadow says what leastwise must
give back, what no plan may exceed (I3), and what nobody may lose (I4); and each thing that a person touched is pinned:
from then on it stays as that person left it (I6).
"""

import contextlib
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from tests.fake_aws.iam import FakeIam
from tests.fake_aws.iam_state import Entity, IamState
from tests.faults.shapes import COMPUTE, TRUST, WIDE, Shape, arn, document, statement

Facets = dict[tuple[str, str], Any]  # ("attached", ARN) and the like -> value; absent where there is nothing
EXTRA, LIMIT = "extra", "peoples-limit"


def facets_of(entity: Entity | None) -> Facets:
    """What can be told apart about an entity."""
    if entity is None:
        return {("self", ""): None}
    found: Facets = {("inline", name): _canonical(text) for name, text in entity.inline}
    found |= {("attached", one): True for one in entity.attached}
    found |= {("group", name): True for name in entity.groups}
    found |= {("tag", key): value for key, value in entity.tags}
    if entity.boundary:
        found["boundary", ""] = entity.boundary
    return found


@functools.lru_cache(maxsize=4096)
def _canonical(document: str) -> str:
    """A document however it is written."""
    return json.dumps(json.loads(document), sort_keys=True)


@dataclass
class People:
    """Everybody but leastwise."""

    shape: Shape
    account: FakeIam
    shadow: FakeIam
    pinned: Facets = field(default_factory=dict)
    pinned_at: dict[tuple[str, str], int] = field(default_factory=dict)  # number of the call before which it was done
    now: int = -1  # number of the call before which people act just now
    recreated_at: int = -1

    def entity(self, state: IamState) -> Entity | None:
        """The identity that this is about, in some state."""
        return state.entities.get((self.shape.kind, self.shape.identity))

    def do(self, act: Callable[[FakeIam], object]) -> bool:
        """Do something to the account and to the shadow; False where IAM refused it, which changes neither."""
        before = facets_of(self.entity(self.account.state))
        try:
            act(self.account)
        except ClientError:
            return False
        with contextlib.suppress(ClientError):  # it concerned what only leastwise had made: the shadow has none of it
            act(self.shadow)
        after = facets_of(self.entity(self.account.state))
        for key in before.keys() | after.keys():
            if before.get(key) != after.get(key):
                self.pinned[key] = after.get(key)
                self.pinned_at[key] = self.now
        return True

    def give_up(self, key: tuple[str, str], value: Any) -> None:
        """Take what stands now for what the person did: it came in a moment in which nobody could see it."""
        del self.pinned[key]
        self.pinned_at.pop(key, None)

    def call(self, verb: str, noun: str, **arguments: str) -> bool:
        """Do one call of IAM about the identity: `verb_user_noun` or `verb_role_noun`."""
        kind = self.shape.kind
        who = {f"{kind.title()}Name": self.shape.identity}
        return self.do(lambda iam: getattr(iam, f"{verb}_{kind}_{noun}")(**who, **arguments))

    # -- acts, each of which somebody might do at any moment

    def attach(self) -> None:
        """Attach a policy that the identity did not have."""
        self.call("attach", "policy", PolicyArn=arn(EXTRA))

    def detach(self) -> None:
        """Detach the first policy that is not leastwise's."""
        found = self.entity(self.account.state)
        others = [one for one in found.attached if "/leastwise/" not in one] if found else []
        if others:
            self.call("detach", "policy", PolicyArn=others[0])

    def put_inline(self) -> None:
        """Write a new inline policy."""
        self.call("put", "policy", PolicyName="new", PolicyDocument=document(statement("kms:Decrypt")))

    def change_inline(self) -> None:
        """Change the document of an inline policy, or write it anew."""
        self.call("put", "policy", PolicyName="own", PolicyDocument=COMPUTE)

    def delete_inline(self) -> None:
        """Delete the inline policy."""
        self.call("delete", "policy", PolicyName="own")

    def set_boundary(self) -> None:
        """Set a boundary."""
        self.call("put", "permissions_boundary", PermissionsBoundary=arn(LIMIT))

    def remove_boundary(self) -> None:
        """Take the boundary off, whoever's it is."""
        self.call("delete", "permissions_boundary")

    def join_group(self) -> None:
        """Add a user to another group."""
        if self.shape.kind == "user":
            self.do(lambda iam: iam.add_user_to_group(GroupName=EXTRA, UserName=self.shape.identity))

    def leave_group(self) -> None:
        """Take a user out of its first group."""
        found = self.entity(self.account.state)
        if found and found.groups:
            group = found.groups[0]
            self.do(lambda iam: iam.remove_user_from_group(GroupName=group, UserName=self.shape.identity))

    def exempt(self) -> None:
        """Tag the identity as exempt."""
        tags = [{"Key": "leastwise:exempt", "Value": "true"}]
        kind, name = self.shape.kind, self.shape.identity
        self.do(lambda iam: getattr(iam, f"tag_{kind}")(**{f"{kind.title()}Name": name, "Tags": tags}))

    def delete(self) -> None:
        """Delete the identity, as a person must: everything it holds first."""
        self.do(self._delete)

    def recreate(self) -> None:
        """Delete the identity and give its name to somebody else (F45)."""
        self.do(self._delete)
        self.do(self._create)
        self.recreated_at = self.now

    def _create(self, iam: FakeIam) -> None:
        if self.shape.kind == "user":
            iam.create_user(UserName=self.shape.identity, Path="/team/")
            iam.put_user_policy(UserName=self.shape.identity, PolicyName="own", PolicyDocument=WIDE)
        else:
            iam.create_role(RoleName=self.shape.identity, Path="/ci/", AssumeRolePolicyDocument=TRUST)
            iam.put_role_policy(RoleName=self.shape.identity, PolicyName="own", PolicyDocument=WIDE)

    def _delete(self, iam: FakeIam) -> None:
        kind, name = self.shape.kind, self.shape.identity
        who = {f"{kind.title()}Name": name}
        found = self.entity(iam.state)
        if found is None:
            return
        for policy, _ in found.inline:
            getattr(iam, f"delete_{kind}_policy")(**who, PolicyName=policy)
        for one in found.attached:
            getattr(iam, f"detach_{kind}_policy")(**who, PolicyArn=one)
        for group in found.groups:
            iam.remove_user_from_group(GroupName=group, UserName=name)
        getattr(iam, f"delete_{kind}")(**who)


def prepare(iam: FakeIam) -> None:
    """What the acts above need to be there: a policy and a group that nobody has yet, and another team's boundary."""
    iam.create_policy(PolicyName=EXTRA, PolicyDocument=document(statement("kms:Decrypt", "sqs:SendMessage")))
    iam.create_policy(PolicyName=LIMIT, PolicyDocument=document(statement("sqs:*", "lambda:*")))
    iam.create_group(GroupName=EXTRA)
    iam.put_group_policy(GroupName=EXTRA, PolicyName="extra", PolicyDocument=document(statement("ec2:RunInstances")))
