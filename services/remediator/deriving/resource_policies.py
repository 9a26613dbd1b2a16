"""What the policy of a resource may have allowed an identity: a boundary's implicit deny would take that from a role.

Source: IAM user guide, "Policy evaluation logic" and "Permissions boundaries for IAM entities"; service authorization
reference, the services with an action that sets the policy of a resource, beside those that have policies set in their
configuration (execute-api, es, sts for the trust policies of roles).
"""

from collections.abc import Iterable, Iterator

from shared.iam import actions, scopes
from shared.iam.narrow import statements_of
from shared.iam.policy import Effect
from shared.iam.replay import Use
from shared.model.identity import Policy

_LISTED = """
    acm-pca agent-registry appsync aps backup bedrock bedrock-agentcore cleanrooms-ml cloudtrail codeartifact
    codebuild codeguru-profiler comprehend dsql dynamodb ecr ecr-public elasticfilesystem entityresolution es events
    execute-api glacier glue imagebuilder kafka kafka-cluster kinesis kms lambda lex logs mediaconvert mediastore
    network-firewall osis payment-cryptography qbusiness redshift redshift-serverless refactor-spaces rekognition
    rum s3 s3-object-lambda s3-outposts s3express s3files s3tables s3vectors sagemaker schemas secretsmanager
    serverlessrepo ses signer sns sqs ssm ssm-incidents sts vpc-lattice vpc-lattice-svcs xray
"""
SERVICES = frozenset(_LISTED.split())


def has_resource_policies(action: str) -> bool:
    """Whether an action (any case) is one of a service whose resources have policies."""
    return action.partition(":")[0].lower() in SERVICES


def maybe_granted_elsewhere(uses: Iterable[Use], policies: Iterable[Policy]) -> Iterator[Use]:
    """Uses in services with resource policies that no Allow of its own surely let pass.

    An Allow is sure where it has no conditions and reaches the resource, or, where the ledger knows none, all of them.
    """
    sure = [one for one in statements_of(policies) if one.effect is Effect.ALLOW and not one.conditional]
    for use in uses:
        action = use.action.lower()
        if has_resource_policies(action) and not any(
            actions.admits(one, action) and scopes.covers_pattern(one, use.resource or "*") for one in sure
        ):
            yield use
