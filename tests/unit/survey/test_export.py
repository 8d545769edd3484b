"""A recorded moment, exported or redacted as a capture, answers as it does in the recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.program import invoke
from tests.recorded import FIXTURES
from tests.recordings import BEGIN, BOOT, moment_of, record

COMMANDS = (("doctor",), ("list", "-o", "+processes,skmem"), ("traffic",), ("states", "--by", "process"), ("path",))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Give a recording of three moments; between the last two, counters grew."""
    folder = FIXTURES / "6.18-empty"
    moments = []
    for number in range(3):
        moment = moment_of(folder, BEGIN + 5 * number, 1000.0 + 5 * number)
        key = b"F/proc/net/netstat"
        moment.parts[key] = moment.parts[key].replace(b" 0 ", b" %d " % (7 * number), 3)
        moments.append((moment, BEGIN + 5 * number, 1000.0 + 5 * number, BOOT))
    path = tmp_path / "r"
    record(path, moments)
    return path


def document(*words: str) -> Any:
    """Run a command; return its answer without times and place."""
    answer = invoke(*words, "--json")
    assert answer.out, answer.err
    found = json.loads(answer.out)
    return {key: value for key, value in found.items() if key not in ("generated_at", "root")}


def without_root(document: Any, root: str) -> Any:
    """Replace a path wherever it stands."""
    return json.loads(json.dumps(document).replace(root, "ROOT"))


@pytest.mark.parametrize("name", ["out", "out.tar.gz"])
def test_export_answers_as_the_recording(recording: Path, tmp_path: Path, name: str) -> None:
    out = str(tmp_path / name)
    moment = f"{recording}@@{BEGIN + 6}"
    (made,) = document("capture", out, "--from", moment)["captures"]
    assert (made["moments"], made["interval_s"]) == (2, 5.0)
    for words in COMMANDS:
        recorded, exported = document(*words, "--root", moment), document(*words, "--root", out)
        assert without_root(exported, out) == without_root(recorded, moment), words


def test_first_moment_has_none_to_compare_with(recording: Path, tmp_path: Path) -> None:
    (made,) = document("capture", str(tmp_path / "out"), "--from", f"{recording}@@{BEGIN}")["captures"]
    assert (made["moments"], made["interval_s"]) == (1, None)


def test_moment_is_redacted(recording: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "given.tar.gz")
    assert invoke("redact", f"{recording}@last", out).status == 0
    assert invoke("redact", "--verify", out).status == 0
    assert document("doctor", "--root", out)["interval_s"] == 5.0


@pytest.mark.parametrize("words", [("capture", "out", "--from"), ("redact",)])
def test_a_time_that_is_not_covered(recording: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    moment = f"{recording}@2020-01-01T00:00"
    out = str(tmp_path / "out")
    given = (words[0], out, words[2], moment) if words[0] == "capture" else (words[0], moment, out)
    answer = invoke(*given)
    assert answer.status == 2
    assert "the recording holds 2026-05-04T" in answer.err
    assert not Path(out).exists()


def test_option_in_front_of_the_command(recording: Path) -> None:
    answer = invoke("replay", str(recording), "--interval", "10", "doctor")
    assert answer.status == 2
    assert (
        "there is no option '--interval' in front of the command that replay runs: options of that command stand behind its name"
        in answer.err
    )
