"""Which handlers may be asked without the kernel loading a module: files of 5.10 to 7.2, with and without modules."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import ModuleMissing, SourceUnavailable
from sockdiag.kernel.netlink import NETLINK_ROUTE
from sockdiag.kernel.sock_diag import diag_module
from sockdiag.sources.netlink.inet_request import compat_request, request
from sockdiag.sources.system import transport
from sockdiag.sources.system.destroy_events import DestroyEvents
from sockdiag.sources.system.machine import System, asked_quietly, this_system
from sockdiag.sources.system.modules import Modules, has_nf_tables
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.sources.system.transport import KernelTransport, Request
from tests.unit.sources.netlink_messages import Answers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOADED = "inet_diag 28672 1 tcp_diag, Live 0x0000000000000000\ntcp_diag 16384 0 - Live 0x0000000000000000 (E)\n"
SYMBOLS = (
    "0000000000000000 t __pfx_udp_diag_dump\n0000000000000000 t udp_diag_dump\n"
    "0000000000000000 t udplite_diag_dump\n0000000000000000 t packet_diag_dump.llvm.12\n"
    "0000000000000000 t unix_diag_dump_icons\n0000000000000000 t netlink_diag_dump\t[netlink_diag]\n"
)
RELEASE = "6.12.117+deb13-amd64"


def root(
    folder: Path,
    loaded: str | None = LOADED,
    built_in: str | None = "kernel/net/packet/af_packet_diag.ko\nkernel/net/netfilter/nf_tables.ko\n",
    symbols: str | None = None,
    release: str | None = RELEASE,
) -> ProcRoot:
    """Return files of a running kernel."""
    for path, text in (
        ("proc/modules", loaded),
        ("proc/kallsyms", symbols),
        ("proc/sys/kernel/osrelease", release and f"{release}\n"),
        (f"lib/modules/{release}/modules.builtin", built_in),
    ):
        if text is not None:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    return ProcRoot(str(folder))


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("inet_diag_tcp", "tcp_diag"),
        ("inet_diag_tcp6", "tcp_diag"),
        ("inet_diag_tcp+tcp6", "tcp_diag"),
        ("inet_diag_udplite6", "udp_diag"),
        ("inet_diag_mptcp6", "mptcp_diag"),
        ("inet_diag", "inet_diag"),
        ("unix_diag", "unix_diag"),
        ("packet_diag", "af_packet_diag"),
        ("xdp_diag", "xsk_diag"),
        ("tipc_diag", "tipc_diag"),
        ("vsock_diag", "vsock_diag"),
    ],
)
def test_the_module_of_a_request(name: str, module: str) -> None:
    assert diag_module(name) == module


def test_requests_are_called_so() -> None:
    assert diag_module(compat_request().name) == "tcp_diag"
    assert diag_module(request(10, 262, 1).name) == "mptcp_diag"


def test_loaded_and_built_in_modules_may_be_asked(tmp_path: Path) -> None:
    modules = Modules(root(tmp_path))
    assert [modules.lacks(name) for name in ("tcp_diag", "inet_diag", "af_packet_diag")] == ["", "", ""]
    assert modules.lacks("udp_diag") == "the module udp_diag is not loaded"


@pytest.mark.parametrize("state", ["Loading", "Unloading"])
def test_a_module_that_is_not_yet_or_no_longer_there_is_not_loaded(tmp_path: Path, state: str) -> None:
    assert Modules(root(tmp_path, LOADED.replace("Live", state))).lacks("tcp_diag")


def test_a_longer_name_is_another_module(tmp_path: Path) -> None:
    files = root(tmp_path, "tcp_diag2 1 0 - Live 0x0\n", "kernel/x/my_tcp_diag.ko\n")
    assert Modules(files).lacks("tcp_diag")


def test_a_former_name_counts(tmp_path: Path) -> None:
    """tipc_diag.ko was diag.ko in 5.10 and 6.1."""
    assert not Modules(root(tmp_path, "diag 16384 0 - Live 0x0\n")).lacks("tipc_diag")


def test_loaded_modules_are_read_anew(tmp_path: Path) -> None:
    modules = Modules(root(tmp_path))
    assert modules.lacks("udp_diag")
    root(tmp_path, "udp_diag 16384 0 - Live 0x0\n")
    assert not modules.lacks("udp_diag")
    assert modules.lacks("tcp_diag")


def test_a_kernel_without_modules_loads_none(tmp_path: Path) -> None:
    assert not Modules(root(tmp_path, None, None)).lacks("udp_diag")


def test_a_proc_of_processes_alone_shows_nothing(tmp_path: Path) -> None:
    """With subset=pid there is no /proc/modules either, though the kernel may load some."""
    assert (
        Modules(root(tmp_path, None, None, None, None)).lacks("udp_diag")
        == "no file shows whether the kernel has udp_diag"
    )


@pytest.mark.parametrize(
    ("module", "there"),
    [
        ("udp_diag", True),
        ("af_packet_diag", True),
        ("netlink_diag", True),
        ("unix_diag", False),
        ("raw_diag", False),
    ],
)
def test_symbols_stand_in_for_the_list_of_built_in_modules(tmp_path: Path, module: str, there: bool) -> None:
    assert bool(Modules(root(tmp_path, "", None, SYMBOLS)).lacks(module)) is not there


def test_nf_tables(tmp_path: Path) -> None:
    """Built in, loaded, and neither."""
    assert has_nf_tables(root(tmp_path / "built in"))
    assert has_nf_tables(root(tmp_path / "loaded", "nf_tables 1 0 - Live 0x0\n", "kernel/x.ko\n"))
    assert not has_nf_tables(root(tmp_path / "neither", built_in="kernel/x.ko\n"))
    assert not has_nf_tables(root(tmp_path / "unknown", built_in=None, symbols=SYMBOLS))
    assert has_nf_tables(root(tmp_path / "no modules", None, None))


class NoSockets:
    """Fails if a socket is made."""

    def __init__(self, *_what: object) -> None:
        raise AssertionError("the kernel was asked")


def test_what_is_not_loaded_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "socket", NoSockets)
    kernel = KernelTransport(Modules(root(tmp_path)))
    asked = request(2, 17, 1)
    for ask in (lambda: list(kernel.dump(asked)), lambda: kernel.query(asked), lambda: kernel.command(asked)):
        with pytest.raises(ModuleMissing) as caught:
            ask()
        error = caught.value
        assert (error.source, error.reason) == ("netlink:inet_diag_udp", "the module udp_diag is not loaded")
        assert (error.errno, error.hint, error.unasked) == (None, "modprobe udp_diag", True)
    with pytest.raises(ModuleMissing):
        next(kernel.events("unix_diag", 1))
    with pytest.raises(ModuleMissing):
        DestroyEvents(Modules(root(tmp_path / "other", "")))


def test_what_is_loaded_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "socket", NoSockets)
    kernel = KernelTransport(Modules(root(tmp_path)))
    for asked in (request(2, 6, 1), Request("link", b"", protocol=NETLINK_ROUTE)):
        with pytest.raises(AssertionError):
            kernel.query(asked)


def test_by_default_everything_is_asked() -> None:
    assert this_system().modules is None
    assert this_system("never").modules is not None


@pytest.mark.parametrize("can_load", [True, False])
@pytest.mark.parametrize("number", [errno.ENOENT, errno.EOPNOTSUPP])
@pytest.mark.parametrize("lacking", [True, False])
def test_a_handler_that_the_kernel_does_not_find(
    monkeypatch: pytest.MonkeyPatch, number: int, can_load: bool, lacking: bool
) -> None:
    """Its module cannot be loaded, the kernel was built without it and loads none, or the module is there and knows no such."""

    def refused(_channel: object) -> Iterator[bytes]:
        raise SourceUnavailable("netlink:inet_diag_raw", "refused", number)
        yield b""

    monkeypatch.setattr(transport, "_datagrams", refused)
    monkeypatch.setattr("sockdiag.sources.system.modules.loads_modules", lambda: can_load)
    monkeypatch.setattr(Modules, "lacks", lambda _self, module: module if lacking else "")
    with pytest.raises(ModuleMissing) as caught:
        list(KernelTransport().dump(request(2, 255, 1)))
    error = caught.value
    assert (error.errno, error.unasked) == (number, False)
    words = ("the module raw_diag is not loaded", "modprobe raw_diag")
    if not lacking:
        words = ("raw_diag of this kernel lists no such sockets", "")
    assert (error.reason, error.hint) == (words if can_load else ("the kernel was built without raw_diag", ""))


def test_a_system_that_is_asked_quietly() -> None:
    """The kernel is; a captured system answers as ever, and so does one that is quiet already."""
    system = this_system()
    quiet = asked_quietly(system)
    assert quiet.modules is not None
    assert system.modules is None
    assert asked_quietly(quiet) is quiet
    captured = System(system.files, Answers())
    assert asked_quietly(captured) is captured
