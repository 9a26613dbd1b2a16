"""The tables of docs/licences.md: how many packages stand under which licence, and each of them. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

from infra.docs.tables import Lines, table

PLACES: Mapping[str, str] = {
    "functions": "Lambda functions",
    "command": "command",
    "development": "development",
    "infra/build/audit-requirements.txt": "`make audit`",
    "infra/build/checkov-requirements.txt": "checkov",
    "infra/build/sam-requirements.txt": "AWS SAM",
    "infra/local/requirements.txt": "local AWS",
    "benchmarks/requirements.txt": "benchmarks",
    "benchmarks/usage/requirements.txt": "benchmarks",
}
SHIPPED = ("functions", "command")
UNKNOWN = "unknown"


def licences(facts: Mapping[str, str], pins: Mapping[str, Sequence[str]]) -> Lines:
    """Two tables: packages by licence, and every package with where it stands.

    `facts` and `pins` are by `name==version`; a pin without a fact is shown as unknown, for the tests to refuse.
    """
    known = {pin: facts.get(pin, UNKNOWN) for pin in pins}
    shipped = Counter(known[pin] for pin, places in pins.items() if set(places) & set(SHIPPED))
    everything = Counter(known.values())
    counts = [[f"`{text}`", str(shipped[text]), str(everything[text] - shipped[text])] for text in sorted(everything)]
    return [
        *table(["licence", "packages in the functions or the command", "others"], counts),
        "",
        *table(["package", "licence", "stands in"], _rows(known, pins)),
    ]


def _rows(known: Mapping[str, str], pins: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """A row for each package and licence: versions of one package that differ in neither are one row."""
    places: dict[tuple[str, str], set[str]] = {}
    for pin, where in pins.items():
        name = pin.partition("==")[0]
        places.setdefault((name, known[pin]), set()).update(PLACES.get(place, f"`{place}`") for place in where)
    return [[name, f"`{text}`", ", ".join(sorted(found))] for (name, text), found in sorted(places.items())]
