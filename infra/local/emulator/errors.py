"""The refusal that every emulated operation can raise."""


class AwsError(Exception):
    """An error answer of the AWS API: its code, its message and the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
