"""`sockdiag check` when its line is lost: the next run must report the losses that nobody could read of."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.live.plugin import CHECK, Said, check, older
from tests.live.test_check_live import receive_nothing, send
from tests.live.world.namespace import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.world.namespace import Namespace

RULE = ("--rule", "UDP_RECEIVE_BUFFER_FULL")
SENT = 40


@pytest.fixture
def losing(tmp_path: Path, empty_netns: Namespace) -> tuple[Path, Namespace, int]:
    """Give the baseline of a run, its namespace, and the port of a socket that loses what is sent to it."""
    file = tmp_path / "state"
    port = empty_netns.call(receive_nothing, "lost")
    empty_netns.call(send, port, SENT)
    check(*RULE, "--state", str(file), namespace=empty_netns)
    older(file)
    return file, empty_netns, port


def started(file: Path, namespace: Namespace, stdout: int) -> subprocess.Popen[bytes]:
    words = ("nsenter", f"--net={namespace.path}", *CHECK, *RULE, "--state", str(file))
    return subprocess.Popen(words, cwd=PROJECT, stdout=stdout, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def reported(file: Path, namespace: Namespace) -> bool:
    said = check(*RULE, "--state", str(file), namespace=namespace)
    return said.status == 2 and f"lost {SENT} datagrams" in said.line


@pytest.mark.parametrize("output", ["full", "no reader", "closed"])
def test_output_that_is_lost(output: str, losing: tuple[Path, Namespace, int]) -> None:
    """A full disk, a pipe without a reader and a closed standard output swallow no loss."""
    file, namespace, port = losing
    namespace.call(send, port, SENT)
    if output == "full":
        stdout = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, stdout = os.pipe()
        os.close(reader)
    with started(file, namespace, stdout) as run:
        status = run.wait(20)
    os.close(stdout)
    assert status == 3
    if output == "closed":
        words = " ".join((*CHECK, *RULE, "--state", str(file)))
        done = subprocess.run(
            ["nsenter", f"--net={namespace.path}", "sh", "-c", f"{words} >&-"],
            cwd=PROJECT,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (3, b"", b"")
    assert reported(file, namespace)
    older(file)
    assert not reported(file, namespace)
    assert sorted(path.name for path in file.parent.iterdir()) == ["state", "state.lock"]


def test_killed_at_any_moment(losing: tuple[Path, Namespace, int]) -> None:
    """Whenever the program is killed: its line was written, or the next run has the loss on its line."""
    file, namespace, port = losing
    began = time.monotonic()
    assert not reported(file, namespace)
    usual = time.monotonic() - began
    cut_off = 0
    for step in range(30):
        older(file)
        namespace.call(send, port, SENT)
        with started(file, namespace, subprocess.PIPE) as run:
            time.sleep(usual * (step + 1) / 25)
            run.send_signal(signal.SIGKILL)
            assert run.stdout is not None
            said = Said(run.wait(20), run.stdout.read().decode())
        if said.out.endswith("\n"):
            assert f"lost {SENT} datagrams" in said.line
        else:
            cut_off += 1
            assert reported(file, namespace)
    assert cut_off
    wait_until_alone(file)
    assert {path.name for path in file.parent.iterdir()} <= {"state", "state.lock", "state.new"}
    older(file)
    check(*RULE, "--state", str(file), namespace=namespace)
    assert sorted(path.name for path in file.parent.iterdir()) == ["state", "state.lock"]


def wait_until_alone(file: Path) -> None:
    """Wait until no process is left that was started for a state file."""
    deadline = time.monotonic() + 20
    while True:
        left = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
                    if os.fsencode(file) in cmdline.read():
                        left.append(pid)
            except OSError:
                continue
        if not left:
            return
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
