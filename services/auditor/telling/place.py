"""Where the reader finds the system that tells: commands that can be copied as they are. Pure."""

import shlex
from typing import NamedTuple


class Place(NamedTuple):
    """The stack, its region, and the names of the two parameters that say how far remediation may go."""

    stack_name: str
    region: str
    mode_parameter: str = ""
    safeguards_parameter: str = ""

    @classmethod
    def of_topic(
        cls, topic_arn: str, stack_name: str, mode_parameter: str = "", safeguards_parameter: str = ""
    ) -> "Place":
        """The place of a stack whose topic this is, which is in the stack's region."""
        return cls(stack_name, topic_arn.split(":")[3], mode_parameter, safeguards_parameter)

    def command(self, *words: str) -> str:
        """A line for a shell that runs `leastwise` on this stack, whatever the reader's default; words are quoted."""
        return shlex.join(["leastwise", *words, "--stack-name", self.stack_name, "--region", self.region])

    def ssm(self, operation: str, parameter: str, *words: str) -> str:
        """A line for a shell that runs `aws ssm` on one of the parameters."""
        return shlex.join(["aws", "ssm", operation, "--name", parameter, *words, "--region", self.region])
