"""Draw how long each program takes for more and more sockets, from a stored result, as SVG: both axes are logarithmic.

python -m tests.bench.plot docs/benchmarks/RESULT.json > docs/benchmarks/growth.svg
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import NamedTuple

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 250, 30, 50
# Command and colour; the C programs are grey and dashed.
LINES = (
    ("ss -tan", "#777777"),
    ("ss -tani", "#aaaaaa"),
    ("bare owners", "#bbbbbb"),
    ("sockdiag states", "#1b7837"),
    ("sockdiag ss -tan", "#2166ac"),
    ("sockdiag ss -tani", "#67a9cf"),
    ("sockdiag list --ndjson", "#762a83"),
    ("sockdiag list -o +processes", "#b2182b"),
    ("sockdiag risk --interval 0", "#e08214"),
)


class Axis(NamedTuple):
    """A logarithmic axis: the values at its two ends, and their places on the drawing."""

    low: float
    high: float
    begin: float
    end: float

    def place(self, value: float) -> float:
        """Return where a value is drawn."""
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.begin + part * (self.end - self.begin), 1)


def series(result: dict[str, object], command: str) -> list[tuple[int, float]]:
    """Return the wall times of a command, by the number of sockets."""
    found = []
    for run in result["runs"]:  # type: ignore[attr-defined]
        found += [(run["sockets"], cost["wall_s"]) for cost in run["costs"] if cost["command"] == command]
    return sorted(found)


def drawing(result: dict[str, object]) -> str:
    """Return the plot of a result as SVG."""
    drawn = [(command, colour, series(result, command)) for command, colour in LINES]
    drawn = [one for one in drawn if len(one[2]) > 1]
    points = [point for _command, _colour, line in drawn for point in line]
    x = Axis(min(n for n, _s in points), max(n for n, _s in points), LEFT, WIDTH - RIGHT)
    powers = range(
        math.floor(math.log10(min(s for _n, s in points))), math.ceil(math.log10(max(s for _n, s in points))) + 1
    )
    y = Axis(10.0 ** powers[0], 10.0 ** powers[-1], HEIGHT - BOTTOM, TOP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for power in powers:
        at = y.place(10.0**power)
        lines.append(f'<line x1="{x.begin}" y1="{at}" x2="{x.end}" y2="{at}" stroke="#dddddd"/>')
        lines.append(f'<text x="{x.begin - 8}" y="{at + 4}" text-anchor="end">{10.0**power:g} s</text>')
    for sockets in sorted({n for n, _s in points}):
        at = x.place(sockets)
        lines.append(f'<line x1="{at}" y1="{y.begin}" x2="{at}" y2="{y.end}" stroke="#eeeeee"/>')
        lines.append(f'<text x="{at}" y="{y.begin + 18}" text-anchor="middle">{sockets:,}</text>')
    lines.append(f'<text x="{(x.begin + x.end) / 2}" y="{HEIGHT - 10}" text-anchor="middle">sockets</text>')
    names: list[float] = []
    for command, colour, line in sorted(drawn, key=lambda one: -one[2][-1][1]):
        dash = "" if command.startswith("sockdiag") else ' stroke-dasharray="5 3"'
        path = " ".join(f"{x.place(n)},{y.place(s)}" for n, s in line)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        at = y.place(line[-1][1])
        names.append(at if not names else max(at, names[-1] + 15))
        lines.append(f'<text x="{x.end + 8}" y="{names[-1] + 4}" fill="{colour}">{command}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(drawing(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
