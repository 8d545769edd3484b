"""getopt_long(3) as glibc does it: clusters, permutation, abbreviations, messages.

**Source:** the GNU C library manual, "Parsing Long Options with getopt_long"; messages as printed by glibc 2.36.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    # name, takes an argument, result
    Long = tuple[str, bool, str]


class BadOption(Exception):
    """An option that getopt_long refuses; the message is what it would print."""


class Getopt:
    """One pass over the arguments.

    Args:
        argv: the program's name and its arguments.
        short: the short options; one that takes an argument is followed by a colon.
        long: the long options, in the order in which ambiguities are listed.
        posix: stop at the first operand (POSIXLY_CORRECT).
    """

    __slots__ = ("_argv", "_long", "_posix", "_short", "operands")

    def __init__(self, argv: Sequence[str], short: str, long: Sequence[Long], *, posix: bool) -> None:
        self._argv = argv
        self._long = long
        self._posix = posix
        self._short = {c: short[i + 1 : i + 2] == ":" for i, c in enumerate(short) if c != ":"}
        self.operands: list[str] = []

    def options(self) -> Iterator[tuple[str, str]]:
        """Yield result and argument of each option, in order; :attr:`operands` is complete at the end.

        Raises:
            BadOption: the option at this place is unknown, ambiguous, or lacks or must not have an argument.
        """
        argv = self._argv
        at, end = 1, len(argv)
        while at < end:
            word = argv[at]
            at += 1
            if word == "--":
                break
            if word[:1] != "-" or word == "-":
                if self._posix:
                    at -= 1
                    break
                self.operands.append(word)
            elif word[:2] == "--":
                result, argument, needs = self._find(word[2:])
                if needs and argument is None:
                    if at >= end:
                        raise BadOption(f"{argv[0]}: option '--{result[1]}' requires an argument")
                    argument = argv[at]
                    at += 1
                yield result[0], argument or ""
            else:
                for i, letter in enumerate(word[1:], 2):
                    takes = self._short.get(letter)
                    if takes is None:
                        # Options are bytes there.
                        byte = os.fsencode(letter)[:1].decode("utf-8", "surrogateescape")
                        raise BadOption(f"{argv[0]}: invalid option -- '{byte}'")
                    if not takes:
                        yield letter, ""
                        continue
                    if word[i:]:
                        yield letter, word[i:]
                    elif at < end:
                        at += 1
                        yield letter, argv[at - 1]
                    else:
                        raise BadOption(f"{argv[0]}: option requires an argument -- '{letter}'")
                    break
        self.operands += argv[at:]

    def _find(self, text: str) -> tuple[tuple[str, str], str | None, bool]:
        name, equals, value = text.partition("=")
        matches = [option for option in self._long if option[0].startswith(name)]
        exact = [option for option in matches if option[0] == name]
        if exact:
            matches = exact[:1]
        if not matches:
            raise BadOption(f"{self._argv[0]}: unrecognized option '--{text}'")
        full, takes, result = matches[0]
        if any(option[1:] != (takes, result) for option in matches):
            listed = " ".join(f"'--{option[0]}'" for option in matches)
            raise BadOption(f"{self._argv[0]}: option '--{text}' is ambiguous; possibilities: {listed}")
        if equals and not takes:
            raise BadOption(f"{self._argv[0]}: option '--{full}' doesn't allow an argument")
        return (result, full), value if equals else None, takes
