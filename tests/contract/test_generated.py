"""Man pages and completions are what the declarations give."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from sockdiag.devtools import completions, man
from sockdiag.devtools.gen import stale


def test_generated_files_are_current() -> None:
    """`make gen` would change nothing."""
    assert stale() == []


@pytest.mark.parametrize("name", man.pages())
def test_pages_are_plain_roff(name: str) -> None:
    """A page has a heading, a NAME line that whatis can read, and no character that roff would eat."""
    lines = man.pages()[name].splitlines()
    assert lines[0].startswith(".TH ")
    assert lines[1] == ".SH NAME"
    assert " \\- " in lines[2]
    assert all(line.isascii() for line in lines)
    assert not [line for line in lines if line.startswith("'")]


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
