"""Long screens on a terminal, and default options from a file: both for people only."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from sockdiag.cli.pager import pager_of
from tests.program import FIXTURES, PROJECT

if TYPE_CHECKING:
    from pathlib import Path

WORLD = ("--root", str(FIXTURES / "6.18-world"))


def run(*words: str, pipe: bool = False, **environ: str) -> tuple[int, list[str]]:
    """Run the program on a terminal of 24 lines, or into a pipe; return its status and the lines it wrote."""
    terminal, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOCKDIAG_") and name != "PAGER"}
    env = {**kept, "TERM": "xterm", "PYTHONPATH": str(PROJECT), "HOME": "/nonexistent", **environ}
    env.setdefault("PAGER", "cat")
    out = subprocess.PIPE if pipe else other
    with subprocess.Popen(
        [sys.executable, "-m", "sockdiag", *words], stdin=other, stdout=out, stderr=other, env=env
    ) as ran:
        os.close(other)
        shown = b""
        if pipe:
            assert ran.stdout is not None
            shown = ran.stdout.read()
        try:
            while piece := os.read(terminal, 65536):
                shown += piece
        except OSError:
            pass  # EIO is its end
        os.close(terminal)
        return ran.wait(60), shown.decode().replace("\r\n", "\n").splitlines()


def test_a_long_screen_goes_to_the_pager() -> None:
    """All of it, and nothing else: the pager has the last word on what is shown."""
    _status, whole = run("list", *WORLD, SOCKDIAG_PAGER="cat")
    assert len(whole) > 100
    status, shown = run("list", *WORLD, SOCKDIAG_PAGER="sed s/^/@/")
    assert (status, shown) == (0, ["@" + line for line in whole])


@pytest.mark.parametrize(
    ("words", "environ"),
    [
        (("list", "--no-pager"), {}),
        (("list",), {"TERM": "dumb"}),
        (("list",), {"SOCKDIAG_PAGER": "", "PAGER": "sed s/^/@/"}),
        (("list",), {"PAGER": "/nonexistent/pager"}),
        (("list", "--json"), {}),
        (("list", "--csv"), {}),
        (("states", "--netid", "tcp"), {}),
    ],
    ids=str,
)
def test_no_pager(words: tuple[str, ...], environ: dict[str, str]) -> None:
    """Where it is not wanted, for what programs read, and for what fits on the terminal."""
    status, shown = run(*words, *WORLD, **{"PAGER": "sed s/^/@/", **environ})
    assert status == 0
    assert len(shown) > 3
    assert not any(line.startswith("@") for line in shown)


def test_no_pager_in_a_pipe() -> None:
    """Also with a terminal as standard error."""
    status, shown = run("list", *WORLD, pipe=True, PAGER="sed s/^/@/")
    assert status == 0
    assert len(shown) > 100
    assert not any(line.startswith("@") for line in shown)


def test_leaving_the_pager_is_no_error() -> None:
    """What it did not read is not missed."""
    status, shown = run("list", *WORLD, SOCKDIAG_PAGER="head -2")
    assert (status, len(shown)) == (0, 2)


def test_which_pager() -> None:
    """The program's own variable, the common one, less."""
    path = {"TERM": "xterm", "PATH": os.environ["PATH"]}
    assert pager_of({**path, "SOCKDIAG_PAGER": "cat -n", "PAGER": "sed p"}) == "cat -n"
    assert pager_of({**path, "PAGER": "sed p"}) == "sed p"
    assert pager_of({**path, "PAGER": "cat"}) == ""
    assert pager_of({**path, "SOCKDIAG_PAGER": "no-such-program -x"}) == ""
    assert pager_of({"TERM": "xterm", "PATH": "/nonexistent"}) == ""
    assert pager_of({"PAGER": "sed p"}) == ""


def config(path: Path, text: str) -> dict[str, str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)
    return {"SOCKDIAG_CONFIG": str(path), "SOCKDIAG_PAGER": ""}


TEXT = """
no-header = true
[list]
output = "netid,state"
netid = ["tcp", "udp"]
limit = 2
[memory]
limit = 1
"""


def test_defaults_come_from_a_file(tmp_path: Path) -> None:
    """Those of the command, and those of all; the command line has precedence."""
    env = config(tmp_path / "c.toml", TEXT)
    _status, shown = run("list", *WORLD, **env)
    assert [line.split() for line in shown] == [["tcp", "LISTEN"]] * 2
    _status, shown = run("list", "--limit", "1", "-o", "local", *WORLD, **env)
    assert len(shown) == 1
    _status, shown = run("list", "--netid", "unix", *WORLD, **env)
    assert {line.split()[0] for line in shown} == {"unix"}


@pytest.mark.parametrize("words", [("list", "--json"), ("list", "--csv"), ("list", "--format", "{{netid}}")], ids=str)
def test_programs_get_no_defaults(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A format that the command line names is the same for everybody, and so is a pipe."""
    env = config(tmp_path / "c.toml", TEXT)
    assert run(*words, *WORLD, **env) == run(*words, *WORLD, SOCKDIAG_CONFIG="")
    assert run("list", *WORLD, pipe=True, **env) == run("list", *WORLD, pipe=True, SOCKDIAG_CONFIG="")


def test_where_the_file_is(tmp_path: Path) -> None:
    """The user's own goes before the system's, key by key; an empty name reads none."""
    own, system = tmp_path / "own", tmp_path / "etc"
    config(own / "sockdiag/config.toml", "[list]\noutput = 'netid'\n")
    config(system / "sockdiag/config.toml", "[list]\noutput = 'state'\nlimit = 1\n")
    env = {"XDG_CONFIG_HOME": str(own), "XDG_CONFIG_DIRS": f"relative:{system}", "SOCKDIAG_PAGER": ""}
    assert run("list", *WORLD, **env) == (0, ["NETID", "tcp"])
    assert len(run("list", *WORLD, SOCKDIAG_CONFIG="", **env)[1]) > 100


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[list\n", "Expected ']'"),
        ("[lists]\nlimit = 1\n", "there is no section 'lists'; did you mean 'list'?"),
        ("[list]\nlimitt = 1\n", "there is no option 'limitt'; did you mean 'limit'?"),
        ("[list]\nlimit = 'x'\n", "'x' is not a whole number"),
        ("[list]\nno-header = 1\n", "no-header takes true or false"),
        ("[list]\nwhere = 1\n", "where takes a text or a list of texts"),
        ("[list]\njson = true\n", "'json' is a format, which only a command line chooses"),
        ("\udc80".encode("utf-8", "surrogateescape").decode("latin-1"), "invalid"),
        ("[check]\ntimeout = 1\n", "there is no section 'check'"),
    ],
)
def test_what_is_wrong_is_said_and_ignored(tmp_path: Path, text: str, said: str) -> None:
    """One line that names the file; the answer is the one without it."""
    env = config(tmp_path / "c.toml", text)
    if said == "invalid":
        (tmp_path / "c.toml").write_bytes(b"a = '\xff'\n")
        said = "can't decode byte"
    status, shown = run("states", "--netid", "tcp", *WORLD, **env)
    if ("[list]" in text and "is not a" in said) or "takes" in said:
        status, shown = run("list", "--netid", "tcp", *WORLD, **env)
    message = " ".join(line.strip() for line in shown[:3])
    assert status == 0
    assert said in message
    assert "; ignored" in message
    assert len(shown) > 3


@pytest.mark.parametrize(
    ("text", "option"),
    [("where = 'netid ='", "--where"), ("output = 'nope'", "--output"), ("limit = -1", "--limit")],
)
def test_a_value_that_the_command_refuses_names_the_file(tmp_path: Path, text: str, option: str) -> None:
    """Nothing on the command line is wrong, so the message says where to look."""
    env = config(tmp_path / "c.toml", f"[list]\n{text}\n")
    status, shown = run("list", *WORLD, **env)
    assert status == 2
    message = "".join(line.strip() for line in shown).replace(" ", "")
    assert f"{tmp_path}/c.tomlhasset{option}" in message


def test_a_file_that_is_named_must_exist(tmp_path: Path) -> None:
    """A misspelt SOCKDIAG_CONFIG is reported; files in the usual places need not exist."""
    status, shown = run("list", "--limit", "1", *WORLD, SOCKDIAG_CONFIG=str(tmp_path / "none.toml"))
    assert status == 0
    assert "No such file or directory; ignored" in " ".join(line.strip() for line in shown)
    status, shown = run("list", "--limit", "1", *WORLD, XDG_CONFIG_HOME=str(tmp_path))
    assert (status, len(shown)) == (0, 2)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root ignores the files of others")
def test_root_ignores_the_files_of_others(tmp_path: Path) -> None:
    """Whoever could write the file could choose what root sees."""
    env = config(tmp_path / "c.toml", "[list]\nlimit = 1\n")
    (tmp_path / "c.toml").chmod(0o666)
    _status, shown = run("list", "--netid", "tcp", *WORLD, **env)
    assert "writable by others; ignored" in " ".join(shown[:2])
    assert len(shown) > 10
    (tmp_path / "c.toml").chmod(0o644)
    os.chown(tmp_path / "c.toml", 65534, 65534)
    _status, shown = run("list", "--netid", "tcp", *WORLD, **env)
    assert "owned by uid 65534; ignored" in " ".join(shown[:2])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_ignores_files_in_folders_of_others(tmp_path: Path) -> None:
    """Whoever owns the folder can put another file there, or a link to one of root's."""
    environ = config(tmp_path / "sockdiag.toml", 'color = "always"')
    (tmp_path / "theirs").mkdir()
    os.rename(environ["SOCKDIAG_CONFIG"], tmp_path / "theirs/c.toml")
    os.chown(tmp_path / "theirs", 65534, 65534)
    status, shown = run("limits", SOCKDIAG_CONFIG=f"{tmp_path}/theirs/c.toml")
    assert status == 0
    assert "another user (uid 65534); ignored" in " ".join(shown[:3])
