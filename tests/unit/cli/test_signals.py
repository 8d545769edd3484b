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
leave = os._exit
def counted(status):
    os.write(2, b"%d" % count)
    leave(status)
os._exit = counted
from sockdiag.__main__ import main
builtins.__import__ = counting
main()
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


_LEAVE = """
import sys
from sockdiag import __main__ as program
sys.argv = ["sockdiag", "--version"]
sys.stdout.write("before ")
if len(sys.orig_argv) > 3:
    sys.setprofile(lambda *_: None)
try:
    program.main()
finally:
    sys.stdout.write("after")
"""


@pytest.mark.parametrize("profiled", [(), ("profiled",)], ids=["plain", "profiled"])
def test_the_interpreter_is_taken_apart_for_profilers_alone(profiled: tuple[str, ...]) -> None:
    """What was written to a buffer arrives all the same; a profiler writes its results after the program has ended."""
    done = subprocess.run(
        [sys.executable, "-c", _LEAVE, *profiled], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60
    )
    assert "before " in done.stdout
    assert "sockdiag " in done.stdout
    assert ("after" in done.stdout) == bool(profiled)


def test_standard_output_that_cannot_be_flushed() -> None:
    """The interpreter's own exit status for it, 120, stays."""
    code = "import sys; from sockdiag import __main__ as p; sys.argv = ['sockdiag', '--version']; print('x'); p.main()"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=PROJECT, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert done.returncode != 0


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
