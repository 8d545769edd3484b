"""`sockdiag check` as a child of a monitoring system, on sockets and losses that the tests make."""

from __future__ import annotations

import atexit
import ctypes
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.check.entries import read_entries
from sockdiag.check.plugin import answer
from sockdiag.cli.catalog import load
from sockdiag.cli.commands.check import check_options
from sockdiag.cli.env import Env
from sockdiag.cli.main import run
from sockdiag.cli.quick import parse
from sockdiag.sources.system.machine import System, this_system
from sockdiag.sources.system.proc_root import ProcRoot
from tests.live.plugin import CHECK, NOTHING, RULES, Said, check, older
from tests.live.world.namespace import PROJECT, netns
from tests.needs import need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.live.world.namespace import Namespace

NEGATE = "/usr/lib/nagios/plugins/negate"
NO_TIME = "is not a time: write seconds, as 2 or 0.5, or a unit, as 500ms, 2s or 1m"
HELD: dict[str, Any] = {}
OPEN: list[int] = []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a path for a state file."""
    return tmp_path / "state"


# What the process of a namespace does.


@atexit.register
def _close() -> None:
    for thing in HELD.values():
        for one in thing if isinstance(thing, list) else [thing]:
            one.close()


def receive_nothing(name: str) -> int:
    """Make a UDP socket with a small buffer; return its port."""
    HELD[name] = receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
    # Full: from now on each datagram is lost.
    lost = refused()
    while refused() == lost:
        send(receiver.getsockname()[1], 1)
    return int(receiver.getsockname()[1])


def shut(name: str) -> None:
    HELD.pop(name).close()


def send(port: int, count: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(bytes(500), ("127.0.0.1", port))


def refused() -> int:
    names, numbers = [
        line.split()[1:] for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Udp: ")
    ]
    return int(dict(zip(names, numbers, strict=True))["RcvbufErrors"])


def listen(backlog: int) -> int:
    HELD["listener"] = listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    HELD["clients"] = []
    return int(listener.getsockname()[1])


def connect(count: int) -> None:
    for _ in range(count):
        HELD["clients"].append(socket.create_connection(HELD["listener"].getsockname()))


def accept(count: int) -> None:
    for _ in range(count):
        HELD["clients"].append(HELD["listener"].accept()[0])


def hostile_listener() -> None:
    HELD["hostile"] = listener = socket.socket(socket.AF_UNIX)
    listener.bind(b"\0a|b'=9;\nSOCKDIAG OK - all is well|x=1\x1b[2J\xff")
    listener.listen(0)
    HELD["caller"] = caller = socket.socket(socket.AF_UNIX)
    caller.connect(listener.getsockname())


def test_losses_between_runs(file: Path, empty_netns: Namespace) -> None:
    """What the kernel has lost since the run before is CRITICAL, with its number; when it is over, OK."""
    words = (*RULES, "--state", str(file))
    port = empty_netns.call(receive_nothing, "udp")
    assert check(*words, namespace=empty_netns).status in {0, 1, 2}
    older(file)
    before = empty_netns.call(refused)
    empty_netns.call(send, port, 40)
    lost = empty_netns.call(refused) - before
    said = check(*words, "-v", namespace=empty_netns)
    assert lost == 40
    assert said.status == 2
    assert said.line.startswith(
        f"SOCKDIAG CRITICAL - UDP_RECEIVE_BUFFER_FULL: udp 127.0.0.1:{port} lost {lost} datagrams ("
    )
    rate = float(said.data["Udp.RcvbufErrors_per_s"].split(";")[0])
    assert 0.5 < rate <= lost / 60
    lines = said.out.splitlines()
    assert lines[1].startswith(f"CRITICAL UDP_RECEIVE_BUFFER_FULL: udp 127.0.0.1:{port} lost ")
    assert len(lines) == 2


def test_losses_within_half_a_second(file: Path, empty_netns: Namespace) -> None:
    """Two runs by hand, half a second apart: what was lost in between is CRITICAL, and the next run reports it too."""
    words = ("--rule", "UDP_RECEIVE_BUFFER_FULL", "--state", str(file))
    port = empty_netns.call(receive_nothing, "udp")
    check(*words, namespace=empty_netns)
    time.sleep(0.5)
    empty_netns.call(send, port, 40)
    for _ in range(2):
        said = check(*words, namespace=empty_netns)
        assert said.status == 2
        assert " lost 40 datagrams " in said.line


def test_the_first_run_detects_losses(file: Path, empty_netns: Namespace) -> None:
    """Without a baseline two samples are compared; the baseline of the next run is the second one."""
    words = ("--rule", "UDP_RECEIVE_BUFFER_FULL", "--state", str(file))
    port = empty_netns.call(receive_nothing, "udp")
    empty_netns.call(keep_sending, port)
    said = check(*words, namespace=empty_netns)
    empty_netns.call(stop_sending)
    assert said.status == 2
    assert said.line.endswith("; no baseline yet")
    older(file)
    before = read_entries(file.read_bytes())[0][0].decode().earlier.sockets[0].drops
    lost = empty_netns.call(refused_by_all)
    said = check(*words, namespace=empty_netns)
    assert before is not None
    assert f" lost {lost - before} datagrams " in said.line


def keep_sending(port: int) -> None:
    HELD["stop"] = stop = threading.Event()

    def send_on() -> None:
        while not stop.wait(0.01):
            send(port, 1)

    HELD["sender"] = threading.Thread(target=send_on, daemon=True)
    HELD["sender"].start()


def stop_sending() -> None:
    HELD.pop("stop").set()
    HELD.pop("sender").join()


def refused_by_all() -> int:
    """Return the drops of the only UDP socket of the namespace."""
    rows = Path("/proc/net/udp").read_text().splitlines()[1:]
    return sum(int(row.split()[-1]) for row in rows)


def test_few_losses(file: Path, empty_netns: Namespace) -> None:
    """Fewer than five losses raise no alert, and keep one that is raised."""
    words = ("--rule", "UDP_DROPS", "--state", str(file))
    port = empty_netns.call(filtered)
    steps = (
        (0, 0, ""),
        (4, 0, "; below alert threshold: UDP_DROPS"),
        (5, 1, ""),
        (4, 1, ""),
        (0, 0, ""),
        (4, 0, "; below alert threshold: UDP_DROPS"),
    )
    for count, status, end in steps:
        empty_netns.call(send, port, count)
        said = check(*words, namespace=empty_netns)
        assert (count, said.status) == (count, status), said.line
        assert said.line.endswith(end) if end else "few" not in said.line
        older(file)


def filtered() -> int:
    """Make a UDP socket whose filter rejects everything; return its port."""
    HELD["filtered"] = receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    program = ctypes.create_string_buffer(b"\x06\0\0\0\0\0\0\0")  # BPF_RET | BPF_K, 0
    header = (1).to_bytes(8, "little") + ctypes.addressof(program).to_bytes(8, "little")
    receiver.setsockopt(socket.SOL_SOCKET, 26, header)  # SO_ATTACH_FILTER
    return int(receiver.getsockname()[1])


def test_hysteresis_of_a_rule(file: Path, empty_netns: Namespace) -> None:
    """An alert of a level ends a tenth below the threshold that raised it."""
    words = ("--rule", "FD_LIMIT", "-v", "--state", str(file))
    empty_netns.call(listen, 99)
    pid = empty_netns.call(os.getpid)
    found = []
    for opened in (168, 170, 154, 152, 168):
        assert empty_netns.call(open_files, opened, 200) == opened
        out = check(*words, namespace=empty_netns).out.splitlines()
        # Other processes of this host are not the test's.
        found.append([line for line in out[1:] if f"({pid}) " in line])
    assert [bool(lines) for lines in found] == [False, True, True, False, False]
    for lines, margin in ((found[1], False), (found[2], True)):
        assert lines[0].startswith("WARNING FD_LIMIT: ")
        assert (", still within the recovery margin" in lines[0]) == margin


def open_files(count: int, limit: int) -> int:
    """Have so many files open, with a limit; return how many there are."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    files = OPEN
    # The listing has a descriptor of its own.
    there = len(os.listdir("/proc/self/fd")) - 1
    for _ in range(there, count):
        files.append(os.dup(0))
    for _ in range(count, there):
        os.close(files.pop())
    return len(os.listdir("/proc/self/fd")) - 1


def waiting_now() -> int:
    listener = HELD["listener"]
    info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 92)
    return int.from_bytes(info[24:28], sys.byteorder)  # tcpi_unacked of a listener: sk_ack_backlog


def test_hysteresis_of_a_measure(file: Path, empty_netns: Namespace) -> None:
    """The same of a range."""
    port = empty_netns.call(listen, 9)
    words = ("--measure", f"listener[:{port}].accept_queue", "-w", "5", "-c", "8", "--state", str(file))
    found = []
    for waiting in (5, 6, 5, 4, 5, 9, 8, 7, 5, 4):
        there = empty_netns.call(waiting_now)
        empty_netns.call(connect, max(0, waiting - there))
        empty_netns.call(accept, max(0, there - waiting))
        found.append((waiting, check(*words, namespace=empty_netns).status))
    assert found == [(5, 0), (6, 1), (5, 1), (4, 0), (5, 0), (9, 2), (8, 2), (7, 1), (5, 1), (4, 0)]
    said = check(*words, namespace=empty_netns)
    assert said.line == f"SOCKDIAG OK - listener[:{port}].accept_queue is 4"
    assert said.data[f"listener[:{port}].accept_queue"] == "4;5;8;0"


def test_ranges_follow_their_measures(file: Path, empty_netns: Namespace) -> None:
    """Each -w and -c belongs to the measure before it."""
    words = (
        "--measure",
        "states[LISTEN]",
        "-w",
        "1:",
        "--measure",
        "states[CLOSE_WAIT]",
        "-c",
        "@0:0",
        "--state",
        str(file),
    )
    said = check(*words, namespace=empty_netns)
    assert (said.status, said.line) == (2, "SOCKDIAG CRITICAL - states[CLOSE_WAIT] is 0 (-c @0:0) (and 1 more)")
    assert (said.data["states[LISTEN]"], said.data["states[CLOSE_WAIT]"]) == ("0;1:;;0", "0;;@0:0;0")


def test_where_has_a_baseline_of_its_own(file: Path, empty_netns: Namespace) -> None:
    """A command line that asks something else compares with its own run before."""
    words = (*RULES, "--state", str(file))
    assert check(*words, namespace=empty_netns).status == 0
    older(file)
    said = check(*words, "--where", "sport = :53", namespace=empty_netns)
    assert (said.status, said.line) == (0, f"SOCKDIAG OK - {NOTHING} in N s; no baseline yet")
    assert check(*words, namespace=empty_netns).line == f"SOCKDIAG OK - {NOTHING} in N s"
    assert len(read_entries(file.read_bytes())[0]) == 2


def test_interval(file: Path, empty_netns: Namespace) -> None:
    """--interval compares two samples of its own."""
    said = check(*RULES, "--interval", "0.2", "--state", str(file), namespace=empty_netns)
    assert (said.status, said.line) == (0, f"SOCKDIAG OK - {NOTHING} in N s")


def test_interval_takes_no_baseline_away(file: Path, empty_netns: Namespace) -> None:
    """What was lost before the two samples of --interval is told by the next run without it."""
    words = (*RULES, "--state", str(file))
    assert check(*words, namespace=empty_netns).status == 0
    empty_netns.call(send, empty_netns.call(receive_nothing, "lossy"), 40)
    empty_netns.call(shut, "lossy")
    older(file)
    said = check(*words, "--interval", "0.2", namespace=empty_netns)
    assert (said.status, said.line) == (0, f"SOCKDIAG OK - {NOTHING} in N s")
    said = check(*words, namespace=empty_netns)
    assert (said.status, said.line.partition(":")[0]) == (2, "SOCKDIAG CRITICAL - UDP_DROPS")


def test_hostile_names(file: Path, empty_netns: Namespace) -> None:
    """Who names a socket writes neither lines nor performance data nor to the terminal."""
    empty_netns.call(hostile_listener)
    for verbosity in ((), ("-v",), ("-vvv",)):
        said = check("--rule", "UNIX_LISTENER_FULL", *verbosity, "--state", str(file), namespace=empty_netns)
        assert said.status in {1, 2}
        assert said.first.count("|") == 1
        assert "UNIX_LISTENER_FULL: " in said.first
        assert "a\\x7cb" in said.first
        assert said.out.replace("\n", "").isprintable()
        assert said.out.count("|") == 1
        assert not [line for line in said.out.splitlines() if line.startswith("SOCKDIAG OK")]
        assert len(said.out.splitlines()) == 1 or verbosity


def test_all_namespaces(file: Path, empty_netns: Namespace) -> None:
    """--netns all judges each namespace against its own run before, and says where something is."""
    words = ("--rule", "UDP_DROPS", "--netns", "all", "-v", "-t", "60", "--state", str(file))
    with netns() as second:
        port = second.call(filtered)
        first = check(*words, namespace=empty_netns, seconds=70)
        # Other namespaces of this host are not the test's.
        assert f"[netns {second.inode}]" not in first.out
        assert first.line.endswith("; no baseline yet")
        older(file)
        second.call(send, port, 30)
        said = check(*words, namespace=empty_netns, seconds=70)
        assert said.status in {1, 2}
        (mine,) = [line for line in said.out.splitlines()[1:] if f"[netns {second.inode}]" in line]
        assert mine.startswith(f"WARNING UDP_DROPS: udp 127.0.0.1:{port} dropped 30 datagrams (")
        here = check(*words[:2], "--netns", second.path, "--state", str(file))
        assert here.line == "SOCKDIAG OK - 1 rule checked, no findings in N s; no baseline yet"


# The program itself


def test_under_negate(file: Path, empty_netns: Namespace) -> None:
    """Debian's negate(1) wrapper passes the text on and turns the status."""
    need(NEGATE)
    prefix = ("nsenter", f"--net={empty_netns.path}", NEGATE, "-t", "10", "-s", "-o", "CRITICAL", "-c", "OK")
    said = check(*RULES, "--state", str(file), prefix=prefix)
    assert (said.status, said.line) == (2, f"SOCKDIAG CRITICAL - {NOTHING} in N s; no baseline yet")
    port = empty_netns.call(receive_nothing, "udp")
    empty_netns.call(send, port, 10)
    older(file)
    said = check(*RULES, "--state", str(file), prefix=prefix)
    assert said.status == 0
    assert said.line.startswith(f"SOCKDIAG OK - UDP_RECEIVE_BUFFER_FULL: udp 127.0.0.1:{port} ")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--zzz"], "there is no option '--zzz'"),
        (["--measur", "x"], "there is no option '--measur'; did you mean '--measure'?"),
        (["extra"], "unexpected argument: extra (quote values that contain spaces)"),
        (["-t"], "--timeout needs a value: S"),
        (["-t", "soon"], f"--timeout: 'soon' {NO_TIME}"),
        (["-t", "0"], "-t takes more than 0 and at most 3600 seconds"),
        (["-t", "nan"], f"--timeout: 'nan' {NO_TIME}"),
        (["--interval", "9"], "--interval 9 must be shorter than -t 9"),
        (["--interval", "-1"], "--interval takes 0 to 3600 seconds"),
        (["--rule", "UDP_DROP"], "--rule: there is no rule 'UDP_DROP'; did you mean 'UDP_DROPS'?"),
        (["--skip", "x|y"], "--skip: there is no rule 'x\\x7cy'; 'sockdiag rules' lists them"),
        (["--measure", "tcp_mem.used"], "there is no measure 'tcp_mem.used'; did you mean 'tcp_mem.used_bytes'?"),
        (["-w", "1"], "-w and -c are ranges of a measure: name it with --measure before them"),
        (["--measure", "states", "-w", "1", "-w", "2"], "a measure takes one -w and one -c"),
        (["--measure", "states", "-w", "2:1"], "-w: the range '2:1' ends before it starts"),
        (["--where", "recv_q >"], "missing value after '>'"),
        (["--netns", "no-such"], "/run/netns/no-such: no network namespace of this name"),
        (["--root", "/nonexistent"], "/nonexistent: No such file or directory"),
        (["--source", "guess"], "--source: there is no value 'guess': auto, netlink, proc"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage(words: list[str], line: str, file: Path) -> None:
    """Wrong usage is UNKNOWN, on standard output; nothing is on standard error."""
    said = check("--state", str(file), *words)
    assert said.status == 3
    assert said.first == f"SOCKDIAG UNKNOWN - {line}"


def run_raw(*words: str, **named: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(words, cwd=PROJECT, stderr=subprocess.PIPE, timeout=20, check=False, **named)


def test_help_and_version() -> None:
    """They are no verdict either."""
    for flag in ("--help", "-h"):
        done = run_raw(*CHECK, flag, stdout=subprocess.PIPE)
        assert (done.returncode, done.stderr) == (3, b"")
        assert done.stdout.startswith(b"Usage: sockdiag check [OPTION]...\n")
        assert b"--measure" in done.stdout
    for flag in ("--version", "-V"):
        done = run_raw(*CHECK, flag, stdout=subprocess.PIPE)
        assert (done.returncode, done.stderr) == (3, b"")
        assert done.stdout.startswith(b"sockdiag ")
    done = run_raw(*CHECK[:-1], "--json", "check", stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (
        3,
        b"SOCKDIAG UNKNOWN - options must follow the command: sockdiag check --json ...\n",
    )


def test_standard_output_that_takes_nothing(file: Path) -> None:
    """A verdict that nobody can read is none: closed, full, or without a reader."""
    words = (*CHECK, *RULES, "--state", str(file))
    with open("/dev/full", "wb") as full:
        done = run_raw(*words, stdout=full)
    assert (done.returncode, done.stderr) == (3, b"")
    done = run_raw(*words, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (3, b"")
    reader, writer = os.pipe()
    os.close(reader)
    done = run_raw(*words, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (3, b"")


class Hanging:
    """A kernel that does not answer."""

    def __init__(self, hang: Callable[[], None]) -> None:
        self.hang = hang

    def dump(self, _request: object) -> Iterator[bytes]:
        self.hang()
        yield b""

    query = dump


def wait_for_ever() -> None:
    while True:
        signal.pause()


def deaf() -> None:
    """Nothing that Python does when a signal comes would be done: it never comes back from C."""
    libc = ctypes.PyDLL(None)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        libc.sleep(60)


def stopped() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def dead() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def forked(words: tuple[str, ...], hang: Callable[[], None], pause: float = 0.0, send: int = 0) -> tuple[Said, float]:
    """Run it with a kernel that hangs; return what it said and how long that took."""
    reader, writer = os.pipe()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            os.close(reader)
            env = Env(out=writer, environ={}, system=lambda _root: System(ProcRoot(), Hanging(hang)))  # type: ignore[arg-type]
            status = run(["sockdiag", "check", *words], env)
        finally:
            os._exit(status)
    os.close(writer)
    if send:
        time.sleep(pause)
        os.kill(pid, send)
    # Its end: whoever holds the other end of this pipe makes a monitoring system wait.
    with os.fdopen(reader) as pipe:
        out = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return Said(status, out), time.monotonic() - began


@pytest.mark.parametrize("hang", [wait_for_ever, deaf, stopped])
def test_a_source_that_hangs(hang: Callable[[], None], file: Path) -> None:
    """-t holds whatever hangs, and nobody waits for what is left."""
    said, seconds = forked(("--state", str(file), "-t", "1"), hang)
    assert (said.status, said.out) == (3, "SOCKDIAG UNKNOWN - no answer within 1 s\n")
    assert seconds < 10
    assert not file.exists()


def test_what_looks_is_killed(file: Path) -> None:
    """If memory runs out, say."""
    said, _seconds = forked(("--state", str(file)), dead)
    assert (said.status, said.out) == (3, "SOCKDIAG UNKNOWN - worker process ended early (signal 9)\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGINT])
def test_a_signal(number: signal.Signals, file: Path) -> None:
    """Who ends it by a signal can still read why there is no verdict."""
    said, seconds = forked(("--state", str(file)), wait_for_ever, 0.5, number)
    why = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert (said.status, said.out) == (3, f"SOCKDIAG UNKNOWN - {why}\n")
    assert seconds < 8


def test_a_mistake_in_the_program(file: Path) -> None:
    """An exception is no verdict, and one line."""

    def broken() -> None:
        raise ZeroDivisionError("division | by\nzero")

    said, _seconds = forked(("--state", str(file)), broken)
    assert (said.status, said.out) == (
        3,
        "SOCKDIAG UNKNOWN - internal error: ZeroDivisionError: division \\x7c by\\x0azero\n",
    )


@pytest.mark.slow
def test_a_thousand_overlapping_runs(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that overlap leave a whole file, with the entry of each question, and none of them fails."""
    # Each of them writes.
    monkeypatch.setattr("sockdiag.check.run.KEPT_S", 0.0)
    questions = [("--horizon", str(5 + i)) for i in range(5)]
    words = ("--measure", "Udp.InDatagrams", "--measure", "states[LISTEN]", "--state", str(file))
    reader, writer = os.pipe()
    statuses: dict[int, int] = {}
    running: set[int] = set()

    def reap() -> None:
        pid, status = os.wait()
        # Children that an earlier test left behind are not counted.
        if pid in running:
            running.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            statuses[code] = statuses.get(code, 0) + 1

    # Imports are made once.
    args = parse(load("check"), [*words, *questions[0]])
    assert args is not None
    assert answer(check_options(args, {}), this_system()).status == 0
    for i in range(1000):
        if len(running) >= 16:
            reap()
        pid = os.fork()
        if pid == 0:
            status = 99
            try:
                os.close(reader)
                status = run(["sockdiag", "check", *words, *questions[i % 5]], Env(out=writer, environ={}))
            finally:
                os._exit(status)
        running.add(pid)
        os.set_blocking(reader, False)
        while True:
            try:
                text = os.read(reader, 1 << 20)
            except BlockingIOError:
                break
            assert b"not kept" not in text
            assert b"damaged" not in text
    while running:
        reap()
    os.close(writer)
    assert sum(statuses.values()) == 1000
    assert set(statuses) == {0}
    entries, damaged = read_entries(file.read_bytes())
    assert not damaged
    assert len(entries) == 5
    assert all(entry.decode().earlier.counters for entry in entries)
    assert sorted(os.listdir(file.parent)) == ["state", "state.lock"]
    time.sleep(1.1)
    assert check(*words, *questions[0]).status == 0


@pytest.mark.alone
def test_start_is_cheap(file: Path, empty_netns: Namespace) -> None:
    """A run on an idle host takes at most twelve times as long as the bare interpreter."""
    libc = ctypes.CDLL(None, use_errno=True)
    space = os.open(empty_netns.path, os.O_RDONLY)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def seconds(*words: str) -> float:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *words],
            cwd=PROJECT,
            env=environ,
            capture_output=True,
            check=True,
            timeout=60,
            preexec_fn=lambda: libc.setns(space, 0x40000000),
        )
        taken = time.perf_counter() - began
        assert done.stdout.startswith(b"SOCKDIAG OK - ") or words == ("-c", "pass")
        return taken

    # Limits of the host, which other tests may be straining, are not the question here.
    words = (
        "-m",
        "sockdiag",
        "check",
        "--skip",
        "FD_LIMIT,FILE_TABLE_FULL,TCP_MEMORY_PRESSURE,UDP_MEMORY_LIMIT,ORPHANS",
        "--state",
        str(file),
    )
    for _ in range(2):
        seconds(*words)
    ratios = []
    for _ in range(5):
        pairs = [(seconds("-c", "pass"), seconds(*words)) for _ in range(3)]
        ratios.append(min(b for _a, b in pairs) / min(a for a, _b in pairs))
    os.close(space)
    assert statistics.median(ratios) <= 12
