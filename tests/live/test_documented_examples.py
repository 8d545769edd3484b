"""What the documents show of conditions is what comes out when they are made.

``--update-golden`` writes what comes out into the documents.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.documents.play import check_shown, condition, shell
from tests.documents.reading import NAMES, blocks, read

if TYPE_CHECKING:
    from pathlib import Path

PLACES = [
    (name, number, block.language)
    for name in NAMES
    for number, block in enumerate(blocks(read(name)))
    if block.declared.get("in")
]
SHOWN = [(name, number) for name, number, language in PLACES if language == "console"]
RUN = [(name, number) for name, number, language in PLACES if language == "sh"]


@pytest.mark.parametrize(("name", "number"), SHOWN)
def test_shown_output_is_what_comes_out(name: str, number: int, request: pytest.FixtureRequest) -> None:
    """An example's output is the program's, but for what it declares to change."""
    check_shown(name, number, renew=request.config.getoption("--update-golden"))


@pytest.mark.parametrize(("name", "number"), RUN)
def test_blocks_that_are_run(name: str, number: int, tmp_path: Path) -> None:
    """A block of commands works as a whole, in an empty folder, and its last one prints something."""
    block = blocks(read(name))[number]
    with condition(block.declared["in"]) as namespace:
        done = shell(block.text, namespace, folder=tmp_path)
    assert (done.returncode, bool(done.stdout)) == (0, True), done.stderr
    assert not [line for line in done.stderr.splitlines() if "could not read" not in line]


def test_a_capture_by_hand_finds_what_is_wrong(tmp_path: Path) -> None:
    """What CONTRIBUTING copies of a system is enough to judge it."""
    (block,) = [block for block in blocks(read("CONTRIBUTING.md")) if block.declared]
    with condition("busy") as namespace:
        done = shell(block.text.replace("doctor", "doctor --ndjson -o code"), namespace, folder=tmp_path)
    found = {json.loads(line)["code"] for line in done.stdout.splitlines() if line.startswith("{")}
    assert {"UDP_RECEIVE_BUFFER_FULL", "ACCEPT_QUEUE_FULL"} <= found
