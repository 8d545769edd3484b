"""Real network namespaces: found however they are held, entered from children only, and refused with the reason."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import tempfile
import time
from errno import EACCES, EINVAL, EPERM, ETIMEDOUT
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.errors import FilterError, ParseError, SourceDenied, SourceError, SourceTruncated, SourceUnavailable
from sockdiag.model.provenance import Namespace
from sockdiag.sources.namespaces import netns, search
from sockdiag.sources.system import forked
from sockdiag.sources.system.proc_root import ProcRoot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.live.world.namespace import Namespace as World

PROJECT = Path(__file__).parents[2]
LIVE = ProcRoot()


def _inode() -> int:
    return os.stat("/proc/self/ns/net").st_ino


OWN = _inode()


@contextlib.contextmanager
def named(name: str) -> Iterator[int]:
    """Make a named namespace; give its inode."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield os.stat(f"/run/netns/{name}").st_ino
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def running(*command: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a program that prints a line and then waits for the end of its input; give it and the line."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(10)


def place(inode: int, **options: bool) -> search.FoundNamespace | None:
    """Return where a namespace was found, which must be at most one place."""
    places = search.list_all(LIVE, **options).places
    assert len({p.namespace.inode for p in places}) == len(places)
    return next((p for p in places if p.namespace.inode == inode), None)


NAME = f"sockdiag-test-{os.getpid()}"


def test_named() -> None:
    """A name leads to the namespace and back, and is listed once, though processes are in it too."""
    with named(NAME) as inode, running("ip", "netns", "exec", NAME, "sh", "-c", "echo; cat"):
        path = netns.resolve(NAME)
        assert path == f"/run/netns/{NAME}"
        assert netns.name_of(inode) == NAME
        assert place(inode) == search.FoundNamespace(Namespace(NAME, inode), path, "name")
        assert netns.collect_in(path, lambda: netns.current(LIVE)) == Namespace(NAME, inode)
    assert netns.name_of(inode) is None
    with pytest.raises(SourceUnavailable):
        netns.resolve(NAME)
    assert _inode() == OWN


def test_name_of_digits_is_a_process() -> None:
    """A number is a process; a namespace of that name has a path."""
    with named("4194305") as inode:
        with pytest.raises(SourceUnavailable) as caught:
            netns.resolve("4194305")
        assert caught.value.hint.endswith("/run/netns/4194305")
        assert netns.collect_in(netns.resolve("/run/netns/4194305"), _inode) == inode


def test_own_namespace_comes_first() -> None:
    """This process's namespace is the first of the list, however many there are."""
    with named(f"{NAME}-b"), named(f"{NAME}-a"):
        first, *others = search.list_all(LIVE).places
        assert (first.namespace.inode, first.path, first.held_by) == (OWN, "/proc/self/ns/net", "self")
        names = [p.namespace.name for p in others]
        assert [n for n in names if n] == sorted(n for n in names if n)
        assert None not in names[: len([n for n in names if n])]


def test_of_a_process(empty_netns: World) -> None:
    """A namespace without a name is found by the process in it, whose number leads to it."""
    path = netns.resolve(str(empty_netns.pid))
    assert path == empty_netns.path
    assert place(empty_netns.inode) == search.FoundNamespace(Namespace(None, empty_netns.inode), path, "process")
    assert netns.collect_in(path, _inode) == empty_netns.inode


def test_of_an_open_descriptor() -> None:
    """A namespace that only an open file keeps is found by it, and entered through it."""
    with named(NAME) as inode:
        fd = os.open(f"/run/netns/{NAME}", os.O_RDONLY)
    try:
        found = place(inode)
        assert found == search.FoundNamespace(Namespace(None, inode), f"/proc/{os.getpid()}/fd/{fd}", "fd")
        assert place(inode, descriptors=False) is None
        assert netns.collect_in(found.path, _inode) == inode
    finally:
        os.close(fd)
    assert place(inode) is None


def test_of_an_open_proc_file() -> None:
    """The same where the file was opened in /proc, whose link names the namespace."""
    with running("unshare", "--net", "sh", "-c", "stat -L -c %i /proc/self/ns/net; cat") as (process, line):
        inode = int(line)
        fd = os.open(f"/proc/{process.pid}/ns/net", os.O_RDONLY)
    try:
        assert place(inode) == search.FoundNamespace(Namespace(None, inode), f"/proc/{os.getpid()}/fd/{fd}", "fd")
    finally:
        os.close(fd)
    assert place(inode) is None


def test_of_a_thread() -> None:
    """A namespace that a single thread is in is found by that thread."""
    code = """
import ctypes, os, sys, threading
def work():
    assert ctypes.CDLL(None).unshare(0x40000000) == 0
    print(threading.get_native_id(), os.stat(f"/proc/self/task/{threading.get_native_id()}/ns/net").st_ino, flush=True)
    end.wait()
end = threading.Event()
thread = threading.Thread(target=work)
thread.start()
sys.stdin.read()
end.set()
thread.join()
"""
    with running(sys.executable, "-c", code) as (process, line):
        thread, inode = map(int, line.split())
        path = f"/proc/{process.pid}/task/{thread}/ns/net"
        assert place(inode) == search.FoundNamespace(Namespace(None, inode), path, "process")
        assert netns.collect_in(path, _inode) == inode


def test_mounted_in_another_mount_namespace() -> None:
    """A namespace that only a bind mount keeps, which this process does not see, is found and entered all the same."""
    with tempfile.TemporaryDirectory() as folder:
        at = f"{folder}/a b"
        Path(at).touch()
        script = f"unshare --net mount --bind /proc/self/ns/net '{at}' && stat -L -c %i '{at}'; cat"
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
        with running(*command) as (process, line):
            inode = int(line)
            found = place(inode)
            assert found is not None
            assert found.held_by == "mount"
            assert found.path.endswith(f"/root{at}")
            assert os.stat(f"/proc/{process.pid}/root{at}").st_ino == inode
            assert netns.collect_in(found.path, _inode) == inode


def test_many() -> None:
    """Each of many namespaces is found, and entered, once."""
    with contextlib.ExitStack() as stack:
        inodes = {stack.enter_context(named(f"{NAME}-{i}")) for i in range(50)}
        places = search.list_all(LIVE, descriptors=False).places
        assert inodes <= {p.namespace.inode for p in places}
        assert {netns.collect_in(p.path, _inode) for p in places if p.namespace.inode in inodes} == inodes


@pytest.mark.parametrize("path", ["/etc/hostname", "/proc/self/ns/mnt", "/dev/null", "/tmp"])
def test_what_is_no_network_namespace(path: str) -> None:
    """Any other file is refused before or by setns(2), and the function is not called."""
    for use in (netns.run_in, netns.collect_in):
        with pytest.raises(SourceUnavailable) as caught:
            use(path, lambda: pytest.fail("called"))
        assert (caught.value.source, caught.value.reason, caught.value.errno) == (
            path,
            "not a network namespace",
            EINVAL,
        )


def test_leftover_name_is_no_namespace() -> None:
    """A file in /run/netns that nothing is mounted on is not listed and not entered."""
    with named(NAME):
        leftover = Path(f"/run/netns/{NAME}-leftover")
        leftover.touch()
        try:
            assert f"{NAME}-leftover" not in {p.namespace.name for p in search.list_all(LIVE).places}
            with pytest.raises(SourceUnavailable):
                netns.run_in(netns.resolve(f"{NAME}-leftover"), lambda: 0)
        finally:
            leftover.unlink()


def _nobody() -> None:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)


def test_without_privileges(empty_netns: World) -> None:
    """Who may not look or enter is told so and what helps; the own namespace is still known."""

    def attempt() -> list[Any]:
        told: list[Any] = []
        for use in (lambda: netns.resolve("1"), lambda: netns.enter("/proc/self/ns/net")):
            try:
                told.append(use())
            except SourceDenied as error:
                told.append((error.errno, error.hint))
        return [*told, search.list_all(LIVE)]

    told: Any = forked.collect(_nobody, attempt, "test", 20, 1 << 24)
    look, go, places = told
    assert (look, go) == ((EACCES, "run as root"), (EPERM, "run as root"))
    assert places.places[0].namespace.inode == OWN
    assert empty_netns.inode not in {p.namespace.inode for p in places.places}
    (gap,) = places.gaps
    assert (gap.source, gap.errno, gap.hint) == ("/proc/PID/ns/net", EACCES, "run as root")


# run_in: in a process of its own, so that the test's streams and signals stay out of it.

RUN = f"""
import os, signal, sys, time
sys.path.insert(0, {str(PROJECT)!r})
from sockdiag.sources.namespaces import netns
def work():
"""


def program(body: str, after: str = "") -> list[str]:
    """Return a command that runs *body* in the namespace given as its argument, and then *after*."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return [sys.executable, "-c", f"{RUN}{lines}\nstatus = netns.run_in(sys.argv[1], work)\n{after}\nsys.exit(status)"]


INODE = "os.stat('/proc/self/ns/net').st_ino"


def test_run_in(empty_netns: World) -> None:
    """The child is in the other namespace, with the same streams; the parent never is."""
    command = program(f"print('child', {INODE})\nreturn 7", f"print('parent', {INODE})")
    done = subprocess.run([*command, empty_netns.path], check=False, stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (7, f"child {empty_netns.inode}\nparent {OWN}\n")


def test_run_in_writes_once(empty_netns: World) -> None:
    """What the parent had not written yet is written once, before what the child writes."""
    command = program("print('child')\nreturn 0", "print('after')")
    command[-1] = command[-1].replace("status = ", "print('before')\nstatus = ")
    done = subprocess.run([*command, empty_netns.path], check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "before\nchild\nafter\n"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("sys.exit(5)", 5),
        ("sys.exit()", 0),
        ("sys.exit('why')", 1),
        ("raise KeyboardInterrupt", 130),
        ("return 300", 44),
    ],
)
def test_run_in_exits(empty_netns: World, body: str, status: int) -> None:
    """Every way to end a program has its status; none shows a traceback."""
    done = subprocess.run([*program(body), empty_netns.path], check=False, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (status, "why\n" if "why" in body else "")


def _raising(error: BaseException) -> Callable[[], int]:
    def raise_it() -> int:
        raise error

    return raise_it


@pytest.mark.parametrize(
    "error",
    [
        SourceTruncated("a", "b", 5, "c"),
        FilterError("a = b", 2, "what", 3),
        ParseError("/proc/x", 7, "column", "number", b"\xff"),
        BrokenPipeError(32, "Broken pipe"),
        RecursionError("deep"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_run_in_raises(empty_netns: World, error: Exception) -> None:
    """What the function raises is raised in the parent, with all it says."""
    with pytest.raises(type(error)) as caught:
        netns.run_in(empty_netns.path, _raising(error))
    kept = {k: v for k, v in vars(caught.value).items() if k != "__notes__"}
    assert (caught.value.args, kept) == (error.args, vars(error))
    foreseen = not isinstance(error, RecursionError)
    assert foreseen or "raise_it" in caught.value.__notes__[0]


def test_run_in_raises_what_cannot_travel(empty_netns: World) -> None:
    """An error that cannot be pickled comes as its message."""

    class Odd(Exception):
        """Local: pickle cannot find it."""

    with pytest.raises(Exception, match="odd one"):
        netns.run_in(empty_netns.path, _raising(Odd("odd one")))


def test_run_in_restores_signals(empty_netns: World) -> None:
    """Handlers and mask are afterwards what they were, also where children are ignored."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        assert netns.run_in(empty_netns.path, lambda: 3) == 3
        assert signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
    finally:
        signal.signal(signal.SIGCHLD, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_is_passed_on(empty_netns: World, number: signal.Signals) -> None:
    """A signal to the parent alone ends the child, and the status tells."""
    command = [*program("print(os.getpid(), flush=True)\ntime.sleep(60)\nreturn 0"), empty_netns.path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.send_signal(number)
        _out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (128 + number, "")
    assert not Path(f"/proc/{child}").exists()


def test_interrupt_from_the_terminal_is_not_doubled(empty_netns: World) -> None:
    """Ctrl-C reaches parent and child at once; the child gets it once, and nothing but its own text is shown."""
    body = """
count = []
signal.signal(signal.SIGINT, lambda *_: count.append(1))
print("ready", flush=True)
while not count:
    time.sleep(0.01)
time.sleep(0.3)
print("interrupted", len(count), flush=True)
return 130
"""
    pid, terminal = pty.fork()
    if pid == 0:
        command = [*program(body), empty_netns.path]
        os.execv(command[0], command)
    text = b""
    with open(terminal, "rb", buffering=0) as stream:
        while b"ready" not in text:
            text += stream.read(1024)
        os.write(terminal, b"\x03")
        with contextlib.suppress(OSError):
            while piece := stream.read(1024):
                text += piece
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert (status, text.replace(b"^C", b"").split()) == (130, [b"ready", b"interrupted", b"1"])


def test_closed_pipe(empty_netns: World) -> None:
    """A child that the reader of its output leaves ends as any program does, without a word."""
    body = "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\nwhile True:\n    print('x' * 1000)"
    command = [*program(body), empty_netns.path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.wait(10) == 141
        assert process.stderr.read() == b""


def test_child_that_hangs_is_left(empty_netns: World) -> None:
    """Where a child does not end on a signal, a second one a while later ends the parent."""
    body = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(os.getpid(), flush=True)\ntime.sleep(60)\nreturn 0"
    command = [*program(body), empty_netns.path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            process.terminate()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1.2)
            process.terminate()
            assert process.wait(10) == 128 + signal.SIGTERM
        finally:
            # It may have ended with its parent.
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


# collect_in


def test_collect_in_gives_large_answers(empty_netns: World) -> None:
    """An answer larger than a pipe holds arrives whole, up to the limit."""
    assert netns.collect_in(empty_netns.path, lambda: b"x" * 3_000_000) == b"x" * 3_000_000
    with pytest.raises(SourceTruncated) as caught:
        netns.collect_in(empty_netns.path, lambda: b"x" * 3_000_000, limit=1_000_000)
    assert "more than 1000000" in caught.value.reason


def test_collect_in_raises(empty_netns: World) -> None:
    """Errors made for the user travel as they are, others in words; so does an answer that cannot be pickled."""
    for error in (SourceDenied("/x", "why", 13, "hint"), ParseError("/x", 1, "c", "e", "t")):
        with pytest.raises(type(error)) as caught:
            netns.collect_in(empty_netns.path, _raising(error))
        assert vars(caught.value) == vars(error)
    for function, reason in (
        (_raising(ZeroDivisionError("by zero")), "ZeroDivisionError: by zero"),
        (_raising(SystemExit(3)), "SystemExit: 3"),
        (lambda: sys, "TypeError: cannot pickle 'module' object"),
    ):
        with pytest.raises(SourceError) as told:
            netns.collect_in(empty_netns.path, function)
        assert (told.value.source, told.value.reason) == (empty_netns.path, reason)


def test_collect_in_has_a_time_limit(empty_netns: World) -> None:
    """A child that takes too long is killed, and the reason says so."""
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "pid"

        def hang() -> None:
            note.write_text(str(os.getpid()))
            time.sleep(60)

        with pytest.raises(SourceTruncated) as caught:
            netns.collect_in(empty_netns.path, hang, timeout_s=0.3)
        assert (caught.value.reason, caught.value.errno) == ("no answer within 0.3 s", ETIMEDOUT)
        assert not Path(f"/proc/{note.read_text()}").exists()


def test_collect_in_survives_a_killed_child(empty_netns: World) -> None:
    """A child that ends without an answer is an error that tells how it ended."""
    with pytest.raises(SourceTruncated, match="signal 9"):
        netns.collect_in(empty_netns.path, lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(SourceTruncated, match="exit status 3"):
        netns.collect_in(empty_netns.path, lambda: os._exit(3))


def test_collect_in_leaves_nothing(empty_netns: World) -> None:
    """No descriptor, no child and no namespace is left behind."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    others = children.read_text()
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(20):
        netns.collect_in(empty_netns.path, _inode)
        with contextlib.suppress(SourceError):
            netns.collect_in("/etc/hostname", _inode)
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert children.read_text() == others
    assert _inode() == OWN


def test_collect_in_shows_that_namespace(empty_netns: World) -> None:
    """In the child /proc/net is the other namespace's."""
    lines = netns.collect_in(empty_netns.path, lambda: LIVE.read("/proc/net/dev"))
    assert isinstance(lines, bytes)
    assert [line.split(b":")[0].strip() for line in lines.splitlines()[2:]] == [b"lo"]
