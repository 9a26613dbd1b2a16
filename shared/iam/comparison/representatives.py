"""One value of every class that tests of a context key can't tell apart, by the kind of value that they ask for.

For text these are the words that the automata of all patterns tell apart, for numbers, dates and addresses the bounds
and what lies between, before and after them.

Source: IAM user guide, "IAM JSON policy elements: Condition operators".
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, localcontext
from enum import Enum, IntEnum

from shared.iam.conditions.model import Condition, Operator
from shared.iam.conditions.values import moment, network, number, octets, truth
from shared.iam.patterns.arns import as_arn
from shared.iam.patterns.globs import Wild
from shared.iam.patterns.language import AnyCase, Budget, BudgetSpentError, Piece, automaton
from shared.iam.patterns.product import Product
from shared.iam.patterns.variables import Parts, Variable, has_variables, parts_of
from shared.iam.patterns.wildcards import One, Reach, Run, anywhere

EXAMPLE = "leastwise-example"
_DIGITS = 80
_ARN_SHAPE = "arn:*:*:*:*:*"
_ADDRESS_BITS = {4: 32, 6: 128}


class Grade(IntEnum):
    """How sure it is that an outcome occurs."""

    SURE = 0  # the given values bring it about
    DOUBTFUL = 1  # they do, but the key may never hold such values: several at once, text for a number, none at all
    UNDECIDED = 2  # it could not be ruled out


class Kind(Enum):
    """Kinds of values; tests of one kind are decided together."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    ADDRESS = "address"
    OCTETS = "octets"


def kind_of(test: Condition) -> Kind | None:
    """Kind of a test's values; None for Null, which asks for none."""
    if test.operator is Operator.NULL:
        return None
    name = test.operator.value
    for start, kind in (("Numeric", Kind.NUMBER), ("Date", Kind.DATE), ("Binary", Kind.OCTETS)):
        if name.startswith(start):
            return kind
    return Kind.ADDRESS if name.endswith("IpAddress") else Kind.TEXT


def is_variable(test: Condition) -> bool:
    """Whether a test asks for something that is only known at request time."""
    texts = test.operator.value.startswith(("String", "Arn", "Bool"))
    return texts and any(has_variables(parts_of(value)) for value in test.values)


def representatives(tests: Sequence[Condition], variable: Sequence[bool], budget: Budget) -> list[tuple[str, Grade]]:
    """One value of every class, and how sure it is that the key ever holds it; tests marked as variable say nothing.

    Raises BudgetSpentError.
    """
    by_kind: dict[Kind, list[Condition]] = {}
    for test, has in zip(tests, variable, strict=True):
        kind = kind_of(test)
        if kind is not None and not has:
            by_kind.setdefault(kind, []).append(test)
    found: dict[str, Grade] = {}
    for kind, listed in by_kind.items():
        for value, grade in _VALUES[kind](listed, budget):
            found[value] = min(grade, found.get(value, grade))
    if not found:
        found[EXAMPLE] = Grade.SURE
    return list(found.items())


def _texts(tests: Sequence[Condition], budget: Budget) -> Iterator[tuple[str, Grade]]:
    """Words that every set of patterns which some text matches is shown by."""
    patterns = [(place, pieces) for place, test in enumerate(tests) for pieces in _pieces_of(test)]
    typed = all(test.operator is Operator.BOOL for test in tests)
    other = Grade.DOUBTFUL if typed else Grade.SURE
    if typed:
        yield from (("true", Grade.SURE), ("false", Grade.SURE), (EXAMPLE, other))
        return
    if all(isinstance(piece, str) for _, pieces in patterns for piece in pieces):
        literals = ["".join(map(str, pieces)) for _, pieces in patterns]
        yield from ((literal, Grade.SURE) for literal in literals)
        yield _unlike(literals), other
        return
    if any(test.operator.value.startswith("Arn") for test in tests):
        patterns.append((len(tests), tuple(as_arn(parts_of(_ARN_SHAPE)) or ())))
    anything: tuple[Piece, ...] = (One(Reach.ANYWHERE), Run(Reach.ANYWHERE))
    product = Product([automaton(pieces) for pieces in (anything, *(pieces for _, pieces in patterns))], within=[0])
    product.settle(_groups(product, [place for place, _ in patterns]), 0)
    for cell in product.cells(budget):
        yield "".join(map(str, cell.text)), Grade.SURE


def _groups(product: Product, owners: Sequence[int]) -> dict[int, int]:
    """By each endless pattern the patterns of the same test, of which one is as good as another."""
    spans: dict[int, int] = {}
    for place, owner in enumerate(owners, start=1):
        spans[owner] = spans.get(owner, 0) | product.spans[place]
    return {
        product.finals[place]: spans[owner] for place, owner in enumerate(owners, start=1) if product.endless(place)
    }


def _pieces_of(test: Condition) -> Iterator[tuple[Piece, ...]]:
    """Each value of a test of text as a pattern; none for one that matches nothing."""
    name = test.operator.value
    for value in test.values:
        parts = parts_of(value)
        if test.operator is Operator.BOOL:
            if truth(value) is not None:
                yield (AnyCase(value.lower()),)
        elif name.startswith("Arn"):
            read = as_arn(parts)
            if read is not None:
                yield tuple(read)
        elif name.endswith("Like"):
            yield tuple(anywhere(parts))
        else:
            literal = _literal(parts)
            yield (AnyCase(literal.lower()),) if name.endswith("IgnoreCase") else (literal,)


def _literal(parts: Parts) -> str:
    """Text of a pattern in which wildcards are plain characters."""
    return "".join(
        part.value if isinstance(part, Wild) else str(part) for part in parts if not isinstance(part, Variable)
    )


def _unlike(literals: Sequence[str]) -> str:
    """A text that is none of those."""
    example = EXAMPLE
    while example in literals:
        example += "-x"
    return example


def _numbers(tests: Sequence[Condition], budget: Budget) -> Iterator[tuple[str, Grade]]:
    yield from ((str(value), Grade.SURE) for value in _around(_read(tests, number), budget))
    yield EXAMPLE, Grade.DOUBTFUL


def _dates(tests: Sequence[Condition], budget: Budget) -> Iterator[tuple[str, Grade]]:
    """Moments as seconds since 1970, with a point, since four digits by themselves would be a year."""
    yield from (
        (text if "." in (text := f"{value:f}") else f"{text}.0", Grade.SURE)
        for value in _around(_read(tests, moment), budget)
    )
    yield EXAMPLE, Grade.DOUBTFUL


def _read(tests: Sequence[Condition], read: Callable[[str], Decimal | None]) -> list[Decimal]:
    found = {read(value) for test in tests for value in test.values}
    return sorted(value for value in found if value is not None)


def _around(bounds: Sequence[Decimal], budget: Budget) -> Iterator[Decimal]:
    """Every bound, and a number in each gap between, before and after them."""
    if not bounds:
        yield Decimal(0)
        return
    with localcontext() as exact:
        exact.prec = _DIGITS
        edges = [bounds[0] - 1, *bounds, bounds[-1] + 1]
        middles = [(low + high) / 2 for low, high in itertools.pairwise(bounds)]
        if edges[0] >= bounds[0] or edges[-1] <= bounds[-1]:
            raise BudgetSpentError  # numbers too large to tell apart with that many digits
        if any(
            not low < middle < high for middle, (low, high) in zip(middles, itertools.pairwise(bounds), strict=True)
        ):
            raise BudgetSpentError
    budget.spend(len(edges) + len(middles))
    yield from (*edges, *middles)


def _addresses(tests: Sequence[Condition], budget: Budget) -> Iterator[tuple[str, Grade]]:
    """An address in each range that the tests' networks cut the address space into, of both versions."""
    starts: dict[int, set[int]] = {version: {0} for version in _ADDRESS_BITS}
    for net in (network(value) for test in tests for value in test.values):
        if net is not None:
            starts[net.version] |= {net.bits, net.bits + (1 << _ADDRESS_BITS[net.version]) - net.mask}
    for version, found in starts.items():
        budget.spend(len(found))
        end = 1 << _ADDRESS_BITS[version]
        yield from ((_address(version, start), Grade.SURE) for start in sorted(found) if start < end)
    yield EXAMPLE, Grade.DOUBTFUL


def _address(version: int, value: int) -> str:
    """Spelled out in full."""
    spelled = value.to_bytes(_ADDRESS_BITS[version] // 8, "big")
    if len(spelled) * 8 == _ADDRESS_BITS[4]:
        return ".".join(map(str, spelled))
    return ":".join(f"{high:02x}{low:02x}" for high, low in zip(spelled[::2], spelled[1::2], strict=True))


def _octets(tests: Sequence[Condition], _budget: Budget) -> Iterator[tuple[str, Grade]]:
    values = [value for test in tests for value in test.values if octets(value) is not None]
    yield from ((value, Grade.SURE) for value in values)
    longest = max(map(len, values), default=0)
    yield "A" * (longest + 4 - longest % 4), Grade.SURE


_VALUES: Mapping[Kind, Callable[[Sequence[Condition], Budget], Iterator[tuple[str, Grade]]]] = {
    Kind.TEXT: _texts,
    Kind.NUMBER: _numbers,
    Kind.DATE: _dates,
    Kind.ADDRESS: _addresses,
    Kind.OCTETS: _octets,
}
