"""Counters as sentences say what the kernel's files said that they were printed from."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from sockdiag.sources.bundles.statistics_text import conntrack_files, netstat_files
from sockdiag.sources.proc.mib import parse_netstat, parse_snmp
from sockdiag.sources.proc.net_stat_nf_conntrack import parse_nf_conntrack_stat
from tests.needs import need, need_namespaces

FIXTURE = Path(__file__).parents[3] / "fixtures/6.18-world/proc/net"
# netstat has no words for them.
UNSAID = {"Ip.DefaultTTL", "Tcp.RtoAlgorithm", "Tcp.RtoMin", "Tcp.RtoMax", "Tcp.MaxConn"}
# netstat reads /proc/net, whatever else is there.
SAY = 'mount -t tmpfs none /proc && mkdir /proc/net && cp "$@" /proc/net && exec netstat -s'


def counters(body: bytes) -> dict[str, int]:
    found: dict[str, int] = {}
    for path, text in netstat_files(body):
        found |= (parse_snmp if path.endswith("snmp") else parse_netstat)(text).values
    return found


def test_every_counter_that_netstat_prints(tmp_path: Path) -> None:
    """Each has a value of its own, and netstat itself prints them."""
    need_namespaces()
    need("netstat")
    known: dict[str, int] = {}
    value = 1000
    for name in ("snmp", "netstat"):
        lines = (FIXTURE / name).read_text("ascii").splitlines()
        written = []
        for heading in lines[::2]:
            prefix, *names = heading.split()
            values = range(value, value + len(names))
            value += len(names)
            known |= {prefix[:-1] + "." + one: number for one, number in zip(names, values, strict=True)}
            written += [heading, " ".join([prefix, *map(str, values)])]
        (tmp_path / name).write_text("\n".join(written) + "\n", "ascii")
    command = ["unshare", "--mount", "sh", "-c", SAY, "sh", str(tmp_path / "snmp"), str(tmp_path / "netstat")]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    assert counters(said) == {name: number for name, number in known.items() if name not in UNSAID}


def test_a_counter_that_is_not_printed_is_not_known() -> None:
    found = counters(b"Tcp:\n    7 resets sent\nTcpExt:\n    3 invalid SYN cookies received\n    TCPTimeouts: 9\n")
    assert found == {"Tcp.OutRsts": 7, "TcpExt.SyncookiesFailed": 3, "TcpExt.TCPTimeouts": 9}


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Tcp:\n    5 segments send out", "Tcp.OutSegs"),
        ("Tcp:\n    5 segments retransmited", "Tcp.RetransSegs"),
        ("Tcp:\n    5 bad segments received.", "Tcp.InErrs"),
        ("Udp:\n    5 packets to unknown port received.", "Udp.NoPorts"),
        ("UdpLite:\n    5 packet receive errors", "UdpLite.InErrors"),
        ("TcpExt:\n    5 SYNs to LISTEN sockets ignored", "TcpExt.ListenDrops"),
        ("TcpExt:\n    Detected reordering 5 times using FACK", "TcpExt.TCPFACKReorder"),
        ("Icmp:\n    ICMP input histogram:\n        redirects: 5\n    ICMP output histogram:\n", "Icmp.InRedirects"),
        ("Icmp:\n    ICMP input histogram:\n    5 ICMP messages sent", "Icmp.OutMsgs"),
    ],
)
def test_words_of_older_releases(said: str, name: str) -> None:
    assert counters(said.encode()) == {name: 5}


@pytest.mark.parametrize(
    "body", [b"", b"Tcp:\n", b"Ip:\n x 5 y\n\xff 7\n", b"Nothing:\n    5 resets sent\n", b"5 resets sent\n"]
)
def test_other_text_has_none(body: bytes) -> None:
    assert counters(body) == {}


STATISTICS = (
    b"cpu=0   \tfound=2 invalid=11 insert=0 insert_failed=3 drop=4 early_drop=5 error=6 search_restart=17 "
    b"clash_resolve=8 chaintoolong=9 \n"
    b"cpu=1   \tfound=0 invalid=0 insert=0 insert_failed=1 drop=0 early_drop=0 error=0 search_restart=0 "
    b"clash_resolve=0 chaintoolong=0 \n"
)
FLOW = (
    b"tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 "
    b"dport=1 [ASSURED] mark=0 use=1\n"
)


def of_conntrack(body: bytes) -> dict[str, Any]:
    return dict(conntrack_files(body))


def test_connection_tracking() -> None:
    made = of_conntrack(STATISTICS)
    table = parse_nf_conntrack_stat(made["/proc/net/stat/nf_conntrack"])
    assert table.count is None
    first, second = table.cpus
    assert (first.found, first.invalid, first.insert_failed, first.drop, first.icmp_error) == (2, 11, 3, 4, 6)
    assert (first.search_restart, first.clashres, first.chainlength, second.insert_failed) == (17, 8, 9, 1)
    assert (first.searched, first.expect_new) == (None, None)


def test_flows_are_counted() -> None:
    extended = b"ipv4     2 " + FLOW
    unreplied = (
        b"udp      17 25 src=fe80::1 dst=fe80::2 sport=1 dport=2 [UNREPLIED] src=fe80::2 dst=fe80::1 sport=2 dport=1\n"
    )
    body = (
        b"*** Output of conntrack -L ***\n" + FLOW + extended + unreplied + b"conntrack v1.4.7: 3 flow entries shown.\n"
    )
    assert of_conntrack(body) == {"/proc/sys/net/netfilter/nf_conntrack_count": b"3\n"}
    assert of_conntrack(b"conntrack v1.4.7 (conntrack-tools): Operation failed: Operation not permitted\n") == {}
