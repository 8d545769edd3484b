"""Always answer as a monitoring plugin must: in time, and with a reason if there is no verdict.

Requests to the kernel may hang in uninterruptible sleep. So a child process makes them, while this process waits for the
child for at most ``-t`` seconds, and writes the answer. A child that cannot be killed is left behind; it holds none of
our descriptors, so no reader waits for it.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # start-up: docs/rejected.md

from sockdiag.check.status import CHECK_UNKNOWN
from sockdiag.defaults import ALL_NAMESPACES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sockdiag.check.options import CheckOptions
    from sockdiag.sources.system.machine import System


class Ended(BaseException):
    """A signal asked this process to end."""


def unknown(error: BaseException, *, debug: bool = False) -> str:
    """Build the text for a run without a verdict."""
    from sockdiag.errors import SockdiagError
    from sockdiag.render.plugin_text import plugin_output

    if isinstance(error, (SockdiagError, Ended)):
        first, *more = (error.of_command if isinstance(error, SockdiagError) else str(error)).split("\n")
    elif isinstance(error, KeyboardInterrupt):
        first, more = "interrupted", []
    else:
        first, more = f"internal error: {type(error).__name__}: {error}", []
        if debug:
            from traceback import format_exception

            more = "".join(format_exception(error)).split("\n")
    return plugin_output(CHECK_UNKNOWN, first, (), more)


def waited(options: CheckOptions, open_system: Callable[[], System], clock: Callable[[], float]) -> tuple[int, str]:
    """Run the check in a child process, and wait for its answer.

    Args:
        options: what to check, and how.
        open_system: opens the system, in the child.
        clock: seconds since the epoch.

    Raises:
        SockdiagError: no answer came, or none in time.
        Ended: a signal asked this process to end.
    """
    from sockdiag.check.request import check_request, check_times
    from sockdiag.errors import SockdiagError, SourceError, UsageError
    from sockdiag.sources.system.forked import answer_of

    check_times(options)
    check_request(options)
    if options.survey.netns is not None and options.captured:
        raise UsageError("--netns and --root exclude each other: a capture holds the namespaces that it was taken in")
    before = _mind_signals()
    try:
        data = answer_of(lambda: _answer(options, open_system, clock), options.timeout_s)
    except TimeoutError:
        raise SockdiagError(f"no answer within {options.timeout_s:g} s") from None
    except SourceError as error:
        raise SockdiagError(error.reason) from None
    finally:
        for number, handler in before.items():
            _signal.signal(number, handler)
    return data[0], data[1:].decode("utf-8", "surrogateescape")


def _answer(options: CheckOptions, open_system: Callable[[], System], clock: Callable[[], float]) -> bytes:
    from sockdiag.check.answer import answer

    try:
        netns = options.survey.netns
        if netns not in (None, ALL_NAMESPACES):
            from sockdiag.sources.namespaces.netns import enter, resolve

            enter(resolve(netns))
        system = open_system()
        status, text = answer(options, system, clock() if system.files.live else None)
    except BaseException as error:
        status, text = CHECK_UNKNOWN, unknown(error, debug=options.debug)
    return bytes([status]) + text.encode("utf-8", "surrogateescape")


def _mind_signals() -> dict[int, Any]:
    """Make signals that end a program raise Ended; return their previous handlers."""
    names = {_signal.SIGTERM: "SIGTERM", _signal.SIGHUP: "SIGHUP", _signal.SIGALRM: "SIGALRM"}

    def end(number: int, _frame: object) -> None:
        # A monitoring system that has waited long enough sends SIGTERM, and may still read the answer.
        raise Ended(f"ended by {names[number]}")

    return {number: _signal.signal(number, end) or _signal.SIG_DFL for number in names}
