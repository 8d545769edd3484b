"""What sysctls come to, worked out. That the kernel does so is shown in tests/live/test_limits_live.py."""

from __future__ import annotations

import pytest

from sockdiag.analysis.limits.effects import EFFECTS, available_ports, reserved_in_range, so_rcvbuf, so_sndbuf
from sockdiag.analysis.limits.rows import AS_IT_IS, BY_SETTING, WITHOUT_EFFECT, limits
from sockdiag.analysis.limits.times import TIMES, handshake_ms, retransmission_ms
from sockdiag.model.sysctl import Limit, Sysctls, Value
from sockdiag.model.sysctl_table import SYSCTLS

NEW = (6, 18)


def row(name: str, value: Value, kernel: tuple[int, int] | None = NEW, page: int | None = 4096, **more: Value) -> Limit:
    """Work out one row; *more* are other sysctls of net.ipv4."""
    values = {**{f"net.ipv4.{key}": other for key, other in more.items()}, name: value}
    return next(limit for limit in limits(Sysctls(values), page, kernel) if limit.name == name)


@pytest.mark.parametrize(
    ("asked", "most", "rcvbuf", "sndbuf"),
    [
        (0, 212992, 2304, 4608),
        (1152, 212992, 2304, 4608),
        (1153, 212992, 2306, 4608),
        (4096, 212992, 8192, 8192),
        (212992, 212992, 425984, 425984),
        (10_000_000, 212992, 425984, 425984),
        (2**31 - 1, 2**31 - 1, 2**31 - 2, 2**31 - 2),
    ],
)
def test_doubling(asked: int, most: int, rcvbuf: int, sndbuf: int) -> None:
    """Cut, then doubled, with a floor."""
    assert (so_rcvbuf(asked, most), so_sndbuf(asked, most)) == (rcvbuf, sndbuf)


@pytest.mark.parametrize(
    ("reserved", "taken"),
    [
        ([], 0),
        ([(8080, 8080)], 0),
        ([(40003, 40003), (40010, 40011)], 3),
        ([(39990, 40001)], 2),
        ([(40018, 40030)], 2),
        ([(1, 65535)], 20),
        ([(40005, 40009), (40001, 40006), (40009, 40009)], 9),
    ],
)
def test_ports(reserved: list[tuple[int, int]], taken: int) -> None:
    """Reserved ports count once, and only those of the range."""
    assert reserved_in_range(40000, 40019, reserved) == taken
    assert available_ports(40000, 40019, reserved) == 20 - taken


def test_times() -> None:
    """The times that the kernel's documentation gives."""
    assert handshake_ms(6, 4) == 131_000
    assert handshake_ms(5) == 63_000
    assert handshake_ms(6) == 127_000
    assert retransmission_ms(15) == 924_600
    assert retransmission_ms(8) == 102_200
    assert handshake_ms(8, 0, 120_000) == (127 + 120 + 120) * 1000


@pytest.mark.parametrize(
    ("limit", "effective", "unit", "part"),
    [
        (row("net.core.rmem_max", 212992), 425984, "bytes", "at most 416 KiB"),
        (row("net.core.wmem_max", 1000), 4608, "bytes", "at most 4.5 KiB"),
        (row("net.core.somaxconn", 128), 129, "count", "holds one more, 129"),
        (row("net.core.mem_pcpu_rsv", 256), 1048576, "bytes", "1 MiB"),
        (row("net.core.mem_pcpu_rsv", 256, page=None), None, "", "256 pages"),
        (row("net.core.netdev_max_backlog", 1000), 1000, "packets", "Beyond 1000 packets"),
        (row("net.ipv4.tcp_rmem", (4096, 131072, 6291456)), (131072, 6291456), "bytes", "at most 6 MiB"),
        (row("net.ipv4.tcp_rmem", (1, 2, 3), tcp_moderate_rcvbuf=0), 2, "bytes", "keeps it"),
        (row("net.ipv4.tcp_rmem", (1, 9, 3)), (9, 9), "bytes", "at most 9 B;"),
        (
            row("net.ipv4.tcp_wmem", (4096, 16384, 4194304)),
            (16384, 4194304),
            "bytes",
            "starts with 16 KiB of send buffer",
        ),
        (row("net.ipv4.tcp_mem", (1, 2, 3)), (4096, 8192, 12288), "bytes", "at 12 KiB it drops"),
        (row("net.ipv4.tcp_mem", (1, 2, 3), page=None), None, "", "at 3 pages it drops"),
        (row("net.ipv4.udp_mem", (1, 2, 3), udp_rmem_min=4096), (4096, 8192, 12288), "bytes", "holds 4 KiB, data"),
        (row("net.ipv4.tcp_moderate_rcvbuf", 1, tcp_rmem=(1, 2, 3)), None, "", "to 3 B"),
        (row("net.ipv4.tcp_adv_win_scale", 1), None, "", "No effect since Linux 6.6"),
        (row("net.ipv4.tcp_adv_win_scale", 1, kernel=(5, 10)), None, "", "1/2 of the buffer is reserved"),
        (row("net.ipv4.tcp_adv_win_scale", -2, kernel=(5, 10)), None, "", "all but 1/4 of the buffer is reserved"),
        (row("net.ipv4.tcp_notsent_lowat", 2**32 - 1), None, "", "Off"),
        (row("net.ipv4.tcp_notsent_lowat", 16384), 16384, "bytes", "less than 16 KiB that is unsent"),
        (row("net.ipv4.tcp_max_syn_backlog", 2048, tcp_syncookies=1), None, "", "No effect while"),
        (row("net.ipv4.tcp_max_syn_backlog", 2048, tcp_syncookies=0), 1536, "count", "Beyond 1536 requests"),
        (row("net.ipv4.tcp_syncookies", 2), None, "", "Every SYN"),
        (row("net.ipv4.tcp_ehash_entries", -262144), 262144, "count", "shares the host's hash of 262144"),
        (row("net.ipv4.tcp_child_ehash_entries", 1000), 1024, "count", "of its own with 1024"),
        (row("net.ipv4.tcp_child_ehash_entries", 0), None, "", "shares"),
        (row("net.ipv4.tcp_syn_retries", 6, tcp_syn_linear_timeouts=4), 131000, "ms", "after 131 s"),
        (row("net.ipv4.tcp_retries2", 15), 924600, "ms", "after 924.6 s"),
        (row("net.ipv4.tcp_orphan_retries", 0), 102200, "ms", "after 102.2 s"),
        (row("net.ipv4.tcp_keepalive_time", 7200), None, "", "after 7200 s of silence."),
        (
            row("net.ipv4.tcp_keepalive_time", 7200, tcp_keepalive_intvl=75, tcp_keepalive_probes=9),
            7875000,
            "ms",
            "given up after 7875 s",
        ),
        (row("net.ipv4.tcp_tw_reuse", 2), None, "", "on loopback may use"),
        (row("net.ipv4.ip_local_port_range", (32768, 60999)), 28232, "ports", "28232 local ports"),
        (
            row("net.ipv4.ip_local_port_range", (40000, 40019), ip_local_reserved_ports=(40003, 40003, 40010, 40011)),
            17,
            "ports",
            "17 local ports for connections to a single destination, without reserved ones.",
        ),
        (
            row("net.ipv4.ip_local_reserved_ports", (8080, 8080, 40010, 40011), ip_local_port_range=(40000, 40019)),
            2,
            "ports",
            "2 ports",
        ),
        (row("net.ipv4.ipfrag_low_thresh", 1, kernel=(3, 10)), None, "", "evicted"),
        (row("net.ipv4.ipfrag_low_thresh", 1), None, "", "No effect since Linux 4.17."),
        (row("net.unix.max_dgram_qlen", 10), 11, "packets", "holds 11 unread datagrams"),
        (row("net.netfilter.nf_conntrack_count", 7), 7, "count", "7 connections are tracked here."),
        (row("fs.file-nr", (584, 0, 1000)), 584, "count", "584 files are open on the host, of 1000 at most."),
        (row("net.sctp.sctp_rmem", (4096, 865500, 4194304)), 4096, "bytes", "4 KiB of received data even under"),
    ],
)
def test_effects(limit: Limit, effective: object, unit: str, part: str) -> None:
    """Number, unit and sentence."""
    assert (limit.effective, limit.effective_unit) == (effective, unit)
    assert part in limit.note


def test_row() -> None:
    """All of a row."""
    assert row("net.core.somaxconn", 128, kernel=(4, 18)) == Limit(
        "net.core.somaxconn",
        128,
        "count",
        128,
        129,
        "count",
        "listen(2) cuts its backlog to 128; the accept queue then holds one more, 129.",
        "netns",
        "/proc/sys/net/core/somaxconn",
    )


def test_reserved_ports_as_the_kernel_prints_them() -> None:
    """A list of ports is a text in the row."""
    limit = row("net.ipv4.ip_local_reserved_ports", (8080, 8080, 9000, 9100))
    assert (limit.value, limit.default) == ("8080,9000-9100", "")


def test_unknown_value() -> None:
    """A sysctl that cannot be seen has a row that says so, without a number."""
    (limit,) = limits(Sysctls({}, {"net.ipv4.tcp_mem": "not visible in this network namespace"}), 4096, NEW)
    assert (limit.value, limit.default, limit.effective, limit.effective_unit) == (None, None, None, "")
    assert limit.note.endswith("Unknown: not visible in this network namespace.")
    assert limit.scope == "host"


def test_every_sysctl_has_a_sentence() -> None:
    """None falls back on its description but those whose value says nothing more; none is declared twice."""
    tables = (EFFECTS, TIMES, AS_IT_IS, BY_SETTING, WITHOUT_EFFECT)
    named = [name for table in tables for name in table]
    assert len(named) == len(set(named))
    assert set(SYSCTLS) - set(named) == {"net.core.flow_limit_table_len", "net.ipv4.udp_wmem_min"}
    assert set(named) <= set(SYSCTLS)
