"""Man pages and completions are what the declarations give."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from sockdiag.cli.catalog import COMMANDS, load
from sockdiag.cli.spec import Option
from sockdiag.devtools import completions
from sockdiag.devtools.gen import PROJECT, stale


def test_generated_files_are_current() -> None:
    """`make gen` would change nothing."""
    assert stale() == []


def test_a_new_option_makes_them_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that a command gets is missing from its page and from the completions of every shell."""
    command = load("protocols")
    monkeypatch.setattr(command, "options", (*command.options, Option("brand_new", "Do what is new.")))
    assert {path.name for path in stale()} == {
        "sockdiag-protocols.1", "sockdiag.bash", "_sockdiag", "sockdiag.fish",
    }  # fmt: skip


def test_a_new_command_makes_them_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """So does a command."""
    monkeypatch.setitem(COMMANDS, "brand-new", COMMANDS["protocols"])
    assert {path.name for path in stale()} >= {"sockdiag.1", "sockdiag.bash", "_sockdiag", "sockdiag.fish"}


def test_what_nothing_makes_is_stale() -> None:
    """A page of a command that is gone is reported, too."""
    left = PROJECT / "man" / "sockdiag-gone.1"
    left.write_text("")
    try:
        assert stale() == [left]
    finally:
        left.unlink()


def test_bash_completes(tmp_path: object) -> None:
    """bash completes commands, options, values and lists."""
    bash = shutil.which("bash")
    assert bash is not None
    script = completions.files()["sockdiag.bash"] + (
        'try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sockdiag; echo "${COMPREPLY[*]}"; }\n'
        "try sockdiag st\ntry sockdiag states --by p\ntry sockdiag list -o +skmem.dr\n"
        "try sockdiag list -o netid,skmem.rc\ntry sockdiag --netid udpl\ntry sockdiag limits net.core.somax\n"
    )
    done = subprocess.run([bash, "--norc", "-c", script], capture_output=True, text=True, check=True, timeout=20)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "states", "process port peer", "+skmem.drops", "netid,skmem.rcvbuf", "udplite", "net.core.somaxconn",
    ]  # fmt: skip


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_accept(shell: str) -> None:
    """zsh and fish parse their files without a word, where they are installed."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    text = completions.files()["_sockdiag" if shell == "zsh" else "sockdiag.fish"]
    done = subprocess.run([program, "-n"], input=text, capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
