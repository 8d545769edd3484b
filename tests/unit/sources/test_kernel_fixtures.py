"""The captures of distribution kernels, made by ``make test-kernels ARGS=--capture``."""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from sockdiag.kernel.tcp_states import HASHED_STATES
from sockdiag.model.counter_table import known_counter
from sockdiag.model.query import INET, SKMEM
from sockdiag.sources.capture.transport import captured_system
from sockdiag.sources.proc.mib import parse_netstat, parse_snmp, parse_snmp6
from tests.live.permitted import FIELDS, Seen
from tests.live.test_netlink_vs_proc import TABLES, by_identity
from tests.live.world import model, record
from tests.recorded import FIXTURES
from tests.unit.sources.trace_pages import Format, events, header_sizes

if TYPE_CHECKING:
    from pathlib import Path

    from sockdiag.model.socket import Socket

KERNELS = FIXTURES / "kernels"
WORLDS = sorted(KERNELS.glob("*-world.tar.xz"))
TRACING = sorted(KERNELS.glob("*-tracing.tar.xz"))
# Process, CPU, flags, seconds and the event of a line of the file "trace".
_PRINTED = re.compile(r"\s*.{1,16}-(\d+) +\[\d+\] \S+ +(\d+\.\d+): (\w+): ")
# Time passed between the two looks.
_MOVES = ("timer.", "refs")


def read(path: Path, table: str, source: str) -> list[Socket]:
    needs = frozenset({SKMEM, INET})
    sockets, _sources, _gaps = record.collect(
        captured_system(str(path)), source=source, tables=(table,), needs=needs, states=HASHED_STATES
    )
    return sockets


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("path", WORLDS, ids=lambda path: path.name.partition("-")[0])
def test_netlink_and_proc_say_the_same(path: Path, table: str) -> None:
    """Of the same sockets, every field that both tell."""
    one, two = (by_identity(read(path, table, source)) for source in ("netlink", "proc"))
    if not one and not two:
        pytest.skip(f"this kernel: no {table}")
    names: Counter[str] = Counter()
    differences = []
    for key in one.keys() & two.keys():
        told, said = (dict(model.flat(row[key])) for row in (one, two))
        for name in told.keys() & said.keys():
            if told[name] is None or said[name] is None or name.startswith(_MOVES):
                continue
            names[name] += 1
            seen = Seen(told[name], said[name], told[name], one[key])
            if told[name] != said[name] and not permitted(table, name, seen):
                differences.append((key, name, told[name], said[name]))
    assert differences == []
    assert len(one.keys() & two.keys()) >= min(len(one), len(two)) - 3
    assert names.keys() >= {"netid", "inode"}
    assert sum(names.values()) >= 5 * len(one)


@pytest.mark.parametrize("path", WORLDS, ids=lambda path: path.name.partition("-")[0])
def test_every_counter_is_known(path: Path) -> None:
    """The table of counters says of each counter of these kernels what it means."""
    files = unpacked(path)
    for name, parse in (("snmp", parse_snmp), ("netstat", parse_netstat), ("snmp6", parse_snmp6)):
        counters = parse(files[f"proc/net/{name}"])
        assert len(counters) > 50
        assert [counter for counter in counters if known_counter(counter) is None] == []


def permitted(table: str, name: str, seen: Seen) -> bool:
    return any(table in rule.tables and name == rule.field and rule.holds(seen) for rule in FIELDS)


@pytest.mark.parametrize("path", TRACING, ids=lambda path: path.name.partition("-")[0])
def test_pages_of_events_are_what_the_kernel_prints(path: Path) -> None:
    """Names, times and processes of the events in raw pages are those of the text that the kernel made of them."""
    files = unpacked(path)
    parsed = [Format.parse(body.decode()) for name, body in files.items() if name.endswith("/format")]
    formats = {one.number: one for one in parsed}
    header = header_sizes(files["events/header_page"].decode())
    seen: Counter[str] = Counter()
    for name, pages in files.items():
        if not name.endswith("/trace_pipe_raw"):
            continue
        text = files[name.replace("trace_pipe_raw", "trace")].decode()
        lines = filter(None, map(_PRINTED.match, text.splitlines()))
        printed = [(line[3], int(line[2].replace(".", "")), int(line[1])) for line in lines]
        mine = [
            (formats[e.kind].name, e.nanoseconds // 1000, e.pid) for e in events(pages, header) if e.kind in formats
        ]
        assert len(mine) <= len(printed)
        for ours, theirs in zip(mine, printed, strict=False):
            assert ours[0] == theirs[0]
            assert abs(ours[1] - theirs[1]) <= 1
            assert ours[2] == theirs[2]
        seen.update(event for event, _time, _pid in mine)
    assert seen.keys() >= {
        *("inet_sock_set_state", "kfree_skb", "tcp_destroy_sock", "tcp_receive_reset", "tcp_retransmit_skb"),
        *("tcp_retransmit_synack", "tcp_send_reset", "udp_fail_queue_rcv_skb"),
    }


def unpacked(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {info.name: archive.extractfile(info).read() for info in archive if info.isfile()}  # type: ignore[union-attr]
