"""Exit statuses of every command but ``check`` (``sockdiag.check.status``) and ``ss``, which has those of iproute2's."""

from __future__ import annotations

OK = 0  # the answer is on standard output, good or bad
FAILED = 1  # nothing could be read
USAGE = 2  # an unknown option, a filter that does not parse
FINDINGS = 3  # with --exit-code: findings of at least --fail-on severity
PARTIAL = 4  # with --strict: the answer is there, but something that was asked for is missing
INTERRUPTED = 130
PIPE_CLOSED = 141

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sockdiag.cli.spec import Command

MEANINGS = {
    OK: "The answer is on standard output, good or bad.",
    FAILED: "Nothing could be read.",
    USAGE: "Wrong usage: an unknown option, a filter that does not parse.",
    FINDINGS: "With --exit-code: there are findings of at least --fail-on severity.",
    PARTIAL: "With --strict: the answer is there, but something that was asked for could not be read.",
    INTERRUPTED: "Interrupted.",
    PIPE_CLOSED: "The reader closed the pipe.",
}

# Statuses that occur only with an option.
_BY_OPTION = {FINDINGS: "exit_code", PARTIAL: "strict"}


def meanings(command: Command) -> Mapping[int, str]:
    """Return the exit statuses that a command can have, and what they mean."""
    if command.statuses is not None:
        return command.statuses
    options = {option.name for option in command.options}
    return {code: text for code, text in MEANINGS.items() if _BY_OPTION.get(code) in (None, *options)}
