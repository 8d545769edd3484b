"""One socket through all its layers, as its owner knows it: what was set is told, and equals getsockopt's own answer."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.live import inspect_probes as probes
from tests.live import locked
from tests.live.world.namespace import PROJECT

if TYPE_CHECKING:
    from tests.live.conftest import World
    from tests.live.world.facts import Fact
    from tests.live.world.namespace import Namespace

SOCKDIAG = [sys.executable, "-m", "sockdiag"]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SOCKDIAG, *words], capture_output=True, text=True, timeout=60, check=False, cwd=PROJECT)


def inspect(namespace: Namespace, target: str, *words: str) -> Any:
    done = run("inspect", target, "--netns", namespace.path, "--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def seen(namespace: Namespace, target: str, *words: str) -> Any:
    document = inspect(namespace, target, *words)
    assert len(document["matches"]) == 1
    return document


OPTIONED = [
    (socket.AF_INET, socket.SOCK_STREAM, 25),
    (socket.AF_INET6, socket.SOCK_STREAM, 28),
    (socket.AF_INET, socket.SOCK_DGRAM, 20),
    (socket.AF_INET6, socket.SOCK_DGRAM, 20),
    (socket.AF_UNIX, socket.SOCK_STREAM, 8),
    (socket.AF_UNIX, socket.SOCK_DGRAM, 8),
]


@pytest.mark.parametrize(("family", "kind", "least"), OPTIONED)
def test_every_option_that_was_set(empty_netns: Namespace, family: int, kind: int, least: int) -> None:
    """What setsockopt set is what inspect tells, and the layers agree with it."""
    pid, fd, told = empty_netns.call(probes.optioned, family, kind)
    document = seen(empty_netns, f"{pid}/{fd}")
    answers = document["getsockopt"]
    assert {name: answers[name] for name in told} == told
    assert len(told) >= least
    sock = document["layers"]["sock"]["socket"]
    assert sock["cookie"] == told["SO_COOKIE"]
    assert list(sock["skmem"].values()) == told["SO_MEMINFO"]
    assert (sock["state"] == "LISTEN") == bool(told["SO_ACCEPTCONN"])
    if family != socket.AF_UNIX:
        assert sock["mark"] == told["SO_MARK"]
        assert sock["local"]["interface"] == "lo"
        assert sock["inet"]["tos"] == told["IP_TOS"]
        assert {"freebind", "transparent", "recverr"} <= set(sock["inet"]["sockopt"])
        assert ("bind_address_no_port" in sock["inet"]["sockopt"]) == ("IP_BIND_ADDRESS_NO_PORT" in told)
    if family == socket.AF_INET6:
        assert sock["inet"]["tclass"] == told["IPV6_TCLASS"]
        assert sock["inet"]["v6only"] is True
    if family != socket.AF_UNIX and kind == socket.SOCK_STREAM:
        assert sock["inet"]["congestion"] == "reno"
        assert sock["send_q"] == 3


BUFFERS = [
    (kind, how, sending)
    for kind in ("tcp", "udp", "unix")
    for how in ("default", "set", "clamped", "at-cap", "raised", "forced", "unlocked")
    for sending in (False, True)
]


@pytest.mark.parametrize(("kind", "how", "sending"), BUFFERS)
def test_how_a_buffer_came_to_be(empty_netns: Namespace, kind: str, how: str, sending: bool) -> None:
    """Sizes below, at and above the cap, forced, raised to the minimum, and with the lock cleared."""
    pid, fd, size, lock = empty_netns.call(probes.buffered, kind, how, sending)
    layer = seen(empty_netns, f"{pid}/{fd}")["layers"]["sock"]
    buffer = layer["sndbuf" if sending else "rcvbuf"]
    other = layer["rcvbuf" if sending else "sndbuf"]
    assert buffer["bytes"] == size
    if lock is None:
        pytest.skip("this kernel has no SO_BUF_LOCK")
    expected = {"at-cap": "clamped"}.get(how, how)
    if how == "unlocked" and kind == "tcp":
        # The kernel tunes it from there on, and 40000 is in its range.
        expected = "autotuned"
    assert (buffer["origin"], buffer["certain"], buffer["locked"]) == (
        expected,
        True,
        how not in ("default", "unlocked"),
    )
    assert (other["origin"], other["locked"]) == ("default", False)


def test_tuned_buffer(empty_netns: Namespace) -> None:
    """A receive buffer that the kernel made larger is told from one that was set."""
    pid, fd, size = empty_netns.call(probes.tuned)
    buffer = seen(empty_netns, f"{pid}/{fd}")["layers"]["sock"]["rcvbuf"]
    assert (buffer["bytes"], buffer["origin"], buffer["locked"]) == (size, "autotuned", False)


def test_without_stealing_it_is_a_guess(empty_netns: Namespace) -> None:
    """--no-steal-fd asks nothing of the owner, and says what it concluded from sizes."""
    pid, fd, size, _lock = empty_netns.call(probes.buffered, "udp", "set", False)
    document = seen(empty_netns, f"{pid}/{fd}", "--no-steal-fd")
    buffer = document["layers"]["sock"]["rcvbuf"]
    assert "getsockopt" not in document
    assert (buffer["bytes"], buffer["origin"], buffer["certain"], buffer["locked"]) == (size, "set", False, None)
    assert not [gap for gap in document["gaps"] if gap["source"] == "pidfd_getfd"]


def test_descriptor_and_file(empty_netns: Namespace) -> None:
    """Flags, other descriptors, and the epoll instance with what it waits for."""
    held = empty_netns.call(probes.watched)
    before = empty_netns.call(probes.state_of, held["fd"])
    layers = seen(empty_netns, f"{held['pid']}/{held['fd']}")["layers"]
    assert empty_netns.call(probes.state_of, held["fd"]) == before
    fd, file = layers["fd"], layers["file"]
    assert (fd["pid"], fd["fd"], fd["close_on_exec"]) == (held["pid"], held["fd"], False)
    assert [(o["pid"], o["fd"]) for o in fd["others"]] == [(held["pid"], held["other"])]
    (watcher,) = fd["watchers"]
    assert (watcher["pid"], watcher["fd"], watcher["tfd"]) == (held["pid"], held["epoll"], held["fd"])
    assert set(watcher["waits_for"]) == {"EPOLLIN", "EPOLLRDHUP", "EPOLLERR", "EPOLLHUP", "EPOLLET"}
    assert file["flags"] == ["O_RDWR", "O_NONBLOCK"]
    assert file["nonblocking"] is True
    assert file["filesystem"] == "sockfs"
    assert isinstance(file["mnt_id"], int)
    assert layers["socket"] == {
        "state": "SS_UNCONNECTED",
        "type": "SOCK_DGRAM",
        "ops": "inet_dgram_ops",
        "note": "",
        "lacks": [],
    }


def end(pair: Any) -> str:
    return f"[{pair[0]}]:{pair[1]}" if ":" in pair[0] else f"{pair[0]}:{pair[1]}"


def by_ends(world: World, fact: Fact) -> Any:
    document = inspect(world.namespace, end(fact.local), end(fact.peer))
    (found,) = [m for m in document["matches"] if m["state"] == fact.state]
    return document, found


STATES = [
    ("tcp_fin_wait2(AF_INET)", "server", "CLOSE_WAIT", True),
    ("tcp_fin_wait2(AF_INET6)", "server", "CLOSE_WAIT", True),
    ("tcp_fin_wait2(AF_INET)", "client", "FIN_WAIT2", True),
    ("tcp_fin_wait2_orphan(AF_INET)", "client", "FIN_WAIT2", False),
    ("tcp_fin_wait2_orphan(AF_INET6)", "client", "FIN_WAIT2", False),
    ("tcp_syn_recv(count=3, AF_INET)", "request-0", "SYN_RECV", False),
    ("tcp_syn_recv(count=3, AF_INET6)", "request-1", "SYN_RECV", False),
    ("tcp_established_unaccepted(AF_INET)", "first-child", "ESTABLISHED", False),
    ("tcp_established_unaccepted(AF_INET6)", "second-child", "ESTABLISHED", False),
    ("tcp_time_wait(AF_INET)", "client", "TIME_WAIT", False),
    ("tcp_last_ack(AF_INET)", "client", "LAST_ACK", False),
    ("tcp_closing(AF_INET)", "client", "CLOSING", False),
    ("tcp_closing_owned(AF_INET)", "client", "CLOSING", True),
    ("tcp_fin_wait1(AF_INET)", "client", "FIN_WAIT1", True),
    ("tcp_fin_wait1_orphan(AF_INET)", "client", "FIN_WAIT1", False),
    ("tcp_syn_sent(AF_INET)", "client", "SYN_SENT", True),
]


@pytest.mark.parametrize(("call", "role", "state", "held"), STATES)
def test_states(world: World, call: str, role: str, state: str, held: bool) -> None:
    """Each state is told with where it may go, and whether a process holds it."""
    (fact,) = [fact for fact in world.of(call) if fact.role == role]
    document, found = by_ends(world, fact)
    layers = document["layers"]
    assert found["state"] == state
    assert layers["sock"]["next_states"]
    if held:
        assert (layers["fd"]["pid"], layers["fd"]["fd"]) == (fact.pid, fact.fd)
        assert document["getsockopt"]["SO_COOKIE"] == found["cookie"]
        assert layers["socket"]["ops"] == ("inet_stream_ops" if fact.family == "AF_INET" else "inet6_stream_ops")
    else:
        assert layers["fd"]["pid"] is None
        assert layers["fd"]["note"]
        assert layers["socket"]["state"] is None
        assert document["getsockopt"] is None


def test_every_held_socket_has_layers(world: World) -> None:
    """Every socket with a descriptor, of every family, is found by it and has an answer of each layer."""
    ops = set()
    for fact in world.facts:
        if fact.fd < 0 or fact.netid == "xdp":
            continue
        document = inspect(world.namespace, f"{fact.pid}/{fact.fd}")
        (match,) = document["matches"]
        layers = document["layers"]
        assert match["inode"] == fact.inode, fact.name
        assert match["netid"] == fact.netid or not fact.where, fact.name
        assert layers["file"]["inode"] == fact.inode
        assert layers["socket"]["ops"], fact.name
        assert layers["proto"]["row"]["name"] == layers["proto"]["name"], fact.name
        assert document["getsockopt"]["SO_TYPE"] == fact.type, fact.name
        if fact.netid == "mptcp" and fact.state == "ESTABLISHED":
            assert {flow["netid"] for flow in layers["sock"]["subflows"]} == {"tcp"}, fact.name
        ops.add(layers["socket"]["ops"])
    assert ops >= {
        "inet_stream_ops",
        "inet6_stream_ops",
        "inet_dgram_ops",
        "inet6_dgram_ops",
        "inet_sockraw_ops",
        "unix_stream_ops",
        "unix_dgram_ops",
        "unix_seqpacket_ops",
        "netlink_ops",
        "packet_ops",
    }


def test_socket_that_no_table_lists(empty_netns: Namespace) -> None:
    """A TCP socket that is neither bound nor connected is described by its own answers."""
    pid, fd = empty_netns.call(probes.unbound, socket.AF_INET, socket.SOCK_STREAM)
    document = seen(empty_netns, f"{pid}/{fd}")
    (match,) = document["matches"]
    assert (match["netid"], match["state"], match["source"]) == ("tcp", "CLOSE", "getsockopt")
    assert document["layers"]["sock"]["rcvbuf"]["origin"] == "default"


def test_nothing_is_reset(empty_netns: Namespace) -> None:
    """Reading PACKET_STATISTICS resets it: inspect leaves it to the owner."""
    pid, fd = empty_netns.call(probes.packet_drops)
    document = seen(empty_netns, f"{pid}/{fd}")
    assert not [name for name in document["getsockopt"] if "STATISTICS" in name or name == "SO_ERROR"]
    packets, drops = empty_netns.call(probes.packet_statistics)
    assert packets >= 50
    assert drops > 0


def test_locked_socket_does_not_hang(empty_netns: Namespace) -> None:
    """The owner sleeps with the socket lock held: what needs the lock is a gap, within seconds."""
    made = empty_netns.call(locked.lock, 1, socket.AF_INET)
    if made is None:
        pytest.skip("this kernel has no userfaultfd")
    _holder, (sock,), _others = made
    began = time.monotonic()
    done = run("inspect", f"cookie:{sock.cookie:x}", "--netns", empty_netns.path, "--json")
    assert time.monotonic() - began < 8
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert document["matches"][0]["tcp_info"] is None
    assert document["matches"][0]["skmem"]["rcvbuf"] > 0
    assert not document["complete"]
    assert document["getsockopt"]["SO_RCVBUF"] == document["matches"][0]["skmem"]["rcvbuf"]


def test_unprivileged(empty_netns: Namespace) -> None:
    """A user who may not look into the process: each layer says what it lacks and what would show it."""
    pid, fd, told = empty_netns.call(probes.optioned, socket.AF_INET, socket.SOCK_STREAM)
    program = f"""
import os, sys
sys.path.insert(0, {str(PROJECT)!r})
import ctypes, json, _socket, pwd, datetime, encodings.idna, pickle, difflib
from sockdiag.cli.main import run
run(["sockdiag", "inspect", "cookie:{told["SO_COOKIE"]}", "--json"])  # imports what nobody may not read
sys.stdout.flush()
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
run(["sockdiag", "inspect", "cookie:{told["SO_COOKIE"]}", "--json"])
print("=")
sys.stdout.flush()
print(run(["sockdiag", "inspect", "{pid}/{fd}"]))
"""
    done = subprocess.run(
        ["nsenter", f"--net={empty_netns.path}", sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    decoder = json.JSONDecoder()
    root, length = decoder.raw_decode(done.stdout)
    text = done.stdout[length:].lstrip()
    nobody, length = decoder.raw_decode(text)
    assert root["getsockopt"]["SO_COOKIE"] == told["SO_COOKIE"]
    assert not nobody["complete"]
    layers = nobody["layers"]
    for name in ("fd", "file", "sock"):
        assert layers[name]["lacks"], name
        assert all(gap["hint"] for gap in layers[name]["lacks"]), layers[name]["lacks"]
    assert nobody["getsockopt"] is None
    assert layers["sock"]["socket"]["mark"] is None
    assert layers["sock"]["socket"]["skmem"] == root["layers"]["sock"]["socket"]["skmem"]
    assert layers["sock"]["rcvbuf"]["certain"] is False
    assert text[length:].split() == ["=", "1"]
    assert "Permission denied: run as root" in done.stderr


def test_what_is_no_target(empty_netns: Namespace) -> None:
    """A pid that does not exist, a descriptor that does not, an fd that is no socket: exit 1 and a clear message."""
    held = empty_netns.call(probes.watched)
    pid = held["pid"]
    absent = int(Path("/proc/sys/kernel/pid_max").read_text())
    for target, message in (
        (f"{absent}/3", "there is no such process"),
        (f"{pid}/9999", f"process {pid} has no such descriptor"),
        (f"{pid}/{held['pipe']}", "not a socket but pipe:["),
        ("inode:4000000000", "no such socket"),
        ("cookie:ffffffffffff", "no such socket"),
        ("127.0.0.1:1", "no such socket"),
        ("@nobody-has-this-name", "no such socket"),
        ("/nobody/has/this/path", "no such socket"),
    ):
        done = run("inspect", target, "--netns", empty_netns.path)
        assert (done.returncode, done.stdout) == (1, ""), target
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_vanishing_target(empty_netns: Namespace) -> None:
    """The socket is closed while it is followed: exit 1 and its name."""
    with subprocess.Popen(
        [
            "nsenter",
            f"--net={empty_netns.path}",
            sys.executable,
            "-c",
            "import socket,os; s=socket.socket(); s.bind(('127.0.0.1',7777)); s.listen(); print(os.getpid(), s.fileno(), flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdin is not None
        assert owner.stdout is not None
        pid, fd = owner.stdout.readline().split()
        watcher = subprocess.Popen(
            [*SOCKDIAG, "inspect", f"{pid}/{fd}", "--follow", "0.1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
        )
        assert watcher.stdout is not None
        assert watcher.stdout.readline().startswith("tcp LISTEN 127.0.0.1:7777")
        owner.stdin.close()
        out, err = watcher.communicate(timeout=30)
    assert watcher.returncode == 1, err
    assert "tcp 127.0.0.1:7777 0.0.0.0:*: the socket is gone" in err
    assert "Traceback" not in out + err


def test_follow_marks_what_moved(empty_netns: Namespace) -> None:
    """Two looks with a datagram between: its queue moved, and only the second look says so."""
    held = empty_netns.call(probes.watched)
    process = subprocess.Popen(
        [
            *SOCKDIAG,
            "inspect",
            f"{held['pid']}/{held['fd']}",
            "--ndjson",
            "--follow",
            "1",
            "--count",
            "2",
            "--netns",
            empty_netns.path,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=PROJECT,
    )
    assert process.stdout is not None
    first = [json.loads(process.stdout.readline())]
    empty_netns.call(send_to, held["fd"])
    rows = first + [json.loads(line) for line in process.stdout]
    process.stdout.close()
    assert process.wait(30) == 0
    queues = [row for row in rows if (row["layer"], row["name"]) == ("sock", "recv_q")]
    assert [row["was"] for row in queues] == [None, 0]
    assert queues[1]["value"] > 0
    assert not [row for row in rows[: len(rows) // 2] if row["was"] is not None]


def send_to(fd: int) -> None:
    with socket.socket(fileno=os.dup(fd)) as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x" * 100, sock.getsockname())


def test_interrupted_follow(empty_netns: Namespace) -> None:
    """Ctrl-C ends --follow by SIGINT and without a word."""
    held = empty_netns.call(probes.watched)
    process = subprocess.Popen(
        [*SOCKDIAG, "inspect", f"{held['pid']}/{held['fd']}", "--follow", "60", "--netns", empty_netns.path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    assert process.stdout is not None
    while not process.stdout.readline().startswith("           sk->sk_data_ready"):
        pass
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert "Traceback" not in err


def test_process_in_another_namespace(empty_netns: Namespace) -> None:
    """PID/FD needs no --netns: the socket is looked for where its process is."""
    pid, fd, told = empty_netns.call(probes.optioned, socket.AF_INET, socket.SOCK_STREAM)
    done = run("inspect", f"{pid}/{fd}", "--json")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert document["matches"][0]["cookie"] == told["SO_COOKIE"]
    assert document["scope"]["netns"][0]["inode"] == empty_netns.inode
