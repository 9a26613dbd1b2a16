"""Elements of one statement, whatever state they are in: what the checks ask for instead of reading raw JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from shared.iam.grammar.kinds import KindRules

LISTS = ("Action", "NotAction", "Resource", "NotResource")


class Text(NamedTuple):
    """One text of an element and its JSON path."""

    path: str
    value: str


@dataclass(frozen=True, slots=True)
class Elements:
    """One statement to be judged: its elements by their canonical names, its JSON path, and its policy's rules.

    `with_variables` is whether the document's version has policy variables.
    """

    fields: Mapping[str, Any]
    path: str
    rules: KindRules
    with_variables: bool

    @property
    def allows(self) -> bool:
        """Whether the effect is Allow (and not Deny, or something that IAM doesn't know)."""
        return self.fields.get("Effect") == "Allow"

    def texts(self, *names: str) -> Iterator[Text]:
        """Every text of these elements, which are a text or a list; what is neither has been found elsewhere."""
        for name in names:
            yield from texts_of(self.fields.get(name), f"{self.path}.{name}")

    def conditions(self) -> Iterator[tuple[str, str, Text]]:
        """Every value of the Condition element with its operator and key as they are spelled."""
        for operator, key, path, values in self.condition_keys():
            for text in _spelled(values, path):
                yield operator, key, text

    def condition_keys(self) -> Iterator[tuple[str, str, str, Any]]:
        """Every key of the Condition element: operator, key, JSON path and values as they stand there."""
        block = self.fields.get("Condition")
        for operator, keys in block.items() if isinstance(block, Mapping) else ():
            for key, values in keys.items() if isinstance(keys, Mapping) else ():
                yield str(operator), str(key), f"{self.path}.Condition.{operator}.{key}", values


def texts_of(value: Any, path: str) -> Iterator[Text]:
    """The texts of a value that is a text or a list, each with its path."""
    if isinstance(value, str):
        yield Text(path, value)
    elif isinstance(value, list | tuple):
        yield from (Text(f"{path}[{place}]", item) for place, item in enumerate(value) if isinstance(item, str))


def _spelled(values: Any, path: str) -> Iterator[Text]:
    """Condition values as text: booleans and numbers as JSON spells them."""
    if isinstance(values, list | tuple):
        for place, item in enumerate(values):
            yield from _spelled_one(item, f"{path}[{place}]")
    else:
        yield from _spelled_one(values, path)


def _spelled_one(value: Any, path: str) -> Iterator[Text]:
    if isinstance(value, bool):
        yield Text(path, "true" if value else "false")
    elif isinstance(value, str | int | float):
        yield Text(path, str(value))
