"""Escalation paths: combinations of permissions that give an identity power that it wasn't given."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from shared.model.identity import IdentityType


class PathRule(StrEnum):
    """What completes a path: how far its permissions must reach, where the account's principals aren't known."""

    ITSELF = "itself"  # to the identity itself, or to its policy; on any group
    BROADLY = "broadly"  # on more than single named resources
    NEVER = "never"  # only what is known of the account completes it


class Target(StrEnum):
    """What an action of a path is aimed at: a principal, or a policy that a principal has."""

    USER = "user"
    GROUP = "group"
    ROLE = "role"
    POLICY = "policy"


SELF_ESCALATION = "self-escalation"
EXISTING_PASSROLE = "existing-passrole"

# Which categories of pathfinding.cloud count as a whole. Self-escalation ends in the identity itself, which its own
# listing tells all of but its groups. Access to a further principal, or passing a role, is worth as much as that
# principal, which the identity's own policies can't tell: without the account's principals it counts where the
# permissions aren't tied to single named resources. To take over a workload that already runs is worth as much as the
# role that it runs with. To take both as given would count every `lambda:UpdateFunctionCode`: it counts only where a
# privileged role is known that such a workload may run with.
RULE_OF_CATEGORY: Mapping[str, PathRule] = {
    SELF_ESCALATION: PathRule.ITSELF,
    "principal-access": PathRule.BROADLY,
    "new-passrole": PathRule.BROADLY,
    EXISTING_PASSROLE: PathRule.NEVER,
}

PASSROLE = "iam:passrole"
ASSUMEROLE = "sts:assumerole"
ADDUSERTOGROUP = "iam:addusertogroup"

# Whom the actions of paths are aimed at. Source: AWS service authorization reference, resource types of the actions.
TARGET_OF_ACTION: Mapping[str, Target] = {
    PASSROLE: Target.ROLE,
    ASSUMEROLE: Target.ROLE,
    "iam:attachrolepolicy": Target.ROLE,
    "iam:putrolepolicy": Target.ROLE,
    "iam:updateassumerolepolicy": Target.ROLE,
    "iam:attachuserpolicy": Target.USER,
    "iam:putuserpolicy": Target.USER,
    "iam:createaccesskey": Target.USER,
    "iam:deleteaccesskey": Target.USER,
    "iam:createloginprofile": Target.USER,
    "iam:updateloginprofile": Target.USER,
    ADDUSERTOGROUP: Target.GROUP,
    "iam:attachgrouppolicy": Target.GROUP,
    "iam:putgrouppolicy": Target.GROUP,
    "iam:createpolicyversion": Target.POLICY,
}

# What makes an identity privileged where it is granted broadly: with each of these alone it gives itself, or somebody
# whom it then is, every permission. The class escalation doesn't: its actions lead to whatever role a workload has.
POWER_OVER_IAM = frozenset(
    {
        "iam:attachuserpolicy",
        "iam:attachrolepolicy",
        "iam:attachgrouppolicy",
        "iam:putuserpolicy",
        "iam:putrolepolicy",
        "iam:putgrouppolicy",
        "iam:createpolicyversion",
        "iam:setdefaultpolicyversion",
        "iam:updateassumerolepolicy",
        "iam:createaccesskey",
        "iam:createloginprofile",
        "iam:updateloginprofile",
        ADDUSERTOGROUP,
    }
)

_INSTANCE = "ec2:*:*:instance/*"
_FUNCTION = "lambda:*:*:function:*"
_STACK = "cloudformation:*:*:stack/*"
_PROJECT = "codebuild:*:*:project/*"
_INTERPRETER = "bedrock-agentcore:*:*:code-interpreter-custom/*"  # those of AWS run without a role
_NOTEBOOK = "sagemaker:*:*:notebook-instance/*"
_LAUNCH_TEMPLATE = "ec2:*:*:launch-template/*"

# On which workloads the actions of existing-passrole act: their ARNs, from the service on. What else an action asks
# for (a document of Systems Manager, a security group) says nothing of how many workloads it reaches. Source: AWS
# service authorization reference, resource types of the actions.
WORKLOAD_OF_ACTION: Mapping[str, str] = {
    "apprunner:updateservice": "apprunner:*:*:service/*",
    "bedrock-agentcore:invokecodeinterpreter": _INTERPRETER,
    "bedrock-agentcore:startcodeinterpretersession": _INTERPRETER,
    "cloudformation:createchangeset": _STACK,
    "cloudformation:executechangeset": _STACK,
    "cloudformation:updatestack": _STACK,
    "codebuild:startbuild": _PROJECT,
    "codebuild:startbuildbatch": _PROJECT,
    "ec2-instance-connect:sendsshpublickey": _INSTANCE,
    "ec2:createlaunchtemplateversion": _LAUNCH_TEMPLATE,
    "ec2:modifyinstanceattribute": _INSTANCE,
    "ec2:modifylaunchtemplate": _LAUNCH_TEMPLATE,
    "ec2:startinstances": _INSTANCE,
    "ec2:stopinstances": _INSTANCE,
    "glue:updatedevendpoint": "glue:*:*:devEndpoint/*",
    "lambda:addpermission": _FUNCTION,
    "lambda:invokefunction": _FUNCTION,
    "lambda:updatefunctioncode": _FUNCTION,
    "sagemaker:createpresignednotebookinstanceurl": _NOTEBOOK,
    "sagemaker:startnotebookinstance": _NOTEBOOK,
    "sagemaker:stopnotebookinstance": _NOTEBOOK,
    "sagemaker:updatenotebookinstance": _NOTEBOOK,
    "ssm:sendcommand": _INSTANCE,
    "ssm:startsession": _INSTANCE,
}


class Prerequisites(NamedTuple):
    """What must be so in the account for a path to work, as far as a listing of its IAM can tell.

    `services`: the role that is passed, or that the workload runs with, trusts one of them. `privileged`: the principal
    that is taken has power already; else the path itself gives it. `principal`: only this kind of identity can take the
    path. `instance_profile`: the role is in one.
    """

    services: tuple[str, ...] = ()
    privileged: bool = False
    principal: IdentityType | None = None
    instance_profile: bool = False


class EscalationPath(NamedTuple):
    """A combination of permissions (lower-case) that gives an identity power that it wasn't given.

    `name` is for people: `iam:PassRole + lambda:CreateFunction + lambda:InvokeFunction`.
    """

    id: str
    category: str
    required: frozenset[str]
    name: str = ""
    needs: Prerequisites = Prerequisites()

    @property
    def rule(self) -> PathRule:
        """How far its permissions must reach, where the account's principals aren't known."""
        return RULE_OF_CATEGORY[self.category]
