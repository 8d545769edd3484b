"""Run the program in this process, on descriptors of its own, and say what came of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sockdiag.cli.catalog import COMMANDS, load
from sockdiag.cli.env import Env
from sockdiag.cli.main import run
from sockdiag.cli.options import ROOT

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


def of(root: Path | str, *words: str) -> tuple[str, ...]:
    """Return a command line that reads a capture, if its command reads a system at all."""
    name = words[0] if words and not words[0].startswith("-") else ""
    reads = words[:1] != ("-V",) and (name not in COMMANDS or ROOT in load(name).options)
    return (*words, "--root", str(root)) if reads else words


def invoke(*words: str, system: Callable[[str], System] | None = None) -> Answer:
    """Run ``sockdiag WORDS``; its environment is empty, and its output no terminal."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        env = Env(out=out.fileno(), err=err.fileno(), environ={}, system=system)
        status = run(["sockdiag", *words], env)
        return Answer(status, _all(out.fileno()), _all(err.fileno()).decode("utf-8", "surrogateescape"))


def _all(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    return os.pread(fd, size, 0)


def of_redaction(words: list[str], folder: Path) -> list[str]:
    """Return a command line of redact, of which a fixture is the capture and all else is in a folder."""
    capture = str(FIXTURES / "6.18-empty")
    given = str(folder / "given.tar.gz")
    invoke("redact", capture, given)
    if "--verify" in words:
        return ["redact", "--verify", given]
    mapping = ["--mapping", f"{given}.mapping"] if "--mapping" in words else []
    return ["redact", capture, str(folder / "other.tar.gz"), *mapping]
