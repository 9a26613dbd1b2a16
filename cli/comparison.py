"""`leastwise policy compare`: whether new policies grant anything that the old ones did not."""

from collections.abc import Mapping
from typing import Any

from cli.answers import Answers, printable
from cli.inputs import Entry, read_entries
from shared.errors import InputError, PolicyDocumentError
from shared.iam.catalogue import Catalogue
from shared.iam.compare import compare
from shared.iam.documents import decode_document, read_json
from shared.iam.policy import parse_document
from shared.model.proof import ProofVerdict

Documents = list[Mapping[str, Any]]


class Pairs:
    """Compares one pair after another; one that is not proven is a finding."""

    def __init__(self, answers: Answers, catalogue: Catalogue) -> None:
        self._answers = answers
        self._catalogue = catalogue

    def __call__(self, _: Entry, text: str) -> dict[str, Any]:
        """Compare a pair given as JSON text. Raises InputError with the path into the pair."""
        return self.of_values(read_json(text))

    def of_values(self, pair: Any) -> dict[str, Any]:
        """`{"verdict", "reason"?, "counterexample"?}` of `{"old": document or [documents], "new": …}`."""
        if not isinstance(pair, Mapping):
            raise InputError('a pair must be a JSON object {"old": …, "new": …}')
        old, new = _documents(pair, "old"), _documents(pair, "new")
        found = compare(old, new, self._catalogue)
        self._answers.finding |= found.verdict is not ProofVerdict.NO_NEW_ACCESS
        answer: dict[str, Any] = {"verdict": found.verdict}
        if found.reason:
            answer["reason"] = found.reason
        if found.counterexample is not None:
            answer["counterexample"] = found.counterexample.as_json()
        return answer


def pair_of_files(old: str, new: str) -> dict[str, Any]:
    """A pair from two files, each with a document or a list of them. Raises InputError that names the file."""
    pair: dict[str, Any] = {}
    for side, name in (("old", old), ("new", new)):
        (entry,) = read_entries([name], lines=False)
        try:
            if isinstance(entry.text, InputError):
                raise entry.text
            pair[side] = read_json(entry.text)
        except InputError as error:
            raise InputError(f"{entry.place}: {error}") from error
    return pair


def show_comparison(_: Entry, answer: Mapping[str, Any]) -> None:
    """The verdict for people, and what would be newly allowed."""
    from rich.console import Console  # noqa: PLC0415 takes longer to load than all else here
    from rich.text import Text  # noqa: PLC0415

    console = Console()
    console.print(Text(answer["verdict"].replace("_", " "), style="bold"))
    if "reason" in answer:
        console.print(Text(printable(answer["reason"])), soft_wrap=True)
    for name, value in answer.get("counterexample", {}).items():
        console.print(Text(f"  {name}: {printable(str(value))}"), soft_wrap=True)


def _documents(pair: Mapping[str, Any], side: str) -> Documents:
    """One side's documents, each of which can be parsed. Raises InputError with the path into the pair."""
    if side not in pair:
        raise InputError(f"{side}: missing")
    given = pair[side]
    if not isinstance(given, list):
        return [_document(given, side)]
    return [_document(document, f"{side}[{place}]") for place, document in enumerate(given)]


def _document(raw: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping | str):
        raise InputError(f"{path}: expected a policy document")
    try:
        document = decode_document(raw)
        parse_document(document)
    except PolicyDocumentError as error:
        raise PolicyDocumentError(error.code, f"{path}{error.path.removeprefix('$')}", error.reason) from error
    return document
