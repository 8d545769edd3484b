"""The pages that a benchmark leaves: what is on them, where they go, and that all of them are listed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.bench import record
from tests.bench.record import Cost, Machine, Ratio, Results, Run, Start
from tests.needs import need
from tests.program import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

MACHINE = Machine("Fast CPU @ 3 GHz", 2, 15.62, "6.18.1", "CPython 3.11.7", "iproute2-6.1.0", "0.1.0, commit abc1234")
PIPELINE = "ss -tan | awk … | sort | uniq -c"
RESULTS = Results(
    starts=[Start("sockdiag states", 2.94, 2.81, 3.0)],
    runs=[
        Run(20_000, 5, [Cost("sockdiag states", 0.05, 0.05, 11.0)], []),
        Run(
            200_000,
            5,
            [
                Cost("sockdiag states", 0.1234, 0.1, 11.2),
                Cost("sockdiag list --ndjson", 0.9241, 0.8, 76.0),
                Cost(PIPELINE, 1.0, 0.9, None),
            ],
            [
                Ratio("sockdiag states", PIPELINE, 0.1234, 0.1111, 0.15, 11.2, 30),
                Ratio("sockdiag risk", "ss -tanm", None, None, 0.8),
            ],
        ),
    ],
    failures=["sockdiag risk: exit status 1: no"],
)
PAGE = """\
# 2026-11-30: Before & after

Established connections over loopback, in a network namespace of their own. [How to read this](README.md).

| machine | |
|---|---|
| CPU | Fast CPU @ 3 GHz, 2 cores |
| memory | 15.6 GiB |
| kernel | 6.18.1 |
| Python | CPython 3.11.7 |
| ss | iproute2-6.1.0 |
| sockdiag | 0.1.0, commit abc1234 |

| start in an idle namespace | starts of the bare interpreter | in CPU time | target |
|---|---|---|---|
| `sockdiag states` | 2.94 | 2.81 | 3.0 |

## 20,000 sockets

Medians of 5 runs (`ss -tanp` and `lsof`: one run).

| command | against | wall ratio (target) | CPU ratio | peak MiB (target) |
|---|---|---|---|---|

| command | wall s | CPU s | peak MiB |
|---|---|---|---|
| `sockdiag states` | 0.050 | 0.050 | 11 |

## 200,000 sockets

Medians of 5 runs (`ss -tanp` and `lsof`: one run).

| command | against | wall ratio (target) | CPU ratio | peak MiB (target) |
|---|---|---|---|---|
| `sockdiag states` | `ss -tan \\| awk … \\| sort \\| uniq -c` | 0.123 (0.15) | 0.111 | 11 (30) |
| `sockdiag risk` | `ss -tanm` | not measured (0.8) | not measured | not measured |

| command | wall s | CPU s | peak MiB |
|---|---|---|---|
| `sockdiag states` | 0.123 | 0.100 | 11 |
| `sockdiag list --ndjson` | 0.924 | 0.800 | 76 |
| `ss -tan \\| awk … \\| sort \\| uniq -c` | 1.000 | 0.900 | too small to measure |

## Growth

* `sockdiag states`: 2.5 times as long for 200,000 sockets as for 20,000

Failed: sockdiag risk: exit status 1: no
"""


def test_page() -> None:
    """A page has the machine, every figure, what was not measured, and what failed."""
    assert record.page("Before & after", "2026-11-30", MACHINE, RESULTS) == PAGE


def test_row_of_the_index() -> None:
    """The row of a run links its page; a command that was not run is not measured."""
    row = record.index_row("Before & after", "2026-11-30", "x.md", MACHINE, RESULTS)
    assert row == (
        "| [2026-11-30: Before & after](x.md) | 0.1.0, commit abc1234 | 200,000 | 0.123 s | 0.924 s | not measured |\n"
    )


def test_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is written to a page that is named after date and title, and listed once however often it is written."""
    monkeypatch.setattr(record.time, "strftime", lambda _format: "2026-11-30")
    (tmp_path / "README.md").write_text("| run |\n")
    for _ in range(2):
        path = record.write("Before & after", RESULTS, MACHINE, tmp_path)
        assert path == tmp_path / "2026-11-30-before-after.md"
        assert path.read_text(encoding="utf-8") == PAGE
    assert (tmp_path / "README.md").read_text(encoding="utf-8").count("](2026-11-30-before-after.md)") == 1
    found = json.loads((tmp_path / "2026-11-30-before-after.json").read_text())
    assert [run["sockets"] for run in found["runs"]] == [20_000, 200_000]
    assert found["runs"][1]["costs"][0] == {
        "command": "sockdiag states",
        "wall_s": 0.1234,
        "cpu_s": 0.1,
        "peak_mib": 11.2,
    }


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("processor\t: 0\nmodel name\t: Intel(R)  Xeon(R) CPU\nmodel name\t: Other\n", "Intel(R) Xeon(R) CPU"),
        ("processor\t: 0\nBogoMIPS\t: 50.00\n", record.platform.machine()),
    ],
)
def test_cpu_model(text: str, model: str) -> None:
    """The first CPU's name is taken; where the kernel gives none, the architecture."""
    assert record.cpu_model(text) == model


def test_this_machine() -> None:
    """What is asked of this machine is known."""
    need("ss")
    machine = record.this_machine()
    assert machine.cores >= 1
    assert machine.memory_gib > 0
    assert machine.python.startswith("CPython 3.")
    assert re.match(r"\d+\.\d+", machine.kernel)


def test_every_page_is_listed() -> None:
    """Every page of docs/benchmarks is dated and listed once."""
    folder = PROJECT / "docs" / "benchmarks"
    index = (folder / "README.md").read_text(encoding="utf-8")
    pages = [path.name for path in folder.glob("*.md") if path.name != "README.md"]
    assert pages
    for name in pages:
        assert re.match(r"20\d\d-[01]\d-[0-3]\d-", name), name
        assert index.count(f"]({name})") == 1, name
