"""Run ``check`` from the command line: every error, usage errors included, is a line on standard output and UNKNOWN."""

from __future__ import annotations

from sockdiag.check.answer import CheckAnswer
from sockdiag.check.status import CHECK_UNKNOWN
from sockdiag.cli.commands.check import COMMAND, CRITICAL, VERSION, WARNING, answer, write_answer
from sockdiag.cli.quick import parse
from sockdiag.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env


def run_check(words: list[str], env: Env) -> int:
    """Run check with the words after the program's name; return the plugin status."""
    return write_answer(env, lambda: _from_words(words, env))


def _from_words(words: list[str], env: Env) -> CheckAnswer:
    from sockdiag.check.request import paired

    if words[0] != "check":
        raise UsageError(f"options must follow the command: sockdiag check {words[0]} ...")
    order: list[tuple[str, object]] = []
    args = parse(COMMAND, words[1:], order)
    if args is None:
        if {"-h", "--help"} & set(words):
            from sockdiag.cli.help_text import help_text

            return CheckAnswer(CHECK_UNKNOWN, help_text("check", env.width))
        from sockdiag.cli.typer_app import complaint

        raise UsageError(complaint(COMMAND, words[1:], env) or "invalid command line; see --help")
    if args[VERSION]:
        from sockdiag.version import __version__

        return CheckAnswer(CHECK_UNKNOWN, f"sockdiag {__version__}\n")
    warning, critical = paired(order)
    return answer(env, args.replaced(WARNING, warning).replaced(CRITICAL, critical))
