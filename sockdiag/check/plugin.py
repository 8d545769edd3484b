"""Always answer as a monitoring plugin must: in time, and with a reason if there is no verdict.

Requests to the kernel may hang in uninterruptible sleep. So a child process makes them, while this process waits for the
child for at most ``-t`` seconds, and writes the answer. A child that cannot be killed is left behind; it holds none of
our descriptors, so no reader waits for it.

The child keeps the baseline for the next run only when this process reports that the answer has been written: a loss
that nobody could read of is reported again by the next run.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # start-up: docs/rejected.md

from sockdiag.check.answer import CheckAnswer
from sockdiag.check.status import CHECK_UNKNOWN
from sockdiag.defaults import ALL_NAMESPACES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sockdiag.check.options import CheckOptions
    from sockdiag.sources.system.machine import System


# The child waits for the lock of the state file, for a shorter time.
_TO_KEEP_S = 5.0


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
    elif isinstance(error, MemoryError):
        first, more = "out of memory", []
    elif isinstance(error, ImportError):
        first, more = f"cannot load a part of the program: {error}", []
    elif isinstance(error, OSError):
        first, more = f"{error.filename or 'a system call failed'}: {error.strerror}", []
    else:
        first, more = f"internal error: {type(error).__name__}: {error}", []
        if debug:
            from traceback import format_exception

            more = "".join(format_exception(error)).split("\n")
    return plugin_output(CHECK_UNKNOWN, first, (), more)


def waited(options: CheckOptions, open_system: Callable[[], System], clock: Callable[[], float]) -> CheckAnswer:
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
    from sockdiag.errors import SockdiagError, SourceError
    from sockdiag.sources.system.forked import answer_of

    check_times(options)
    check_request(options)
    before = _mind_signals()
    child = _Child(options, open_system, clock)
    try:
        held = answer_of(child.work, options.timeout_s, child.arrived)
    except TimeoutError:
        raise SockdiagError(f"no answer within {options.timeout_s:g} s") from None
    except SourceError as error:
        raise SockdiagError(error.reason) from None
    finally:
        for number, handler in before.items():
            _signal.signal(number, handler)
    text = held.data[1:].decode("utf-8", "surrogateescape")
    return CheckAnswer(held.data[0], text, lambda: held.arrived(_TO_KEEP_S), held.lost)


def answer(options: CheckOptions, system: System, started: float | None = None) -> CheckAnswer:
    """Run the check.

    Args:
        options: what to check, and how.
        system: the system.
        started: start time of the run in seconds since the epoch, if not now.

    Raises:
        SockdiagError: no verdict could be reached.
    """
    from sockdiag.check.request import check_times
    from sockdiag.check.run import Run
    from sockdiag.check.status_line import output
    from sockdiag.survey.survey import Survey

    check_times(options)
    run = Run(Survey(system, options.survey, started=started), options)
    run.judge()
    return CheckAnswer(run.status, output(run), run.keep_baseline)


class _Child:
    """What the child does: run the check, and keep the baseline if the answer has arrived."""

    __slots__ = ("_answer", "_clock", "_open_system", "_options")

    def __init__(self, options: CheckOptions, open_system: Callable[[], System], clock: Callable[[], float]) -> None:
        self._options = options
        self._open_system = open_system
        self._clock = clock
        self._answer: CheckAnswer | None = None

    def work(self) -> bytes:
        """Return the status, and the text to write."""
        from sockdiag.survey.opening import in_namespace

        options = self._options
        try:
            netns = options.survey.netns
            if netns not in (None, ALL_NAMESPACES) and not options.captured:
                from sockdiag.sources.namespaces.netns import enter, resolve

                enter(resolve(netns))
            system = in_namespace(self._open_system(), netns)
            found = answer(options, system, self._clock() if system.files.live else None)
        except BaseException as error:
            found = CheckAnswer(CHECK_UNKNOWN, unknown(error, debug=options.debug))
        self._answer = found
        return bytes([found.status]) + found.text.encode("utf-8", "surrogateescape")

    def arrived(self) -> None:
        """Keep the baseline for the next run."""
        if self._answer is not None:
            self._answer.arrived()


def _mind_signals() -> dict[int, Any]:
    """Make signals that end a program raise Ended; return their previous handlers."""
    names = {_signal.SIGTERM: "SIGTERM", _signal.SIGHUP: "SIGHUP", _signal.SIGALRM: "SIGALRM"}

    def end(number: int, _frame: object) -> None:
        # A monitoring system that has waited long enough sends SIGTERM, and may still read the answer.
        raise Ended(f"ended by {names[number]}")

    return {number: _signal.signal(number, end) or _signal.SIG_DFL for number in names}
