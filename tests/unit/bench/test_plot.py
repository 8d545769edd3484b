"""The plot has a line for each command that was measured with several numbers of sockets."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from tests.bench.plot import Axis, drawing
from tests.program import PROJECT


def result(**seconds: tuple[float, ...]) -> dict[str, object]:
    """Make a stored result: times at 1,000, 10,000, … sockets."""
    longest = max(map(len, seconds.values()))
    return {
        "runs": [
            {
                "sockets": 10 ** (3 + i),
                "costs": [
                    {"command": name.replace("_", " "), "wall_s": times[i]}
                    for name, times in seconds.items()
                    if i < len(times)
                ],
            }
            for i in range(longest)
        ]
    }


def test_axis() -> None:
    """A tenfold value is the same distance further."""
    axis = Axis(1, 1000, 100, 400)
    assert [axis.place(value) for value in (1, 10, 100, 1000)] == [100, 200, 300, 400]


def test_drawing() -> None:
    """A command that was measured once has no line; the slowest at the end is named first."""
    tree = ET.fromstring(
        drawing(result(sockdiag_states=(0.05, 0.06), **{"sockdiag ss -tan": (0.04, 0.3)}, other=(1, 2)))
    )
    space = "{http://www.w3.org/2000/svg}"
    assert len(tree.findall(f"{space}polyline")) == 2
    names = [text.text for text in tree.findall(f"{space}text") if text.get("fill")]
    assert names == ["sockdiag ss -tan", "sockdiag states"]


def test_the_plot_of_the_document() -> None:
    """The picture in docs/performance.md is well-formed."""
    assert ET.parse(PROJECT / "docs/benchmarks/growth.svg").getroot().tag.endswith("svg")
