"""DynamoDB's condition expressions, as far as leastwise writes them, read as strictly as DynamoDB does.

Grammar: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

import functools
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords  # AWS's list

from tests.fake_aws.errors import refused

Item = Mapping[str, Any]
Test = Callable[[Item | None, Mapping[str, Any], Mapping[str, str]], bool]

TOKEN = re.compile(r"\s*(<=|>=|<>|=|<|>|\(|\)|,|:\w+|#\w+|[A-Za-z_][\w.]*)")
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_plain = TypeDeserializer().deserialize


@functools.cache
def compiled(expression: str) -> Test:
    """A test of (old item, values, names). Raises ValidationException for what DynamoDB would not read."""
    tokens, rest = [], expression
    while rest.strip():
        match = TOKEN.match(rest)
        if match is None:
            raise _invalid(f"Syntax error near: {rest[:20]}")
        tokens.append(match.group(1))
        rest = rest[match.end() :]
    parser = _Parser(tokens)
    test = parser.either()
    if parser.rest:
        raise _invalid(f"Syntax error near: {parser.rest[0]}")
    return test


class _Parser:
    """Recursive descent over the tokens: OR binds weaker than AND, brackets as usual."""

    def __init__(self, tokens: list[str]) -> None:
        self.rest = tokens

    def _take(self, expected: str = "") -> str:
        if not self.rest or (expected and self.rest[0] != expected):
            raise _invalid(f"Syntax error; expected {expected or 'more'}")
        return self.rest.pop(0)

    def _next_is(self, word: str) -> bool:
        return bool(self.rest) and self.rest[0].upper() == word

    def either(self) -> Test:
        """A OR B OR ..."""
        tests = [self._both()]
        while self._next_is("OR"):
            self._take()
            tests.append(self._both())
        return lambda *given: any(test(*given) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._next_is("AND"):
            self._take()
            tests.append(self._one())
        return lambda *given: all(test(*given) for test in tests)

    def _one(self) -> Test:
        if self._next_is("("):
            self._take("(")
            test = self.either()
            self._take(")")
            return test
        if self.rest and self.rest[0] in {"attribute_not_exists", "attribute_exists", "begins_with"}:
            return self._function(self._take())
        left, compare, right = self._operand(), self._take(), self._operand()
        if compare not in COMPARISONS:
            raise _invalid(f"Syntax error; {compare} is no comparator")
        return lambda *given: _compare(COMPARISONS[compare], left(*given), right(*given))

    def _function(self, name: str) -> Test:
        self._take("(")
        operand = self._operand()
        if name == "begins_with":
            self._take(",")
            prefix = self._operand()
            self._take(")")
            return lambda *given: str(operand(*given) or "").startswith(str(prefix(*given)))
        self._take(")")
        wanted = name == "attribute_exists"
        return lambda *given: (operand(*given) is not None) is wanted

    def _operand(self) -> Callable[..., Any]:
        word = self._take()
        if word.startswith(":"):
            return lambda old, values, names: _plain(_defined(values, word))
        if word.startswith("#"):
            return lambda old, values, names: _attribute(old, _defined(names, word))
        if word.upper() in ReservedKeywords.get_reserved_keywords():
            raise _invalid(f"Attribute name is a reserved keyword; reserved keyword: {word}")
        return lambda old, values, names: _attribute(old, word)


def _defined(table: Mapping[str, Any], word: str) -> Any:
    if word not in table:
        raise _invalid(f"An expression attribute is not defined: {word}")
    return table[word]


def _attribute(old: Item | None, name: str) -> Any:
    return _plain(old[name]) if old is not None and name in old else None


def _compare(test: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    """An attribute that is missing, or of another type, compares as false."""
    if left is None or right is None or isinstance(left, str) is not isinstance(right, str):
        return False
    return test(left, right)


def _invalid(why: str) -> Exception:
    return refused("PutItem", "ValidationException", f"Invalid expression: {why}")
