"""Which of the actions that an operation authorizes its call proves: decided when operations.json.gz is compiled.

The AWS service reference lists the actions of each operation by name, and says nothing of the order or the case in
which AWS checks them. By hand is only which of several actions of other names AWS checks without exception.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from shared.iam import event_names
from shared.iam.operations import PASS_ROLE, OperationActions, OperationMap, write_entry

# Operations that authorize several actions, none of their own name, of which AWS always checks this one. Sources:
# Amazon S3 "Required permissions for Amazon S3 API operations", and the permissions section of each API's reference.
PRIMARY_OF_OPERATION: Mapping[str, str] = {
    "apigateway:ImportApi": "apigateway:PUT",
    "apigateway:ImportRestApi": "apigateway:POST",
    "apigateway:ReimportApi": "apigateway:PUT",
    "bedrock:Converse": "bedrock:InvokeModel",
    "bedrock:ConverseStream": "bedrock:InvokeModelWithResponseStream",
    "cloudfront:CreateDistributionWithTags": "cloudfront:CreateDistribution",
    "cloudfront:UpdateDistributionWithStagingConfig": "cloudfront:UpdateDistribution",
    "dynamodb:RestoreTableToPointInTime": "dynamodb:RestoreTableToPointInTime",
    "kms:ReEncrypt": "kms:ReEncryptFrom",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:UploadPartCopy": "s3:PutObject",
}

# Actions that the reference leaves out and the API's own reference names. Sources: Amazon S3 API reference, permissions
# of GetObjectAttributes and HeadObject for a version of an object; AWS KMS API reference, ReplicateKey; AWS WAF API
# reference, GetWebACLForResource.
ALSO_POSSIBLE: Mapping[str, tuple[str, ...]] = {
    "s3:GetObjectAttributes": ("s3:GetObjectVersionAttributes",),
    "s3:HeadObject": ("s3:GetObjectVersion",),
    "kms:ReplicateKey": ("kms:CreateKey", "kms:TagResource"),
    "wafv2:GetWebACLForResource": ("wafv2:GetWebACL",),
}

# Operations that pass the role which a request names, although the reference lacks them or does not say so.
# Sources: the API references of the operations, which demand iam:PassRole; of S3 Batch Operations (CreateJob) Amazon S3
# User Guide, "Granting permissions for Batch Operations"; of AWS RoboMaker its Developer Guide, "Authentication and
# access control"; of Amazon Elastic Transcoder the role of a pipeline, and the AWS managed policy
# AmazonElasticTranscoder_FullAccess, which allows to pass roles to it. Left out, so that iam:PassRole is only possible:
# elasticbeanstalk:CreateEnvironment, since most of its roles are options whose keys don't tell what they are.
PASSES_ROLE = frozenset(
    {
        "continuum:AssociateCollector",
        "continuum:CreateCollector",
        "continuum:UpdateCollector",
        "continuum:UpdateIntegration",
        "datazone:CreateConnection",
        "ecs:CreateGateway",
        "ecs:UpdateGateway",
        "elastictranscoder:CreatePipeline",
        "elastictranscoder:UpdatePipeline",
        "kinesis:CreateChannel",
        "lakeformation:RegisterResource",
        "observabilityadmin:CreateCentralizationRuleForOrganization",
        "observabilityadmin:UpdateCentralizationRuleForOrganization",
        "qldb:ExportJournalToS3",
        "qldb:StreamJournalToKinesis",
        "quicksight:StartAssetBundleImportJob",
        "quicksight:UpdateResourcePermissions",
        "robomaker:CreateSimulationJob",
        "s3:CreateBucketMetadataConfiguration",
        "s3:CreateJob",
        "s3:UpdateAccessGrantsLocation",
        "s3:UpdateBucketMetadataAnnotationTableConfiguration",
    }
)

# Checked beside the action that does the work: for requests with tags, or with an API key instead of a signature.
_AUXILIARY = frozenset({"AddTags", "CallWithBearerToken", "CreateTags", "TagResource"})


def compile_operations(
    reference: Mapping[str, Any],
    templates: Mapping[str, Iterable[str]],
    further_actions: Mapping[str, Iterable[str]] | None = None,
) -> dict[str, Any]:
    """Build the artefact that OperationMap takes from the compact service reference (data/SERVICE_REFERENCE_SOURCE.md).

    `templates` are the ARN templates of each action's resource types by `prefix:Name`. `further_actions` are names of
    actions by prefix that exist although the reference lacks them. The artefact is
    `{"source", "services": {prefix: [actions, operations, templates]}}` of long strings, since they load fastest.
    """
    further = further_actions or {}
    listed: Mapping[str, Mapping[str, Any]] = reference["services"]
    services = {}
    for prefix in sorted({*listed, *further}):
        service = listed.get(prefix, {"actions": {}, "operations": {}})
        actions = sorted({*service["actions"], *further.get(prefix, ())})
        known = {name.lower(): name for name in actions}
        entries = _entries(prefix, service["operations"], known)
        services[prefix] = [*_columns(prefix, actions, templates), ";".join(entries)]
    return {"source": reference["source"], "services": {name: [a, o, t] for name, (a, t, o) in services.items()}}


def _entries(prefix: str, operations: Mapping[str, list[Any]], known: Mapping[str, str]) -> Iterator[str]:
    """Operations with their actions; those of which nobody says any are as good as unknown."""
    listed = {name: names_of(authorized) for name, authorized in operations.items()}
    for name in sorted({*operations, *known.values()}):
        names = listed.get(name, ())
        if f"{prefix}:{name}" in PASSES_ROLE:
            names = tuple(dict.fromkeys([*names, PASS_ROLE]))
        if names:
            yield write_entry(prefix, name, choose(prefix, name, names, known))


def _columns(prefix: str, actions: list[str], templates: Mapping[str, Iterable[str]]) -> tuple[str, str]:
    """The service's actions with the numbers of their templates (`GetObject/0/2`), and its templates."""
    of_action = {name: sorted(set(templates.get(f"{prefix}:{name}", ()))) for name in actions}
    ordered = sorted({template for found in of_action.values() for template in found})
    places = {template: str(place) for place, template in enumerate(ordered)}
    words = ("/".join([name, *(places[template] for template in of_action[name])]) for name in actions)
    return " ".join(words), " ".join(ordered)


def facts_of(artefact: Mapping[str, Any]) -> dict[str, str]:
    """What data/SOURCE.md says of a compiled artefact, by label: where it comes from, and how much it holds."""
    compiled = OperationMap(artefact)
    found = [
        compiled.operation(prefix, name) for prefix in compiled.services() for name in compiled.operations_of(prefix)
    ]
    actions = [f"{prefix}:{name}" for prefix in compiled.services() for name in compiled.known_actions_of(prefix)]
    located = sum(bool(compiled.resource_templates(action)) for action in actions)
    proving = sum(one is not None and one.primary is not None for one in found)
    holds = (
        f"{len(compiled.services()):,} services; {len(actions):,} actions, {located:,} of them with resource types; "
        f"{len(found):,} operations, of which {proving:,} prove an action and {len(found) - proving:,} may need several"
    )
    return {"compiled from": compiled.source, "holds": holds}


def names_of(authorized: Iterable[Any]) -> tuple[str, ...]:
    """Names of authorized actions, each once; an entry with a context is an action that AWS checks in that context."""
    return tuple(dict.fromkeys(entry if isinstance(entry, str) else str(entry["action"]) for entry in authorized))


def choose(prefix: str, operation: str, authorized: tuple[str, ...], known: Mapping[str, str]) -> OperationActions:
    """Tell the action that a call proves from those that it may have needed.

    `known` holds the service's actions by their names in lower case. An action of the operation's own name is possible
    even where the reference doesn't list it, and proven where the reference lists nothing that could do the work.
    """
    actions = [action for action in authorized if action != PASS_ROLE]
    namesake = event_names.action_by_name(prefix, operation, known)
    primary = _primary(prefix, operation, actions)
    if primary is None and all(_name_of(action) in _AUXILIARY for action in actions):
        primary, namesake = namesake, namesake or event_names.presumed(prefix, operation)
    also = ALSO_POSSIBLE.get(f"{prefix}:{operation}", ())
    named = dict.fromkeys([*actions, *([namesake] if namesake else []), *also])
    return OperationActions(primary, tuple(action for action in named if action != primary), PASS_ROLE in authorized)


def _primary(prefix: str, operation: str, actions: list[str]) -> str | None:
    """Choose the action that AWS checks for every such call, or None where that depends on the request.

    In order: the table, the operation's namesake (its own service's first), API Gateway's HTTP method, and the only one
    of its own service. The reference sorts actions by name, so that being first means nothing.
    """
    if known := PRIMARY_OF_OPERATION.get(f"{prefix}:{operation}"):
        return known
    own = [action for action in actions if action.startswith(f"{prefix}:")]
    names = _own_names(operation)
    for action in (*own, *actions):
        if _name_of(action).lower() in names:
            return action
    if prefix == "apigateway" and (method := f"apigateway:{event_names.api_gateway_method(operation)}") in actions:
        return method
    working = [action for action in own or actions if _name_of(action) not in _AUXILIARY]
    return working[0] if len(working) == 1 else None


def _own_names(operation: str) -> Container[str]:
    """Names, in lower case, by which an action is the operation's own: `CreateTopicV2` authorizes CreateTopic."""
    spelled = {*event_names.spellings(operation), event_names.without_version(operation) or operation}
    return {spelling.lower() for spelling in spelled}


def _name_of(action: str) -> str:
    return action.partition(":")[2]
