"""The tables of docs/kernels.md, from the results that tests/kernels keeps."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from sockdiag.model.finding import VERDICTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

BEGIN, END = "<!-- generated: begin -->\n", "<!-- generated: end -->\n"
RESULTS = Path(__file__).parents[2] / "tests" / "kernels" / "results"


def kernels() -> list[dict[str, Any]]:
    """Return the results of each kernel, oldest first."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("*.json")]
    return sorted(found, key=lambda one: [int(part) for part in one["release"].split("-")[0].split("+")[0].split(".")])


def page(text: str) -> str:
    """Return the page with its tables regenerated."""
    before, _begin, rest = text.partition(BEGIN)
    _old, _end, after = rest.partition(END)
    return f"{before}{BEGIN}{''.join(_lines(kernels()))}{END}{after}"


def _lines(found: list[dict[str, Any]]) -> Iterator[str]:
    yield "| kernel | seen on | passed | skipped | failed |\n|---|---|---|---|---|\n"
    for one in found:
        files = one["tests"].values()
        counts = [sum(f["passed"] for f in files), *(sum(len(f[key]) for f in files) for key in ("skipped", "failed"))]
        yield f"| {one['release']} | {one['date']} | {' | '.join(map(str, counts))} |\n"
    yield from _features(found)
    yield from _tests(found)
    yield from _matrices(found)
    for key, title in (("failed", "Failed"), ("skipped", "Skipped")):
        yield from _reasons(found, key, title)


def _head(found: list[dict[str, Any]], first: str) -> str:
    return f"| {first} | {' | '.join(_series(one) for one in found)} |\n{'|---' * (len(found) + 1)}|\n"


def _series(one: dict[str, Any]) -> str:
    return ".".join(one["release"].split(".")[:2])


def _features(found: list[dict[str, Any]]) -> Iterator[str]:
    names = sorted({name for one in found for name in one["features"]})
    yield f"\n## What each kernel has\n\n{_head(found, 'socket, module, event')}"
    for name in names:
        cells = [_feature(one["features"].get(name)) for one in found]
        yield f"| {name} | {' | '.join(cells)} |\n"


def _feature(why: str | None) -> str:
    if why is None:
        return "not tried"
    return _cell(why) if why else "yes"


def _tests(found: list[dict[str, Any]]) -> Iterator[str]:
    yield f"\n## Tests\n\nPassed, of all that ran.\n\n{_head(found, 'file')}"
    for name in sorted({name for one in found for name in one["tests"]}):
        yield f"| {_file(name)} | {' | '.join(_passed(one['tests'].get(name)) for one in found)} |\n"


def _file(name: str) -> str:
    path, _space, boot = name.partition(" ")
    return f"`{path}` {boot}".rstrip()


def _passed(counts: dict[str, Any] | None) -> str:
    if counts is None:
        return ""
    ran = counts["passed"] + len(counts["failed"])
    return f"{counts['passed']} of {ran}" if ran else "skipped"


def _matrices(found: list[dict[str, Any]]) -> Iterator[str]:
    for one in found:
        told = Counter((verdict, said) for verdict, said in one["scenarios"].values())
        if not told:
            continue
        columns = [*VERDICTS, *(["failed"] if any(said == "failed" for _v, said in told) else [])]
        yield f"\n## Verdicts under {_series(one)}\n\n| condition \\ verdict | {' | '.join(columns)} |\n"
        yield "|---" * (len(columns) + 1) + "|\n"
        for verdict in VERDICTS:
            if any(wanted == verdict for wanted, _said in told):
                cells = [str(told[verdict, said] or " ") for said in columns]
                yield f"| {verdict} | {' | '.join(cells)} |\n"


def _reasons(found: list[dict[str, Any]], key: str, title: str) -> Iterator[str]:
    places: dict[tuple[str, str], list[str]] = {}
    for one in found:
        for file, counts in one["tests"].items():
            for test, why in counts[key].items():
                name = test.partition("[")[0]
                kernels_of = places.setdefault((f"{_file(file)}: {name}", why), [])
                if _series(one) not in kernels_of:
                    kernels_of.append(_series(one))
    if places:
        yield f"\n## {title}\n\n| test | under | why |\n|---|---|---|\n"
    for (test, why), series in sorted(places.items()):
        yield f"| {test} | {', '.join(series)} | {_cell(why)} |\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
