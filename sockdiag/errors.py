"""Every exception that sockdiag raises on purpose.

A :class:`SourceError` or :class:`ParseError` during collection becomes a gap of the result
(``sockdiag.survey.collection``); the others end the command with an exit status of ``sockdiag.cli.exit``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class SockdiagError(Exception):
    """Base of all errors with a message made for the user."""

    @property
    def of_command(self) -> str:
        """The message as a command prints it."""
        return str(self)


class SourceError(SockdiagError):
    """Data could not be obtained from a kernel interface.

    Args:
        source: the interface, as a path (``/proc/net/tcp``) or ``netlink:NAME``.
        reason: the reason, in a few words.
        errno: the kernel's error number, positive; None if there is none.
        hint: what would make the data visible, or "".
    """

    def __init__(self, source: str, reason: str, errno: int | None = None, hint: str = "") -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason
        self.errno = errno
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.source, self.reason, self.errno, self.hint))


class SourceUnavailable(SourceError):
    """The kernel does not offer this interface here: file absent, protocol or handler not built."""


class SourceDenied(SourceError):
    """The interface exists and the caller may not read it."""


class SourceInterrupted(SourceError):
    """The kernel flagged the dump as inconsistent (NLM_F_DUMP_INTR), even after retries."""


class SourceTruncated(SourceError):
    """Part of an answer was lost: MSG_TRUNC, ENOBUFS, a short message, a missing NLMSG_DONE."""


class ParseError(SockdiagError):
    """A kernel interface returned something that its known layouts do not cover.

    Args:
        path: file or ``netlink:NAME``.
        line: line of the file, from 1, or the byte offset of the message for netlink.
        column: name of the column or attribute.
        expected: what the layout requires.
        text: what was found.
    """

    def __init__(self, path: str, line: int, column: str, expected: str, text: object) -> None:
        shown = text if isinstance(text, (bytes, bytearray, str)) else str(text)
        super().__init__(f"{path}:{line}: {column}: expected {expected}, got {shown[:80]!r}")
        self.path = path
        self.line = line
        self.column = column
        self.expected = expected
        self.text = text

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.path, self.line, self.column, self.expected, self.text))


class UsageError(SockdiagError):
    """The caller, or the command line, asks for something that does not exist; exit status 2."""


class ArgumentError(UsageError):
    """Arguments that options of the same names stand for make no sense.

    Args:
        message: what is wrong; names of arguments are in braces.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.replace("{", "").replace("}", ""))
        self._message = message

    @property
    def of_command(self) -> str:
        """The message with options in the place of arguments."""
        return self._message.replace("{", "--").replace("}", "")


def unknown(kind: str, name: str, known: Iterable[str], see: str = "") -> str:
    """Build the message for a name that does not exist, with the closest one that does.

    Args:
        kind: kind of thing that the name should refer to.
        name: the name that was given.
        known: the names that exist.
        see: command that lists them, if they are too many for a message.
    """
    from difflib import get_close_matches

    spelled = {word.lower(): word for word in known}
    near = get_close_matches(name.lower(), spelled, 1, 0.5)
    hint = (
        f"; did you mean '{spelled[near[0]]}'?" if near else f"; {see}" if see else f": {', '.join(spelled.values())}"
    )
    return f"there is no {kind} '{name}'{hint}"


class FilterError(UsageError):
    """A filter expression does not parse.

    Args:
        expression: the whole filter text.
        position: offset in it of the offending token.
        message: what is wrong there.
        length: length of the token, at least 1.
    """

    def __init__(self, expression: str, position: int, message: str, length: int = 1) -> None:
        caret = " " * position + "^" * max(1, length)
        super().__init__(f"{message}\n  {expression}\n  {caret}")
        self.expression = expression
        self.position = position
        self.message = message
        self.length = length

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.expression, self.position, self.message, self.length))
