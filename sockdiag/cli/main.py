"""The program: find a command and run it."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env


def run(argv: list[str], env: Env | None = None) -> int:
    """Run the program on a command line, its own name first.

    Returns:
        The exit status (``sockdiag.cli.exit``).
    """
    if is_ss(argv):
        from sockdiag.ss.main import run as run_ss

        return run_ss(argv if argv[1:2] != ["ss"] else ["ss", *argv[2:]])
    surroundings = env or _process()
    if is_check(argv[1:]):
        from sockdiag.cli.check_entry import run_check

        return run_check(argv[1:], surroundings)
    from sockdiag.cli.running import guarded

    return guarded(lambda: _dispatch(argv[1:], surroundings), surroundings)


def is_ss(argv: list[str]) -> bool:
    """Return whether a command line is for the drop-in: the program is called ss, or that is its first word."""
    return os.path.basename(argv[0]) == "ss" or argv[1:2] == ["ss"]


def _process() -> Env:
    from sockdiag.cli.env import Env

    return Env()


def is_check(words: list[str]) -> bool:
    """Return whether words are a run of check, whose exit statuses have other meanings."""
    return next((word for word in words if not word.startswith("-")), "") == "check"


def _dispatch(words: list[str], env: Env) -> int:
    from sockdiag.cli import exit as status
    from sockdiag.cli.catalog import COMMANDS, load

    if words in (["--version"], ["-V"]):
        words = ["version"]
    if words and words[0].startswith(":"):
        words = ["port", *words]
    name = words[0] if words and not words[0].startswith("-") else ""
    if name == "" or name in COMMANDS:
        rest = words[1:] if name else words
        if name == "replay":
            from sockdiag.cli.passed_on import joined

            rest = joined(load(name), rest)
            words = [name, *rest]
        if rest in (["--help"], ["-h"]):
            from sockdiag.cli.help_text import help_text

            env.write(help_text(name, env.width))
            return status.OK
        from sockdiag.cli.quick import parse
        from sockdiag.cli.running import execute

        command = load(name)
        order: list[tuple[str, object]] = []
        args = parse(command, rest, order)
        if args is not None:
            if env.terminal and command.options:
                from sockdiag.cli.config import with_defaults

                args = with_defaults(command, args, {option for option, _value in order}, env)
            return execute(command, args, env)
    from sockdiag.cli.typer_app import run_typer

    return run_typer(words, env)
