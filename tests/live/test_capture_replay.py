"""What sockdiag says of a capture is what it said of the system that was captured; ss agrees."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.kernel.tcp_states import ALL_STATES, LISTEN
from sockdiag.sources.capture.transport import captured_system
from tests.live.world import record

if TYPE_CHECKING:
    from pathlib import Path

    from sockdiag.model.socket import Socket
    from sockdiag.sources.system.transport import Request, Transport
    from tests.live.conftest import World
    from tests.live.world.namespace import Namespace


class Recorded:
    """A capture of the world, and what was said while it was made."""

    def __init__(self, world: World, folder: Path) -> None:
        self.folder = folder
        self.netlink, self.proc, self.ss = world.namespace.call(record.record, str(folder))


_recorded: list[Recorded] = []


@pytest.fixture
def recorded(world: World, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Give the one capture of this module; what is in it does not age."""
    if not _recorded:
        _recorded.append(Recorded(world, tmp_path_factory.mktemp("recorded") / "capture"))
    return _recorded[0]


def without_keys(socket: Socket) -> Socket:
    """Hide the TCP-MD5 keys, as a capture does."""
    if socket.inet is None or not socket.inet.md5_keys:
        return socket
    hidden = tuple(key._replace(key=b"*" * len(key.key)) for key in socket.inet.md5_keys)
    return socket._replace(inet=socket.inet._replace(md5_keys=hidden))


def test_replay_is_what_was_recorded(recorded: Recorded) -> None:
    """All fields of all sockets, with owners and tcp_info, where each table was read, and the gaps."""
    sockets, sources, gaps = record.collect(captured_system(str(recorded.folder)))
    live, live_sources, live_gaps = recorded.netlink
    assert sources == live_sources
    assert gaps == live_gaps
    assert Counter(socket.netid for socket in sockets) == Counter(socket.netid for socket in live)
    for said, heard in zip(sockets, live, strict=True):
        assert said == without_keys(heard)
    assert any(without_keys(socket) != socket for socket in live)
    assert {"tcp", "udp", "unix", "netlink", "packet"} <= {socket.netid for socket in sockets}
    assert any(socket.processes for socket in sockets)
    assert any(socket.tcp_info for socket in sockets)


def test_replay_of_proc_is_what_was_recorded(recorded: Recorded) -> None:
    sockets, sources, gaps = record.collect(captured_system(f"{recorded.folder}.proc"), source="proc")
    assert (sources, gaps) == recorded.proc[1:]
    for said, heard in zip(sockets, recorded.proc[0], strict=True):
        assert said == heard


def test_absent_answers_fall_back_to_the_captured_proc(recorded: Recorded) -> None:
    sockets, sources, _gaps = record.collect(captured_system(f"{recorded.folder}.proc"))
    assert sources["tcp"] == sources["unix"] == sources["netlink"] == sources["packet"] == "proc"
    assert len(sockets) == len(recorded.proc[0])


def test_archive_of_a_capture_is_the_same(recorded: Recorded) -> None:
    packed = recorded.folder.with_suffix(".tar.gz")
    subprocess.run(["tar", "-C", recorded.folder.parent, "-czf", packed, recorded.folder.name], check=True)
    assert record.collect(captured_system(str(packed))) == record.collect(captured_system(str(recorded.folder)))


def test_states_of_a_capture_are_chosen_as_live(recorded: Recorded) -> None:
    """A capture holds all states; each mask of one state gives what the kernel would have given."""
    system = captured_system(str(recorded.folder))
    everything = [without_keys(socket) for socket in recorded.netlink[0]]
    seen: Counter[tuple[str, str | None]] = Counter()
    for state in range(14):
        if state != 7:  # of TCP these are bound and idle, by mask bit 13
            chosen = record.collect(system, states=1 << state, tables=("tcp", "udp", "unix"))[0]
            seen.update((socket.netid, socket.state) for socket in chosen)
    tables = ("tcp", "udp", "unix")
    expected = Counter((s.netid, s.state) for s in everything if s.netid in tables)
    assert seen == Counter({key: count for key, count in expected.items() if key[1] != "CLOSE" or key[0] == "tcp"})
    listening = record.collect(system, states=1 << LISTEN, tables=("tcp",))[0]
    assert list(listening) == [s for s in everything if (s.netid, s.state) == ("tcp", "LISTEN")]
    assert record.collect(system, states=ALL_STATES, tables=("tcp",))[0] == [s for s in everything if s.netid == "tcp"]


PROGRAM = (sys.executable, "-m", "sockdiag")


def ss_of_capture(path: Path, *options: str) -> list[str]:
    run = subprocess.run(
        ["ss", *options], env={**os.environ, "TCPDIAG_FILE": str(path)}, check=True, capture_output=True, text=True
    )
    assert run.stderr == ""
    return run.stdout.splitlines()


def ss_rows(lines: list[str]) -> Counter[tuple[str, ...]]:
    """Return state, queues, ends, inode and cookie. ss prints TCP-MD5 keys, which only the capture has, before the state."""
    pattern = r"\**(\S+) +(\d+) +(\d+) +(\S+) +(\S+) .*?(?:ino:(\d+) )?sk:(\w+)"
    matches = [re.match(pattern, line) for line in lines]
    return Counter(found.groups("") for found in matches if found and found[1] != "UNCONN")


def test_ss_reads_the_capture(recorded: Recorded) -> None:
    """TCPDIAG_FILE of ss shows the sockets that ss showed live, but the bound and idle ones that ss 6.1 does not ask for."""
    shown = [
        line
        for family, option in (("tcp", "-4"), ("tcp6", "-6"))
        for line in ss_of_capture(recorded.folder / f"netlink/inet_diag_{family}.nl", "-HtanemO", option)
    ]
    assert sum(ss_rows(shown).values()) == len(recorded.ss) > 50
    assert ss_rows(shown) == ss_rows(recorded.ss)


_CHANGING = re.compile(
    r" (?:timer:\(\S+\)|(?:lastsnd|lastrcv|lastack|busy|rwnd_limited|sndbuf_limited):\S+)|^[*a-z]+(?=[A-Z])"
)


FAMILIES = (("tcp", "-4"), ("tcp6", "-6"))


def told(path: Path, option: str) -> list[str]:
    """Return what ss prints of a file of messages, without what changes while nothing happens (times), and without TCP-MD5 keys,
    which ss prints before the state and a capture does not hold."""
    return [_CHANGING.sub("", " ".join(line.split())) for line in ss_of_capture(path, "-HtanemO", option)]


def dumped(world: World, folder: Path) -> list[str]:
    folder.mkdir()
    for family, option in FAMILIES:
        world.namespace.run(["ss", "-taneim", option, "-D", str(folder / family)])
    return [line for family, option in FAMILIES for line in told(folder / family, option)]


def test_ss_prints_the_same_of_the_capture_and_of_its_own_dump(world: World, tmp_path: Path) -> None:
    """All that ``ss -D`` wrote is in the capture, in a form that ss reads: every column of each row that stood still."""
    before = dumped(world, tmp_path / "before")
    world.namespace.run([*PROGRAM, "capture", str(tmp_path / "case"), "--interval", "0"])
    still = set(before) & set(dumped(world, tmp_path / "after"))
    captured = [
        line for family, option in FAMILIES for line in told(tmp_path / f"case/netlink/inet_diag_{family}.nl", option)
    ]
    assert len(still) > 50
    assert still - set(captured) == set()
    assert len(captured) == len(set(captured))


def test_dump_of_ss_is_a_capture(world: World, tmp_path: Path) -> None:
    """``ss -D FILE`` put in the place of an answer is read as one."""
    (tmp_path / "netlink").mkdir()
    (tmp_path / "proc").mkdir()
    for family, option in (("tcp", "-4"), ("tcp6", "-6")):
        world.namespace.run(["ss", "-tanm", option, "-D", str(tmp_path / f"netlink/inet_diag_{family}.nl")])
    captured = record.collect(captured_system(str(tmp_path)), needs=frozenset({"skmem"}), tables=("tcp",))
    live = world.namespace.call(live_tcp)
    key: Any = lambda s: (s.family, s.state, s.local[:2], s.peer, s.inode, s.uid)  # noqa: E731
    assert Counter(map(key, captured[0])) == Counter(key(s) for s in live if s.state != "CLOSE")
    assert captured[1:] == ({"tcp": "netlink"}, [])


def live_tcp() -> list[Any]:
    """Read TCP of this process's namespace."""
    from sockdiag.sources.system.machine import this_system

    return record.collect(this_system(), needs=frozenset({"skmem"}), tables=("tcp",))[0]


def test_capture_has_no_names_of_files_that_others_have_open(recorded: Recorded) -> None:
    links = [os.readlink(path) for path in (recorded.folder / "proc").glob("[0-9]*/fd/*")]
    assert links
    assert {link for link in links if not link.startswith("socket:[")} == {"-"}


def test_capture_of_an_empty_namespace(empty_netns: Namespace, tmp_path: Path) -> None:
    """An empty table and one that the kernel lacks stay apart."""
    empty_netns.call(record.record, str(tmp_path / "c"))
    sockets, sources, _gaps = record.collect(captured_system(str(tmp_path / "c")))
    assert {socket.netid for socket in sockets} <= {"netlink", "unix"}
    assert (sources["tcp"], sources["packet"], sources["vsock"]) == ("netlink", "netlink", None)


def kernel_and_capture(folder: str) -> list[tuple[str, int, dict[bytes, bytes], dict[bytes, bytes]]]:
    """Ask the kernel and a capture for each part of a socket alone, and return the messages of both by cookie."""
    from sockdiag.kernel.inet_diag import MSG_SOCKID
    from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, AF_UNIX, IPPROTO_TCP, IPPROTO_UDP
    from sockdiag.kernel.unix_diag import REQ
    from sockdiag.sources.capture.transport import CaptureTransport
    from sockdiag.sources.netlink.inet_request import request
    from sockdiag.sources.system.transport import KernelTransport, messages
    from sockdiag.sources.system.transport import Request as Asking

    def heard(transport: Transport, request: Request, cookie: slice) -> dict[bytes, bytes]:
        every = (message for datagram in transport.dump(request) for message in messages(request, datagram))
        return {message[cookie]: message[:8] + message[16:] for message in every}

    asked = [
        (request(family, protocol, ALL_STATES, bits), slice(MSG_SOCKID.stop - 8, MSG_SOCKID.stop))
        for family in (AF_INET, AF_INET6)
        for protocol in (IPPROTO_TCP, IPPROTO_UDP)
        for bits in (0, *(1 << bit for bit in range(1, 8)))  # nobody asks for MEMINFO where there is SKMEMINFO
    ]
    asked += [
        (Asking("unix_diag", REQ.pack(AF_UNIX, 0, 0, 0xFFFFFFFF, 0, bits, 0xFFFFFFFF, 0xFFFFFFFF)), slice(24, 32))
        for bits in (0, *(1 << bit for bit in range(7)))
    ]
    kernel, capture = KernelTransport(), CaptureTransport(folder)
    return [
        (f"{one.name} {one.payload[:20].hex()}", at.start, heard(kernel, one, at), heard(capture, one, at))
        for one, at in asked
    ]


def test_attributes_of_a_capture_are_those_that_the_kernel_sends(world: World, tmp_path: Path) -> None:
    """Of everything that a capture holds, an answer has what the kernel gives to the same request."""
    folder = tmp_path / "c"
    world.namespace.run([sys.executable, "-m", "sockdiag", "capture", str(folder), "--interval", "0"])
    compared = 0
    for request, _at, kernel, capture in world.namespace.call(kernel_and_capture, str(folder)):
        alike = kernel.keys() & capture.keys()
        assert len(alike) >= len(kernel) - 5, request
        for cookie in alike:
            # Timers, and times in tcp_info, go on: the attributes and their sizes stay.
            assert shape(kernel[cookie]) == shape(capture[cookie]), request
        compared += len(alike)
    assert compared > 500


def shape(message: bytes) -> list[tuple[int, int]]:
    """Return number and length of each attribute of a message whose header lost its last half."""
    import struct

    at = 8 + (16 if message[8] == 1 else 72)
    found = []
    while len(message) - at >= 4:
        length, kind = struct.unpack_from("=HH", message, at)
        found.append((kind & 0x3FFF, length))
        at += (length + 3) & ~3
    return found
