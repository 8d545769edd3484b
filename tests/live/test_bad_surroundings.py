"""Users without privileges, processes that hide or end, signals, closed pipes and namespaces, on this kernel."""

from __future__ import annotations

import ctypes
import functools
import importlib
import json
import os
import pkgutil
import pty
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import sockdiag
from sockdiag.cli.env import Env
from sockdiag.cli.main import run
from sockdiag.sources.namespaces.netns import enter
from tests.live.world.namespace import PROJECT
from tests.program import Answer, invoke

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.live.world.namespace import Namespace

NOBODY = 65534
CLONE_NEWNS = 0x20000
MS_REC_PRIVATE = 0x4000 | 0x40000
SOCKDIAG = [sys.executable, "-m", "sockdiag"]
COMMANDS = (
    (),
    ("list",),
    ("list", "--json"),
    ("list", "-o", "+processes"),
    ("states",),
    ("states", "--by", "process"),
    ("memory",),
    ("limits",),
    ("protocols",),
    ("fields",),
    ("metrics",),
)
# They read a system, so they can be asked for one in another namespace.
READING = tuple(words for words in COMMANDS if words != ("fields",))


def become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def hide_processes(mode: str = "hidepid=2") -> None:
    """Mount a /proc of its own in which a user sees no processes of others."""
    libc = ctypes.CDLL(None, use_errno=True)
    calls: tuple[tuple[Any, ...], ...] = (
        (libc.unshare, CLONE_NEWNS),
        (libc.mount, b"none", b"/", None, MS_REC_PRIVATE, None),
        (libc.mount, b"proc", b"/proc", b"proc", 0, mode.encode()),
    )
    for function, *arguments in calls:
        if function(*arguments) != 0:
            raise OSError(ctypes.get_errno(), str(function))


@functools.cache
def import_all() -> None:
    """Import the program while this process may: its files need not be another user's to read."""
    for module in pkgutil.walk_packages(sockdiag.__path__, "sockdiag."):
        if "__main__" not in module.name and "devtools" not in module.name:
            importlib.import_module(module.name)


def as_nobody(words: tuple[str, ...], namespace: Namespace, before: Callable[[], None] | None = None) -> Answer:
    """Run the program in a namespace, as a user without privileges, in a forked child."""
    import_all()
    invoke(*words)  # what it needs of the interpreter's files
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            status = 99
            try:
                enter(namespace.path)
                if before is not None:
                    before()
                become_nobody()
                status = run(
                    ["sockdiag", *words], Env(out=out.fileno(), err=err.fileno(), environ={"SOCKDIAG_DEBUG": "1"})
                )
            except BaseException as error:
                os.write(err.fileno(), f"TEST: {error!r}\n".encode())
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        out.seek(0)
        err.seek(0)
        return Answer(status, out.read(), err.read().decode())


@pytest.fixture
def filled(empty_netns: Namespace) -> Namespace:
    """Give a namespace with a few sockets."""
    empty_netns.make("tcp_established", family=2)
    empty_netns.make("unix_dgram")
    return empty_netns


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_user_without_privileges(words: tuple[str, ...], filled: Namespace) -> None:
    """Every command answers; what is missing is named on standard error."""
    answer = as_nobody(words, filled)
    assert answer.status == 0, answer.err
    assert answer.out
    assert all(line.startswith("sockdiag: could not read ") for line in answer.err.splitlines())
    # Those that judge ask who holds the unix socket with a message that waits all the time.
    owners = "-o" in words or "--by" in words or words in ((), ("metrics",))
    assert ("/proc/PID/fd" in answer.err) == owners


def test_owners_that_may_not_be_seen(filled: Namespace) -> None:
    """Owners of others are unknown, not nobody; all else is as root sees it; a filter on them says that it cannot judge."""
    words = ("list", "--json", "-o", "netid,state,local,inode,processes", "--netid", "tcp,unix")
    seen = json.loads(as_nobody(words, filled).out)
    rows = seen["sockets"]
    assert len([row for row in rows if row["netid"] == "tcp"]) == 2
    assert {row["processes"] is None for row in rows if row["inode"]} == {True}
    assert [gap["source"] for gap in seen["gaps"]] == ["/proc/PID/fd"]
    assert seen["gaps"][0]["errno"] == 13
    assert as_nobody((*words, "--strict"), filled).status == 4
    judged = json.loads(as_nobody((*words, "--where", "process = python3"), filled).out)
    assert judged["sockets"] == []
    assert "--where" in {gap["source"] for gap in judged["gaps"]}


def test_hidepid(filled: Namespace) -> None:
    """Where /proc hides processes, that is the gap, and no socket is said to be nobody's."""
    words = ("list", "--json", "-o", "inode,processes", "--netid", "tcp,unix")
    answer = as_nobody(words, filled, hide_processes)
    document = json.loads(answer.out)
    assert answer.status == 0
    assert document["sockets"]
    gaps = {gap["source"]: gap for gap in document["gaps"]}
    assert "hidepid=" in gaps["/proc"]["reason"]
    assert gaps["/proc"]["hint"] == "run as root"
    assert {row["processes"] is None for row in document["sockets"] if row["inode"]} == {True}
    by_process = as_nobody(("states", "--by", "process"), filled, hide_processes)
    assert by_process.status == 0
    assert "(not visible)" in by_process.text


def test_processes_that_end_during_the_scan(filled: Namespace) -> None:
    """A process that ends while its descriptors are read is left out, and is no gap."""
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            processes = [subprocess.Popen(["/bin/true"]) for _ in range(8)]
            for process in processes:
                process.wait()

    baseline = {json.dumps(gap) for gap in stable_gaps(filled)}
    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(15):
            assert {json.dumps(gap) for gap in stable_gaps(filled)} <= baseline
    finally:
        stop.set()
        thread.join()


def stable_gaps(namespace: Namespace) -> list[dict[str, Any]]:
    """Return the gaps of a run with owners, without the number of processes."""
    done = subprocess.run(
        [*SOCKDIAG, "list", "--json", "-o", "+processes", "--netns", namespace.path],
        capture_output=True,
        check=True,
        timeout=60,
    )
    gaps: list[dict[str, Any]] = json.loads(done.stdout)["gaps"]
    assert done.stderr.count(b"\n") == len(gaps)
    return [{"source": gap["source"], "errno": gap["errno"]} for gap in gaps]


@pytest.mark.parametrize(
    ("words", "elsewhere"),
    [*((words, False) for words in COMMANDS), *((words, True) for words in READING)],
    ids=lambda value: value if isinstance(value, bool) else " ".join(value),
)
def test_a_closed_pipe(words: tuple[str, ...], elsewhere: bool, filled: Namespace) -> None:
    """A reader that went away ends it by SIGPIPE without a word, also from the child in another namespace."""
    reader, writer = os.pipe()
    os.close(reader)
    netns = ("--netns", filled.path) if elsewhere else ()
    try:
        done = subprocess.run(
            [*SOCKDIAG, *words, *netns], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def wait_until_asleep(pid: int) -> None:
    """Wait until a process, or the child that works for it, sleeps between its two samples."""
    for _ in range(600):
        for task in (pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())):
            try:
                number = Path(f"/proc/{task}/syscall").read_text().split()[0]
            except OSError:
                continue
            if number in ("230", "35", "115", "101"):  # clock_nanosleep, nanosleep; x86_64 and arm64
                return
        time.sleep(0.01)
    raise AssertionError("never slept")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
@pytest.mark.parametrize("whole_group", [True, False], ids=["terminal", "kill"])
@pytest.mark.parametrize("elsewhere", [True, False], ids=["netns", "here"])
def test_interrupts(number: signal.Signals, whole_group: bool, elsewhere: bool, filled: Namespace) -> None:
    """Ctrl-C, which the terminal sends to all, and kill(1), which only the parent gets, end it without a word."""
    netns = ("--netns", filled.path) if elsewhere else ()
    process = subprocess.Popen(
        [*SOCKDIAG, "--interval", "30", *netns], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    wait_until_asleep(process.pid)
    (os.killpg if whole_group else os.kill)(process.pid, number)
    out, err = process.communicate(timeout=20)
    ended = {signal.SIGINT: (-2,), signal.SIGTERM: (-15, 143)}[number]
    assert (process.returncode in ended, out, err) == (True, b"", b"")


def test_nothing_is_written_twice(filled: Namespace) -> None:
    """Parent and child share streams: each line comes once, also of an error."""
    done = subprocess.run(
        [*SOCKDIAG, "list", "--netid", "tcp", "--netns", filled.path],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 1 + 2
    assert len(set(lines)) == len(lines)
    assert done.stderr == ""
    done = subprocess.run(
        [*SOCKDIAG, "list", "-o", "nonsense", "--netns", filled.path],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr.count("nonsense")) == (2, "", 1)


@pytest.fixture
def name() -> Iterator[str]:
    """Give the name of a network namespace of ``ip netns``, its loopback down."""
    chosen = f"sockdiag-test-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", chosen], check=True)
    yield chosen
    subprocess.run(["ip", "netns", "delete", chosen], check=True)


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_named_namespace_without_loopback(words: tuple[str, ...], name: str) -> None:
    """A namespace by its name, in which nothing was set up, is as good as any; the document has its name."""
    done = subprocess.run([*SOCKDIAG, *words, "--netns", name], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert done.stdout
    if "--json" in words:
        document = json.loads(done.stdout)
        assert [namespace["name"] for namespace in document["scope"]["netns"]] == [name]
        assert {row["netns"] for row in document["sockets"]} == {name}


STREAMS = "exec {} -m sockdiag {} {}"


@pytest.mark.parametrize(
    ("redirections", "status"),
    [("<&-", 0), ("2>&-", 0), (">&-", 1), ("<&- >&-", 1), (">&- 2>&-", 1), ("<&- 2>&-", 0), ("<&- >&- 2>&-", 1)],
)
@pytest.mark.parametrize("words", ["list", "--interval 0", "states --by process"])
def test_closed_streams(redirections: str, status: int, words: str) -> None:
    """A stream that is closed is never mistaken for what is opened next: output that cannot be written is an error."""
    done = subprocess.run(
        ["/bin/sh", "-c", STREAMS.format(sys.executable, words, redirections)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == status
    assert bool(done.stdout) == (status == 0)
    if status and "2>&-" not in redirections:
        assert b"cannot write the answer: Bad file descriptor" in done.stderr


def on_terminal(words: list[str], columns: int, environ: dict[str, str]) -> tuple[int, str]:
    """Run a program on a pseudo terminal; return its status and what it showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(environ)
        os.chdir(PROJECT)
        os.execv(words[0], words)
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown = b""
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
    except OSError:
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_help_on_terminals(columns: int) -> None:
    """Help fits or wraps, on narrow and wide terminals."""
    for words in (["--help"], ["list", "--help"]):
        status, shown = on_terminal([*SOCKDIAG, *words], columns, {"COLUMNS": str(columns), "TERM": "xterm"})
        assert status == 0
        assert "Traceback" not in shown
        assert "--json" in shown


@pytest.mark.parametrize(
    ("environ", "words", "colored"),
    [
        ({"TERM": "xterm"}, [], True),
        ({"TERM": "dumb"}, [], False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, [], False),
        ({"TERM": "xterm"}, ["--color", "never"], False),
        ({"TERM": "dumb"}, ["--color", "always"], True),
    ],
)
def test_colours_on_a_terminal(environ: dict[str, str], words: list[str], colored: bool) -> None:
    """Colour where the terminal can show it and nobody forbids it."""
    status, shown = on_terminal([*SOCKDIAG, "--interval", "0.01", *words], 80, {"NO_COLOR": "", **environ})
    assert status == 0
    assert ("\x1b[" in shown) == colored


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8", "de_DE.ISO-8859-1", ""])
def test_locales(locale: str) -> None:
    """Output is UTF-8 whatever the locale, and names are shown."""
    environ = {**os.environ, "LC_ALL": locale, "LANG": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    root = str(PROJECT / "tests/fixtures/6.18-world")
    outputs = [
        subprocess.run(
            [*SOCKDIAG, "list", "--netid", "unix", "--root", root, *words],
            env=environ,
            capture_output=True,
            check=True,
            timeout=60,
        )
        for words in ((), ("--json",), ("--csv",), ("--table", "grid"))
    ]
    assert all(not done.stderr for done in outputs)
    assert all("Grüße" in done.stdout.decode() for done in (outputs[0], *outputs[2:]))
    refused = subprocess.run(
        [*SOCKDIAG, "list", "-o", "näme"], env=environ, capture_output=True, check=False, timeout=60
    )
    assert refused.returncode == 2
    assert b"there is no column" in refused.stderr
    helped = subprocess.run([*SOCKDIAG, "list", "--help"], env=environ, capture_output=True, check=False, timeout=60)
    assert helped.returncode == 0, helped.stderr


def test_called_ss(tmp_path: Path) -> None:
    """A link called ss is ``sockdiag ss``."""
    link = tmp_path / "ss"
    link.symlink_to(Path(sys.executable).with_name("sockdiag"))
    by_link = subprocess.run([link, "-V"], capture_output=True, text=True, check=True, timeout=60)
    by_name = subprocess.run([*SOCKDIAG, "ss", "-V"], capture_output=True, text=True, check=True, timeout=60)
    assert by_link.stdout.startswith("ss utility")
    assert (by_link.stdout, by_link.stderr) == (by_name.stdout, by_name.stderr)
