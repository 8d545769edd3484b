"""Every exception that sockdiag raises on purpose.

A :class:`SourceError` or :class:`ParseError` during collection becomes a gap of the result
(``sockdiag.survey.collection``); the others end the command with an exit status of ``sockdiag.cli.exit``.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


# MAX_ERRNO, include/linux/err.h
MAX_ERRNO = 4095


def strerror(number: int) -> str:
    """Return the text of an error number, which may be any number in a file; as in C it is taken as an int."""
    return os.strerror(((number + (1 << 31)) & 0xFFFFFFFF) - (1 << 31))


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


class ModuleMissing(SourceUnavailable):
    """The kernel module that answers is not loaded; the hint is the command that loads it."""

    @property
    def unasked(self) -> bool:
        """Whether the kernel was not asked, so that it does not load it."""
        return self.errno is None


class NotCaptured(SourceUnavailable):
    """A capture has no such answer: it was not asked for when the capture was made."""


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


def unknown(kind: str, name: str, known: Iterable[str], see: str | None = "") -> str:
    """Build the message for a name that does not exist, with the one that was probably meant.

    Args:
        kind: kind of thing that the name should refer to.
        name: the name that was given.
        known: the names that exist.
        see: command that lists them, if they are too many for a message; None if the reader has just seen where.
    """
    names = list(known)
    near = nearest(name, names)
    if near:
        hint = f"; did you mean '{near}'?"
    elif see is None:
        hint = ""
    else:
        hint = f"; {see}" if see else f": {', '.join(dict.fromkeys(names))}"
    return f"there is no {kind} '{name}'{hint}"


# One mistake for each so many letters of a name; a name of two letters is like every other.
_LETTERS_PER_MISTAKE = 3


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the name that was probably meant: misspelt by little for its length, or cut short; None if there is none.

    Case and separators do not count. Of names that are equally near, one with the same first letter is preferred.
    """
    wanted = _letters(name)
    if len(wanted) < _LETTERS_PER_MISTAKE:
        return None
    most = len(wanted) // _LETTERS_PER_MISTAKE
    best: tuple[int, bool] | None = None
    found = begun = None
    for one in known:
        letters = _letters(one)
        if letters.startswith(wanted) and (begun is None or len(one) < len(begun)):
            begun = one
        if abs(len(letters) - len(wanted)) > most:
            continue
        mistakes = _mistakes(wanted, letters)
        rank = (mistakes, letters[:1] != wanted[:1])
        if mistakes <= most and (best is None or rank < best):
            best, found = rank, one
    return begun if begun is not None and (best is None or best[0]) else found


def _letters(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(".", "").replace(" ", "")


def _mistakes(one: str, other: str) -> int:
    # Letters to insert, delete or replace, or neighbours to swap, to turn one into the other.
    before: list[int] = []
    above = list(range(len(other) + 1))
    for i, letter in enumerate(one):
        row = [i + 1]
        for j, wanted in enumerate(other):
            cost = min(above[j] + (letter != wanted), above[j + 1] + 1, row[j] + 1)
            if i and j and letter == other[j - 1] and one[i - 1] == wanted:
                cost = min(cost, before[j - 1] + 1)
            row.append(cost)
        before, above = above, row
    return above[-1]


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
