"""What the documents show of conditions is what comes out when they are made.

``--update-golden`` writes what comes out into the documents.
"""

from __future__ import annotations

import pytest

from tests.documents.play import compare, play, renewed
from tests.documents.reading import NAMES, blocks, read
from tests.program import PROJECT

SHOWN = [
    (name, number) for name in NAMES for number, block in enumerate(blocks(read(name))) if block.declared.get("in")
]


@pytest.mark.parametrize(("name", "number"), SHOWN)
def test_shown_output_is_what_comes_out(name: str, number: int, request: pytest.FixtureRequest) -> None:
    """An example's output is the program's, but for what it declares to change."""
    text = read(name)
    block = blocks(text)[number]
    played = play(block)
    if request.config.getoption("--update-golden"):
        text = renewed(text, block, played)
        (PROJECT / name).write_text(text, encoding="utf-8")
        block = blocks(text)[number]
    compare(block, played)
