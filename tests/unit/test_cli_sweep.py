"""What `leastwise sweep` tells people."""

import pytest

from cli.sweep import told_of_sweep


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            {"outcome": "completed", "pci": 31.6, "identities": 14, "excluded": 2},
            "Account PCI 32 over 14 identities, 2 excluded.",
        ),
        ({"outcome": "paused", "pages": 3, "identities": 300}, "goes on in a new invocation"),
        ({"outcome": "busy", "started_at": "2026-03-01T10:00:00+00:00"}, "Another sweep is at work"),
        ({"outcome": "done", "started_at": None}, "The sweep is done."),
    ],
)
def test_given_what_a_sweep_answers_when_shown_then_people_know_what_to_expect(
    answer: dict[str, object], text: str
) -> None:
    assert text in told_of_sweep(answer)
