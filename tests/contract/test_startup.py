"""What a start imports: nothing that its question does not need."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import sys
from sockdiag.cli.main import run
try:
    status = run(["sockdiag", *sys.argv[1:]])
finally:
    names = sorted(sys.modules)
    print(*names, file=sys.stderr)
"""

NEVER = {"typer", "pyroute2", "psutil", "tabulate", "rich", "click", "pydantic", "dataclasses", "asyncio", "logging"}


def modules(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, *words], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["states"],
        ["list"],
        ["list", "--csv"],
        ["states", "--where", "state = listening"],
        ["limits"],
        ["metrics"],
    ],
    ids=" ".join,
)
def test_plain_commands_import_nothing_heavy(words: list[str]) -> None:
    """No plain command imports a runtime dependency."""
    assert modules(*words) & NEVER == set()


def test_version_imports_next_to_nothing() -> None:
    """--version imports neither the sources nor the model of sockets."""
    assert not {name for name in modules("--version") if name.startswith(("sockdiag.sources", "sockdiag.model"))}


def test_states_imports_no_regular_expressions() -> None:
    """The commands of cron jobs stay clear of what costs more than the answer."""
    assert modules("states") & {"re", "enum", "typing", "inspect", "subprocess", "socket"} == set()


def test_check_leaves_the_engine_to_its_child() -> None:
    """The process that keeps the deadline parses the command line, and imports nothing that only the answer needs."""
    assert (
        modules("check") & {"sockdiag.survey.reader", "sockdiag.survey.diagnose", "sockdiag.render.document"} == set()
    )


# The child's work, in this process.
CHECK = """
import os, sys
from sockdiag.sources.system import forked
class Held:
    def __init__(self, data): self.data = data
    def arrived(self, *_): pass
    def lost(self, *_): pass
forked.answer_of = lambda function, *_: Held(function())
from sockdiag.cli.main import run
run(["sockdiag", "check", "--interval", "0", "--state", sys.argv[1]])
print(*sys.modules, file=sys.stderr)
"""


def test_a_check_imports_nothing_slow(tmp_path: Path) -> None:
    """Neither parent nor child imports what takes longer than its share of the answer: pickle alone takes 5 ms."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", CHECK, tmp_path / "state"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("SOCKDIAG ")
    imported = set(done.stderr.splitlines()[-1].split())
    assert "sockdiag.survey.diagnose" in imported
    slow = {"re", "enum", "pickle", "typing", "inspect", "subprocess", "functools"}  # array brings collections
    assert imported & (NEVER | slow) == set()


def test_the_program_ends_without_taking_itself_apart() -> None:
    """What runs at the interpreter's end does not run: neither does the work of freeing every object."""
    code = "import atexit, sys; atexit.register(print, 'late'); sys.argv = ['sockdiag', '--version']; "
    code += "from sockdiag.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("sockdiag ")
    assert "late" not in done.stdout
