"""Run sockdiag many times: a process that has imported it forks for each run.

An import takes three times as long as the rest of a run, and a campaign has thousands of them. What a run does after the
imports is the same; that imports are right is for other tests.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import IO

from tests.live.world.namespace import PROJECT

_IMPORTED = (
    "cli.main",
    "cli.running",
    "cli.commands.risk",
    "cli.commands.doctor",
    "render.document",
    "judging.registry",
)


class Started:
    """A run under way.

    Args:
        out: its standard output.
        error: its standard error.
        process: the run, where it is a child of this process.
    """

    def __init__(self, out: IO[bytes], error: IO[bytes], process: subprocess.Popen[bytes] | None = None) -> None:
        self._out, self._error, self._process = out, error, process

    def answer(self) -> tuple[str, str]:
        """Return what it writes to standard output and standard error."""
        with self._out, self._error:
            texts = self._out.read().decode(), self._error.read().decode()
        if self._process is not None:
            self._process.wait(30)
        return texts


class Starter:
    """The process that forks."""

    def __init__(self) -> None:
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        text = f"from tests.live.scenarios.starter import serve; serve({other.fileno()})"
        self._process = subprocess.Popen(
            [sys.executable, "-c", text], cwd=PROJECT, pass_fds=(other.fileno(),), start_new_session=True
        )
        other.close()

    def start(self, words: list[str]) -> Started:
        """Start a run."""
        out, out_end = os.pipe()
        error, error_end = os.pipe()
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(words).encode()], [out_end, error_end])
        os.close(out_end)
        os.close(error_end)
        return Started(os.fdopen(out, "rb"), os.fdopen(error, "rb"))

    def close(self) -> None:
        """End the process."""
        self._socket.close()
        self._process.wait(30)


def serve(number: int) -> None:
    """Fork for each request, until there are no more."""
    for name in _IMPORTED:
        importlib.import_module(f"sockdiag.{name}")
    _rehearse()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    requests = socket.socket(fileno=number)
    gc.freeze()
    while True:
        message, descriptors, _flags, _address = socket.recv_fds(requests, 65536, 2)
        if not message:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            requests.close()
            for target, source in enumerate(descriptors, 1):
                os.dup2(source, target)
                os.close(source)
            _run(json.loads(message))
        for one in descriptors:
            os.close(one)


def _rehearse() -> None:
    # Most imports wait until they are needed: each command is run once.
    for command in ("risk", "doctor"):
        with open(os.devnull, "w") as nowhere:
            saved = os.dup(1)
            os.dup2(nowhere.fileno(), 1)
            from sockdiag.cli.main import run

            run(["sockdiag", command, "--json", "--interval", "0.1"])
            sys.stdout.flush()
            os.dup2(saved, 1)
            os.close(saved)


def _run(words: list[str]) -> None:
    from sockdiag.cli.main import run

    gc.disable()
    status = 70
    try:
        status = run(["sockdiag", *words])
        sys.stdout.flush()
    except BaseException:  # told on standard error, as Python does
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
