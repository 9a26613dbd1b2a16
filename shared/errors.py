"""The one error tree: what went wrong, and whether trying again can help.

LeastwiseError
├── InputError              bad input from outside: never retried, ends in the DLQ with its reason
│   ├── PolicyDocumentError a policy document that IAM would not accept, with path and code
│   └── SettingsError       a parameter or environment variable that is missing or wrong, by name
├── DependencyError         AWS or a provider failed or throttled: the message goes back to its queue
│   ├── NotFoundError       the thing asked for does not exist (any more)
│   ├── DeniedError         AWS refused the call
│   ├── ProviderError       an outside provider gave no answer that can be used, with the kind of fault
│   ├── CallerError         AWS can't be asked with these credentials, this profile, region or clock
│   └── ConflictError       somebody else wrote first: re-read and decide again
└── SafetyError             an invariant would break: stop, alarm, never retried blindly
"""

from enum import StrEnum


class LeastwiseError(Exception):
    """Root of every error that this project raises on purpose."""


class InputError(LeastwiseError):
    """Input from outside cannot be used; trying again cannot help."""


class PolicyDocumentError(InputError):
    """A policy document is malformed; `path` says where (JSON path), `code` which rule it broke, `reason` why."""

    def __init__(self, code: str, path: str, message: str) -> None:
        super().__init__(f"{path}: {message} [{code}]")
        self.code = code
        self.path = path
        self.reason = message


class SettingsError(InputError):
    """A setting is missing or wrong; the message names it."""


class DependencyError(LeastwiseError):
    """A service that we depend on failed; trying again later may help."""


class NotFoundError(DependencyError):
    """What was asked for does not exist (any more)."""


class DeniedError(DependencyError):
    """AWS refused the call: a permission is missing or an organization policy denies it.

    `action` is the IAM action that was refused, as far as AWS says so.
    """

    def __init__(self, message: str, *, action: str = "") -> None:
        super().__init__(message)
        self.action = action


class CallerError(DependencyError):
    """AWS can't be asked as the caller is set up: credentials, profile, region or clock.

    A person has to mend that; a function whose credentials were not renewed in time can try again.
    """


class ProviderFault(StrEnum):
    """What is wrong with an outside provider, as whoever has to mend it would ask."""

    CREDENTIALS = "credentials"  # our secret: missing, malformed, or of another account
    UNAVAILABLE = "unavailable"  # not reached, not trusted, too slow, overloaded, or out of order
    REFUSED = "refused"  # it said no: to our credentials, or to the question
    UNUSABLE = "unusable"  # an answer that is not what its interface promises


class ProviderError(DependencyError):
    """An outside provider gave no answer that can be used; the message holds nothing of a secret or of the answer."""

    def __init__(self, fault: ProviderFault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


class ConflictError(DependencyError):
    """A conditional write lost: somebody else wrote first."""


class SafetyError(LeastwiseError):
    """Going on would break an invariant of the safety contract; nothing may be changed."""
