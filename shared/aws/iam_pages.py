"""IAM's listings to their last page; one that is cut off is an error, and never a shorter listing."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from shared.errors import DependencyError

Page = TypeVar("Page", bound=Mapping[str, Any])


def whole(pages: Iterable[Page], listing: str) -> Iterator[Page]:
    """The pages of a botocore paginator, which takes a page that says there are more, and not where, for the last.

    Raises DependencyError for such a page. `listing` is the call's name, for people. IsTruncated and Marker as
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedUserPolicies.html has them.
    """
    for page in pages:
        yield page
        if page.get("IsTruncated") and not page.get("Marker"):
            raise DependencyError(f"{listing}: a page says that there are more, and not where")
