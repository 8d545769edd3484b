"""Sysctls: their text, and what it means that one is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import ParseError
from sockdiag.model.provenance import Gap
from sockdiag.model.record import HOST
from sockdiag.model.sysctl import release_version
from sockdiag.model.sysctl_table import SYSCTLS
from sockdiag.sources.proc.sys_net import parse_sysctl, read_page_size, read_sysctls
from sockdiag.sources.system.captured_root import open_root

if TYPE_CHECKING:
    from pathlib import Path

    from sockdiag.sources.system.proc_root import ProcRoot


@pytest.mark.parametrize(
    ("name", "body", "value"),
    [
        ("net.core.rmem_max", b"4194304\n", 4194304),
        ("net.ipv4.tcp_rmem", b"4096\t131072\t33554432\n", (4096, 131072, 33554432)),
        ("net.ipv4.tcp_notsent_lowat", b"4294967295\n", 4294967295),
        ("net.ipv4.tcp_notsent_lowat", b"-1\n", -1),
        ("net.ipv4.ip_local_port_range", b"32768\t60999\n", (32768, 60999)),
        ("net.core.default_qdisc", b"fq_codel\n", "fq_codel"),
        ("net.ipv4.ip_local_reserved_ports", b"\n", ()),
        ("net.ipv4.ip_local_reserved_ports", b"8080,9000-9100\n", (8080, 8080, 9000, 9100)),
        ("net.ipv4.ip_local_reserved_ports", b"0-65535", (0, 65535)),
        ("fs.file-nr", b"1088\t0\t9223372036854775807\n", (1088, 0, 9223372036854775807)),
    ],
)
def test_values(name: str, body: bytes, value: object) -> None:
    """Numbers, vectors, words and lists of ports."""
    assert parse_sysctl(SYSCTLS[name], body) == value


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("net.core.rmem_max", b"\n"),
        ("net.core.rmem_max", b"1 2\n"),
        ("net.core.rmem_max", b"0x10\n"),
        ("net.ipv4.tcp_rmem", b"1 2\n"),
        ("net.ipv4.tcp_rmem", b"1 2 x\n"),
        ("net.ipv4.ip_local_reserved_ports", b"1,,2\n"),
        ("net.ipv4.ip_local_reserved_ports", b"1-\n"),
        ("net.ipv4.ip_local_reserved_ports", b"-5\n"),
        ("net.ipv4.ip_local_reserved_ports", b"9-8\n"),
        ("net.ipv4.ip_local_reserved_ports", b"70000\n"),
        ("net.ipv4.ip_local_reserved_ports", b"1 2\n"),
    ],
)
def test_malformed(name: str, body: bytes) -> None:
    """The error names the file and the text."""
    with pytest.raises(ParseError) as caught:
        parse_sysctl(SYSCTLS[name], body)
    assert (caught.value.path, caught.value.line, caught.value.text) == (SYSCTLS[name].path, 1, body.strip())


def system(folder: Path, **files: str) -> ProcRoot:
    """Make a captured system of sysctls; __ stands for a dot."""
    for name, text in files.items():
        path = folder / SYSCTLS[name.replace("__", ".")].path[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return open_root(str(folder))


def test_container(tmp_path: Path) -> None:
    """A namespace that hides the host's limits: they are unknown, in one gap, and no default stands in for them."""
    files = system(tmp_path, net__ipv4__tcp_rmem="4096 131072 6291456", net__core__somaxconn="128")
    asked = ("net.ipv4.tcp_rmem", "net.ipv4.tcp_mem", "net.ipv4.udp_mem", "net.core.somaxconn", "net.core.mem_pcpu_rsv")
    found = read_sysctls(files, asked)
    assert dict(found.values) == {"net.ipv4.tcp_rmem": (4096, 131072, 6291456), "net.core.somaxconn": 128}
    assert found.get("net.ipv4.tcp_mem") is None
    assert found.vector("net.ipv4.tcp_mem") is None
    assert found.number("net.core.mem_pcpu_rsv") is None
    assert found.missing["net.ipv4.tcp_mem"] == "not visible in this network namespace"
    (gap,) = found.gaps()
    assert gap.source == "/proc/sys/net"
    assert gap.reason.endswith(": net.ipv4.tcp_mem, net.ipv4.udp_mem, net.core.mem_pcpu_rsv")
    assert gap.hint


def test_what_no_namespace_hides(tmp_path: Path) -> None:
    """A file that is the same in every namespace is missing for a reason of its own."""
    files = system(tmp_path, net__ipv4__tcp_rmem="4096 131072 6291456")
    found = read_sysctls(files, ("net.ipv4.tcp_mem", "fs.file-nr"))
    assert found.missing["fs.file-nr"] == "No such file or directory"
    assert {gap.source for gap in found.gaps()} == {"/proc/sys/net", "/proc/sys/fs/file-nr"}


def test_older_kernel(tmp_path: Path) -> None:
    """What an older kernel does not have, or a module that is not loaded, is no gap; what all have is one."""
    files = system(tmp_path, net__ipv4__tcp_rmem="4096 87380 6291456", net__ipv4__tcp_mem="1 2 3")
    found = read_sysctls(files, ("net.core.mem_pcpu_rsv", "net.sctp.sctp_mem", "net.core.somaxconn"))
    assert found.missing == {
        "net.core.mem_pcpu_rsv": "No such file or directory (needs Linux 6.7)",
        "net.sctp.sctp_mem": "No such file or directory (needs SCTP)",
        "net.core.somaxconn": "No such file or directory",
    }
    assert found.gaps() == (Gap("/proc/sys/net/core/somaxconn", "No such file or directory"),)


def test_damaged(tmp_path: Path) -> None:
    """One file that does not parse is a gap, the others are there."""
    found = read_sysctls(
        system(tmp_path, net__core__somaxconn="many", net__core__rmem_max="1"),
        ("net.core.somaxconn", "net.core.rmem_max"),
    )
    assert dict(found.values) == {"net.core.rmem_max": 1}
    (gap,) = found.gaps()
    assert gap.source == "/proc/sys/net/core/somaxconn"
    assert found.missing["net.core.somaxconn"] == gap.reason


def test_page_size(tmp_path: Path) -> None:
    """Of a captured system it is known where the architecture has one size only."""
    files = open_root(str(tmp_path))
    assert read_page_size(files) is None
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    for arch, size in (("x86_64", 4096), ("aarch64", None), ("ppc64le", None)):
        (tmp_path / "proc/sys/kernel/arch").write_text(arch + "\n")
        assert read_page_size(files) == size


@pytest.mark.parametrize(
    ("path", "text", "size"),
    [
        ("meta.toml", 'kernel = "5.10.0"\narch = "x86_64"\n', 4096),
        ("meta.toml", 'kernel = "5.10.0"\narch = "aarch64"\n', None),
        ("meta.toml", "\xff=\n=\narch\n", None),
        ("proc/sys/kernel/osrelease", "5.10.0-32-amd64\n", 4096),
        ("proc/sys/kernel/osrelease", "4.18.0-553.el8_10.x86_64\n", 4096),
        ("proc/sys/kernel/osrelease", "5.14.0-427.el9.aarch64+64k\n", None),
        ("proc/sys/kernel/osrelease", "6.0.19\n", None),
    ],
)
def test_page_size_before_6_1(tmp_path: Path, path: str, text: str, size: int | None) -> None:
    """Where the kernel has no file for its architecture, the capture or the name of the release may tell it."""
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / path).write_text(text)
    assert read_page_size(open_root(str(tmp_path))) == size


def test_sctp_limits_are_the_hosts(tmp_path: Path) -> None:
    """Where /proc/net/sctp is, in another namespace than the first, sctp_mem is not shown, which is no lack of SCTP."""
    files = system(tmp_path, net__ipv4__tcp_rmem="4096 131072 6291456")
    assert read_sysctls(files, ("net.sctp.sctp_mem",)).missing["net.sctp.sctp_mem"].endswith("(needs SCTP)")
    (tmp_path / "proc/net/sctp").mkdir(parents=True)
    found = read_sysctls(files, ("net.sctp.sctp_mem",))
    assert found.missing == {"net.sctp.sctp_mem": "not visible in this network namespace"}


@pytest.mark.parametrize(("release", "hidden"), [("5.10.0-32-amd64", False), ("6.12.117+deb13-amd64", True)])
def test_what_the_kernel_lacks_is_not_hidden(tmp_path: Path, release: str, hidden: bool) -> None:
    """A limit of the host that came with a later kernel is none that the namespace hides."""
    files = system(tmp_path, net__ipv4__tcp_rmem="4096 131072 6291456")
    (tmp_path / "proc/sys/kernel").mkdir()
    (tmp_path / "proc/sys/kernel/osrelease").write_text(release + "\n")
    found = read_sysctls(files, ("net.core.mem_pcpu_rsv", "net.core.rmem_max"))
    assert ("net.core.mem_pcpu_rsv" in found.hidden) == hidden
    assert "net.core.rmem_max" in found.hidden
    lacks = "No such file or directory (needs Linux 6.7)"
    assert found.missing["net.core.mem_pcpu_rsv"] == ("not visible in this network namespace" if hidden else lacks)


def test_declarations() -> None:
    """Each has a unit, a kernel variable and help; what the initial namespace alone shows is the host's."""
    assert len(SYSCTLS) > 70
    for sysctl in SYSCTLS.values():
        assert sysctl.help.endswith(".")
        assert sysctl.kernel
        assert sysctl.unit or sysctl.name == "net.core.default_qdisc"
        assert sysctl.scope == HOST or not sysctl.initial_only
        for _since, value in sysctl.defaults:
            assert isinstance(value, int) or len(value) == max(sysctl.numbers, 0)


@pytest.mark.parametrize(
    ("name", "kernel", "default"),
    [
        ("net.core.somaxconn", (5, 3), 128),
        ("net.core.somaxconn", (5, 4), 4096),
        ("net.core.somaxconn", None, None),
        ("net.ipv4.tcp_fin_timeout", None, 60),
        ("net.ipv4.tcp_limit_output_bytes", (4, 19), None),
        ("net.ipv4.tcp_rmem", (6, 18), None),
    ],
)
def test_defaults(name: str, kernel: tuple[int, int] | None, default: object) -> None:
    """A default that changed needs the version; one that is worked out at boot is not known."""
    assert SYSCTLS[name].default_in(kernel) == default


@pytest.mark.parametrize(
    ("release", "version"),
    [
        ("6.18.44", (6, 18)),
        ("3.10.0-1160.el7.x86_64", (3, 10)),
        ("6.1-rc3", (6, 1)),
        ("5.15", (5, 15)),
        ("", None),
        (None, None),
        ("6", None),
        ("6.", None),
        ("six.one", None),
        ("²." + "1", None),
        ("9" * 9 + ".1", None),
    ],
)
def test_release_version(release: str | None, version: tuple[int, int] | None) -> None:
    """Major and minor, or nothing."""
    assert release_version(release) == version
