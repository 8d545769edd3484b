"""A capture answers every command as the system does that it was taken of: here a captured one, which stands still."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.sources.capture.transport import captured_system
from sockdiag.survey.capture import take_capture
from sockdiag.survey.survey import Survey
from tests.program import invoke
from tests.recorded import FIXTURES

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = (
    ("list", "--json", "-o", "+cgroup,processes,skmem,tcp_info,timer,mark,uid,user,cookie,shutdown"),
    ("list", "--json", "--source", "proc", "--netid", "udp,raw,unix,netlink,packet"),
    ("list", "--json", "--where", "dport = :443 or rtt > 0"),
    ("states", "--json"),
    ("states", "--json", "--exact", "--by", "process"),
    ("states", "--json", "--by", "cgroup"),
    ("memory", "--json"),
    ("traffic", "--json"),
    ("risk", "--json", "--all"),
    ("listeners", "--json"),
    ("doctor", "--json"),
    ("--json",),
    ("limits", "--json"),
    ("path", "--json"),
    ("protocols", "--json"),
    ("port", "--json", "8080"),
    ("port", "--json", "53"),
    ("metrics", "--json"),
    ("check",),
)

# How long the program itself took, in the performance data of check.
OWN_TIME = re.compile(r"time=\S+")


def answer(root: str, *words: str) -> Any:
    """Run a command on a capture; return its status, its answer without times and place, and what it said."""
    command, rest = (words[:1], words[1:]) if words[0][0] != "-" else ((), words)
    said = invoke(*command, "--root", root, *rest)
    text = OWN_TIME.sub("", said.text).replace(root, "ROOT")
    if "--json" not in words:
        return said.status, text, said.err.replace(root, "ROOT")
    document = json.loads(text)
    document.pop("generated_at")
    document["samples"] = [s for s in document.get("samples", ()) if "_seconds" not in s["name"]]
    return said.status, document, said.err.replace(root, "ROOT")


def capture_of(root: Path, path: Path) -> Path:
    system = captured_system(str(root))
    take_capture(Survey(system), str(path), None)
    return path


@pytest.fixture(scope="module", params=["6.18-world", "6.18-unprivileged", "6.18-empty"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A captured system, and a capture of it."""
    root = FIXTURES / request.param
    return str(root), str(capture_of(root, tmp_path_factory.mktemp("of") / "capture.tar.gz"))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_capture_answers_as_the_system(pair: tuple[str, str], words: tuple[str, ...]) -> None:
    system, capture = pair
    assert answer(capture, *words) == answer(system, *words)


def test_folder_and_archive_are_the_same(tmp_path: Path) -> None:
    root = FIXTURES / "6.18-world"
    folder, archive = capture_of(root, tmp_path / "folder"), capture_of(root, tmp_path / "archive.tgz")
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "-xzf", archive, "-C", tmp_path / "unpacked"], check=True)
    # meta.toml has the times, and the sums its own.
    assert (
        subprocess.run(["diff", "-r", "--no-dereference", folder, tmp_path / "unpacked"], check=False).returncode == 0
    )
    assert subprocess.run(["sha256sum", "-c", "--quiet", "sha256sums"], cwd=folder, check=False).returncode == 0
    assert archive.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
