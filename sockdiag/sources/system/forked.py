"""Run a function in a forked child, so that its effects on its process, such as those of setns(2), stay there."""

from __future__ import annotations

import os
import sys
import time
from _signal import (  # type: ignore[import-not-found]  # start-up: docs/rejected.md
    SIG_BLOCK,
    SIG_DFL,
    SIG_SETMASK,
    SIGALRM,
    SIGCHLD,
    SIGHUP,
    SIGINT,
    SIGKILL,
    SIGPIPE,
    SIGQUIT,
    SIGTERM,
    pthread_sigmask,
    signal,
    sigtimedwait,
)
from errno import ETIMEDOUT
from marshal import dumps, loads

from sockdiag.errors import ParseError, SockdiagError, SourceError, SourceTruncated
from sockdiag.sources.system.children import new_pipe, new_process, tie, untie
from sockdiag.sources.system.detached import only
from sockdiag.sources.system.proc_root import close_fd, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

# Signals that end a program. One sent to the parent is meant for the child, which does the work.
_PASSED = frozenset((SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE))
# A child that is still there this long after a signal hangs in the kernel, where no signal reaches it.
_PATIENCE_S = 1.0
_INTERRUPTED = 130
_CHUNK = 1 << 18
# The first byte of a child's answer: how it is packed.
_PLAIN, _PICKLED = b"m", b"p"
# A pipe takes this much without a reader.
_MAX_ERROR = 1 << 15


def run(begin: Callable[[], None], function: Callable[[], int]) -> int:
    """Call *begin*, then *function*, in a forked child; for the main thread.

    The child has this process's streams and terminal. Signals that would end this process are passed on to it.

    Args:
        begin: prepares the child.
        function: does the work, and gives the exit status.

    Returns:
        The status that the function returned or gave to sys.exit(), 130 after KeyboardInterrupt, 128 + N where signal N
        ended the child.

    Raises:
        Exception: what *begin* or *function* raised; a note has the child's traceback where it was not foreseen.
    """
    _flush()
    reader, writer = new_pipe("process")
    os.set_blocking(reader, False)
    mask = pthread_sigmask(SIG_BLOCK, _PASSED | {SIGCHLD})
    # Where SIGCHLD is ignored children leave no status. (None is a handler that is not Python's.)
    on_child = signal(SIGCHLD, SIG_DFL) or SIG_DFL
    try:
        pid = new_process("process")
        if pid == 0:
            close_fd(reader)
            tie(writer)
            signal(SIGCHLD, on_child)
            _work(mask, begin, function, writer)
        status = _wait(pid)
        error = _read_error(reader)
    finally:
        close_fd(writer)
        close_fd(reader)
        signal(SIGCHLD, on_child)
        pthread_sigmask(SIG_SETMASK, mask)
    if error is not None:
        raise error
    return status


def _work(mask: set[int], begin: Callable[[], None], function: Callable[[], int], writer: int) -> NoReturn:
    status = 1
    try:
        pthread_sigmask(SIG_SETMASK, mask)
        try:
            begin()
            status = function()
        except SystemExit as stop:
            status = _exit_status(stop.code)
        _flush()
    except KeyboardInterrupt:
        status = _INTERRUPTED
    except BaseException as error:
        untie(writer)
        os.write(writer, _portable(error))
    finally:
        os._exit(status)


def _exit_status(code: object) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    sys.stderr.write(f"{code}\n")
    return 1


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def _portable(error: BaseException) -> bytes:
    import pickle

    if not isinstance(error, (SockdiagError, OSError)):
        from traceback import format_exception

        error.add_note("".join(format_exception(error)))
    try:
        text = pickle.dumps(error)
        pickle.loads(text)  # noqa: S301
    except Exception:
        text = b""
    return text if 0 < len(text) <= _MAX_ERROR else pickle.dumps(SockdiagError(str(error)[:1000]))


def _read_error(reader: int) -> BaseException | None:
    try:
        text = os.read(reader, _MAX_ERROR)
    except BlockingIOError:
        return None
    import pickle

    error = pickle.loads(text)  # noqa: S301 - the child's own
    assert isinstance(error, BaseException)
    return error


def _wait(pid: int) -> int:
    signalled = None
    while True:
        info = sigtimedwait(_PASSED | {SIGCHLD}, _PATIENCE_S)
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if info is None or info.si_signo == SIGCHLD:
            continue
        now = time.monotonic()
        if signalled is not None and now - signalled > _PATIENCE_S:
            return int(128 + info.si_signo)
        signalled = signalled or now
        # A signal of the terminal (SI_KERNEL) reached the child too; one that a process sent (SI_USER) did not.
        if info.si_code <= 0:
            os.kill(pid, info.si_signo)


def collect(
    begin: Callable[[], None], function: Callable[[], object], name: str, timeout_s: float, limit: int
) -> object:
    """Call *begin*, then *function*, in a forked child, and return what the function returned.

    Args:
        begin: prepares the child.
        function: gives something that can be pickled.
        name: what is asked, as the source of errors.
        timeout_s: how long the child may take.
        limit: how many bytes its pickled answer may have.

    Raises:
        SourceError: the child raised one, or something else, which the reason names.
        ParseError: the child raised one.
        SourceTruncated: no answer in time, too large a one, or the child was killed.
    """
    return Helper(begin, function, name, limit).result(timeout_s)


class Helper:
    """A forked child that calls *begin*, then *function*, while this process does something else.

    Args: as for :func:`collect`, which starts one and waits for it; errors too.
    """

    __slots__ = ("_name", "_pid", "_reader")

    def __init__(self, begin: Callable[[], None], function: Callable[[], object], name: str, limit: int) -> None:
        self._name = name
        self._reader, writer = new_pipe(name)
        self._pid = new_process(name, self._reader, writer)
        if self._pid == 0:
            close_fd(self._reader)
            tie(writer)
            _answer(begin, function, name, limit, writer)
        close_fd(writer)

    def result(self, timeout_s: float) -> object:
        """Wait for what the function returns, once."""
        name = self._name
        try:
            text = _read(self._reader, name, timeout_s)
        except BaseException:
            self.end()
            raise
        close_fd(self._reader)
        status = _reap(self._pid, wait=True)
        size = int.from_bytes(text[:8], "little")
        if len(text) < 8 or len(text) - 8 != size:
            raise SourceTruncated(name, f"worker process ended early ({_ending(status)})")
        done, result = _unpacked(text[8:])
        if done:
            found: object = result
            return found
        raise result

    def end(self) -> None:
        """Kill it instead of waiting for its result."""
        close_fd(self._reader)
        os.kill(self._pid, SIGKILL)
        _reap(self._pid, wait=False)


class HeldAnswer:
    """The answer of a child that waits to learn whether its answer has arrived.

    Args:
        data: the answer.
        pid: the child.
        permit: end of a pipe that the child reads.
        reader: end of a pipe that the child closes when it ends.
    """

    __slots__ = ("_permit", "_pid", "_reader", "data")

    def __init__(self, data: bytes, pid: int, permit: int, reader: int) -> None:
        self.data = data
        self._pid = pid
        self._permit = permit
        self._reader = reader

    def arrived(self, timeout_s: float) -> None:
        """Let the child finish its work, and wait for that."""
        from select import POLLIN, poll

        try:  # noqa: SIM105 - contextlib is not for start-up
            os.write(self._permit, b"1")
        except BrokenPipeError:
            pass  # it was killed
        poller = poll()
        poller.register(self._reader, POLLIN)
        ended = bool(poller.poll(timeout_s * 1000))
        self._close()
        _reap(self._pid, wait=ended)

    def lost(self) -> None:
        """Let the child end without finishing its work."""
        self._close()
        _reap(self._pid, wait=False)

    def _close(self) -> None:
        close_fd(self._permit)
        close_fd(self._reader)


def answer_of(function: Callable[[], bytes], timeout_s: float, after: Callable[[], None] | None = None) -> HeldAnswer:
    """Return the result of a function in a forked child that keeps only two pipes to us open.

    Its standard streams are /dev/null: a reader of ours does not wait for a child that cannot be ended.

    Args:
        function: returns at least one byte; it reports its errors in them.
        timeout_s: how long it may take.
        after: called in the child as soon as this process reports that the answer has arrived; not if this process ends
            before that.

    Raises:
        TimeoutError: there is no answer in that time. The child is killed, or left behind where it hangs in the kernel.
        SourceTruncated: the child ended without one.
    """
    # In this order: if standard output is closed, its number must not become the end of a pipe that can be written.
    reader, writer = new_pipe("check")
    try:
        permitted, permit = new_pipe("check")
    except SourceTruncated:
        close_fd(reader)
        close_fd(writer)
        raise
    pid = new_process("check", reader, writer, permitted, permit)
    if pid == 0:
        try:
            # Handlers of the parent's would be no help here.
            for number in (SIGTERM, SIGHUP, SIGALRM):
                signal(number, SIG_DFL)
            pipe, permitted = only(writer, permitted)
            tie(pipe)
            text = function()
            untie(pipe)
            write_all(pipe, len(text).to_bytes(8, "little") + text)
            if os.read(permitted, 1) and after is not None:
                after()
        finally:
            os._exit(0)
    close_fd(writer)
    close_fd(permitted)
    try:
        text = _read(reader, "check", timeout_s, framed=True)
    except BaseException as error:
        close_fd(permit)
        close_fd(reader)
        os.kill(pid, SIGKILL)
        _reap(pid, wait=False)
        if isinstance(error, SourceTruncated):
            raise TimeoutError from None
        raise
    if len(text) <= 8 or len(text) - 8 != int.from_bytes(text[:8], "little"):
        close_fd(permit)
        close_fd(reader)
        raise SourceTruncated("check", f"worker process ended early ({_ending(_reap(pid, wait=True))})")
    return HeldAnswer(text[8:], pid, permit, reader)


def _answer(begin: Callable[[], None], function: Callable[[], object], name: str, limit: int, writer: int) -> NoReturn:
    try:
        signal(SIGINT, SIG_DFL)
        try:
            begin()
            text = _packed((True, function()))
            if len(text) > limit:
                raise SourceTruncated(name, f"an answer of {len(text)} bytes, more than {limit}")
        except (SourceError, ParseError) as error:
            text = _packed((False, error))
        except BaseException as error:
            text = _packed((False, SourceError(name, f"{type(error).__name__}: {str(error)[:1000]}")))
        untie(writer)
        write_all(writer, len(text).to_bytes(8, "little") + text)
    finally:
        os._exit(0)


def _packed(answer: Any) -> bytes:
    # Plain data needs no pickle, which imports re and enum: 5 ms, a tenth of a whole run of check in a namespace.
    try:
        return _PLAIN + dumps(answer)
    except ValueError:
        import pickle

        return _PICKLED + pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)


def _unpacked(text: bytes) -> Any:
    # The child's own.
    if text[:1] == _PLAIN:
        return loads(memoryview(text)[1:])  # noqa: S302
    import pickle

    return pickle.loads(memoryview(text)[1:])  # noqa: S301


def _read(reader: int, name: str, timeout_s: float, *, framed: bool = False) -> bytes:
    """Read until the writer is gone, or if *framed*, as much as the first eight bytes say."""
    from select import POLLIN, poll

    poller = poll()
    poller.register(reader, POLLIN)
    end = time.monotonic() + timeout_s
    data = bytearray()
    while poller.poll(max(0.0, end - time.monotonic()) * 1000):
        piece = os.read(reader, _CHUNK)
        data += piece
        if not piece or (framed and len(data) >= 8 and len(data) - 8 >= int.from_bytes(data[:8], "little")):
            return bytes(data)
    raise SourceTruncated(name, f"no answer within {timeout_s:g} s", ETIMEDOUT)


def _reap(pid: int, *, wait: bool) -> int | None:
    """Return the status of a child that has ended; one that does not end even when killed is left behind."""
    try:
        for _ in range(50):
            done, status = os.waitpid(pid, 0 if wait else os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
    except ChildProcessError:
        pass
    return None


def _ending(status: int | None) -> str:
    if status is None:
        return "status unknown"
    return f"signal {-status}" if status < 0 else f"exit status {status}"
