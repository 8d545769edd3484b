"""Our bytes are the installed ss's on the command lines that people and programs type."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.differential.pair import PROJECT
from tests.differential.real_use import command_lines
from tests.differential.world import make_all
from tests.live.world.namespace import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live

_LINES = command_lines()
_POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


@pytest.fixture(scope="module")
def world() -> Iterator[Namespace]:
    namespace = Namespace()
    assert namespace.call(make_all) > 100
    yield namespace
    namespace.close()


def differences(
    command: tuple[str, ...], lines: list[list[str]], columns: int = 0, before: tuple[str, ...] = ()
) -> str:
    job = {
        "lines": lines,
        "columns": columns,
        "before": before,
        "env": {"SOCKDIAG_SS_ESCAPE": "never"} if columns else {},
    }
    done = subprocess.run(
        [*command, sys.executable, "-m", "tests.differential.forked"],
        input=json.dumps(job).encode(),
        capture_output=True,
        cwd=PROJECT,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    return "\n".join([f"{len(found)} of {len(lines)} differ", *found[:40]]) if found else ""


def entered(world: Namespace) -> tuple[str, ...]:
    return ("nsenter", f"--net={world.path}")


def test_there_are_enough() -> None:
    assert len({tuple(line) for lines in _LINES.values() for line in lines}) >= 900


@pytest.mark.parametrize("kind", _LINES)
def test_pipes(kind: str, world: Namespace) -> None:
    assert differences(entered(world), _LINES[kind]) == ""


@pytest.mark.parametrize(("kind", "columns"), list(zip(_LINES, (80, 132, 200, 60, 100), strict=True)))
def test_terminals(kind: str, columns: int, world: Namespace) -> None:
    """Names of others are raw here: what terminals get instead is tested elsewhere."""
    assert differences(entered(world), _LINES[kind], columns) == ""


@pytest.mark.needs("setpriv")
@pytest.mark.parametrize("kind", _LINES)
def test_without_privileges(kind: str, world: Namespace) -> None:
    lines = [line for line in _LINES[kind] if "-K" not in line[0] and line[0] != "--kill"]  # SAFER-8
    assert differences((*entered(world), *_POWERLESS), lines) == ""


@pytest.mark.parametrize("kind", _LINES)
def test_named_namespaces(kind: str, world: Namespace) -> None:
    name = f"sockdiag-{uuid.uuid4().hex[:8]}"
    if subprocess.run(["ip", "netns", "attach", name, str(world.pid)], capture_output=True, check=False).returncode:
        pytest.skip("named network namespaces cannot be made here")
    try:
        assert differences((), _LINES[kind][::4], before=("-N", name)) == ""
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
