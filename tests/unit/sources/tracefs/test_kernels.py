"""Events of recorded kernels, compared with the text that each kernel printed for the same events."""

from __future__ import annotations

import re
import tarfile
from typing import TYPE_CHECKING

import pytest

from sockdiag.analysis.trace_events import FIELDS, Interpreter
from sockdiag.analysis.trace_sockets import TracedSockets
from sockdiag.kernel.tracepoints import DESTROY_SOCK
from sockdiag.sources.tracefs.formats import parse_format
from sockdiag.sources.tracefs.ring import TracePage, parse_header_page
from tests.recorded import FIXTURES

if TYPE_CHECKING:
    from pathlib import Path

    from sockdiag.analysis.trace_events import Happened

TRACING = sorted((FIXTURES / "kernels").glob("*-tracing.tar.xz"))
# Seconds, the event, and what it says of itself.
_PRINTED = re.compile(r"\s*.{1,16}-\d+ +\[\d+\] \S+ +(\d+\.\d+): (\w+): (.*)")


def recorded(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        files = {}
        for member in archive.getmembers():
            body = archive.extractfile(member) if member.isfile() else None
            if body is not None:
                files[member.name.removeprefix("./")] = body.read()
        return files


def interpreted(files: dict[str, bytes], cpu: str, points: frozenset[str]) -> list[Happened]:
    """Return the events of one CPU; each tracepoint alone, as two of them would be joined."""
    layouts = {
        point: parse_format(files[f"events/{point}/format"], point)
        for point in FIELDS
        if f"events/{point}/format" in files
    }
    symbols = {(point, name): words for point, one in layouts.items() for name, words in one.symbols.items()}
    readers = {one.id: (point, one.reader(FIELDS[point])) for point, one in layouts.items() if point in points}
    header = parse_header_page(files["events/header_page"])
    interpreter = Interpreter(TracedSockets(lambda _task: (None, None)), symbols, points)
    found: list[Happened] = []
    pages = files[f"{cpu}/trace_pipe_raw"]
    for begin in range(0, len(pages), header.size):
        page = pages[begin : begin + header.size]
        for at, number, offset, _length in TracePage(page, header).events():
            if number in readers:
                point, reader = readers[number]
                found += interpreter.take(point, at, 0, reader.read(page, offset))
    return found + interpreter.rest()


@pytest.mark.parametrize("point", sorted(set(FIELDS) - {DESTROY_SOCK}))
@pytest.mark.parametrize("path", TRACING, ids=lambda path: path.name.partition("-")[0])
def test_events_are_those_that_the_kernel_printed(path: Path, point: str) -> None:
    """Number, time, ports, states and reason of each."""
    files = recorded(path)
    if f"events/{point}/format" not in files:
        pytest.skip("this kernel does not have it")
    name = point.partition("/")[2]
    for cpu in ("cpu0", "cpu1"):
        lines = [_PRINTED.match(line) for line in files[f"{cpu}/trace"].decode().splitlines()]
        printed = [found.groups() for found in lines if found is not None and found[2] == name]
        # A socket that is given up, and protocols other than TCP, make no event.
        printed = [one for one in printed if not re.search(r"error=0\b|protocol=(?!IPPROTO_TCP|\d)", one[2])]
        events = interpreted(files, cpu, frozenset((point,)))
        events.sort(key=lambda one: one.at)
        # The recording of 5.10 lacks its last page.
        assert len(events) == len(printed) or (path.name.startswith("5.10") and 0.8 < len(events) / len(printed) < 1)
        for event, (seconds, _name, text) in zip(events, printed, strict=False):
            assert abs(event.at / 1e9 - float(seconds)) < 2e-6
            said = dict(re.findall(r"(\w+)[=:] ?(\S+)", text))
            if "sport" in said:
                assert {str(event.local.port), str(event.peer.port)} == {said["sport"], said["dport"]}
            if "newstate" in said:
                assert (f"TCP_{event.old}", f"TCP_{event.state}") == (said["oldstate"], said["newstate"])
            if "reason" in said:
                assert event.reason == said["reason"]
