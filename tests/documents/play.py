"""Play an example: in a namespace that a condition filled, or on a capture."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.documents import conditions
from tests.documents.masks import as_shown, mask
from tests.documents.reading import blocks, read
from tests.live.world.namespace import Namespace, netns
from tests.program import FIXTURES, PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.documents.reading import Block

# The program under test is called by its name, and by nothing that is installed.
_PROGRAM = f'sockdiag() {{ {sys.executable} -m sockdiag "$@" $CAPTURED; }}\n'


def shell(
    line: str, namespace: Namespace | None = None, root: str = "", folder: Path = PROJECT
) -> subprocess.CompletedProcess[str]:
    """Run a command line as a reader would, in a namespace or on a capture."""
    captured = f"--root {FIXTURES / root}" if root else ""
    env = {**os.environ, "PYTHONPATH": str(PROJECT), "CAPTURED": captured, "LC_ALL": "C.UTF-8", "COLUMNS": "200"}
    inside = ["nsenter", f"--net={namespace.path}"] if namespace else []
    return subprocess.run(
        [*inside, "sh", "-c", _PROGRAM + line],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@contextlib.contextmanager
def condition(name: str) -> Iterator[Namespace]:
    """Give a namespace that a function of tests/documents/conditions.py filled."""
    with netns() as namespace:
        namespace.call(getattr(conditions, name))
        time.sleep(0.1)
        yield namespace


def play(block: Block) -> str:
    """Return a console as it is now."""
    if "in" not in block.declared:
        return _turns(block, None)
    with condition(block.declared["in"]) as namespace:
        return _turns(block, namespace)


def _turns(block: Block, namespace: Namespace | None) -> str:
    text = ""
    for command, _output in block.turns():
        done = shell(command, namespace)
        assert done.returncode == 0, f"{command}: exit status {done.returncode}: {done.stderr}"
        text += f"$ {command}\n{done.stdout}"
    return text


def check_shown(name: str, number: int, *, renew: bool) -> None:
    """Fail unless what a console of a document shows is what comes out; *renew* writes that into the document first."""
    text = read(name)
    block = blocks(text)[number]
    played = play(block)
    if renew:
        text = renewed(text, block, played)
        (PROJECT / name).write_text(text, encoding="utf-8")
        block = blocks(text)[number]
    compare(block, played)


def compare(block: Block, played: str) -> None:
    """Fail unless a console shows what came out; figures that are declared to be one kernel's are compared on that only."""
    shown, came = mask(block.text, block.masks), mask(played, block.masks)
    if not f"{platform.release()}.".startswith(f"{block.declared.get('kernel', platform.release())}."):
        shown, came = (re.sub(r"\d+", "N", re.sub(" +", " ", text)) for text in (shown, came))
    assert shown == came


def renewed(text: str, block: Block, played: str) -> str:
    """Return a document with a console as it is now."""
    end = block.start + len(block.text)
    return text[: block.start] + as_shown(played, block.masks) + text[end:]
