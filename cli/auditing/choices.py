"""The names of event types and verdicts as options take them: in any case, with or without hyphens. Pure."""

import difflib
from collections.abc import Iterable

import typer


def type_of(text: str) -> str:
    """The type of event that is meant. Raises typer.BadParameter that tells near matches."""
    from shared.events import EVENT_TYPES  # noqa: PLC0415 so that other commands start fast

    return _chosen(text, EVENT_TYPES, "type of event")


def verdict_of(text: str) -> str:
    """The verdict that is meant. Raises typer.BadParameter that tells near matches."""
    from shared.model.plan import Compliance  # noqa: PLC0415 as above

    return _chosen(text, Compliance, "verdict")


def types_like(incomplete: str) -> list[str]:
    """Types of events that begin so, for the shell's completion."""
    from shared.events import EVENT_TYPES  # noqa: PLC0415 as above

    return sorted(name for name in EVENT_TYPES if _plain(name).startswith(_plain(incomplete)))


def verdicts_like(incomplete: str) -> list[str]:
    """Verdicts that begin so, for the shell's completion."""
    from shared.model.plan import Compliance  # noqa: PLC0415 as above

    return [name.value for name in Compliance if _plain(name).startswith(_plain(incomplete))]


def _chosen(text: str, names: Iterable[str], what: str) -> str:
    by_plain = {_plain(name): str(name) for name in names}
    if found := by_plain.get(_plain(text)):
        return found
    near = difflib.get_close_matches(_plain(text), by_plain, n=3) or sorted(by_plain)
    raise typer.BadParameter(f"{text!r} is no {what}; perhaps {', '.join(by_plain[name] for name in near)}")


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
