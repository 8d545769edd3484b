"""What is installed works without the source tree."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from sockdiag import __version__
from sockdiag.cli.catalog import COMMANDS
from tests.packaging.built import (
    Dist,
    environment,
    extract,
    files_below,
    help_status,
    run,
    shared_files,
    shared_programs,
)
from tests.program import FIXTURES, invoke

if TYPE_CHECKING:
    from pathlib import Path

WORLD = str(FIXTURES / "6.18-world")


@pytest.fixture
def away(tmp_path: Path, installed: Path) -> Path:
    """Give a folder far from the tree, after making sure that the installed package is the one that is found."""
    found = run(installed / "python", "-c", "import sockdiag; print(sockdiag.__file__)", cwd=tmp_path).strip()
    assert found.startswith(str(installed.parent))
    return tmp_path


def test_the_program(installed: Path, away: Path) -> None:
    """The program and the module run, and both say which version they are."""
    assert run(installed / "sockdiag", "--version", cwd=away) == f"sockdiag {__version__}\n"
    assert run(installed / "python", "-m", "sockdiag", "--version", cwd=away) == f"sockdiag {__version__}\n"


def test_the_start_is_ours(installed: Path, away: Path) -> None:
    """The program that an installer puts in place imports nothing of its own, such as re, before it starts sockdiag."""
    done = subprocess.run(
        [installed / "python", "-X", "importtime", installed / "sockdiag", "--version"],
        cwd=away,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "sockdiag.__main__" in imported
    assert not imported & {"re", "enum", "collections"}


@pytest.mark.parametrize("command", ["states", "list --json", "memory", "states --table grid", "overview"])
def test_answers(command: str, installed: Path, away: Path) -> None:
    """The installed program says of a captured system what the tree says."""
    words = [word for word in command.split() if word != "overview"]
    text = run(installed / "sockdiag", *words, "--root", WORLD, cwd=away)
    assert text == invoke(*words, "--root", WORLD).text
    assert text


def test_live_answers(installed: Path, away: Path) -> None:
    """It reads this machine's sockets too, under both names."""
    (away / "ss").symlink_to(installed / "sockdiag")
    with socket.create_server(("127.0.0.1", 0), backlog=7) as listener:
        port = listener.getsockname()[1]
        where = f"state = listening && sport = :{port}"
        (row,) = json.loads(run(installed / "sockdiag", "list", "--json", "--where", where, cwd=away))["sockets"]
        shown = run(away / "ss", "-Htan", "state", "listening", f"sport = :{port}", cwd=away)
        assert "LISTEN" in run(installed / "sockdiag", "states", "--exact", "--netid", "tcp", cwd=away)
    assert (row["local"]["address"], row["local"]["port"], row["send_q"]) == ("127.0.0.1", port, 7)
    assert shown.split() == ["0", "7", f"127.0.0.1:{port}", "0.0.0.0:*"]


def test_ss(installed: Path, away: Path) -> None:
    """`sockdiag ss` and a symlink called ss print the same rows."""
    (away / "ss").symlink_to(installed / "sockdiag")
    shown = [
        run(*program, "-tan", cwd=away, PROC_ROOT=WORLD + "/proc")
        for program in ([away / "ss"], [installed / "sockdiag", "ss"])
    ]
    assert shown[0] == shown[1]
    assert len(shown[0].splitlines()) > 1


@pytest.mark.parametrize("name", COMMANDS)
def test_help(name: str, installed: Path, away: Path) -> None:
    """Each command is there: its module, and whatever its help is made of."""
    text = run(installed / "sockdiag", name, "--help", cwd=away, status=help_status(name))
    assert text.startswith(f"Usage: sockdiag {name} ")


def test_shared_files(installed: Path) -> None:
    """Man pages, completions and integrations lie below share/ as they are in the tree."""
    assert files_below(installed.parent, shared_files()) == shared_files()
    assert {name for name in shared_files() if os.access(installed.parent / name, os.X_OK)} == shared_programs()


def test_pipx(dist: Dist, tmp_path: Path) -> None:
    """Pipx installs the tree, and links the program, its man pages and its completions."""
    pipx = environment(tmp_path / "tool", "pipx>=1.18") / "pipx"
    places = {
        "PIPX_HOME": str(tmp_path / "home"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
        "PIPX_MAN_DIR": str(tmp_path / "share" / "man"),
        "PIPX_COMPLETION_DIR": str(tmp_path / "share"),
    }
    run(pipx, "install", extract(dist.sdist, tmp_path / "tree"), cwd=tmp_path, **places)
    linked = {name: content for name, content in shared_files().items() if not name.startswith("share/sockdiag/")}
    assert files_below(tmp_path, linked) == linked
    assert run(tmp_path / "bin" / "sockdiag", "--version", cwd=tmp_path) == f"sockdiag {__version__}\n"
    run(pipx, "uninstall", "sockdiag", cwd=tmp_path, **places)
    assert files_below(tmp_path, linked) == {}
