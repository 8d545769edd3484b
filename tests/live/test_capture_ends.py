"""A capture that cannot be finished leaves nothing behind, and says why: a full disk, signals; and one without root is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.live.test_bad_surroundings import NOBODY, become_nobody, import_all
from tests.needs import need_namespaces, refuse
from tests.program import invoke

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = (sys.executable, "-m", "sockdiag", "capture")
NAMES = ("case.tar.gz", "case")
# In a mount namespace of its own: the folder is a file system of 8 KB, less than the archive of an idle host.
SMALL = 'mount -t tmpfs -o size=8k none "$1" && cd "$1" && shift && "$@"; status=$?; ls -A . ; exit $status'


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk(name: str, tmp_path: Path) -> None:
    need_namespaces()
    command = ["unshare", "--mount", "sh", "-c", SMALL, "sh", tmp_path, *PROGRAM]
    done = subprocess.run(
        [*command, str(tmp_path / name), "--interval", "0"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"sockdiag: {tmp_path / name}: No space left on device"
    assert done.stdout == ""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda one: one.name)
def test_a_signal_while_it_samples(number: signal.Signals, name: str, tmp_path: Path) -> None:
    """The shell sees the signal, and nothing stays that is called like the capture or its temporary file."""
    process = subprocess.Popen([*PROGRAM, str(tmp_path / name), "--interval", "60"], stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not os.listdir(tmp_path):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _out, said = process.communicate(timeout=60)
    assert process.returncode == -number
    assert b"Traceback" not in said
    assert os.listdir(tmp_path) == []


def test_without_root_it_saves_what_may_be_read() -> None:
    """It says what is missing, and the capture answers."""
    if os.geteuid() != 0:
        refuse("needs root, to become another user")
    import_all()
    # The folders above that of a test are root's alone.
    with TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        pid = os.fork()
        if pid == 0:
            try:
                become_nobody()
                done = invoke("capture", f"{folder}/case", "--interval", "0")
                with open(f"{folder}/said", "w", encoding="utf-8") as file:
                    file.write(f"{done.status}\n{done.err}")
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        with open(f"{folder}/said", encoding="utf-8") as file:
            status, *said = file.read().splitlines()
        answer = invoke("states", "--root", f"{folder}/case")
    assert status == "0", said
    assert any("descriptors of" in line for line in said)
    assert (answer.status, answer.text.split()[0]) == (0, "NETID")
