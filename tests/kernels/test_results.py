"""What guests told is read, kept and shown as it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sockdiag.devtools import kernels_page
from tests.kernels import results, suites
from tests.kernels.run import Ran, pytest_command, read_outcomes

if TYPE_CHECKING:
    from pathlib import Path

FILE = "tests/live/test_x.py"


def told(path: Path, *lines: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_outcomes_of_a_guest_that_hung(tmp_path: Path) -> None:
    """The worst of setup, call and teardown counts; what has not ended is known as such, and a torn line is not."""
    path = told(
        tmp_path / "outcomes",
        {"test": f"{FILE}::a", "outcome": "started"},
        {"test": f"{FILE}::a", "outcome": "passed", "seconds": 1.5},
        {"test": f"{FILE}::a", "outcome": "failed", "why": "E   teardown"},
        {"test": f"{FILE}::b", "outcome": "started"},
        {"test": f"{FILE}::b", "outcome": "skipped", "why": "no SCTP"},
        {"test": f"{FILE}::c", "outcome": "started"},
    )
    with path.open("a") as out:
        out.write('{"test": "')
    assert {test: one.outcome for test, one in read_outcomes(path).items()} == {
        f"{FILE}::a": "failed",
        f"{FILE}::b": "skipped",
        f"{FILE}::c": "started",
    }
    assert read_outcomes(tmp_path / "none") == {}


def test_results_are_kept_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run replaces what is known of its files; another kernel of the suite replaces all."""
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    lines = (
        {"test": f"{FILE}::a[x|y]", "outcome": "failed", "why": "def test\n>   assert 1 == 2\nE   assert 1 == 2\n"},
        {"test": f"{FILE}::b", "outcome": "skipped", "why": "no SCTP"},
        {"test": f"{FILE}::c", "outcome": "started"},
        {"test": f"{FILE}::d", "outcome": "skipped", "why": "needs the boot odd"},
        {"test": "tests/y.py::s", "outcome": "passed", "told": {"scenario": ["udp_overflow", "dropping", "ok"]}},
    )
    ran = read_outcomes(told(tmp_path / "outcomes", *lines))
    features = tmp_path / "features"
    features.write_text('{"socket SCTP": "Protocol not supported", "socket TCP": ""}')
    results.keep("bookworm", "6.1.0-50-amd64", "plain", ran, features)
    results.keep("bookworm", "6.1.0-50-amd64", "odd", {"tests/z.py::e": ran["tests/y.py::s"]}, tmp_path / "none")
    known = json.loads((tmp_path / "bookworm.json").read_text())
    assert known["tests"] == {
        FILE: {"passed": 0, "skipped": {"b": "no SCTP"}, "failed": {"a[x|y]": "assert 1 == 2"}},
        "tests/y.py": {"passed": 1, "skipped": {}, "failed": {}},
        "tests/z.py (odd)": {"passed": 1, "skipped": {}, "failed": {}},
    }
    monkeypatch.setattr(kernels_page, "RESULTS", tmp_path)
    page = kernels_page.page(f"before\n{kernels_page.BEGIN}old\n{kernels_page.END}after\n")
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "old" not in page
    assert "| 6.1.0-50-amd64 |" in page
    assert "| 2 | 1 | 1 |" in page
    assert "| socket SCTP | Protocol not supported |\n| socket TCP | yes |" in page
    verdicts = kernels_page.verdicts(f"before\n{kernels_page.VERDICTS_BEGIN}{kernels_page.VERDICTS_END}after\n")
    assert "Linux 6.1.0-50-amd64: 1 condition." in verdicts
    assert "| dropping |   |   |   |   |   |   | 1 |" in verdicts


@pytest.mark.parametrize(
    ("where", "cell"),
    [
        ("test_x.py", "yes"),
        ("test_x.py: test_ao", "no AO"),
        ("test_x.py: test_md5", "yes"),
        ("test_x.py (odd)", "failed"),
        ("test_x.py (odd): test_b", "yes"),
        ("tests/live/test_y.py", "no BTF"),
        ("test_none.py", "not run"),
    ],
)
def test_what_was_seen(where: str, cell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One test, or a whole file, whose failures count before what passed."""
    guest = "tests/kernels/guest/test_x.py"
    tests = {
        guest: {"passed": 1, "skipped": {"test_ao": "no AO"}, "failed": {}},
        f"{guest} (odd)": {"passed": 1, "skipped": {}, "failed": {"test_a": "why"}},
        "tests/live/test_y.py": {"passed": 0, "skipped": {"test_c": "no BTF"}, "failed": {}},
    }
    known = {"release": "6.1.0", "date": "2026-01-01", "features": {}, "tests": tests, "scenarios": {}}
    (tmp_path / "bookworm.json").write_text(json.dumps(known))
    monkeypatch.setattr(kernels_page, "RESULTS", tmp_path)
    monkeypatch.setattr(kernels_page, "SEEN", (("what", where),))
    assert f"| what | {cell} |\n" in kernels_page.page("")


def test_another_kernel_replaces_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an older kernel of the suite did is not the new one's."""
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    results.keep("bookworm", "6.1.0-50-amd64", "plain", {f"{FILE}::b": Ran("passed", 1.0, "", {})}, tmp_path / "none")
    results.keep("bookworm", "6.1.0-51-amd64", "plain", {}, tmp_path / "none")
    assert json.loads((tmp_path / "bookworm.json").read_text())["tests"] == {}


def test_a_command_line_is_quoted() -> None:
    """Options and tests reach pytest as they are."""
    command = pytest_command(["-k", "a or b"], "odd", "6.1", 0, everything=True)
    assert "SOCKDIAG_TEST_BOOT=odd" in command
    assert "-n0 -k 'a or b' >" in command


@pytest.mark.parametrize(("text", "suite"), [("6.1", "bookworm"), ("sid", "sid"), ("7.x", "sid")])
def test_suites_have_two_names(text: str, suite: str) -> None:
    assert suites.suite_of(text) == suite
    with pytest.raises(ValueError, match=r"bookworm \(6\.1\)"):
        suites.suite_of("2.6")
