"""SIGINT and SIGPIPE kill the program as they kill any program in C, whenever they come."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.differential.pair import PROJECT

# Sends the signal at the given import after the start of main().
_AT_IMPORT = """
import builtins, os, sys
at, number, *words = sys.argv[1:]
sys.argv = ["sockdiag", *words]
count = 0
plain = builtins.__import__
def counting(*args, **kwargs):
    global count
    count += 1
    if count == int(at):
        os.kill(os.getpid(), int(number))
    return plain(*args, **kwargs)
from sockdiag.__main__ import main
builtins.__import__ = counting
try:
    main()
finally:
    os.write(2, b"%d" % count)
"""
_COMMANDS = ["ss -tan", "ss -h", "states", "list --netid tcp"]


def start(at: int, line: str) -> subprocess.CompletedProcess[bytes]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", _AT_IMPORT, str(at), str(int(signal.SIGINT)), *line.split()]
    return subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, timeout=60)


@pytest.mark.parametrize("line", _COMMANDS)
def test_an_interrupt_while_modules_load(line: str) -> None:
    # The first run may write bytecode, which takes imports of its own.
    imports = min(int(start(0, line).stderr.rpartition(b"\n")[2]) for _ in range(2))
    assert imports > 10
    for at in range(1, imports, max(imports // 7, 1)):
        done = start(at, line)
        assert (done.returncode, done.stderr) == (-signal.SIGINT, b""), f"at import {at}"


@pytest.mark.parametrize("line", ["ss -s", "ss -h", "ss -D - -t", "fields"])
def test_a_reader_that_went_away(line: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "sockdiag", *line.split()], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def test_background_jobs_ignore_interrupts() -> None:
    """A shell without job control starts them with SIGINT ignored, and so they stay."""
    command = [
        "sh",
        "-c",
        'trap "" INT; exec "$@"',
        "sh",
        sys.executable,
        "-m",
        "sockdiag",
        "ss",
        "-F",
        "/dev/stdin",
        "-t",
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGINT)
    assert process.communicate(b"", timeout=30)[1] == b""
    assert process.returncode == 0


def test_a_loop_of_a_shell_ends() -> None:
    """bash goes on with its loop unless the program died of the signal."""
    script = 'for i in 1 2 3; do "$@" -F /dev/stdin -t; echo "after $i"; done'
    command = ["bash", "-c", script, "bash", sys.executable, "-m", "sockdiag", "ss"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=30)[0] == b""
    assert process.returncode == -signal.SIGINT
