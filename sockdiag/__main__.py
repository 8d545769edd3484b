"""`python -m sockdiag`."""

from __future__ import annotations

import gc
import os
import sys
from _signal import (  # type: ignore[import-not-found]  # start-up: docs/rejected.md
    SIG_DFL,
    SIGINT,
    SIGPIPE,
    default_int_handler,
    getsignal,
    signal,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> None:
    """Run the program on this process's arguments and exit."""
    try:
        _run()
    except (OSError, ImportError, MemoryError) as error:
        # What reports errors may not be loaded yet: no descriptors, no memory, a disk that fails.
        sys.exit(_not_started(error))


def _run() -> NoReturn:
    # While modules load there is nothing to clear up. An ignored SIGINT (a background job of sh) stays ignored.
    interruptible = getsignal(SIGINT) is default_int_handler
    if interruptible:
        signal(SIGINT, SIG_DFL)
    _occupy_standard_streams()
    # A run is short and its records hold no cycles; searching for cycles takes a tenth of the time of a long list.
    gc.disable()
    from sockdiag.cli.main import is_ss, run

    if is_ss(sys.argv):
        # Both signals end it where it stands, as they end ss.
        signal(SIGPIPE, SIG_DFL)
        _leave(run(sys.argv))
    try:
        if interruptible:
            sys.unraisablehook = _unraisable
            signal(SIGINT, default_int_handler)
        status = run(sys.argv)
    except KeyboardInterrupt:
        status = 128 + SIGINT
    if interruptible:
        signal(SIGINT, SIG_DFL)
    # The shell ends a loop and a script looks for a signal: both look at how the program died.
    for number in (SIGINT, SIGPIPE):
        if status == 128 + number:
            _die_of(number)
    _leave(status)


def _leave(status: int) -> NoReturn:
    """End without taking the interpreter apart, which frees what the kernel frees at once.

    That takes a sixth of the time of `python -c pass`, and 0.3 s with the records of 200,000 sockets.
    """
    # What profiles or traces this process has something to write yet.
    if sys.getprofile() is not None or sys.gettrace() is not None:
        sys.exit(status)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        # The interpreter reports what it cannot write, unless the stream was closed.
        sys.exit(status)
    os._exit(status)


def _not_started(error: Exception) -> int:
    check = sys.argv[1:2] == ["check"]
    reason = getattr(error, "strerror", None) or str(error) or "out of memory"
    text = f"cannot start: {getattr(error, 'filename', None) or 'Python'}: {reason}"
    line = f"SOCKDIAG UNKNOWN - {text}" if check else f"sockdiag: {text}"
    try:  # noqa: SIM105 - contextlib is not for start-up
        os.write(1 if check else 2, f"{ascii(line)[1:-1]}\n".encode())
    except OSError:
        pass
    return 3 if check else 1


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    """End where Python would print a traceback and go on: an interrupt met a callback that cannot raise."""
    if args.exc_type is KeyboardInterrupt:
        _die_of(SIGINT)
    sys.__unraisablehook__(args)


def _die_of(number: int) -> NoReturn:
    signal(number, SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # the signal is blocked


def _occupy_standard_streams() -> None:
    # open() returns the lowest free descriptor: if a stream was closed (>&-), the answer would go into a netlink socket.
    # This descriptor takes no writes, so writing fails as it should.
    while (fd := os.open("/dev/null", os.O_RDONLY)) <= 2:
        pass
    os.close(fd)


if __name__ == "__main__":
    main()
