"""Roles and policies of the templates as they stand in an account: intrinsic functions resolved, plain JSON."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from infra.build.template import TEMPLATE, load_template

ACCOUNT, REGION, STACK = "111122223333", "us-east-1", "leastwise"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::NoValue": None,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}
ARNS = {
    "AWS::Events::EventBus": "events:{0}:event-bus/{1}",
    "AWS::Events::Rule": "events:{0}:rule/{1}",
    "AWS::Logs::LogGroup": "logs:{0}:log-group:{1}:*",
    "AWS::SNS::Topic": "sns:{0}:{1}",
    "AWS::SQS::Queue": "sqs:{0}:{1}",
    "AWS::Serverless::Function": "lambda:{0}:function:{1}",
    "AWS::DynamoDB::Table": "dynamodb:{0}:table/{1}",
    "AWS::Config::ConfigRule": "config:{0}:config-rule/{1}",
    "AWS::KMS::Key": "kms:{0}:key/{1}",
}
BUCKET_ARN = "arn:aws:s3:::{}"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/leastwise/{{}}"
# What the nested stack of data holds beside tables, by the name of its output.
DATA_OUTPUTS = {
    "AuditAnchorBucketArn": ("AWS::S3::Bucket", "AnchorBucket"),
    "AnchorSigningKeyArn": ("AWS::KMS::Key", "AnchorSigningKey"),
    "DataKeyArn": ("AWS::KMS::Key", "DataKey"),
}
_PLACEHOLDER = re.compile(r"\$\{([^}]+)\}")

Document = dict[str, Any]


class Role(NamedTuple):
    """A role's policies, and its permissions boundary, by the logical id of what declares each."""

    policies: dict[str, Document]
    boundary: dict[str, Document]


class Stack:
    """A template, the root's if none is named, with values for its parameters: by default their own defaults."""

    def __init__(self, path: Path = TEMPLATE, /, **parameters: str) -> None:
        template = load_template(path)
        self._conditions = template["Conditions"]
        self._resources = template["Resources"]
        self._values = {
            name: str(body.get("Default", "")) for name, body in template["Parameters"].items()
        } | parameters

    def role(self, name: str) -> Role:
        """The policies of a role, those that a condition leaves out not among them."""
        properties = self._resources[name]["Properties"]
        own = {f"{name}/{policy['PolicyName']}": policy["PolicyDocument"] for policy in properties["Policies"]}
        attached = [self._logical_id(arn) for arn in properties.get("ManagedPolicyArns", [])]
        managed = {one: self._resources[one]["Properties"]["PolicyDocument"] for one in attached if one}
        boundary = self._logical_id(properties.get("PermissionsBoundary"))
        limits = {boundary: self._resources[boundary]["Properties"]["PolicyDocument"]} if boundary else {}
        resolved = {one: self.resolve(document) for one, document in (managed | own).items()}
        return Role(resolved, {one: self.resolve(document) for one, document in limits.items()})

    def roles(self) -> list[str]:
        """Every role that the template makes of these values, by logical id."""
        return sorted(
            name
            for name, body in self._resources.items()
            if body["Type"] == "AWS::IAM::Role" and ("Condition" not in body or self.holds(body["Condition"]))
        )

    def resource_policy(self, name: str) -> Document:
        """The document of a policy that stands on a bucket, queue or topic, or of a key, a bus or a table itself."""
        properties = self._resources[name]["Properties"]
        kinds = ("PolicyDocument", "KeyPolicy", "Policy", "ResourcePolicy")
        document: Document = self.resolve(next(properties[key] for key in kinds if key in properties))
        resolved: Document = document.get("PolicyDocument", document)
        return resolved

    def resolve(self, value: Any) -> Any:
        """The value as AWS CloudFormation hands it on; what resolves to AWS::NoValue is left out."""
        if isinstance(value, list):
            members = [self.resolve(member) for member in value]
            return [member for member in members if member is not None]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            (name,) = value
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, value[name])
        resolved = {name: self.resolve(member) for name, member in value.items()}
        return {name: member for name, member in resolved.items() if member is not None}

    def _call(self, function: str, given: Any) -> Any:
        calls: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": lambda path: self._arn(path[0], path[1]),
            "Fn::If": lambda parts: self.resolve(parts[1] if self.holds(parts[0]) else parts[2]),
            "Fn::Split": lambda parts: str(self.resolve(parts[1])).split(parts[0]),
            "Fn::Sub": lambda text: _PLACEHOLDER.sub(lambda found: str(self._named(found[1])), text),
        }
        return calls[function](given)

    def holds(self, condition: Any) -> bool:
        """Whether a condition of the template holds, named or spelled out."""
        if isinstance(condition, str):
            return self.holds(self._conditions[condition])
        ((function, given),) = condition.items()
        if function == "Condition":
            return self.holds(given)
        if function == "Fn::Equals":
            left, right = (self.resolve(side) for side in given)
            return bool(left == right)
        parts = [self.holds(part) for part in given]
        return {"Fn::Not": not parts[0], "Fn::And": all(parts), "Fn::Or": any(parts)}[function]

    def _named(self, name: str) -> Any:
        resource, _, attribute = name.partition(".")
        return self._arn(resource, attribute) if attribute else self._ref(name)

    def _ref(self, name: str) -> Any:
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self._values:
            return self._values[name]
        resource = self._resources[name]
        if resource["Type"] == "AWS::SSM::Parameter":
            return self.resolve(resource["Properties"]["Name"])
        return self._arn(name, "Arn") if resource["Type"] == "AWS::SNS::Topic" else name

    def _arn(self, resource: str, attribute: str) -> str:
        kind, name = self._resources[resource]["Type"], resource
        if kind == "AWS::CloudFormation::Stack":
            output = attribute.removeprefix("Outputs.")
            kind, name = DATA_OUTPUTS.get(output, ("AWS::DynamoDB::Table", output.removesuffix("Arn")))
        if kind == "AWS::S3::Bucket":
            return BUCKET_ARN.format(name.lower())
        if kind == "AWS::IAM::Role":
            return ROLE_ARN.format(name)
        if kind == "AWS::Events::EventBus":
            name = str(self.resolve(self._resources[name]["Properties"]["Name"]))
        return "arn:aws:" + ARNS[kind].format(f"{REGION}:{ACCOUNT}", name)

    def _logical_id(self, reference: Any) -> str | None:
        """What a reference in a list of policies names; None where a condition leaves it out."""
        if reference is None:
            return None
        if "Fn::If" in reference:
            condition, then, otherwise = reference["Fn::If"]
            reference = then if self.holds(condition) else otherwise
        name = str(reference["Ref"])
        return None if name == "AWS::NoValue" else name
