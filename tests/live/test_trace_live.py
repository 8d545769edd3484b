"""`trace` reports what was done in a namespace, with the process that did it, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.errors import SourceError
from sockdiag.sources.tracefs.instance import TraceInstance
from sockdiag.sources.tracefs.mount import open_tracefs
from tests.live import trace_probes as probes
from tests.live.world.namespace import PROJECT
from tests.needs import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.live.world.namespace import Namespace

SOCKDIAG = [sys.executable, "-m", "sockdiag"]


@pytest.fixture(autouse=True)
def _tracefs() -> None:
    try:
        os.close(open_tracefs())
    except SourceError as error:
        pytest.skip(f"needs tracefs: {error}")


def instances() -> list[str]:
    """Return the instances of sockdiag that there are."""
    root = open_tracefs()
    folder = os.open("instances", os.O_RDONLY | os.O_DIRECTORY, dir_fd=root)
    try:
        return sorted(name for name in os.listdir(folder) if name.startswith("sockdiag-"))
    finally:
        os.close(folder)
        os.close(root)


def of(pid: int) -> list[str]:
    return [name for name in instances() if name.startswith(f"sockdiag-{pid}-")]


@contextlib.contextmanager
def trace(netns: Namespace, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a trace, and return when it has begun."""
    before = set(instances())
    command = ["nsenter", f"--net={netns.path}", *SOCKDIAG, "trace", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT) as process:
        try:
            deadline = time.monotonic() + 120
            # The listing of sockets follows the instance: the first line is written after both.
            while not of(process.pid) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            assert of(process.pid), (
                before,
                process.stderr.read() if process.poll() is not None and process.stderr else "",
            )
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def begun(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline().startswith(("TIME", "time"))


def ended(process: subprocess.Popen[str]) -> list[str]:
    """Interrupt a trace and return the lines that are left."""
    time.sleep(0.5)  # what has happened is in the kernel's buffer, and is read within 0.1 s
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "lost" not in err
    return out.splitlines()


COLUMNS = (
    "time",
    "event",
    "reason",
    "old_state",
    "state",
    "local.port",
    "peer.port",
    "pid",
    "attribution",
    "netns",
    "lifetime_s",
)


def rows(lines: list[str]) -> list[dict[str, str]]:
    """Read CSV; the header comes with the first event."""
    assert lines[:1] == [",".join(COLUMNS)]
    return [dict(zip(COLUMNS, line.split(","), strict=True)) for line in lines[1:]]


CSV = ("--csv", "-o", ",".join(COLUMNS))


def test_a_flood_into_a_full_buffer(empty_netns: Namespace) -> None:
    """Each drop is an event with the socket, the process and the kernel's reason; their number is that of the kernel."""
    empty_netns.call(probes.receiver, 5353)
    with trace(empty_netns, "drops", *CSV, "--where", "sport = :5353") as process:
        process_begins(process, empty_netns)
        source = empty_netns.call(probes.flood, 5353, 500)
        found = rows(ended(process))
    drops = int(empty_netns.proc("udp").splitlines()[-1].split()[-1])
    assert drops > 100
    assert len(found) == drops
    assert {(row["event"], row["peer.port"], row["pid"], row["netns"]) for row in found} == {
        ("drop", str(source), str(empty_netns.pid), str(empty_netns.inode))
    }
    assert {row["attribution"] for row in found} <= {"exact", "address"}
    assert {row["reason"] for row in found} <= {"SOCKET_RCVBUFF", "SOCKET_RCVBUF", "ENOMEM"}


def process_begins(process: subprocess.Popen[str], netns: Namespace) -> None:
    """Wait until the trace reads events: it catches SIGTERM when everything is prepared."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if probes.catches(process.pid, signal.SIGTERM):
            return
        time.sleep(0.02)
    raise AssertionError("the trace does not begin")


def test_every_change_of_state(empty_netns: Namespace) -> None:
    """A connection is seen from both ends, in order, with its lifetime and the process."""
    empty_netns.call(probes.listen, 5454)
    with trace(empty_netns, "states", *CSV) as process:
        process_begins(process, empty_netns)
        (port,) = empty_netns.call(probes.connections, 5454, 1)
        found = rows(ended(process))
    mine = [row for row in found if "5454" in (row["local.port"], row["peer.port"])]
    client = [f"{row['old_state']}-{row['state']}" for row in mine if row["peer.port"] == "5454"]
    server = [f"{row['old_state']}-{row['state']}" for row in mine if row["local.port"] == "5454"]
    assert client[:3] == ["CLOSE-SYN_SENT", "SYN_SENT-ESTABLISHED", "ESTABLISHED-FIN_WAIT1"]
    assert client[-1].endswith("-CLOSE")
    assert server == [
        "LISTEN-SYN_RECV",
        "SYN_RECV-ESTABLISHED",
        "ESTABLISHED-CLOSE_WAIT",
        "CLOSE_WAIT-LAST_ACK",
        "LAST_ACK-CLOSE",
    ]
    assert {row["pid"] for row in mine} == {str(empty_netns.pid)}
    assert {row["netns"] for row in mine} == {str(empty_netns.inode)}
    assert all(row["lifetime_s"] for row in mine if row["state"] == "CLOSE")
    assert [row["time"] for row in mine] == sorted(row["time"] for row in mine)
    assert str(port) in {row["local.port"] for row in mine}


def test_resets_of_each_kind(empty_netns: Namespace) -> None:
    """Unread data, an abort and a closed port have the kernel's reason and the process."""
    empty_netns.call(probes.listen, 5455)
    with trace(empty_netns, "resets", "--ndjson") as process:
        process_begins(process, empty_netns)
        unread = empty_netns.call(probes.unread, 5455)
        aborted = empty_netns.call(probes.abort, 5455)
        empty_netns.call(probes.refused, 5456)
        found: list[dict[str, Any]] = [json.loads(line) for line in ended(process)]
    sent = {row["local"]["port"]: row for row in found if row["event"] == "reset_sent"}
    received = {row["peer"]["port"] for row in found if row["event"] == "reset_received"}
    for port in (unread, aborted):
        assert sent[port]["pid"] == empty_netns.pid
        assert sent[port]["attribution"] == "exact"
        assert port in received
    assert 5456 in sent
    assert 5456 in received
    if sent[unread]["reason"] is not None:
        assert sent[unread]["reason"] == "TCP_ABORT_ON_CLOSE"
        assert sent[5456]["reason"] == "NO_SOCKET"


def test_a_thousand_short_connections(empty_netns: Namespace) -> None:
    """Each of them has its process, although it is gone when it is looked for."""
    empty_netns.call(probes.listen, 5457)
    with trace(empty_netns, "states", *CSV) as process:
        process_begins(process, empty_netns)
        ports = empty_netns.call(probes.connections, 5457, 1000)
        found = rows(ended(process))
    begun = [row for row in found if (row["old_state"], row["peer.port"]) == ("SYN_SENT", "5457")]
    assert sorted(row["local.port"] for row in begun) == sorted(map(str, ports))
    assert {(row["pid"], row["attribution"]) for row in begun} == {(str(empty_netns.pid), "exact")}
    assert {row["pid"] for row in found if row["local.port"] == "5457"} == {str(empty_netns.pid)}


def test_other_namespaces_are_not_shown(empty_netns: Namespace) -> None:
    """What happens elsewhere is another trace's, also at the same addresses and ports, and to processes of the same program."""
    from tests.live.world.namespace import Namespace as Other

    elsewhere = Other()
    try:
        for place in (elsewhere, empty_netns):
            place.call(probes.receiver, 5360)
            place.call(probes.listen, 5458)
        with trace(empty_netns, "all", *CSV) as process:
            process_begins(process, empty_netns)
            theirs = elsewhere.call(probes.connections, 5458, 5)
            elsewhere.call(probes.abort, 5458)
            elsewhere.call(probes.refused, 5461)
            elsewhere.call(probes.listen, 5460)
            elsewhere.call(probes.connections, 5460, 1)
            elsewhere.call(probes.flood, 5360, 500)
            (mine,) = empty_netns.call(probes.connections, 5458, 1)
            found = rows(ended(process))
    finally:
        elsewhere.close()
    ports = {int(port) for row in found for port in (row["local.port"], row["peer.port"]) if port}
    assert {5458, mine} <= ports
    assert not ports & ({5360, 5460, 5461, *theirs} - {mine}), found
    assert {(row["pid"], row["netns"]) for row in found if row["netns"]} == {
        (str(empty_netns.pid), str(empty_netns.inode))
    }, found


def test_in_a_pid_namespace_of_its_own(empty_netns: Namespace) -> None:
    """A trace numbers processes as its own /proc does, and names none that it cannot see there."""
    empty_netns.call(probes.listen, 5462)
    script = (
        "import json, os, sys, time\n"
        "from subprocess import PIPE, Popen\n"
        "from tests.live import trace_probes as probes\n"
        "trace = Popen([sys.executable, '-m', 'sockdiag', 'trace', 'states', *sys.argv[1:]], stdout=PIPE, text=True)\n"
        "while not probes.catches(trace.pid, 15):\n"
        "    time.sleep(0.05)\n"
        "probes.listen(5463)\n"
        "print(os.getpid(), *probes.connections(5463, 20), flush=True)\n"
        "input()\n"
        "trace.send_signal(2)\n"
        "print(trace.communicate()[0])\n"
    )
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", script, *CSV]
    with subprocess.Popen(
        ["nsenter", f"--net={empty_netns.path}", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    ) as inner:
        assert inner.stdout is not None
        pid, *ports = inner.stdout.readline().split()
        outside = empty_netns.call(probes.connections, 5462, 20)
        time.sleep(0.5)
        out, _ = inner.communicate("\n", timeout=120)
    found = rows(out.strip().splitlines())
    inside = [row for row in found if "5463" in (row["local.port"], row["peer.port"])]
    assert {row["local.port"] for row in inside} >= set(ports)
    assert {row["pid"] for row in inside} == {pid}
    others = [row for row in found if "5462" in (row["local.port"], row["peer.port"])]
    assert {row["local.port"] for row in others} >= set(map(str, outside))
    assert {(row["pid"], row["attribution"]) for row in others} == {("", "unknown")}
    # The namespace of what other tests do at the same time may be unknown.
    assert {row["netns"] for row in (*inside, *others)} == {str(empty_netns.inode)}
    assert {row["netns"] for row in found} <= {"", str(empty_netns.inode)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_behind(empty_netns: Namespace, number: int) -> None:
    """However the program ends, its instance is removed."""
    with trace(empty_netns, "all") as process:
        process.send_signal(number)
        process.communicate(timeout=120)
        deadline = time.monotonic() + 120
        while of(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not of(process.pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_totals(empty_netns: Namespace, number: int) -> None:
    """What was seen is summed up, as after --for, and the exit status is that of success."""
    empty_netns.call(probes.receiver, 5354)
    with trace(empty_netns, "drops", "--summary", "--where", "sport = :5354") as process:
        process_begins(process, empty_netns)
        empty_netns.call(probes.flood, 5354, 400)
        time.sleep(0.5)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert not of(process.pid)
    drops = int(empty_netns.proc("udp").splitlines()[-1].split()[-1])
    assert out.splitlines()[1].startswith(f"{drops} events in ")
    assert [line for line in out.splitlines() if line.isupper()] == ["REASON", "SOCKET", "PROCESS", "PEER"]
    assert f"({empty_netns.pid})" in out


def test_leftovers_are_removed_and_others_are_not() -> None:
    """An instance that nobody uses any more is removed by the next run, whatever process has its number; one in use stays."""
    root = open_tracefs()
    dead, others = "sockdiag-1-0123abcd", "sockdiag-of-somebody"
    try:
        for name in (dead, others):
            os.mkdir(f"instances/{name}", dir_fd=root)
        with TraceInstance() as earlier, TraceInstance() as mine:
            there = instances()
            assert earlier.name in there
            assert dead not in there
            assert others in there
            assert mine.name in there
        assert mine.name not in instances()
    finally:
        for name in (dead, others):
            with contextlib.suppress(OSError):
                os.rmdir(f"instances/{name}", dir_fd=root)
        os.close(root)


def test_unprivileged() -> None:
    """Without root it says what it needs."""
    done = subprocess.run(
        ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *SOCKDIAG, "trace", "drops", "--for", "1"],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
    )
    assert done.returncode == 1
    assert "CAP_SYS_ADMIN" in done.stderr or "locked down" in done.stderr
    assert done.stdout == ""


def test_totals_and_count(empty_netns: Namespace) -> None:
    """--count ends the trace, and a screen ends with totals."""
    empty_netns.call(probes.receiver, 5353)
    with trace(empty_netns, "drops", "--count", "20", "--where", "sport = :5353") as process:
        begun(process)
        empty_netns.call(probes.flood, 5353, 400)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    lines = out.splitlines()
    assert sum(" drop " in line for line in lines[:20]) == 20
    assert lines[20] == ""
    assert lines[21].startswith("20 events in ")
    assert [line for line in lines if line.isupper()] == ["REASON", "SOCKET", "PROCESS", "PEER"]


def test_a_full_queue_of_another_kind(empty_netns: Namespace) -> None:
    """A ping socket that is full: the kernel names it, or before Linux 6.11 says at least that a queue is full."""
    with trace(empty_netns, "drops", "--ndjson") as process:
        process_begins(process, empty_netns)
        empty_netns.call(probes.ping_flood, 100)
        found = [json.loads(line) for line in ended(process)]
    named = [row for row in found if row["netns"]]
    if not named:
        assert any(row["event"] == "queue_full" for row in found)
        return
    assert {(row["netid"], row["pid"], row["attribution"]) for row in named} == {("icmp", empty_netns.pid, "exact")}
    assert len(named) > 50


def test_retransmissions(empty_netns: Namespace) -> None:
    """SYNs and SYN-ACKs that nobody answers are sent again; there are as many events as the kernel counts."""

    def counted() -> int:
        head, values = [line.split() for line in empty_netns.proc("snmp").splitlines() if line.startswith(b"Tcp:")]
        return int(values[head.index(b"RetransSegs")])

    empty_netns.call(probes.silent_line, 5470)
    with trace(empty_netns, "retransmits", "--ndjson") as process:
        process_begins(process, empty_netns)
        before = counted()
        empty_netns.call(probes.unanswered, 5470, 40000)
        deadline = time.monotonic() + 60
        while counted() < before + 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        least = counted() - before
        out = ended(process)
        most = counted() - before
    found = [json.loads(line) for line in out]
    assert {row["event"] for row in found} == {"retransmit", "retransmit_synack"}
    # While the trace ends, on a busy machine, one more may be due.
    assert least <= len(found) <= most
    for row in found:
        assert row["netns"] == str(empty_netns.inode)
        assert row["pid"] == empty_netns.pid
        assert row["state"] == ("SYN_SENT" if row["event"] == "retransmit" else "SYN_RECV")


@pytest.mark.parametrize(
    ("probe", "reset"),
    [(probes.silent_peer_keepalive, True), (probes.silent_peer_user_timeout, True), (probes.silent_peer_data, False)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_timeouts(empty_netns: Namespace, probe: Callable[[int], int], reset: bool) -> None:
    """A connection whose peer is silent is reset after its keepalive probes, and each timeout is an error of its process."""
    empty_netns.call(probes.silent_line, 5473)
    with trace(empty_netns, "resets", "errors", "--ndjson") as process:
        process_begins(process, empty_netns)
        port = empty_netns.call(probe, 5474)
        found: list[dict[str, Any]] = [json.loads(line) for line in ended(process)]
    # Those of other namespaces with the same addresses may be shown as being of an unknown one.
    sent = [row for row in found if row["event"] == "reset_sent" and row["local"]["port"] == port]
    assert {(row["peer"]["port"], row["pid"], row["netns"]) for row in sent} == (
        {(5474, empty_netns.pid, str(empty_netns.inode))} if reset else set()
    )
    assert {row["reason"] for row in sent} <= {"TCP_KEEPALIVE_TIMEOUT", None}
    errors = [row for row in found if row["event"] == "error" and row["peer"]["port"] == 5474 and row["netns"]]
    if not errors:
        refuse("needs the tracepoint inet_sk_error_report, of Linux 5.14")
    assert {(row["reason"], row["local"]["port"], row["pid"], row["netns"]) for row in errors} == {
        ("ETIMEDOUT", port, empty_netns.pid, str(empty_netns.inode))
    }


def test_data_on_a_lossy_line(empty_netns: Namespace) -> None:
    """Each segment that is sent again is an event, as many as the kernel counts in Tcp.RetransSegs, and none of them failed."""
    empty_netns.call(probes.silent_line, 5475)
    with trace(empty_netns, "retransmits", "--ndjson") as process:
        process_begins(process, empty_netns)
        before = tcp_counters(empty_netns)
        port = empty_netns.call(probes.lossy_transfer, 5476, 40)
        found = [json.loads(line) for line in ended(process)]
        after = tcp_counters(empty_netns)
    mine = [row for row in found if row["local"]["port"] == port]
    assert mine == found
    assert len(mine) == after["RetransSegs"] - before["RetransSegs"] >= 5
    kinds = ("TCPFastRetrans", "TCPSlowStartRetrans", "TCPTimeouts", "TCPLossProbes")
    assert sum(after[name] - before[name] for name in kinds) >= 5
    assert {(row["event"], row["state"], row["pid"], row["netns"]) for row in mine} == {
        ("retransmit", "ESTABLISHED", empty_netns.pid, str(empty_netns.inode))
    }
    assert after["TCPRetransFail"] == before["TCPRetransFail"]
    assert {row["reason"] for row in mine} == {None}


def tcp_counters(netns: Namespace) -> dict[str, int]:
    """Return the counters of Tcp and TcpExt."""
    found: dict[str, int] = {}
    for name, begin in (("snmp", b"Tcp:"), ("netstat", b"TcpExt:")):
        head, values = [line.split()[1:] for line in netns.proc(name).splitlines() if line.startswith(begin)]
        found.update((key.decode(), int(value)) for key, value in zip(head, values, strict=True))
    return found


# Makes system calls fail, hides where tracefs is mounted, and runs a command.
_WITHOUT = """
import ctypes, os, struct, subprocess, sys
number, places, lockdown, *command = sys.argv[1:]
for place in places.split():
    if os.path.isdir(place):
        subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
if lockdown:
    subprocess.run(["mount", "-t", "tmpfs", "none", "/sys/kernel/security"], check=True)
    with open("/sys/kernel/security/lockdown", "w") as file:
        file.write(lockdown)
if int(number):
    rows = [(0x20, 0, 0, 0), (0x15, 0, 1, 430), (6, 0, 0, 0x50000 | int(number)), (6, 0, 0, 0x7FFF0000)]
    program = b"".join(struct.pack("=HBBI", *row) for row in rows)
    body = ctypes.create_string_buffer(program)
    libc = ctypes.CDLL(None)
    libc.prctl(38, 1, 0, 0, 0)
    filters = ctypes.create_string_buffer(struct.pack("@HP", len(rows), ctypes.addressof(body)))
    assert libc.prctl(22, 2, filters, 0, 0) == 0
os.execvp(command[0], command)
"""
_HIDDEN = "/sys/kernel/tracing /sys/kernel/debug"


@pytest.mark.parametrize(
    ("number", "lockdown", "said"),
    [
        (0, "", ""),
        (errno.ENODEV, "", "the kernel has no tracefs"),
        (errno.ENOSYS, "", "too old to mount it"),
        (errno.EPERM, "", "needs root: CAP_SYS_ADMIN on the host"),
        (errno.EPERM, "none integrity [confidentiality]\n", "locked down: confidentiality"),
    ],
    ids=["detached", "no tracefs", "old kernel", "not permitted", "locked down"],
)
def test_where_tracefs_is_not_mounted(empty_netns: Namespace, number: int, lockdown: str, said: str) -> None:
    """A mount that is attached nowhere takes its place; where there can be none, the message says why, and states shows the ends."""
    if lockdown and not os.path.isdir("/sys/kernel/security"):
        refuse("needs /sys/kernel/security")

    def run(what: str) -> subprocess.CompletedProcess[str]:
        apart = ["nsenter", f"--net={empty_netns.path}", "unshare", "--mount", "--propagation", "private"]
        without = [sys.executable, "-c", _WITHOUT, str(number), _HIDDEN, lockdown]
        return subprocess.run(
            [*apart, *without, *SOCKDIAG, "trace", what, "--for", "0.3"],
            capture_output=True,
            text=True,
            check=False,
            cwd=PROJECT,
        )

    drops, states = run("drops"), run("states")
    assert drops.returncode == (1 if number else 0), drops.stderr
    assert states.returncode == 0, states.stderr
    assert "Traceback" not in drops.stderr + states.stderr
    assert said in drops.stderr
    assert ("only the ends of TCP connections" in states.stderr) is bool(number)
    if not number:
        assert drops.stderr == ""


def test_the_kernel_is_given_the_ports(empty_netns: Namespace) -> None:
    """A trace of one port loses neither the beginning of its connections, nor their process."""
    empty_netns.call(probes.listen, 5471)
    with trace(empty_netns, "states", *CSV, "--where", "dport = :5471") as process:
        process_begins(process, empty_netns)
        (port,) = empty_netns.call(probes.connections, 5471, 1)
        found = rows(ended(process))
    assert [row["old_state"] for row in found][:2] == ["CLOSE", "SYN_SENT"]
    assert {row["peer.port"] for row in found} == {"5471"}
    assert {row["local.port"] for row in found} <= {"", "0", str(port)}
    assert {row["pid"] for row in found} == {str(empty_netns.pid)}


@pytest.mark.parametrize(
    ("where", "address", "shown"),
    [
        ("dst 127.0.0.1", "127.0.0.1", True),
        ("src 127.0.0.1 and dport = :5477", "127.0.0.1", True),
        ("dst ::1 or dst 192.0.2.9", "::1", True),
        ("dst ::1", "127.0.0.1", False),
        ("dst 192.0.2.9", "127.0.0.1", False),
        ("family = inet6", "::1", True),
        ("family = inet6", "127.0.0.1", False),
    ],
)
def test_the_kernel_is_given_addresses_and_families(
    empty_netns: Namespace, where: str, address: str, shown: bool
) -> None:
    """Every event of a connection that matches is shown, and none of another; the kernel is given what it can compare."""
    empty_netns.call(probes.listen_at, address, 5477)
    with trace(empty_netns, "states", *CSV, "--where", where) as process:
        process_begins(process, empty_netns)
        empty_netns.call(probes.connections_to, address, 5477, 2)
        out = ended(process)
    changes = [(row["old_state"], row["state"]) for row in rows(out)] if out else []
    opened = [one for one in changes if one == ("SYN_SENT", "ESTABLISHED")]
    assert len(opened) == (2 if shown else 0), changes
    if shown:
        assert sum(old == "CLOSE" for old, _new in changes) == 2
        assert sum(new == "CLOSE" for _old, new in changes) >= 2
        assert {row["pid"] for row in rows(out)} == {str(empty_netns.pid)}


def test_the_kernel_filters_addresses(empty_netns: Namespace) -> None:
    """Of connections to another address the kernel reports nothing, as its own count shows."""
    from sockdiag.filter.tracepoint import WITH_ADDRESSES, event_condition
    from sockdiag.filter.where import compile_where
    from sockdiag.kernel.tracepoints import SET_STATE

    empty_netns.call(probes.listen, 5478)

    def reported(where: str) -> int:
        condition = event_condition(compile_where(where).tree, (WITH_ADDRESSES,))
        assert condition
        with TraceInstance(256) as instance:
            instance.enable(SET_STATE, f"newstate == 8 && {condition}")
            empty_netns.call(probes.connections, 5478, 20)
            return instance.text("trace").count(b"newstate=TCP_CLOSE_WAIT")

    assert reported("dst 127.0.0.1") >= 20
    assert reported("dst 192.0.2.77") == 0


def test_without_tracefs_the_ends_are_shown(empty_netns: Namespace) -> None:
    """sock_diag announces them to everybody, with the bytes that were sent."""
    empty_netns.call(probes.listen, 5472)
    command = [
        "setpriv",
        "--bounding-set=-all",
        "--inh-caps=-all",
        *SOCKDIAG,
        "trace",
        "all",
        "--ndjson",
        "--for",
        "30",
    ]
    with subprocess.Popen(
        ["nsenter", f"--net={empty_netns.path}", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    ) as process:
        process_begins(process, empty_netns)
        (port,) = empty_netns.call(probes.connections, 5472, 1)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert "only the ends of TCP connections" in err
    found = [json.loads(line) for line in out.splitlines()]
    assert {(row["event"], row["local"]["port"], row["peer"]["port"]) for row in found} >= {
        ("end", port, 5472),
        ("end", 5472, port),
    }
    assert all(row["bytes_sent"] == 0 for row in found)
