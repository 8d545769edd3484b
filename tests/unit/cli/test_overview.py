"""The overview and doctor are one diagnosis."""

from __future__ import annotations

import json

import pytest

from tests.program import FIXTURES, invoke


@pytest.mark.parametrize("fixture", ["6.18-world", "6.18-empty", "reports/6.18-busy"])
def test_overview_finds_what_doctor_finds(fixture: str) -> None:
    """The same verdict, findings and rules without data; a capture is a single sample, which does not reassure."""
    root = ("--root", str(FIXTURES / fixture))
    overview, doctor = (json.loads(invoke(*words, "--json", *root).text) for words in ((), ("doctor",)))
    for key in ("verdict", "interval_s", "findings", "unknown"):
        assert overview[key] == doctor[key], key
    assert overview["interval_s"] is None
    assert overview["verdict"] not in ("ok", "recovered")


def test_overview_lists_three_problems_and_counts_the_rest() -> None:
    """Each has its command below it; the last line before the sockets tells where the others are."""
    root = str(FIXTURES / "6.18-world")
    head = invoke("--root", root).text.partition("\nSOCKETS")[0].splitlines()
    starts = [row for row, line in enumerate(head) if line.startswith(("critical", "warning"))]
    assert 0 < len(starts) <= 3
    assert all(head[row + 1].startswith(" " * 10 + "sockdiag ") for row in starts)
    assert head[-1].startswith(f"sockdiag doctor --root {root} shows ")
