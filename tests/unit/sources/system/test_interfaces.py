from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from sockdiag.sources.system.captured_root import open_root
from sockdiag.sources.system.interfaces import interface_index, interface_names
from sockdiag.sources.system.proc_root import ProcRoot

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "proc/net/dev_mcast": b"2    eth0            1     0     333300000001\n2    eth0            1     0     01005e000001\n",
    "proc/net/if_inet6": b"00000000000000000000000000000001 0a 80 10 80       lo\nfe80 0b 40 20 80 wlan0\n",
    "proc/net/igmp": b"Idx\tDevice    : Count Querier\tReporter\n12\tbr-1      :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n",
    "sys/class/net/dummy7/ifindex": b"13\n",
    "sys/class/net/eth0/ifindex": b"3\n",
}


@pytest.fixture
def captured(tmp_path: Path) -> ProcRoot:
    for path, body in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(body)
    return open_root(str(tmp_path))


@pytest.mark.parametrize(
    ("index", "name"), [(2, "eth0"), (10, "lo"), (11, "wlan0"), (12, "br-1"), (13, "dummy7"), (4, None), (0, None)]
)
def test_captured(captured: ProcRoot, index: int, name: str | None) -> None:
    assert interface_names(captured)(index) == name


def test_sys_of_another_namespace_names_nothing(tmp_path: Path, captured: ProcRoot) -> None:
    """/sys shows the devices of the namespace that mounted it: those that /proc/net/dev does not list are not here."""
    head = b"Inter-|   Receive\n face |bytes\n"
    (tmp_path / "proc/net/dev").write_bytes(head + b"  lo: 1 2\n  eth0: 3\n  plain0: 1\n")
    (tmp_path / "sys/class/net/plain0").mkdir()
    (tmp_path / "sys/class/net/plain0/ifindex").write_bytes(b"14\n")
    name = interface_names(captured)
    assert name(13) is None
    assert name(14) == "plain0"
    # /proc has eth0 as 2, so /sys is not asked for it
    assert (name(2), name(3)) == ("eth0", None)


def test_damaged_files_name_nothing(tmp_path: Path) -> None:
    for path in FILES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"\xff x\n\n" + b"1" * 5000 + b" eth0\nxx eth1 a b c d\n")
    name = interface_names(open_root(str(tmp_path)))
    assert name(1) is None


def test_empty_capture_names_nothing(tmp_path: Path) -> None:
    assert interface_names(open_root(str(tmp_path)))(1) is None


def test_live_names_are_the_kernels() -> None:
    name = interface_names(ProcRoot())
    for index, device in socket.if_nameindex():
        assert name(index) == device
    assert name(2**31 - 1) is None
    assert name(0xFFFFFFFF) is None


def test_live_indexes_are_the_kernels() -> None:
    """Also of names that cannot be: too long, empty, not UTF-8, or with what ends a name."""
    for index, device in socket.if_nameindex():
        assert interface_index(device) == index
    for name in (
        "nosuch0",
        "no-such-device0",
        "a-name-of-more-than-15-bytes",
        "x" * 128,
        "",
        "lo\0",
        "\udcff",
        "\ud800",
    ):
        assert interface_index(name) is None, name


def test_captured_files_are_read_once(captured: ProcRoot, tmp_path: Path) -> None:
    name = interface_names(captured)
    assert name(99) is None
    (tmp_path / "proc/net/dev_mcast").write_bytes(b"98 late 1 0 0\n")
    assert name(98) is None
