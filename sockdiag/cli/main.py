"""The program: find the command, run it, and turn whatever goes wrong into one line and an exit status."""

from __future__ import annotations

import errno
import os

from sockdiag.cli import exit as status
from sockdiag.cli.catalog import COMMANDS, load
from sockdiag.cli.env import Env
from sockdiag.cli.quick import parse
from sockdiag.errors import SockdiagError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.cli.spec import Command, Given


def run(argv: list[str], env: Env | None = None) -> int:
    """Run the program on a command line, its own name first.

    Returns:
        The exit status (``sockdiag.cli.exit``).
    """
    if os.path.basename(argv[0]) == "ss" or argv[1:2] == ["ss"]:
        from sockdiag.ss.main import run as run_ss

        return run_ss(argv if argv[1:2] != ["ss"] else ["ss", *argv[2:]])
    environment = env or Env()
    if is_check(argv[1:]):
        from sockdiag.check.plugin import run_check

        return run_check(argv[1:], environment)
    return guarded(lambda: _dispatch(argv[1:], environment), environment)


def is_check(words: list[str]) -> bool:
    """Tell whether words are a run of check, whose exit statuses mean something else."""
    return next((word for word in words if not word.startswith("-")), "") == "check"


def guarded(function: Callable[[], int], env: Env) -> int:
    """Run *function* and turn whatever it raises into a line on standard error and an exit status."""
    try:
        return function()
    except UsageError as error:
        env.warn(str(error))
        return status.USAGE
    except SockdiagError as error:
        hint = getattr(error, "hint", "")
        env.warn(f"{error}{f' ({hint})' if hint else ''}")
        return status.FAILED
    except OSError as error:
        if error.errno == errno.EPIPE:
            return status.PIPE_CLOSED
        env.warn(f"cannot write the answer: {error.strerror}" if not error.filename else str(error))
        return status.FAILED
    except KeyboardInterrupt:
        return status.INTERRUPTED
    except Exception as error:
        # A mistake in the program: its user gets one line, its author asks for the rest.
        if env.environ.get("SOCKDIAG_DEBUG"):
            raise
        env.warn(f"internal error: {type(error).__name__}: {error}; SOCKDIAG_DEBUG=1 shows where")
        return status.FAILED
    finally:
        env.unwatch()


def _dispatch(words: list[str], env: Env) -> int:
    if words == ["--version"]:
        from sockdiag import __version__

        env.write(f"sockdiag {__version__}\n")
        return status.OK
    name = words[0] if words and not words[0].startswith("-") else ""
    if name == "" or name in COMMANDS:
        rest = words[1:] if name else words
        if rest in (["--help"], ["-h"]):
            from sockdiag.cli.help_text import help_text

            env.write(help_text(name, env.width))
            return status.OK
        command = load(name)
        given = parse(command, rest)
        if given is not None:
            return execute(command, given, env)
    from sockdiag.cli.typer_app import run_typer

    return run_typer(words, env)


def execute(command: Command, given: Given, env: Env) -> int:
    """Run a parsed command, in the namespace that it names."""
    netns = getattr(given, "netns", None)
    if command.prepare is not None:
        command.prepare(env, given)
    if netns is None:
        result: int = command.run(env, given)
        return result
    if given.root:
        raise UsageError("--netns and --root exclude each other: a captured system has the namespaces it was taken in")
    if netns == "all":
        if not command.everywhere:
            raise UsageError(f"'{command.name}' looks at one network namespace; --netns all is not for it")
        everywhere: int = command.run(env, given)
        return everywhere
    from sockdiag.sources.namespaces.netns import resolve, run_in

    return run_in(resolve(netns), lambda: _guarded_run(command, given, env))


def _guarded_run(command: Command, given: Given, env: Env) -> int:
    return guarded(lambda: int(command.run(env, given)), env)
