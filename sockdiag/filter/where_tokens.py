"""Tokens of a --where expression.

Operators need no blanks around them. A value follows an operator, or a word like ``src``: it ends at a blank, a
parenthesis, ``&`` or ``|``; quotes or a backslash take such characters in.
"""

from __future__ import annotations

from sockdiag.errors import FilterError
from sockdiag.filter.tree import CONNECTIVES, END, OPERATORS

_SPACE = " \t\r\n\v\f"
_SYMBOLS = ("&&", "||", "!=", "!~", "=~", "==", ">=", "<=", "(", ")", "&", "|", "!", "=", ">", "<", "~")
_BREAKS = "()&|"
_FIELD_BREAKS = "()&|!=<>~'\""
_COMPARISONS = {**OPERATORS, "~": "~", "=~": "~", "!~": "!~"}


class Token:
    """One token.

    Attributes:
        kind: ``and or not ( ) end``, an operator, ``word``, or ``value``.
        text: its text, without quotes and backslashes.
        pattern: a value as a shell pattern: backslashes outside quotes are kept, as they may precede special characters.
        position, length: where it stands.
        quoted: it was in quotes.
    """

    __slots__ = ("kind", "length", "pattern", "position", "quoted", "text")

    def __init__(
        self, kind: str, text: str, position: int, length: int, *, pattern: str = "", quoted: bool = False
    ) -> None:
        self.kind = kind
        self.text = text
        self.position = position
        self.length = length
        self.pattern = pattern
        self.quoted = quoted


class Lexer:
    """Read tokens from the left; the parser decides whether a value comes next."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def error(self, token: Token, message: str) -> FilterError:
        """Return the error that points at a token."""
        return FilterError(self.text, token.position, message, token.length)

    def token(self) -> Token:
        """Read the next token where no value is expected."""
        self._blanks()
        start = self.at
        if start == len(self.text):
            return Token(END, "", start, 1)
        for symbol in _SYMBOLS:
            if self.text.startswith(symbol, start):
                self.at += len(symbol)
                return Token(CONNECTIVES.get(symbol) or _COMPARISONS[symbol], symbol, start, len(symbol))
        if self.text[start] in "'\"":
            return self.value()
        while self.at < len(self.text) and self.text[self.at] not in _FIELD_BREAKS + _SPACE:
            self.at += 1
        word = self.text[start : self.at]
        lower = word.lower()
        kind = CONNECTIVES.get(lower) or _COMPARISONS.get(lower) or "word"
        return Token(kind, word, start, self.at - start)

    def value(self) -> Token:
        """Read a value; an ``end`` or ``)`` token where there is none."""
        self._blanks()
        start = self.at
        if start == len(self.text) or self.text[start] in _BREAKS:
            return self.token()
        text = pattern = ""
        quoted = False
        while self.at < len(self.text) and self.text[self.at] not in _BREAKS + _SPACE:
            character = self.text[self.at]
            if character in "'\"":
                quoted = True
                piece = self._quoted(character)
                text += piece
                pattern += piece
                continue
            if character == "\\" and self.at + 1 < len(self.text):
                self.at += 1
                pattern += "\\"
                character = self.text[self.at]
            text += character
            pattern += character
            self.at += 1
        if not quoted and text.lower() in CONNECTIVES:
            return Token(CONNECTIVES[text.lower()], text, start, self.at - start)
        return Token("value", text, start, self.at - start, pattern=pattern, quoted=quoted)

    def _quoted(self, quote: str) -> str:
        start = self.at
        end = self.text.find(quote, start + 1)
        if end < 0:
            raise FilterError(self.text, start, f"unclosed quote: {quote}", len(self.text) - start)
        self.at = end + 1
        return self.text[start + 1 : end]

    def _blanks(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _SPACE:
            self.at += 1
