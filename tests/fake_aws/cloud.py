"""A whole fake AWS account: its services behind one wire and one clock, offered like `shared.aws.clients`."""

from tests.fake_aws.clock import VirtualClock
from tests.fake_aws.dynamodb import FakeDynamoDB
from tests.fake_aws.iam import FakeIam
from tests.fake_aws.others import FakeEvents, FakeSsm
from tests.fake_aws.wire import Client, Wire


class FakeCloud:
    """The backends, for people and tests; and the clients of leastwise, whose every call passes `wire`."""

    def __init__(self, *, account_id: str, seed: int = 0) -> None:
        self.clock = VirtualClock()
        self.wire = Wire()
        self.account_id = account_id
        self.iam_backend = FakeIam(self.clock, account_id=account_id, seed=seed)
        self.dynamodb_backend = FakeDynamoDB()
        self.ssm_backend = FakeSsm()
        self.events_backend = FakeEvents()

    def iam(self) -> Client:
        """Client of IAM."""
        return Client("iam", self.iam_backend, self.wire)

    def dynamodb(self) -> Client:
        """Client of DynamoDB."""
        return Client("dynamodb", self.dynamodb_backend, self.wire)

    def ssm(self) -> Client:
        """Client of Systems Manager."""
        return Client("ssm", self.ssm_backend, self.wire)

    def events(self) -> Client:
        """Client of EventBridge."""
        return Client("events", self.events_backend, self.wire)
