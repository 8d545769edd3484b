"""Which front end draws ``top``, and what is said where Textual is missing."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from sockdiag.cli.commands import top
from sockdiag.top.plain import run_plain_on
from tests.unit.top.recorded_top import drawn, recorded_screen


def invocation(term: str = "xterm", *, plain: bool = False) -> Any:
    return SimpleNamespace(args={top.PLAIN: plain}, env=SimpleNamespace(environ={"TERM": term}))


@pytest.mark.parametrize("term", ["linux", "dumb", "vt100"])
def test_poor_terminals_are_drawn_without_textual(term: str) -> None:
    assert top._front(invocation(term)) == (run_plain_on, "")


def test_plain_is_drawn_without_textual() -> None:
    assert top._front(invocation(plain=True)) == (run_plain_on, "")


def test_missing_textual_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> tuple[int, ...]:
        raise ModuleNotFoundError("textual")

    monkeypatch.setattr(top, "_textual_release", missing)
    front, why = top._front(invocation())
    assert front is run_plain_on
    assert "pip install 'sockdiag[top]'" in why


def test_other_release_of_textual_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian 12 has 0.1.13, and each major release has changed what this uses."""
    monkeypatch.setattr(top, "_textual_release", lambda: (0,))
    front, why = top._front(invocation())
    assert front is run_plain_on
    assert "another release than 8" in why


def test_textual_that_cannot_be_imported_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "_textual_release", lambda: (8,))
    monkeypatch.setitem(sys.modules, "sockdiag.top.app", None)
    front, why = top._front(invocation())
    assert front is run_plain_on
    assert why.startswith("drawn without Textual: ")


def test_tested_release_is_used() -> None:
    pytest.importorskip("textual", reason="textual is not installed")
    front, why = top._front(invocation())
    assert front is not run_plain_on
    assert why == ""


def test_note_is_in_the_help() -> None:
    screen = recorded_screen()
    screen.note = "drawn without Textual"
    screen.key("?")
    assert "drawn without Textual" in drawn(screen, 120, 50)
