"""close(2) that fails, as on a failing disk, and modules that cannot be loaded: no traceback, and what was read counts."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from sockdiag.sources.netlink.inet_request import request
from sockdiag.sources.system.captured_root import CapturedRoot
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.sources.system.transport import KernelTransport
from tests.program import FIXTURES, invoke


@pytest.fixture
def failing_close(monkeypatch: pytest.MonkeyPatch) -> None:
    closes = os.close

    def close(fd: int) -> None:
        closes(fd)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "close", close)


@pytest.mark.usefixtures("failing_close")
@pytest.mark.parametrize("files", [ProcRoot(), CapturedRoot(str(FIXTURES / "6.18-world"))], ids=["live", "captured"])
def test_what_was_read_counts_though_close_fails(files: ProcRoot) -> None:
    assert files.read("/proc/net/tcp").split()[0] == b"sl"
    assert "net" in files.names("/proc")
    pid = os.getpid() if files.live else files.pids()[-1]
    with files.process(pid) as process:
        assert process.read("status").startswith(b"Name:")
        list(process.descriptors())
    list(files.links(f"/proc/{pid}/fd"))
    assert list(KernelTransport().dump(request(2, 17, 0xFFFFFFFF))) is not None


@pytest.mark.usefixtures("failing_close")
def test_commands_answer_though_close_fails() -> None:
    root = str(FIXTURES / "6.18-world")
    for words in (("list", "--json"), ("states",), ("doctor",), ("list", "--netid", "tcp", "-o", "+tcp_info.rtt_us")):
        answer = invoke(*words, *(("--root", root) if "+tcp_info.rtt_us" not in words else ()))
        assert (answer.status, "error" in answer.err) == (0, False), answer.err


def test_ss_needs_a_module_that_cannot_be_read() -> None:
    code = (
        "import sys; sys.modules['sockdiag.ss.sources'] = None; from sockdiag.ss.main import run; sys.exit(run(['ss']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("ss: cannot load a part of the program: ")
