"""Run a parsed command, and turn every error into one line and an exit status."""

from __future__ import annotations

import errno

from sockdiag import progress
from sockdiag.cli import exit as status
from sockdiag.cli.env import WriteError
from sockdiag.errors import SockdiagError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Command


def lasts() -> None:
    """Search for cycles of objects again: a short run leaves them to its end, but this one may last for days."""
    import gc

    gc.enable()


def guarded(function: Callable[[], int], env: Env) -> int:
    """Run *function* and turn any exception into a line on standard error and an exit status."""
    progress.listen(env.warn)
    try:
        return function()
    except UsageError as error:
        env.warn(error.of_command, several=True)
        for path, names in env.defaults.items():
            env.warn(f"{path} has set {', '.join(names)}")
        return status.USAGE
    except SockdiagError as error:
        hint = getattr(error, "hint", "")
        env.warn(f"{error}{f' ({hint})' if hint else ''}")
        return status.FAILED
    except WriteError as error:
        if error.errno == errno.EPIPE:
            return status.PIPE_CLOSED
        env.warn(f"cannot write the answer: {error.strerror}")
        return status.FAILED
    except OSError as error:
        env.warn(f"{error.filename or 'a system call failed'}: {error.strerror}")
        return status.FAILED
    except ImportError as error:
        env.warn(f"cannot load a part of the program: {error}")
        return status.FAILED
    except MemoryError:
        env.warn("out of memory")
        return status.FAILED
    except KeyboardInterrupt:
        return status.INTERRUPTED
    except Exception as error:
        # A bug in the program: the user gets one line, the traceback is for its authors.
        if env.environ.get("SOCKDIAG_DEBUG"):
            raise
        env.warn(f"internal error: {type(error).__name__}: {error}; SOCKDIAG_DEBUG=1 shows where")
        return status.FAILED
    finally:
        env.unwatch()
        progress.listen(None)


def execute(command: Command, args: Args, env: Env) -> int:
    """Run a parsed command, in the namespace that it names."""
    from sockdiag.cli import options
    from sockdiag.defaults import ALL_NAMESPACES

    def run() -> int:
        return command.run(env, args)

    roots, netns = args.get(options.ROOT), args.get(options.NETNS)
    if roots:
        from sockdiag.cli.roots import captures_of

        captures = captures_of(roots)
        if len(captures) > 1:
            from sockdiag.cli.fleet import run_fleet

            return run_fleet(command, args, captures, env)
        args = args.replaced(options.ROOT, captures)
    begin = run if command.prepare is None else command.prepare(env, args)
    if netns is None:
        return begin()
    if netns == ALL_NAMESPACES:
        if not command.all_namespaces:
            raise UsageError(f"'{command.name}' does not support --netns all")
        return begin()
    if args.get(options.ROOT):
        return begin()  # open_survey() finds it in the capture
    from sockdiag.sources.namespaces.netns import resolve, run_in

    return run_in(resolve(netns), lambda: guarded(begin, env))
