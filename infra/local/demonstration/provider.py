"""An outside provider for the demonstration: a stand-in for CloudKnox here, reached as the real one would be.

Its scores are made up here; its policies are what the identities hold, narrowed to what the records show, and for one
role an action more. It is the server of the tests, which a checkout has.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from infra.local.demonstration.account import IDENTITIES
from infra.local.local_aws import LocalAws
from shared.iam.narrow import narrow
from shared.knowledge import load_catalogue
from shared.model.identity import IdentityDetail
from shared.model.score import Provider
from tests.cloudknox.misbehaviours import Misbehaviour
from tests.cloudknox.server import Provider as Server
from tests.cloudknox.server import running
from tests.cloudknox.tenant import Endpoint, Tenant

SCORES: Mapping[str, float] = {
    "break-glass": 99.0,
    "ci-deployer": 98.0,
    "finn": 97.0,
    "legacy-batch": 96.0,
    "nadia": 92.0,
    "db-admin": 90.0,
    "sam": 88.0,
    "ines": 81.0,
    "app-config": 77.0,
    "trail-manager": 74.0,
    "crypto-service": 70.0,
    "lena": 35.0,
    "secrets-rotator": 22.0,
}
UNLISTED = "sara"
RIGHT_SIZED_SCORE = 8.0
KEEPS_MORE, KEPT_MORE = "db-admin", "dynamodb:ListTables"
SECRET_NAME = "leastwise/cloudknox"  # noqa: S105 its name


class Outside:
    """The provider, and what a deployment needs to use it."""

    who = Provider.CLOUDKNOX

    def __init__(self, server: Server, secret_arn: str) -> None:
        self.parameters = {"Provider": str(self.who), "ProviderSecretArn": secret_arn}
        self.url = server.url
        self._server = server
        self._arns = {
            one.name: f"arn:aws:iam::{server.tenant.account_id}:{one.type}{one.path}{one.name}" for one in IDENTITIES
        }
        self.look(right_sized=())

    def look(self, *, right_sized: Iterable[str]) -> None:
        """See the account as it is: who was right-sized scores low."""
        done = set(right_sized)
        self._server.tenant.scores = {
            self._arns[name]: RIGHT_SIZED_SCORE if name in done else pci for name, pci in SCORES.items()
        }

    def learn(self, details: Mapping[str, IdentityDetail], used: Mapping[str, frozenset[str]]) -> int:
        """Propose a policy for each who used anything; returns for how many. Actions are in lower case."""
        catalogue = load_catalogue()
        policies = {
            self._arns[name]: [narrow(detail.policies, used[name], catalogue)]
            for name, detail in details.items()
            if used.get(name)
        }
        statement = {"Effect": "Allow", "Action": KEPT_MORE, "Resource": "*"}
        policies[self._arns[KEEPS_MORE]].append({"Version": "2012-10-17", "Statement": [statement]})
        self._server.tenant.policies = policies
        return len(policies)

    @contextmanager
    def misbehaving(self, endpoint: Endpoint, misbehaviour: Misbehaviour) -> Iterator[None]:
        """Answer badly for a while."""
        self._server.misbehave(endpoint, misbehaviour)
        try:
            yield
        finally:
            self._server.behave()


@contextmanager
def outside_provider(local: LocalAws) -> Iterator[Outside]:
    """Start the provider, and keep its secret in the local Secrets Manager."""
    with running(Tenant(local.account_id)) as server:
        secret = json.dumps(server.secret())
        answer = local.client("secretsmanager").create_secret(Name=SECRET_NAME, SecretString=secret)
        yield Outside(server, answer["ARN"])
