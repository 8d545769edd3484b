"""Run the program in this process, on descriptors of its own, and say what came of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sockdiag.cli.env import Env
from sockdiag.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.sources.system.machine import System

PROJECT = Path(__file__).parents[1]
FIXTURES = PROJECT / "tests" / "fixtures"


class Answer(NamedTuple):
    """Exit status, and what was written where."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Standard output as text, exactly."""
        return self.out.decode("utf-8", "surrogateescape")


def invoke(*words: str, system: Callable[[str], System] | None = None) -> Answer:
    """Run ``sockdiag WORDS``; its environment is empty, and its output no terminal."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        env = Env(out=out.fileno(), err=err.fileno(), environ={}, system=system)
        status = run(["sockdiag", *words], env)
        return Answer(status, _all(out.fileno()), _all(err.fileno()).decode("utf-8", "surrogateescape"))


def _all(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    return os.pread(fd, size, 0)
