"""Text for files that other tools read: quoted strings, comments, names. Pure.

Escapes are those that HCL and YAML share: of quotes and backslashes, and characters by their number in four or eight
digits. Source: HCL native syntax specification, "Template Expressions"; YAML 1.2, "Escaped Characters".
"""

import re
from collections.abc import Iterable, Sequence

MAX_COMMENT = 1_000  # characters of one line


def quoted(text: str) -> str:
    """A string in double quotes; whatever can't be printed is escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else _escape(char) for char in escaped) + '"'


def comments(lines: Iterable[str], indent: str = "") -> list[str]:
    """Comment lines; a line break or a control character within one can't end the comment."""
    return [f"{indent}# {_plain(line)}"[:MAX_COMMENT].rstrip() for line in lines]


def unique(names: Sequence[str]) -> list[str]:
    """The same names in the same order, those that occurred before with a number."""
    taken: set[str] = set()
    result: list[str] = []
    for name in names:
        number, free = 1, name
        while free in taken:
            number += 1
            free = f"{name}{number}"
        taken.add(free)
        result.append(free)
    return result


def words(text: str) -> list[str]:
    """The runs of ASCII letters and digits in a text."""
    return re.findall(r"[A-Za-z0-9]+", text)


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"  # noqa: PLR2004 what four digits can say


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
