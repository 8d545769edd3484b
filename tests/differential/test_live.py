"""Our bytes are the installed ss's, on every kind of socket that can be made here."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.differential import command_lines
from tests.differential.pair import OURS, PROJECT, environment
from tests.differential.terminal import run_on_terminal
from tests.differential.world import make_all
from tests.live.world.namespace import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live

_GROUPS = {
    "tables": command_lines.tables(),
    "pairs": command_lines.pairs(),
    "words": command_lines.words(),
    "filters": command_lines.filters(),
    "wrong": command_lines.WRONG,
}


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    namespace = Namespace()
    assert namespace.call(make_all) > 100
    yield namespace
    namespace.close()


def test_there_are_enough_command_lines() -> None:
    assert sum(map(len, _GROUPS.values())) >= 400


@pytest.mark.parametrize("group", _GROUPS)
def test_command_lines(group: str, namespace: Namespace) -> None:
    lines = [command_lines.words_of(line) for line in _GROUPS[group]]
    done = subprocess.run(
        ["nsenter", f"--net={namespace.path}", sys.executable, "-m", "tests.differential.runner"],
        input=json.dumps(lines).encode(),
        capture_output=True,
        cwd=PROJECT,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    differences = json.loads(done.stdout)
    assert not differences, "\n".join([f"{len(differences)} of {len(lines)} differ", *differences[:10]])


@pytest.mark.parametrize("columns", [1, 40, 60, 80, 81, 100, 132, 200, 300])
@pytest.mark.parametrize("line", ["-tan", "-uane", "-xa", "-0anem", "-tanO --tos"])
def test_terminals(line: str, columns: int, namespace: Namespace) -> None:
    enter = ["nsenter", f"--net={namespace.path}"]
    for _attempt in range(5):
        wanted = run_on_terminal([*enter, "ss", *line.split()], columns, environment())
        if run_on_terminal([*enter, *OURS, *line.split()], columns, environment(SOCKDIAG_SS_ESCAPE="never")) == wanted:
            return
    raise AssertionError(f"{line} differs on a terminal of {columns} columns")
