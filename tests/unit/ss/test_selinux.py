"""SELinux contexts, on a made-up system: no kernel here has them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sockdiag.kernel.netlink import NETLINK_ROUTE
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.ss import netlink, selinux
from sockdiag.ss.main import run
from sockdiag.ss.options import parse
from sockdiag.ss.owners import OwnerTexts

if TYPE_CHECKING:
    from pathlib import Path

_PROCESS = "system_u:system_r:httpd_t:s0"
_SOCKET = "system_u:object_r:httpd_port_t:s0"


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make one process with two sockets, of which one has a context."""
    process = tmp_path / "proc" / "7"
    (process / "fd").mkdir(parents=True)
    (process / "attr").mkdir()
    (process / "stat").write_text("7 (httpd) S 1")
    (process / "attr" / "current").write_bytes(_PROCESS.encode() + b"\0")
    for fd in (3, 4):
        (process / "fd" / str(fd)).symlink_to(f"socket:[{fd}00]")
    initial = tmp_path / "sys/fs/selinux/initial_contexts"
    initial.mkdir(parents=True)
    (initial / "kernel").write_bytes(b"system_u:system_r:kernel_t:s0\0")
    (tmp_path / "proc" / "self").mkdir()
    mounts(tmp_path, "rw,nosuid")
    config = tmp_path / "config"
    config.touch()
    monkeypatch.setattr(selinux, "_FILES", ProcRoot(str(tmp_path)))
    monkeypatch.setattr(selinux, "_CONFIG", str(config))

    def getxattr(path: str, name: str) -> bytes:
        assert name == "security.selinux"
        if path.endswith("/4"):
            raise OSError(95, "Operation not supported")
        return _SOCKET.encode() + b"\0"

    monkeypatch.setattr(os, "getxattr", getxattr)
    return tmp_path


def mounts(root: Path, options: str) -> None:
    (root / "proc/self/mounts").write_text(f"selinuxfs /sys/fs/selinux selinuxfs {options} 0 0\n")


@pytest.mark.parametrize(
    ("line", "sockets_too"),
    [("-Z", False), ("-z", True), ("-zz", True), ("-ZZ", False), ("-ZZz", True), ("-Zz", False)],
)
@pytest.mark.usefixtures("system")
def test_owners(line: str, sockets_too: bool) -> None:
    """With -Zz ss shows the contexts of processes only: it counts both options, and 2 and 1 have no bit in common."""
    owners = OwnerTexts(selinux.scan_labelled("/proc", parse(["ss", line, "-p"], old=False)))
    of_socket = f",sock_ctx={_SOCKET}" if sockets_too else ""
    assert owners.text(300) == f' users:(("httpd",pid=7,proc_ctx={_PROCESS},fd=3{of_socket}))'
    of_socket = ",sock_ctx=unavailable" if sockets_too else ""
    assert owners.text(400) == f' users:(("httpd",pid=7,proc_ctx={_PROCESS},fd=4{of_socket}))'


def test_whether_it_is_on(system: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As libselinux sees it: a read-only selinuxfs, as in a container, or no config file mean that it is off."""
    assert selinux.selinux_enabled()
    mounts(system, "ro,relatime")
    assert not selinux.selinux_enabled()
    assert run(["ss", "-Z"]) == 1
    assert capfd.readouterr().err == "ss: SELinux is not enabled.\n"
    mounts(system, "rw")
    monkeypatch.setattr(selinux, "_CONFIG", str(system / "absent"))
    assert not selinux.selinux_enabled()
    (system / "proc/self/mounts").unlink()
    assert not selinux.selinux_enabled()


@pytest.mark.usefixtures("system")
def test_netlink_sockets() -> None:
    """The process that the port id names, the kernel for 0; other ids name none."""
    assert selinux.netlink_context(7) == _PROCESS
    assert selinux.netlink_context(0) == "system_u:system_r:kernel_t:s0"
    assert selinux.netlink_context(-4100) == selinux.netlink_context(8) == "unavailable"
    assert netlink.new_row(NETLINK_ROUTE, 0xFFFFEFFC).lport == -4100
