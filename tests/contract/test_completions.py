"""Completions, each driven in its own shell by the key that people press."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sockdiag.devtools import completions
from sockdiag.devtools.completions import values
from tests.needs import need, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

LOADER = Path("/usr/share/bash-completion/bash_completion")
FILES = completions.files()
PATIENCE_S = 30

# What is typed, and the line that TAB makes of it.
LINES = {
    "sockdiag stat": "sockdiag states",
    "sockdiag list --no-h": "sockdiag list --no-header",
    "sockdiag --vers": "sockdiag --version",
    "sockdiag --str": "sockdiag --strict",
    "sockdiag states --by pro": "sockdiag states --by process",
    "sockdiag list --color nev": "sockdiag list --color never",
    "sockdiag list --color=nev": "sockdiag list --color=never",
    "sockdiag list -o +skmem.dr": "sockdiag list -o +skmem.drops",
    "sockdiag list -o netid,skmem.rcvb": "sockdiag list -o netid,skmem.rcvbuf",
    "sockdiag list --output=netid,skmem.rcvb": "sockdiag list --output=netid,skmem.rcvbuf",
    "sockdiag listeners -o accept_queue_r": "sockdiag listeners -o accept_queue_ratio",
    "sockdiag protocols --sort memory_p": "sockdiag protocols --sort memory_pages",
    "sockdiag protocols --sort=-memory_p": "sockdiag protocols --sort=-memory_pages",
    "sockdiag states --netid tcp,udpl": "sockdiag states --netid tcp,udplite",
    "sockdiag limits net.core.somax": "sockdiag limits net.core.somaxconn",
    "sockdiag limits --limit 3 net.core.somax": "sockdiag limits --limit 3 net.core.somaxconn",
    "sockdiag rules CLOSE_W": "sockdiag rules CLOSE_WAIT_LEAK",
    "sockdiag fields skmem.rcvb": "sockdiag fields skmem.rcvbuf",
    "sockdiag schema over": "sockdiag schema overview",
    "sockdiag path --table githu": "sockdiag path --table github",
    "sockdiag list --netns al": "sockdiag list --netns all",
    "sockdiag list --where 'state = establ": "sockdiag list --where 'state = established",
    "sockdiag list --where 'state listening state close-w": "sockdiag list --where 'state listening state close-wait",
    "sockdiag list --where 'recv_q > 0 and (netid = udpl": "sockdiag list --where 'recv_q > 0 and (netid = udplite",
    "sockdiag list --where 'skmem.rcvb": "sockdiag list --where 'skmem.rcvbuf",
    "sockdiag inspect cook": "sockdiag inspect cookie:",
    "sockdiag check --rule FD_LIMIT,CLOSE_W": "sockdiag check --rule FD_LIMIT,CLOSE_WAIT_LEAK",
    "sockdiag check --measure tcp_mem.used_r": "sockdiag check --measure tcp_mem.used_ratio",
    "sockdiag ss --extend": "sockdiag ss --extended",
    "sockdiag ss -tan state time-w": "sockdiag ss -tan state time-wait",
    "sockdiag ss -tan dpo": "sockdiag ss -tan dport",
    "sockdiag ss -f netl": "sockdiag ss -f netlink",
    "sockdiag ss -A tcp,unix_seq": "sockdiag ss -A tcp,unix_seqpacket",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with the completions, and with programs that tell that they were started."""
    made = tmp_path_factory.mktemp("completions")
    (made / "bash-completion" / "completions").mkdir(parents=True)
    (made / "bash-completion" / "completions" / "sockdiag").write_text(FILES["sockdiag.bash"])
    (made / "_sockdiag").write_text(FILES["_sockdiag"])
    (made / "sockdiag.fish").write_text(FILES["sockdiag.fish"])
    (made / "bin").mkdir()
    for name in ("sockdiag", "python", "python3"):
        program = made / "bin" / name
        program.write_text(f"#!/bin/sh\n: > {made}/started\n")
        program.chmod(0o755)
    return made


def bash(folder: Path, *, loader: bool) -> tuple[list[str], str]:
    setup = f"XDG_DATA_DIRS={folder}; . {LOADER}" if loader else f". {folder}/bash-completion/completions/sockdiag"
    keep = f'keep() {{ printf %s "$READLINE_LINE" > {folder}/line.new; mv {folder}/line.new {folder}/line; READLINE_LINE=; }}'
    return ["bash", "--norc", "--noprofile", "-i"], f"{setup}; {keep}; bind -x '\"\\C-xp\": keep'\n"


def zsh(folder: Path) -> tuple[list[str], str]:
    keep = f'keep() {{ print -rn -- "$BUFFER" > {folder}/line.new; mv {folder}/line.new {folder}/line; BUFFER=; }}'
    setup = f"fpath=({folder} $fpath); autoload -U compinit; compinit -D -u; zle -N keep; bindkey '^Xp' keep"
    return ["zsh", "-f", "-i"], f"{keep}; {setup}\n"


class Session:
    """A shell on a terminal of its own."""

    def __init__(self, folder: Path, words: list[str], setup: str) -> None:
        need(words[0])
        self._line = folder / "line"
        self._line.unlink(missing_ok=True)
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.environ.clear()
            os.environ.update(
                PATH=f"{folder}/bin:/usr/bin:/bin", HOME=str(folder), TERM="dumb", COLUMNS="400", INPUTRC="/dev/null"
            )
            os.execvp(words[0], words)
        os.write(self._terminal, setup.encode())

    def complete(self, typed: str) -> str:
        """Type, press TAB, and read the line that is there then."""
        self._line.unlink(missing_ok=True)
        os.write(self._terminal, typed.encode() + b"\t\x18p")
        end = time.monotonic() + PATIENCE_S
        while not self._line.exists():
            assert time.monotonic() < end, f"no answer to {typed}"
            if select.select([self._terminal], [], [], 0.01)[0]:
                os.read(self._terminal, 1 << 16)
        return self._line.read_text()

    def close(self) -> None:
        """End the shell."""
        os.close(self._terminal)
        os.waitpid(self._pid, 0)


@pytest.fixture(scope="module", params=["bash", "bash with its loader", "zsh"])
def session(request: pytest.FixtureRequest, folder: Path) -> Iterator[Session]:
    if request.param == "bash with its loader" and not LOADER.exists():
        refuse("needs bash-completion")
    started = {
        "bash": lambda: bash(folder, loader=False),
        "bash with its loader": lambda: bash(folder, loader=True),
        "zsh": lambda: zsh(folder),
    }[request.param]()
    made = Session(folder, *started)
    yield made
    made.close()
    assert not (folder / "started").exists(), "a completion has started a program"


def bare(line: str) -> str:
    """Take off what a shell adds behind a whole word."""
    return line.rstrip(" ,").removesuffix("'") if line.count("'") == 2 else line.rstrip(" ,")


@pytest.mark.parametrize("typed", LINES)
def test_tab_completes(session: Session, typed: str) -> None:
    """TAB completes the line."""
    assert bare(session.complete(typed)) == LINES[typed]


def test_descriptors_and_namespaces(session: Session) -> None:
    """Processes, their sockets and no other descriptors."""
    import socket

    with socket.socket() as held, Path("/dev/null").open() as other:
        at = f"sockdiag inspect {os.getpid()}/"
        assert session.complete(f"{at}{held.fileno()}").rstrip() == f"{at}{held.fileno()}"
        assert session.complete(f"{at}{other.fileno()}").rstrip() != f"{at}{other.fileno()} "
    digits = str(os.getpid())
    assert session.complete(f"sockdiag list --netns {digits}").rstrip() == f"sockdiag list --netns {digits}"


def in_fish(folder: Path, *lines: str) -> list[list[str]]:
    need("fish")
    script = f"source {folder}/sockdiag.fish; for line in $argv; complete -C $line; echo @; end"
    env = {"PATH": f"{folder}/bin:/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["fish", "--no-config", "-c", script, *lines], env=env, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stderr == ""
    return [[c.partition("\t")[0] for c in part.splitlines() if c] for part in done.stdout.split("@\n")[:-1]]


def test_fish_completes(folder: Path) -> None:
    """fish offers the same."""
    offered = dict(zip(LINES, in_fish(folder, *LINES), strict=True))
    for typed, line in LINES.items():
        start = typed.rpartition(" '")[0] or typed.rpartition(" ")[0]
        assert [f"{start} {word}" for word in offered[typed]] == [line.replace("'", "")], typed
    assert not (folder / "started").exists()


def test_fish_offers_sockets_of_processes(folder: Path) -> None:
    """PID/FD for sockets alone."""
    import socket

    with socket.socket() as held, Path("/dev/null").open() as other:
        (offered,) = in_fish(folder, f"sockdiag inspect {os.getpid()}/")
        assert f"{os.getpid()}/{held.fileno()}" in offered
        assert f"{os.getpid()}/{other.fileno()}" not in offered
    namespaces, inspected = in_fish(folder, f"sockdiag list --netns {os.getpid()}", "sockdiag inspect 1")
    # Numbers of other processes may begin with these digits, too.
    assert str(os.getpid()) in namespaces
    assert [name for name in namespaces if not re.fullmatch(rf"{os.getpid()}\d*", name)] == []
    assert "1/" in inspected


def test_every_option_is_offered(folder: Path) -> None:
    """bash and fish offer every long option of every command, and every command."""
    wanted = {line.name: {flag for s in line.switches for flag in s.flags if len(flag) > 2} for line in values.lines()}
    wanted["ss"] = {flag for switch in values.ss_switches() for flag in switch.flags if len(flag) > 2}
    lines = [f"sockdiag {name} --".replace("  ", " ") for name in wanted]
    for found, flags in zip(in_fish(folder, *lines), wanted.values(), strict=True):
        assert set(found) == flags
    script = FILES["sockdiag.bash"] + (
        'for name; do COMP_WORDS=(sockdiag $name --) COMP_CWORD=${#COMP_WORDS[@]}-1; _sockdiag; echo "${COMPREPLY[*]}"; done'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", *wanted], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    assert [set(line.split()) for line in done.stdout.splitlines()] == list(wanted.values())
    (offered,) = in_fish(folder, "sockdiag ")
    assert {name for name, _text in values.described()} <= set(offered)


def test_names_of_namespaces_are_not_run(tmp_path: Path) -> None:
    """A name with what a shell would run is offered, quoted, and not run."""
    script = FILES["sockdiag.bash"].replace("/run/netns", str(tmp_path)) + (
        'COMP_WORDS=(sockdiag list --netns "") COMP_CWORD=3; _sockdiag; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    (tmp_path / "$(exit >stop)").touch()
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["\\$\\(exit\\ \\>stop\\)", "all"]
    assert not (tmp_path / "stop").exists()


def test_zsh_and_fish_parse_their_files(folder: Path) -> None:
    """Without a word."""
    need("zsh", "fish")
    for words in (["zsh", "-n", str(folder / "_sockdiag")], ["fish", "-n", str(folder / "sockdiag.fish")]):
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
