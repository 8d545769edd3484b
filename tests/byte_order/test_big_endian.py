"""On a big-endian machine both programs print what they print of the same sockets on a little-endian one."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sockdiag.model.socket import Socket
from tests.byte_order import rare, swap

if TYPE_CHECKING:
    from collections.abc import Callable

_PROJECT = Path(__file__).parents[2]
_RUNNER = Path(__file__).with_name("as_order.py")
_ORDERS = ("little", "big")
_TABLES = ["tcp", "mptcp", "udp", "udplite", "raw", "icmp", "sctp", "unix", "netlink", "packet", "vsock", "xdp"]
# Whole records, with all their members; users and processes do not come from the kernel's structs.
_COLUMNS = ",".join(field.name for field in Socket.FIELDS)


def _replace(file: Path, messages: bytes) -> None:
    file.write_bytes(messages + struct.pack("<IHHIIi", 20, 3, 2, 7, 99, 0))


@pytest.fixture(scope="module")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of one captured system for each byte order: ``little/world`` and ``big/world``."""
    folder = tmp_path_factory.mktemp("byte_order")
    little = folder / "little/world"
    shutil.copytree(_PROJECT / "tests/fixtures/6.18-world", little, symlinks=True)
    netlink = little / "netlink"
    rows = rare.tcp()
    _replace(netlink / "inet_diag_tcp.nl", _recorded(netlink / "inet_diag_tcp.nl") + _of_family(rows, 2))
    _replace(netlink / "inet_diag_tcp6.nl", _recorded(netlink / "inet_diag_tcp6.nl") + _of_family(rows, 10))
    for name, make in (("netlink_diag", rare.netlink), ("packet_diag", rare.packet)):
        _replace(netlink / f"{name}.nl", _recorded(netlink / f"{name}.nl") + make())
    tables: tuple[tuple[str, Callable[[], bytes]], ...] = (
        ("inet_diag_sctp", rare.sctp),
        ("inet_diag_sctp6", bytes),
        ("vsock_diag", rare.vsock),
        ("xdp_diag", rare.xdp),
    )
    for name, make in tables:
        _replace(netlink / f"{name}.nl", make())
    swap.capture(little, folder / "big/world")
    return folder


def _recorded(file: Path) -> bytes:
    # All but the NLMSG_DONE at the end.
    return file.read_bytes()[:-20]


def _of_family(messages: bytes, family: int) -> bytes:
    out, at = b"", 0
    while at < len(messages):
        length = struct.unpack_from("<I", messages, at)[0]
        out += messages[at : at + length] if messages[at + 16] == family else b""
        at += length
    return out


def _run(systems: Path, order: str, program: str, words: list[str], **variables: str) -> tuple[bytes, bytes]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(_PROJECT), **variables}
    done = subprocess.run(
        [sys.executable, str(_RUNNER), order, program, "world", *words],
        cwd=systems / order,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout, done.stderr


def _both(systems: Path, program: str, words: list[str], **variables: str) -> bytes:
    little, big = (_run(systems, order, program, words, **variables) for order in _ORDERS)
    for part in (0, 1):
        assert big[part].decode("latin-1").splitlines() == little[part].decode("latin-1").splitlines()
    return little[0]


def test_the_systems_differ(systems: Path) -> None:
    """What is equal below was not equal to begin with."""
    for path in (systems / "little/world/netlink").iterdir():
        assert path.read_bytes() != (systems / "big/world/netlink" / path.name).read_bytes()


@pytest.mark.parametrize("netid", _TABLES)
def test_list(systems: Path, netid: str) -> None:
    answer = _both(systems, "sockdiag", ["list", "--json", "--netid", netid, "-o", _COLUMNS])
    document = json.loads(answer)
    assert document["sockets"] or netid in ("raw", "icmp")


@pytest.mark.parametrize("netid", ["tcp", "udp", "udplite", "raw", "icmp"])
def test_list_of_proc_tables(systems: Path, netid: str) -> None:
    answer = _both(systems, "sockdiag", ["list", "--json", "--netid", netid, "--source", "proc", "-o", _COLUMNS])
    assert json.loads(answer)["sockets"]


@pytest.mark.parametrize(
    "words", ["list", "states --json", "memory --json", "listeners --json", "doctor --json", "inspect :4023 --json"]
)
def test_commands(systems: Path, words: str) -> None:
    assert _both(systems, "sockdiag", words.split())


@pytest.mark.parametrize(
    "words",
    [
        "-tan",
        "-tanmieo",
        "-tanmieO --tos --cgroup --inet-sockopt",
        "-tane --tos --cgroup --inet-sockopt",
        "-tanm",
        "-tano",
        "-uanmieo --tos --inet-sockopt",
        "-wan",
        "-Manmieo",
        "-Sanmie",
        "-xanme",
        "-0anmeb",
        "-an -f netlink -me",
        "-an -f vsock",
        "-an --xdp -me",
        "-an -f netlink src rtnl",
    ],
)
@pytest.mark.parametrize("version", ["6.1", "7.1"])
def test_ss(systems: Path, words: str, version: str) -> None:
    answer = _both(systems, "ss", words.split(), SOCKDIAG_SS_VERSION=version)
    assert len(answer.splitlines()) > 1 or words == "-wan"


def test_ss_filter_by_vsock_address(systems: Path) -> None:
    words = ["-an", "-f", "vsock", "src", "3:1234"]
    assert len(_both(systems, "ss", words, SOCKDIAG_SS_VERSION="6.1").splitlines()) > 1


@pytest.mark.parametrize("words", ["-tanieo", "-uane", "-wane", "-xan", "-0an", "-an -f netlink", "-s"])
def test_ss_of_proc_files(systems: Path, words: str) -> None:
    assert len(_both(systems, "ss", words.split(), PROC_ROOT="world/proc").splitlines()) > 1


def test_ss_of_a_file_of_messages(systems: Path) -> None:
    words = ["-tanmieo"]
    assert len(_both(systems, "ss", words, TCPDIAG_FILE="world/netlink/inet_diag_tcp.nl").splitlines()) > 1


def test_no_struct_has_an_order_of_its_own() -> None:
    """A format that does not begin with the order of the machine would not follow what these tests set.

    Ports and addresses are in network order (``>`` or ``!``) on every machine. Not all formats are reached by the systems above.
    """
    ours = _PROJECT / "sockdiag"
    folders = ("kernel", "model", "filter", "sources/netlink", "sources/capture", "ss")
    files = [file for folder in folders for file in (ours / folder).glob("*.py") if file.name != "byte_order.py"]
    own = re.compile(r"""(?:Struct|pack(?:_from|_into)?)\(f?["'](?!\{ORDER\}|[>!])""")
    assert [file.name for file in files if own.search(file.read_text())] == []


def test_request_of_a_protocol_above_255(systems: Path) -> None:
    """The number of INET_DIAG_REQ_PROTOCOL and the mask of states are in the machine's order."""
    code = (
        "import sys; sys.byteorder = sys.argv[1]\n"
        "from sockdiag.sources.netlink.inet_request import request\n"
        "print(request(2, 262, 0x102, 3, b'\\1\\4\\4\\0').payload.hex())"
    )
    little, big = (
        bytes.fromhex(
            subprocess.run(
                [sys.executable, "-c", code, order], cwd=_PROJECT, capture_output=True, text=True, check=True
            ).stdout
        )
        for order in _ORDERS
    )
    assert little == struct.pack("<BBBBI48sHH4sHHI", 2, 0, 3, 0, 0x102, bytes(48), 8, 1, b"\1\4\4\0", 8, 3, 262)
    assert big == struct.pack(">BBBBI48sHH4sHHI", 2, 0, 3, 0, 0x102, bytes(48), 8, 1, b"\1\4\4\0", 8, 3, 262)
