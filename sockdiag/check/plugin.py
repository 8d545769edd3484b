"""Run ``check`` as monitoring systems expect it: a line on standard output and 0 to 3, whatever happens.

What is asked of the kernel may hang where no signal reaches. So a child asks, and this process waits for it, no longer than ``-t``
says, and writes. A child that cannot be ended is left behind; it holds nothing of ours, so that nobody waits for it.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]

from sockdiag.cli.exit import CHECK_UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given

# A little less than the ten seconds that remote executors wait.
TIMEOUT_S = 9.0


class Ended(BaseException):
    """A signal asks this process to end."""


def run_check(words: list[str], env: Env) -> int:
    """Run check on the words after the program's name."""
    try:
        status, text = _from_words(words, env)
    except BaseException as error:
        status, text = CHECK_UNKNOWN, unknown(error, env)
    return written(status, text, env)


def run_given(env: Env, given: Given) -> int:
    """Run check on a command line that is parsed."""
    try:
        status, text = waited(env, given)
    except BaseException as error:
        status, text = CHECK_UNKNOWN, unknown(error, env)
    return written(status, text, env)


def written(status: int, text: str, env: Env) -> int:
    """Write what there is to say; what nobody can read is no verdict."""
    try:
        env.write(text)
    except OSError:
        return CHECK_UNKNOWN
    return status


def unknown(error: BaseException, env: Env) -> str:
    """Say why there is no verdict."""
    from sockdiag.errors import SockdiagError
    from sockdiag.render.plugin_text import plugin_output

    if isinstance(error, (SockdiagError, Ended)):
        first, *more = str(error).split("\n")
    elif isinstance(error, KeyboardInterrupt):
        first, more = "interrupted", []
    else:
        first, more = f"internal error: {type(error).__name__}: {error}", []
        if env.environ.get("SOCKDIAG_DEBUG"):
            from traceback import format_exception

            more = "".join(format_exception(error)).split("\n")
    return plugin_output(CHECK_UNKNOWN, first, (), more)


def _from_words(words: list[str], env: Env) -> tuple[int, str]:
    from sockdiag.check.request import paired
    from sockdiag.cli.catalog import load
    from sockdiag.cli.quick import parse
    from sockdiag.cli.spec import Given
    from sockdiag.errors import UsageError

    command = load("check")
    if words[0] != "check":
        raise UsageError(f"options stand after the command: sockdiag check {words[0]} ...")
    order: list[tuple[str, Any]] = []
    given = parse(command, words[1:], order)
    if given is None:
        if {"-h", "--help"} & set(words):
            from sockdiag.cli.help_text import help_text

            return CHECK_UNKNOWN, help_text("check", env.width)
        from sockdiag.cli.typer_app import complaint

        raise UsageError(complaint(command, words[1:], env) or "the command line is not understood; see --help")
    if given.version:
        from sockdiag import __version__

        return CHECK_UNKNOWN, f"sockdiag {__version__}\n"
    ranges = dict(zip(("warning", "critical"), paired(order), strict=True))
    return waited(env, Given({**vars(given), **ranges}))


def waited(env: Env, given: Given) -> tuple[int, str]:
    """Let a child answer, and wait for it.

    Raises:
        SockdiagError: there is no answer, or none in time.
        Ended: a signal asks this process to end.
    """
    from sockdiag.check.request import asked, check_times
    from sockdiag.errors import SockdiagError, SourceError, UsageError
    from sockdiag.sources.system.forked import answer_of

    check_times(given)
    asked(given)
    if given.netns is not None and given.root:
        raise UsageError("--netns and --root exclude each other: a captured system has the namespaces it was taken in")
    before = _mind_signals()
    try:
        data = answer_of(lambda: _answer(env, given), given.timeout)
    except TimeoutError:
        raise SockdiagError(f"no answer within {given.timeout:g} s") from None
    except SourceError as error:
        raise SockdiagError(error.reason) from None
    finally:
        for number, handler in before.items():
            _signal.signal(number, handler)
    return data[0], data[1:].decode("utf-8", "surrogateescape")


def _answer(env: Env, given: Given) -> bytes:
    from sockdiag.check.answer import answer
    from sockdiag.survey.session import ALL

    try:
        if given.netns not in (None, ALL):
            from sockdiag.sources.namespaces.netns import enter, resolve

            enter(resolve(given.netns))
        status, text = answer(env, given)
    except BaseException as error:
        status, text = CHECK_UNKNOWN, unknown(error, env)
    return bytes([status]) + text.encode("utf-8", "surrogateescape")


def _mind_signals() -> dict[int, Any]:
    """Let signals that end a program raise Ended; return what they did before."""
    names = {_signal.SIGTERM: "SIGTERM", _signal.SIGHUP: "SIGHUP", _signal.SIGALRM: "SIGALRM"}

    def end(number: int, _frame: object) -> None:
        # A monitoring system that has waited long enough sends SIGTERM, and may still read.
        raise Ended(f"ended by {names[number]}")

    return {number: _signal.signal(number, end) or _signal.SIG_DFL for number in names}
