"""Files of counters that other projects captured from real systems of many years."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.sources.proc.mib import parse_netstat, parse_snmp, parse_snmp6
from sockdiag.sources.proc.net_dev import parse_dev
from sockdiag.sources.proc.net_protocols import parse_protocols, parse_used
from sockdiag.sources.proc.net_sockstat import parse_sockstat, parse_sockstat6
from sockdiag.sources.proc.net_softnet_stat import parse_softnet_stat
from sockdiag.sources.proc.net_stat_nf_conntrack import parse_nf_conntrack_stat
from tests.recorded import CORPORA

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GO = CORPORA / "prometheus/procfs/testdata/fixtures.ttar.d/fixtures/proc"
GOPROCINFO = CORPORA / "c9s/goprocinfo/linux/proc"
DIAMOND = CORPORA / "python-diamond/Diamond/src/collectors"

pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason="no ../shared/corpora beside the project")

# Parser -> names of files, as glob patterns from the corpora's root.
FILES: dict[Callable[[bytes], Any], tuple[str, ...]] = {
    parse_snmp: ("**/net/snmp", "**/proc/snmp", "**/proc_net_snmp_[0-9]", "**/test.rs.d/sample_01.txt"),
    parse_netstat: ("**/net/netstat", "**/proc_net_netstat_*", "**/net_netstat_*", "**/test.rs.d/sample_02.txt"),
    parse_snmp6: ("**/net/snmp6", "**/proc_net_snmp6_*", "**/dev_snmp6/*", "**/sctp/snmp"),
    parse_sockstat: (
        "**/net/sockstat",
        "**/proc/sockstat",
        "**/proc_net_sockstat",
        "**/net_sockstat_test.go.d/sample_02.txt",
    ),
    parse_sockstat6: ("**/net/sockstat6", "**/proc_net_sockstat6"),
    parse_softnet_stat: ("**/net/softnet_stat",),
    parse_dev: ("**/net/dev", "**/procnetdev"),
    parse_protocols: ("**/net/protocols",),
    parse_nf_conntrack_stat: ("**/net/stat/nf_conntrack",),
}


def samples() -> list[Any]:
    """List every file with its parser."""
    found = ((parse, path) for parse, names in FILES.items() for name in names for path in sorted(CORPORA.glob(name)))
    return [pytest.param(parse, path, id=str(path.relative_to(CORPORA))) for parse, path in found if path.is_file()]


@pytest.mark.parametrize(("parse", "path"), samples())
def test_all_parse(parse: Callable[[bytes], Any], path: Path) -> None:
    """Every sample is understood without an error, and is not empty."""
    body = path.read_bytes()
    parsed = parse(body)
    assert parsed.errors == ()
    if parse in (parse_snmp, parse_netstat, parse_snmp6):
        assert len(parsed) > 0
        values = [line for line in body.split(b"\n") if line.strip()]
        if parse is parse_snmp6:
            assert len(parsed) == len(values)
        else:
            assert len(parsed) == sum(len(line.split()) - 1 for line in values) / 2
    elif parse in (parse_softnet_stat, parse_dev, parse_protocols):
        headings = {parse_softnet_stat: 0, parse_dev: 2, parse_protocols: 1}[parse]
        assert len(parsed) == len(body.strip().split(b"\n")) - headings
    if parse is parse_protocols:
        assert parse_used(body) == {row.name for row in parsed if row.sockets}


def test_enough_samples() -> None:
    """The patterns find what is there."""
    count = {parse: sum(param.values[0] is parse for param in samples()) for parse in FILES}
    assert count[parse_snmp] >= 9
    assert count[parse_netstat] >= 6
    assert count[parse_snmp6] >= 12
    assert count[parse_sockstat] >= 5
    assert min(count.values()) >= 1


def test_snmp_values() -> None:
    """Counters beyond 2**32, a signed one, ICMP types."""
    counters = parse_snmp((GOPROCINFO / "snmp").read_bytes())
    assert counters["Ip.InReceives"] == 15379636127
    assert counters["Tcp.MaxConn"] == -1
    assert counters["Tcp.CurrEstab"] == 41
    assert counters["Tcp.OutSegs"] == 18216233673
    assert counters["Udp.RcvbufErrors"] == 2329341
    assert counters["IcmpMsg.InType37"] == 2
    assert counters.get("Udp.MemErrors") is None
    old = parse_snmp((DIAMOND / "udp/test/fixtures/proc_net_snmp_2").read_bytes())
    assert (old["Udp.InErrors"], old.get("Udp.RcvbufErrors")) == (5, None)


def test_netstat_values() -> None:
    """An old kernel's list, with names that are gone and without those that came."""
    counters = parse_netstat((DIAMOND / "tcp/test/fixtures/proc_net_netstat_2").read_bytes())
    assert counters["TcpExt.TCPPrequeued"] == 114232
    assert counters["TcpExt.TCPBacklogDrop"] == 0
    assert counters["TcpExt.TCPAbortOnData"] == 143
    assert counters["IpExt.OutOctets"] == 123042466248
    assert counters.get("TcpExt.TCPRcvQDrop") is None
    new = parse_netstat((CORPORA / "dmitriimaksimovdevelop/melisai/testdata/proc/net/netstat").read_bytes())
    assert (new["TcpExt.ListenOverflows"], new["TcpExt.ListenDrops"], new["TcpExt.PruneCalled"]) == (150, 200, 42)


def test_snmp6_values() -> None:
    """Names with the dot; a name without a known prefix stays."""
    counters = parse_snmp6((DIAMOND / "ip/test/fixtures/proc_net_snmp6_1").read_bytes())
    assert counters["Ip6.InReceives"] == 107795245
    assert counters["Icmp6.InType136"] == 8396
    device = parse_snmp6((GO / "net/dev_snmp6/eth0").read_bytes())
    assert (device["ifIndex"], device["Ip6.InReceives"]) == (1, 3057229)


def test_sockstat_values() -> None:
    """All levels of both files."""
    stat = parse_sockstat((GO / "net/sockstat").read_bytes())
    assert stat._values()[:12] == (1602, 35, 0, 4, 59, 22, 12, 62, 0, 0, 0, 0)
    six = parse_sockstat6((GO / "net/sockstat6").read_bytes())
    assert six._values()[:6] == (17, 9, 0, 1, 0, 0)


@pytest.mark.parametrize(("sample", "column"), [("sample_00.txt", "sockets"), ("sample_01.txt", "TCP")])
def test_sockstat_cut_off(sample: str, column: str) -> None:
    """A line that ends after a word is an error, not a level of 0."""
    stat = parse_sockstat((CORPORA / "prometheus/procfs/net_sockstat_test.go.d" / sample).read_bytes())
    assert [error.column for error in stat.errors] == [column]
    assert set(stat._values()[:12]) == {None}


def test_softnet_values() -> None:
    """Rows of 13, 11, 10 and 9 columns in one file: the CPU is known where a row tells it."""
    rows = parse_softnet_stat((GO / "net/softnet_stat").read_bytes())
    assert [(row.cpu, row.cpu_is_position) for row in rows] == [(0, False), (1, False), (2, True), (3, True), (4, True)]
    assert (rows[1].processed, rows[1].dropped, rows[1].time_squeeze) == (0x953D1A, 0x446, 0xB1)
    assert (rows[1].received_rps, rows[1].flow_limit, rows[1].backlog) == (0x8EEB9A, 0x2B, 0xDC)
    assert (rows[2].time_squeeze, rows[2].cpu_collision, rows[2].flow_limit) == (0xF0000769, 4, 2)
    assert (rows[3].cpu_collision, rows[3].received_rps) == (0x20E76, None)
    assert (rows[4].received_rps, rows[4].flow_limit, rows[4].input_queue) == (0x10, None, None)


def test_softnet_of_another_kind() -> None:
    """A row of four columns is no kernel's."""
    path = GO / "net/softnet_stat.broken"
    rows = parse_softnet_stat(path.read_bytes())
    assert list(rows) == []
    (error,) = rows.errors
    assert (error.line, error.column, error.text) == (1, "line", b"00015c73 00020e76 F0000769 00000000")


def test_dev_values() -> None:
    """The first and the last column, of a device with much traffic."""
    rows = {row.name: row for row in parse_dev((GO / "net/dev").read_bytes())}
    assert list(rows) == [b"vethf345468", b"lo", b"docker0", b"eth0"]
    assert rows[b"eth0"]._values()[:3] == (b"eth0", 874354587, 1036395)
    assert (rows[b"eth0"].tx_bytes, rows[b"eth0"].tx_compressed) == (563352563, 0)


def test_protocols_values() -> None:
    """A host under pressure, with sendpage."""
    rows = {row.name: row for row in parse_protocols((GO / "net/protocols").read_bytes())}
    tcp = rows["TCP"]
    assert (tcp.size_bytes, tcp.sockets, tcp.memory_pages, tcp.pressure, tcp.max_header_bytes) == (
        1984,
        93064,
        1225378,
        True,
        320,
    )
    assert "sendpage" in tcp.operations
    assert "bind" not in tcp.operations
    assert "bind" in rows["RAW"].operations
    assert (rows["NETLINK"].memory_pages, rows["NETLINK"].pressure, rows["NETLINK"].slab) == (None, None, False)


def test_conntrack_values() -> None:
    """An old kernel's columns."""
    table = parse_nf_conntrack_stat((GOPROCINFO / "3323/net/stat/nf_conntrack").read_bytes())
    assert (table.count, len(table.cpus)) == (0x46, 8)
    assert table.cpus[0].searched == 0x1FD6
    assert table.cpus[0].delete_list == 0xCDB1
    assert table.cpus[0].clashres is None
    assert (table.total("drop"), table.total("icmp_error")) == (0, 0xC6)
