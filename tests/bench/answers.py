"""Whether the answers that are timed are right: a fast wrong answer is none."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.measure import Runner

    Words = Callable[[tuple[str, ...]], list[str] | None]

# What ss prints is compared byte by byte, except times that pass meanwhile, and blanks at the end, which depend on their digits.
PASSING = re.compile(rb" (lastsnd|lastrcv|lastack|busy):\d+(ms)?| +$", re.MULTILINE)
SAME = ("-tan", "-tane", "-tanm", "-tan dport = :7", "-tani", "-tanmie")


def wrong_answers(words: Words, runner: Runner, sockets: int) -> Iterator[str]:
    """Yield what is wrong with the answers about *sockets* established TCP sockets."""
    with tempfile.NamedTemporaryFile(prefix="sockdiag-bench-") as file:

        def answer(*command: str) -> bytes:
            full = words(command)
            assert full is not None
            runner.run(full, file.name)
            return Path(file.name).read_bytes()

        for command, count in COUNTED.items():
            found: object
            try:
                found = count(answer("sockdiag", *command.split()))
            except (ValueError, KeyError, TypeError) as error:
                found = repr(error)
            if found != sockets:
                yield f"sockdiag {command}: {found}, not {sockets} TCP sockets"
        if not same_version(words(("ss", "-V"))):
            return
        for options in SAME:
            line = options.split(maxsplit=1)
            theirs, ours = (PASSING.sub(b"", answer(*start, *line)) for start in (("ss",), ("sockdiag", "ss")))
            if theirs != ours:
                yield f"sockdiag ss {options}: other bytes than ss"


def same_version(command: list[str] | None) -> bool:
    """Tell whether `sockdiag ss` prints the bytes of this ss."""
    assert command is not None
    return "iproute2-7.1" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _states(document: bytes) -> Any:
    return sum(row["count"] for row in json.loads(document)["states"] if row["netid"] == "tcp")


def _groups(document: bytes) -> Any:
    return sum(
        state["count"]
        for group in json.loads(document)["groups"]
        for state in group["states"]
        if state["netid"] == "tcp"
    )


def _metric(text: bytes) -> int:
    found = re.findall(rb'^sockdiag_sockets\{netid="tcp",.*\} (\d+)$', text, re.MULTILINE)
    return sum(map(int, found))


def _csv(text: bytes) -> int:
    return sum(row["netid"] == "tcp" for row in csv.DictReader(text.decode().splitlines()))


# Command: how many TCP sockets its answer is about.
COUNTED: dict[str, Callable[[bytes], Any]] = {
    "states --json": _states,
    "states --exact --json": _states,
    "states --by port --json": _groups,
    "states --by process --json": _groups,
    "metrics": _metric,
    "list --json": lambda document: sum(row["netid"] == "tcp" for row in json.loads(document)["sockets"]),
    "list --ndjson": lambda text: sum(json.loads(line)["netid"] == "tcp" for line in text.splitlines()),
    "list --csv": _csv,
    "list -H": lambda text: sum(line.startswith(b"tcp ") for line in text.splitlines()),
}
