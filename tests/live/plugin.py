"""Run ``sockdiag check`` as a monitoring system does, and read what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from sockdiag.check.entries import read_entries, write_entries
from tests.live.world.namespace import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sockdiag.check.entries import Stored
    from tests.live.world.namespace import Namespace

CHECK = [sys.executable, "-m", "sockdiag", "check"]
# Rules about the namespace alone: the host's own troubles are not the test's.
RULES = ("--rule", "UDP_DROPS,UDP_RECEIVE_BUFFER_FULL,LISTEN_DROP,DEVICE_DROP")
NOTHING = "4 rules checked, no findings"

_TIMES = re.compile(r"\b(\d+ (d|h|min) )*(\d+(\.\d+)? m?s|\d+ (d|h|min))\b")


class Said(NamedTuple):
    """Exit status and standard output."""

    status: int
    out: str

    @property
    def first(self) -> str:
        """The status line as it is."""
        return self.out.splitlines()[0]

    @property
    def line(self) -> str:
        """The status line without performance data; seconds are N."""
        return _TIMES.sub("N s", self.first.partition("|")[0])

    @property
    def data(self) -> dict[str, str]:
        """Performance data: what stands behind each label."""
        found = re.findall(r"(?:'((?:[^']|'')*)'|([^ '=]+))=(\S+)", self.first.partition("|")[2])
        return {quoted or bare: value for quoted, bare, value in found}


def check(*words: str, namespace: Namespace | None = None, prefix: tuple[str, ...] = (), seconds: float = 10.0) -> Said:
    """Run it: no HOME, LANG=C, no terminal, a closed standard input, ten seconds."""
    enter = () if namespace is None else ("nsenter", f"--net={namespace.path}")
    done = subprocess.run(
        [*prefix, *enter, *CHECK, *words],
        cwd=PROJECT,
        env={"LANG": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        preexec_fn=lambda: os.close(0),
        capture_output=True,
        start_new_session=True,
        timeout=seconds,
        check=False,
    )
    assert done.stderr == b""
    return Said(done.returncode, done.stdout.decode("ascii"))


def edit(path: Path, change: Callable[[Stored], Stored]) -> None:
    """Change the entries of a state file."""
    entries, damaged = read_entries(path.read_bytes())
    assert not damaged
    path.write_bytes(write_entries(change(entry) for entry in entries))


def older(path: Path, seconds: float = 60.0) -> None:
    """Make the entries older."""
    edit(path, lambda e: e._replace(looked_at=e.looked_at - seconds, judged_at=e.judged_at - seconds))
